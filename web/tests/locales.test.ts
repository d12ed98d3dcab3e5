import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { en } from '../src/locales/en';
import { zhCN } from '../src/locales/zh-CN';

const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').sort();
const keys = Object.keys(en) as (keyof typeof en)[];

function sources(folder: string): string {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return entry.name === 'locales' ? '' : sources(path);
      return /\.(ts|svelte)$/.test(entry.name) ? readFileSync(path, 'utf8') : '';
    })
    .join('\n');
}

describe('the words', () => {
  it('exist in both languages, never empty', () => {
    expect(Object.keys(zhCN).sort()).toEqual([...keys].sort());
    for (const key of keys) {
      expect(en[key].trim(), key).not.toBe('');
      expect(zhCN[key].trim(), key).not.toBe('');
    }
  });
  it('take the same placeholders', () => {
    for (const key of keys) expect(placeholders(zhCN[key]), key).toEqual(placeholders(en[key]));
  });
  it('are Chinese in Chinese and hold no Chinese in English', () => {
    for (const key of keys) {
      expect(/[\u4e00-\u9fff]/.test(en[key]), key).toBe(false);
      if (!/^[\w\s/{}\-–+.,:()]*$/.test(zhCN[key])) expect(/[\u4e00-\u9fff]/.test(zhCN[key]), key).toBe(true);
    }
  });
  it('are all used', () => {
    const code = sources(new URL('../src', import.meta.url).pathname);
    const built = [...code.matchAll(/t\(\s*`([\w.]+)\$\{/g)].map((match) => match[1] ?? '');
    for (const match of code.matchAll(/coded\('([\w.]+)'/g)) built.push(`${match[1]}.`);
    const unused = keys.filter((key) => !code.includes(`'${key}'`) && !built.some((start) => key.startsWith(start)) && !key.startsWith('source.'));
    expect(unused).toEqual([]);
  });
});

describe('markup', () => {
  it('holds no words of its own outside the translation files', () => {
    expect(sources(new URL('../src', import.meta.url).pathname).replace(/'中文'/g, '').replace(/\b中文\b/g, '').match(/[\u4e00-\u9fff]{2,}/g)?.filter((found) => found !== '公顷') ?? []).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';

import {
  classLabels,
  formatArea,
  formatChange,
  formatCompact,
  formatFigure,
  formatMoment,
  formatMonth,
  formatNumber,
  monthEnd,
  monthsBack,
  nameOf,
  ticks,
  wrap,
} from '../src/lib/format';

describe('numbers', () => {
  it('are grouped, with as many digits as their size deserves', () => {
    expect(formatNumber(1694251, 'en')).toBe('1,694,251');
    expect(formatNumber(1694251, 'zh-CN')).toBe('1,694,251');
    expect(formatNumber(2.345, 'en')).toBe('2.35');
    expect(formatNumber(23.456, 'en')).toBe('23.5');
    expect(formatNumber(234.56, 'en')).toBe('235');
    expect(formatNumber(null, 'en')).toBe('–');
    expect(formatNumber(Number.NaN, 'en')).toBe('–');
  });
  it('carry their unit, percent without a space', () => {
    expect(formatFigure(41.234, '%', 'en')).toBe('41.2%');
    expect(formatFigure(40, '%', 'en')).toBe('40.0%');
    expect(formatFigure(1234, '人', 'zh-CN')).toBe('1,234 人');
  });
  it('show a change with its sign, and none where it rounds away', () => {
    expect(formatChange(12, '', 'en')).toBe('+12');
    expect(formatChange(-1234, '', 'en')).toBe('−1,234');
    expect(formatChange(0.01, '%', 'en')).toBe('±0');
    expect(formatChange(-0.4, '%', 'en')).toBe('−0.4');
  });
  it('are short on an axis, in the way of the language', () => {
    expect(formatCompact(12000, 'en')).toBe('12K');
    expect(formatCompact(12000, 'zh-CN')).toBe('1.2万');
  });
  it('choose a unit of area that fits', () => {
    expect(formatArea(9876.5, 'en')).toBe('9,877 m²');
    expect(formatArea(2_500_000, 'en')).toBe('2.5 km²');
    expect(formatArea(250_000, 'zh-CN')).toBe('25 公顷');
  });
});

describe('dates', () => {
  it('name a month', () => {
    expect(formatMonth('2026-10', 'zh-CN')).toBe('2026年10月');
    expect(formatMonth('2026-10', 'en')).toBe('Oct 2026');
    expect(formatMonth('2026-10-03', 'en')).toBe('2026-10-03');
  });
  it('end a month on its last day, leap years too', () => {
    expect(monthEnd('2026-02')).toBe('2026-02-28');
    expect(monthEnd('2024-02')).toBe('2024-02-29');
    expect(monthEnd('2024-02-03')).toBe('2024-02-03');
  });
  it('count months back across a new year', () => {
    expect(monthsBack('2026-02', 4)).toEqual(['2026-02', '2026-01', '2025-12', '2025-11']);
  });
  it('tell a moment in the zone of the city, not of the reader', () => {
    expect(formatMoment('2026-11-22T16:30:00Z', 'Asia/Shanghai')).toBe('2026-11-23 00:30');
  });
});

describe('names and classes', () => {
  it('fall back to the other language, then to the code', () => {
    expect(nameOf({ name: '河东区', name_en: 'Hedong' }, 'en')).toBe('Hedong');
    expect(nameOf({ name: '河东区', name_en: null }, 'en')).toBe('河东区');
    expect(nameOf({ name: null, code: '110101001001' }, 'zh-CN')).toBe('110101001001');
  });
  it('do not let whole-number classes overlap', () => {
    expect(classLabels(1, [5, 12, 30], '', 'en')).toEqual(['1 – 5', '6 – 12', '13 – 30']);
    expect(classLabels(1, [1, 2], '', 'en')).toEqual(['1', '2']);
  });
  it('join where the figures are not whole', () => {
    expect(classLabels(0.5, [1.25, 2.5], '', 'en')).toEqual(['0.5 – 1.25', '1.25 – 2.5']);
  });
});

describe('ticks', () => {
  it('are round, begin at zero and reach the largest value', () => {
    for (const max of [0.7, 3, 17, 99, 1234, 87654]) {
      const found = ticks(max);
      expect(found[0]).toBe(0);
      expect(found.at(-1)).toBeGreaterThanOrEqual(max);
      expect(found.length).toBeLessThan(8);
    }
  });
  it('are whole for counts of a few', () => {
    expect(ticks(3, 4, true).every(Number.isInteger)).toBe(true);
    expect(ticks(0)).toEqual([0, 1]);
  });
});

describe('labels', () => {
  it('break at a word or between characters, once, and end in an ellipsis where they must', () => {
    expect(wrap('Jobs', 10)).toEqual(['Jobs']);
    expect(wrap('Floating residents without a permit', 24)).toEqual(['Floating residents', 'without a permit']);
    expect(wrap('持有效居住证的流动人口', 14)).toEqual(['持有效居住', '证的流动人口']);
    const long = wrap('Information transmission, software and information technology services', 20);
    expect(long).toHaveLength(2);
    expect(long[1]?.endsWith('…')).toBe(true);
  });
});

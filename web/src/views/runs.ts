/** Words and tones for load runs. */
import { t } from '../lib/store.svelte';
import type { Run } from '../lib/types';
import { en } from '../locales/en';
import type { Key } from '../locales';

export function kindName(kind: string): string {
  const key = `source.${kind}`;
  return key in en ? t(key as Key) : kind;
}

export function stateTone(state: Run['state']): string {
  if (state === 'failed' || state === 'refused') return 'bad';
  return state === 'done' ? 'accent' : '';
}

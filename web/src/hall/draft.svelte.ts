/** What a resident is filling in. It outlives a reload; numbers that identify a person do not leave the page. */
import type { Kind } from '../lib/people';

export interface Building {
  id: number;
  name: string | null;
  address: string | null;
}
export interface Draft {
  kind: Kind | null;
  building: Building | null;
  dwelling: string;
  room: string;
  name: string;
  on: string;
  tenure: string;
  host: string;
  family: string;
  childName: string;
  childSex: string;
  words: string;
}
const EMPTY: Draft = {
  kind: null, building: null, dwelling: '', room: '', name: '', on: '', tenure: '', host: '', family: '0', childName: '',
  childSex: '', words: '',
}; // prettier-ignore
const KEY = 'hexward.hall.draft';

function restored(): Draft {
  try {
    return { ...EMPTY, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Draft>) };
  } catch {
    return { ...EMPTY };
  }
}

export const draft = $state<Draft>(restored());

export function keepDraft(): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // A private window may refuse; the draft then lives as long as the page.
  }
}
export function clearDraft(): void {
  Object.assign(draft, EMPTY);
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}

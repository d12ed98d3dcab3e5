/**
 * What has been filled in and not been done yet. It outlives a reload of the page, in the memory of this tab only, and
 * belongs to who is signed in: another account in the same tab never sees it.
 */
import { app } from '../lib/store.svelte';
import type { ActKind } from '../lib/url';

export interface Draft {
  kind: ActKind;
  /** The record it was begun from, as route/id. */
  from: string;
  step: number;
  people: string[];
  dwelling: { id: number; address: string; people: number | null } | null;
  on: string;
  fields: Record<string, string>;
}
const KEY = 'hexward.draft';

function read(): { who: string; drafts: Draft[] } | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as { who: string; drafts: Draft[] } | null;
  } catch {
    return null;
  }
}

class Drafts {
  #all = $state<Draft[]>([]);
  #who: string | null = null;

  #mine(): Draft[] {
    const who = app.session?.user.id ?? null;
    if (who !== this.#who) {
      const kept = read();
      this.#who = who;
      this.#all = kept && kept.who === who ? kept.drafts : [];
    }
    return this.#all;
  }

  of(kind: ActKind, from: string): Draft | null {
    return this.#mine().find((draft) => draft.kind === kind && draft.from === from) ?? null;
  }

  keep(draft: Draft): void {
    const others = this.#mine().filter((one) => one.kind !== draft.kind || one.from !== draft.from);
    this.#write([...others, draft].slice(-8));
  }

  drop(kind: ActKind, from: string): void {
    this.#write(this.#mine().filter((one) => one.kind !== kind || one.from !== from));
  }

  #write(drafts: Draft[]): void {
    this.#all = drafts;
    try {
      if (drafts.length && this.#who) sessionStorage.setItem(KEY, JSON.stringify({ who: this.#who, drafts }));
      else sessionStorage.removeItem(KEY);
    } catch {
      // Where nothing may be kept, the draft lasts as long as the page.
    }
  }
}

export const drafts = new Drafts();

/** Nothing of what was filled in stays behind in the tab. */
export function forgetDrafts(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There was nothing kept.
  }
}

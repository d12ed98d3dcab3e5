/** Acts on the register as the app does them: one at a time, told in a line below, undone as one. */
import { untrack } from 'svelte';

import { Problem, send } from '../lib/api';
import { t } from '../lib/store.svelte';

export interface Done {
  act: string;
  persons: string[];
  household_id?: string;
}
interface Told {
  words: string;
  good: boolean;
  /** The act that can be taken back. */
  act: string | null;
}
const SHOWN_MS = 30_000;

class Acts {
  told = $state.raw<Told | null>(null);
  busy = $state(false);
  /** Counts up with every act and undo: what is on the screen follows it and is asked for again. */
  turn = $state(0);
  #timer: ReturnType<typeof setTimeout> | undefined;

  tell(words: string, good: boolean, act: string | null = null): void {
    clearTimeout(this.#timer);
    this.told = { words, good, act };
    this.#timer = setTimeout(this.dismiss, SHOWN_MS);
  }
  dismiss = (): void => {
    clearTimeout(this.#timer);
    this.told = null;
  };

  /** Does an act; a refusal is thrown for those who can show it in its place, and told below for all others. */
  async run(kind: string, body: unknown, words: string): Promise<Done> {
    this.busy = true;
    try {
      const done = (await send<Done>(`/api/acts/${kind}`, 'POST', body)) as Done;
      this.turn += 1;
      this.tell(words, true, done.act);
      return done;
    } finally {
      this.busy = false;
    }
  }

  /** Does an act from a single button, where a refusal has no place of its own. */
  async quick(kind: string, body: unknown, words: string): Promise<boolean> {
    if (this.busy) return false;
    try {
      await this.run(kind, body, words);
      return true;
    } catch (error) {
      this.tell(reason(error), false);
      return false;
    }
  }

  undo = async (): Promise<void> => {
    const act = this.told?.act;
    if (!act || this.busy) return;
    this.busy = true;
    try {
      await send(`/api/acts/${act}/undo`, 'POST');
      this.turn += 1;
      this.tell(t('act.undone'), true);
    } catch (error) {
      this.tell(reason(error), false, act);
    } finally {
      this.busy = false;
    }
  };
}

export const acts = new Acts();

/** Why something was refused, in words. */
export function reason(error: unknown): string {
  if (!(error instanceof Problem)) return String(error);
  if (error.unreachable) return t('state.unreachable.detail');
  return error.detail || error.title || t('state.failed');
}

/** Asks again for what is on the screen after every act. Call while a component is being set up. */
export function renewAfterActs(...shown: { retry: () => void }[]): void {
  let seen = acts.turn;
  $effect(() => {
    if (acts.turn === seen) return;
    seen = acts.turn;
    untrack(() => shown.forEach((one) => one.retry()));
  });
}

/** One thing fetched from the server: keeps the old data while the new is on its way, can be retried. */
import { untrack } from 'svelte';

import { getJson, Problem } from './api';
import { app } from './store.svelte';

export class Resource<T> {
  data = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  #tries = $state(0);
  #path: string | null = null;

  /** Follows `path()`; a null path clears the data. Call while a component is being set up. */
  constructor(path: () => string | null) {
    const asked = $derived(path());
    $effect(() => {
      const wanted = asked;
      void this.#tries;
      if (wanted === null) {
        this.#path = null;
        this.data = null;
        this.problem = null;
        this.loading = false;
        return;
      }
      const abort = new AbortController();
      void this.#load(wanted, abort.signal);
      return () => abort.abort();
    });
    // Problems arrive in the user's language, so a change of language asks again where one is shown.
    $effect(() => {
      void app.lang;
      untrack(() => {
        if (this.problem) this.retry();
      });
    });
  }

  retry = (): void => {
    this.#tries += 1;
  };

  async #load(path: string, signal: AbortSignal): Promise<void> {
    this.loading = true;
    try {
      const data = await getJson<T>(path, signal);
      if (signal.aborted) return;
      this.data = data;
      this.problem = null;
      this.#path = path;
      this.loading = false;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = error instanceof Problem ? error : new Problem(0, 'unknown', '', String(error));
      if (this.#path !== path) this.data = null;
      this.loading = false;
    }
  }
}

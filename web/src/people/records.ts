/** Ways from one record to another. */
import { app } from '../lib/store.svelte';
import { DEFAULT_VIEW, toUrl, type ActKind, type Route } from '../lib/url';

export type RecordRoute = Extract<Route, 'building' | 'dwelling' | 'household' | 'person'>;

const NOTHING = { act: null, trueOn: null, knownOn: null };

export function openRecord(route: RecordRoute, id: string | number, act: ActKind | null = null): void {
  app.go({ route, record: String(id), ...NOTHING, act });
}

export function recordUrl(route: RecordRoute, id: string | number): string {
  return toUrl({ ...DEFAULT_VIEW, lang: app.view.lang, route, record: String(id) });
}

/** For links: a plain click stays in the app, any other click is the browser's. */
export function follow(event: MouseEvent, route: RecordRoute, id: string | number): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  openRecord(route, id);
}

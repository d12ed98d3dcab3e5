/** The one store: who is here, what the city offers, and what is on the screen. */
import { messages, type Key } from '../locales';
import { pick } from './format';
import type { Catalogue, City, Lang, Layer, Session, Text } from './types';
import { DEFAULT_VIEW, fromUrl, toUrl, type View } from './url';

export type Theme = 'system' | 'light' | 'dark';

const stored = (key: string): string | null => {
  try {
    return localStorage.getItem(`hexward.${key}`);
  } catch {
    return null;
  }
};
const keep = (key: string, value: string): void => {
  try {
    localStorage.setItem(`hexward.${key}`, value);
  } catch {
    // Private windows may refuse to store; the choice then lasts for this page only.
  }
};

function firstLanguage(view: View): Lang {
  const wanted = view.lang ?? stored('lang') ?? navigator.language;
  return wanted.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

class Store {
  /** Changed field by field, never as a whole, so that only what reads a field follows it. */
  view = $state<View>(fromUrl(new URL(location.href)));
  lang = $state<Lang>('zh-CN');
  theme = $state<Theme>('system');
  systemDark = $state(matchMedia('(prefers-color-scheme: dark)').matches);
  /** False once a request could not reach the server, true again with the next answer. */
  reachable = $state(true);
  online = $state(navigator.onLine);

  city = $state.raw<City | null>(null);
  /** undefined while asking, null when nobody is signed in. */
  session = $state.raw<Session | null | undefined>(undefined);
  catalogue = $state.raw<Catalogue | null>(null);

  /** The layer that is shown until one is chosen. */
  firstLayer = $state<string | null>(null);

  dark = $derived(this.theme === 'dark' || (this.theme === 'system' && this.systemDark));
  layer = $derived<Layer | null>(this.#layer());

  constructor() {
    this.lang = firstLanguage(this.view);
    const theme = stored('theme');
    if (theme === 'light' || theme === 'dark') this.theme = theme;
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
      this.systemDark = event.matches;
    });
    addEventListener('online', () => (this.online = true));
    addEventListener('offline', () => (this.online = false));
    addEventListener('popstate', () => {
      Object.assign(this.view, fromUrl(new URL(location.href)));
      if (this.view.lang) this.lang = this.view.lang;
    });
  }

  #layer(): Layer | null {
    const layers = this.catalogue?.layers ?? [];
    const by = (id: string | null) => layers.find((layer) => layer.id === id);
    return by(this.view.layer) ?? by(this.firstLayer) ?? layers[0] ?? null;
  }

  /** A step that Back undoes: another page, layer, place in the tree, selection. */
  go(change: Partial<View>): void {
    Object.assign(this.view, change);
    const url = toUrl(this.view);
    if (url !== location.pathname + location.search) history.pushState(null, '', url);
  }

  /** A change that the address keeps but Back does not step through: panning, choosing a tab. */
  adjust(change: Partial<View>): void {
    Object.assign(this.view, change);
    history.replaceState(null, '', toUrl(this.view));
  }

  setLang(lang: Lang): void {
    this.lang = lang;
    keep('lang', lang);
    this.adjust({ lang });
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep('theme', theme);
  }

  leave(): void {
    this.session = null;
    this.catalogue = null;
    Object.assign(this.view, { ...DEFAULT_VIEW, lang: this.view.lang });
    history.pushState(null, '', toUrl(this.view));
  }
}

export const app = new Store();

/** The words for a key in the user's language, with {placeholders} filled. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return messages[app.lang][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A text that the server sent in both languages. */
export function tx(text: Text | null | undefined): string {
  return pick(text, app.lang);
}

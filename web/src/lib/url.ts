/** The whole view lives in the address, so that a link shares it and Back works. Pure functions both ways. */
import type { Lang, Scheme, UnitKind } from './types';

export type Route =
  | 'map'
  | 'figures'
  | 'imports'
  | 'run'
  | 'print'
  | 'sheet'
  | 'account'
  | 'people'
  | 'declarations'
  | 'asks'
  | 'audit'
  | 'building'
  | 'dwelling'
  | 'household'
  | 'person';
/** What can be done on the page of a record, beside it: the wizard's kinds. */
export type ActKind = 'move' | 'arrive' | 'leave' | 'born' | 'died' | 'correct';
export type Side = 'home' | 'layers' | 'list' | 'none';
export type Look = 'classes' | 'heat';

export interface UnitKey {
  kind: UnitKind;
  id: string;
}

export interface View {
  route: Route;
  /** The record shown by the routes building, dwelling, household, person. */
  record: string | null;
  /** The act being prepared beside the record. */
  act: ActKind | null;
  /** Part of a person's page: the day it was true on, and the day it was known on (YYYY-MM-DD). */
  trueOn: string | null;
  knownOn: string | null;
  /** The run shown by the `run` route. */
  run: number | null;
  /** The unit printed by the `sheet` route. */
  sheet: UnitKey | null;
  lang: Lang | null;
  layer: string | null;
  geography: UnitKind;
  level: number | null;
  look: Look;
  scheme: Scheme;
  classes: number;
  /** YYYY-MM (its last day) or a day, YYYY-MM-DD; null for the newest state. */
  month: string | null;
  lng: number | null;
  lat: number | null;
  zoom: number | null;
  selection: UnitKey | null;
  side: Side | null;
}

export const DEFAULT_VIEW: View = {
  route: 'map',
  record: null,
  act: null,
  trueOn: null,
  knownOn: null,
  run: null,
  sheet: null,
  lang: null,
  layer: null,
  geography: 'cell',
  level: null,
  look: 'classes',
  scheme: 'quantiles',
  classes: 5,
  month: null,
  lng: null,
  lat: null,
  zoom: null,
  selection: null,
  side: null,
};

const KINDS: readonly UnitKind[] = ['area', 'grid', 'cell'];
const SCHEMES: readonly Scheme[] = ['quantiles', 'jenks', 'headtail', 'equal'];
/** First part of a record's address, and its page. */
const RECORDS = { buildings: 'building', dwellings: 'dwelling', households: 'household', people: 'person' } as const;
const ACTS: readonly ActKind[] = ['move', 'arrive', 'leave', 'born', 'died', 'correct'];
const SIDES: readonly Side[] = ['home', 'layers', 'list', 'none'];

function oneOf<T extends string>(value: string | null | undefined, allowed: readonly T[]): T | null {
  return allowed.find((item) => item === value) ?? null;
}

function numberIn(value: string | undefined, low: number, high: number): number | null {
  if (value === undefined || value.trim() === '') return null;
  const number = Number(value);
  return Number.isFinite(number) && number >= low && number <= high ? number : null;
}

export function unitKey(text: string | null): UnitKey | null {
  const [kind, id] = (text ?? '').split(':');
  const known = oneOf(kind, KINDS);
  return known && id && /^[0-9a-z]{1,20}$/i.test(id) ? { kind: known, id } : null;
}

function pathOf(view: View): string {
  if (view.route === 'map') return '/';
  if (view.route === 'run') return `/imports/${view.run ?? ''}`;
  if (view.route === 'sheet' && view.sheet) return `/print/${view.sheet.kind}/${view.sheet.id}`;
  const records = Object.entries(RECORDS).find(([, route]) => route === view.route);
  if (records) return `/${records[0]}/${view.record ?? ''}`;
  return `/${view.route}`;
}

export function toUrl(view: View): string {
  const query = new URLSearchParams();
  const put = (key: string, value: string | null, usual: string | null = null) => {
    if (value !== null && value !== usual) query.set(key, value);
  };
  put('layer', view.layer);
  put('geo', view.geography, DEFAULT_VIEW.geography);
  put('level', view.level === null ? null : String(view.level));
  put('look', view.look, DEFAULT_VIEW.look);
  put('scheme', view.scheme, DEFAULT_VIEW.scheme);
  put('classes', String(view.classes), String(DEFAULT_VIEW.classes));
  put('date', view.month);
  if (view.zoom !== null && view.lng !== null && view.lat !== null) {
    put('at', `${view.lng.toFixed(5)},${view.lat.toFixed(5)},${view.zoom.toFixed(2)}`);
  }
  put('sel', view.selection && `${view.selection.kind}:${view.selection.id}`);
  put('side', view.side);
  if (view.record && Object.values(RECORDS).some((route) => route === view.route)) {
    put('act', view.act);
    put('on', view.trueOn);
    put('known', view.knownOn);
  }
  put('lang', view.lang);
  const text = query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':');
  return pathOf(view) + (text ? `?${text}` : '');
}

const dayIn = (text: string | null): string | null => (text && /^\d{4}-\d{2}-\d{2}$/.test(text) ? text : null);

function routeOf(path: string): Pick<View, 'route' | 'run' | 'sheet' | 'record'> {
  const [first, second, third] = path.split('/').filter(Boolean);
  const none = { run: null, sheet: null, record: null };
  const record = Object.entries(RECORDS).find(([part]) => part === first)?.[1];
  if (record && second && /^[0-9a-f-]{1,36}$/i.test(second)) return { ...none, route: record, record: second };
  if (first === 'imports' && second && /^\d+$/.test(second)) return { ...none, route: 'run', run: Number(second) };
  if (first === 'print' && second && third) {
    const sheet = unitKey(`${second}:${third}`);
    if (sheet) return { ...none, route: 'sheet', sheet };
  }
  const simple = oneOf(first, ['figures', 'imports', 'print', 'account', 'people', 'declarations', 'asks', 'audit'] as const);
  return { ...none, route: simple ?? 'map' };
}

/** Reads an address; whatever it does not understand falls back to the default, never to an error. */
export function fromUrl(url: URL): View {
  const query = url.searchParams;
  const place = (query.get('at') ?? '').split(',');
  const lng = numberIn(place[0], -180, 180);
  const lat = numberIn(place[1], -90, 90);
  const zoom = numberIn(place[2], 0, 24);
  const placed = lng !== null && lat !== null && zoom !== null;
  const month = query.get('date');
  const layer = query.get('layer');
  return {
    ...DEFAULT_VIEW,
    ...routeOf(url.pathname),
    lang: oneOf(query.get('lang'), ['zh-CN', 'en'] as const),
    layer: layer && /^[\w:.-]{1,80}$/.test(layer) ? layer : null,
    geography: oneOf(query.get('geo'), KINDS) ?? DEFAULT_VIEW.geography,
    level: numberIn(query.get('level') ?? undefined, 0, 20),
    look: oneOf(query.get('look'), ['classes', 'heat'] as const) ?? DEFAULT_VIEW.look,
    scheme: oneOf(query.get('scheme'), SCHEMES) ?? DEFAULT_VIEW.scheme,
    classes: numberIn(query.get('classes') ?? undefined, 3, 9) ?? DEFAULT_VIEW.classes,
    month: month && /^\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?$/.test(month) ? month : null,
    lng: placed ? lng : null,
    lat: placed ? lat : null,
    zoom: placed ? zoom : null,
    selection: unitKey(query.get('sel')),
    side: oneOf(query.get('side'), SIDES),
    act: oneOf(query.get('act'), ACTS),
    trueOn: dayIn(query.get('on')),
    knownOn: dayIn(query.get('known')),
  };
}

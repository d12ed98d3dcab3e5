/** What the server sends, as the HTTP API describes it. */

export type Lang = 'zh-CN' | 'en';
export interface Text {
  zh: string;
  en: string;
}
export type Role =
  | 'officer'
  | 'community_manager'
  | 'manager'
  | 'steward'
  | 'analyst'
  | 'department_reader'
  | 'auditor'
  | 'administrator';
/** Areas and grids have numbers, cells have H3 strings. */
export type Id = string | number;
export type UnitKind = 'area' | 'grid' | 'cell';
export type Bounds = [number, number, number, number];
export type Exactness = 'duty' | 'threshold' | 'public';
/** `month`: the figures are of the last month end before the day that was asked for. */
export type Basis = 'day' | 'month';
export type Scheme = 'quantiles' | 'jenks' | 'headtail' | 'equal';

export interface Level {
  level: number;
  key: string;
  name: Text;
}

export interface City {
  code: string;
  name: Text;
  zone: string;
  languages: string[];
  bounds: Bounds | null;
  base_resolution: number;
  levels: Level[];
  is_demo: boolean;
  /** Name of the sign-in provider, where one is set up. */
  sso?: string | null;
  demo_accounts: { account: string; role: Role; name: Text }[];
  as_of: string | null;
  today: string;
  basemap: { tiles: string; minzoom: number; maxzoom: number } | null;
}

export interface Territory {
  whole_city: boolean;
  bounds: Bounds | null;
  areas: { id: Id; code: string; name: string; name_en: string | null; level: number }[];
  grids: { id: Id; code: string; name: string | null; name_en: string | null }[];
  /** Outline of the territory; null for the whole city. */
  geometry?: GeoJSON.Geometry | null;
}

export interface Session {
  user: { id: string; account: string; role: Role; name: Text };
  territory: Territory;
}

export type LayerKind = 'count' | 'share' | 'density' | 'mean';

export interface Layer {
  id: string;
  group: string;
  title: Text;
  unit: Text;
  definition: Text;
  source: Text;
  kind: LayerKind;
  personal: boolean;
  exactness: Exactness;
  has_history: boolean;
}

export interface Catalogue {
  groups: { id: string; title: Text }[];
  layers: Layer[];
}

export interface Legend {
  breaks: number[];
  colors: string[];
  counts: number[];
  min: number | null;
  max: number | null;
  unit: Text;
  as_of: string | null;
  basis: Basis;
  exactness: Exactness;
  withheld_n: number;
}

export interface SearchResult {
  kind: UnitKind;
  id: Id;
  code: string | null;
  name: string | null;
  name_en: string | null;
  level: number | null;
  path: string[];
  bbox: Bounds | null;
}

export interface UnitRef {
  kind: UnitKind;
  id: Id;
  name: string | null;
  name_en: string | null;
  level: number | null;
}

export interface Unit extends UnitRef {
  code: string | null;
  resolution: number | null;
  area_m2: number | null;
  bbox: Bounds | null;
  geometry: GeoJSON.Geometry | null;
  path: UnitRef[];
  parent: UnitRef | null;
}

export interface KeyFigure {
  id: string;
  title: Text;
  unit: Text;
  kind?: LayerKind;
  value: number | null;
  withheld: boolean;
  change_month: number | null;
  parent_value: number | null;
}

export interface Item {
  id: string;
  title: Text;
  value: number | null;
  withheld?: boolean;
  insured?: number | null;
}

export interface Series {
  months: string[];
  residents: (number | null)[];
  registered: (number | null)[];
  floating: (number | null)[];
  jobs: (number | null)[];
  moved_in: (number | null)[];
  moved_out: (number | null)[];
}

export interface Definition {
  title: Text;
  definition: Text;
  source: Text;
  date: string | null;
}

export interface Dashboard {
  unit: Unit;
  as_of: string | null;
  basis: Basis;
  exactness: Exactness;
  key_figures: KeyFigure[];
  pyramid: { bands: string[]; male: (number | null)[]; female: (number | null)[] } | null;
  registration: Item[] | null;
  tenure: Item[] | null;
  household_size: Item[] | null;
  crowding: { m2: Item[]; rooms: Item[] } | null;
  industries: Item[] | null;
  series: Series | null;
  comparison:
    | { id: string; title: Text; unit: Text; kind?: LayerKind; value: number | null; parent_value: number | null }[]
    | null;
  areal: { variable: string; title: Text; unit?: Text; value: number | null; moe: number | null }[] | null;
  definitions: Record<string, Definition>;
}

export interface Run {
  id: number;
  source: string;
  kind: string;
  file: string | null;
  file_sha256: string | null;
  file_bytes: number | null;
  actor: string | null;
  started_at: string;
  finished_at: string | null;
  state: 'running' | 'done' | 'unchanged' | 'failed' | 'refused';
  rows_read: number | null;
  rows_accepted: number | null;
  rows_rejected: number | null;
  rows_unchanged: number | null;
  /** With `text`, the words in the reader's language, only where a single run is asked for. */
  warnings: { code: string; text?: string }[] | null;
  error: { code: string; text?: string } | null;
  /** Only with a single run. */
  mapping?: { headers?: string[]; columns?: Record<string, string> } | null;
  datum: string | null;
  encoding: string | null;
}

/** A device to be set up: its secret as text and as a picture. */
export interface Device {
  secret: string;
  uri: string;
  qr: string;
}

export interface OwnAccount {
  account: string;
  has_password: boolean;
  totp: boolean;
  totp_required: boolean;
  recovery_left: number;
  idle_minutes: number;
  session_hours: number;
  sessions: { id: string; created_at: string; last_seen_at: string; expires_at: string; agent: string | null; current: boolean }[];
}

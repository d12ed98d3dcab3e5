/** The visits of a walk, as the server gives them. */
import { nameOf } from './format';
import type { Lang, Text } from './types';

export type Outcome = 'confirmed' | 'not_met' | 'wrong' | 'moved' | 'snooze';

export interface Visit {
  id: string;
  check: string;
  title: Text;
  reason: Text;
  ground: Text;
  severity: number;
  due_on: string;
  overdue_days: number;
  stop: number;
  distance_m: number | null;
  person: { id: string; name: string | null } | null;
  dwelling: { id: number | null; unit: string | null; floor: string | null; room: string | null };
  building: { id: number | null; name: string | null; address: string | null; lng: number | null; lat: number | null };
}

export interface WorkList {
  as_of: string;
  total: number;
  items: Visit[];
  checks: { id: string; title: Text; severity: number }[];
}

export interface WorkCounts {
  open: number;
  overdue: number;
  new_arrivals: number;
  done_week: number;
  residents: number;
  stale_90: number;
}

export interface WorkSummary {
  all: WorkCounts;
  grids: (WorkCounts & { grid_id: number | null; name: string | null; code: string | null })[];
}

export interface Stop {
  number: number;
  title: string;
  distance: number | null;
  lng: number | null;
  lat: number | null;
  building: number | null;
  visits: Visit[];
}

/** The visits of one building are one stop of the walk; the order stays. */
export function stopsOf(items: readonly Visit[]): Stop[] {
  const found = new Map<number, Stop>();
  for (const visit of items) {
    const { building } = visit;
    let stop = found.get(visit.stop);
    if (!stop) {
      const title = building.address ?? building.name ?? '';
      stop = { number: visit.stop, title, distance: visit.distance_m, lng: building.lng, lat: building.lat, building: building.id, visits: [] };
      found.set(visit.stop, stop);
    }
    stop.visits.push(visit);
  }
  return [...found.values()];
}

/** 3-2-501: unit, floor and room, as far as known. */
export function doorOf({ unit, room, floor }: Visit['dwelling']): string {
  return [unit, room ?? floor].filter(Boolean).join('-');
}

/** 85 m, 1.2 km. */
export function formatMetres(metres: number, lang: Lang): string {
  if (metres < 1000) return `${Math.round(metres / 5) * 5} m`;
  return `${new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(metres / 1000)} km`;
}

/** The day so many days after another, as YYYY-MM-DD. */
export function daysAfter(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** The grids that need most: overdue first, then open. */
export function worstGrids(summary: WorkSummary, many: number, lang: Lang): { id: string; name: string; overdue: number; open: number }[] {
  return summary.grids
    .filter((grid) => grid.grid_id !== null && grid.open > 0)
    .slice(0, many)
    .map((grid) => ({ id: String(grid.grid_id), name: nameOf({ name: grid.name ?? grid.code ?? '', name_en: grid.code }, lang), overdue: grid.overdue, open: grid.open }));
}

/** Records of people and homes in words. */
import { app, t } from '../lib/store.svelte';
import type { Role } from '../lib/types';
import type { Key } from '../locales';
import { en } from '../locales/en';
import type { BuildingRef, Home, Resident } from './types';

/** The words of a code, or the code itself where the city has one of its own. */
export function coded(group: string, code: string | number | null | undefined): string {
  if (code === null || code === undefined || code === '') return '–';
  const key = `${group}.${code}`;
  return key in en ? t(key as Key) : String(code);
}

const UNNAMED = '–';

export function nameOfPerson(person: Pick<Resident, 'name'>): string {
  return person.name || UNNAMED;
}

export function today(): string {
  return app.city?.today ?? new Date().toISOString().slice(0, 10);
}

/** Whole years between two days. */
export function ageOn(birth: string | null, day: string): number | null {
  if (!birth) return null;
  const years = Number(day.slice(0, 4)) - Number(birth.slice(0, 4)) - (day.slice(5) < birth.slice(5) ? 1 : 0);
  return Number.isFinite(years) ? years : null;
}

export function peopleCount(n: number): string {
  return n === 1 ? t('people.one') : t('people.count', { n });
}

export function listed(names: string[]): string {
  return names.join(app.lang === 'en' ? ', ' : '、');
}

export function ageWords(birth: string | null): string {
  const age = ageOn(birth, today());
  return age === null ? t('person.agenone') : t('person.age', { age });
}

export function daysSince(day: string | null, now: string): number | null {
  if (!day) return null;
  return Math.max(0, Math.round((Date.parse(now) - Date.parse(day)) / 86_400_000));
}

export type Freshness = 'fresh' | 'due' | 'old' | 'never';

/** How long ago something was confirmed: within 30 days, within 90, longer, or never. */
export function freshness(day: string | null, now: string): Freshness {
  const days = daysSince(day, now);
  if (days === null) return 'never';
  return days <= 30 ? 'fresh' : days <= 90 ? 'due' : 'old';
}

export function roomName(home: Pick<Home, 'unit' | 'floor' | 'room' | 'id'>): string {
  // A unit may be delivered with its word (as the address has it) or as a bare number.
  const unit = home.unit?.replace(/\u5355\u5143$/, '') ?? '';
  const parts = [unit ? t('dwelling.unit', { unit }) : '', home.room ?? ''].filter(Boolean);
  return parts.join(app.lang === 'en' ? ', ' : '') || t('dwelling.number', { id: home.id });
}

export function buildingName(building: BuildingRef): string {
  return building.name || building.address || t('building.number', { id: building.id });
}

export function addressOf(building: BuildingRef, home: Pick<Home, 'unit' | 'floor' | 'room' | 'id'>): string {
  return `${building.address || buildingName(building)} ${roomName(home)}`;
}

/** Roles whose duty is with people themselves. The server decides on its own; this keeps useless doors off the screen. */
export function seesPeople(role: Role | undefined): boolean {
  return ['officer', 'community_manager', 'manager', 'steward'].includes(role ?? '');
}

/** Who walks to people's doors: sees visits, and which services people can have. */
export function visits(role: Role | undefined): boolean {
  return ['officer', 'community_manager', 'manager'].includes(role ?? '');
}

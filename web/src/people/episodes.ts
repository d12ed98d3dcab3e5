/** Episodes of a life in words. */
import { app, t } from '../lib/store.svelte';
import type { Episode } from './types';
import { coded, roomName } from './words';

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

export function span(one: Pick<Episode, 'valid_from' | 'valid_to'>): string {
  const from = one.valid_from && one.valid_from > '1900-01-01' ? one.valid_from : t('timeline.unknown');
  return one.valid_to ? `${from} – ${one.valid_to}` : t('timeline.since', { date: from });
}

/** The door of a residence, where it lies in the territory of whoever looks. */
function doorOf(one: Episode): string {
  if (!one['dwelling_id']) return '';
  const part = (name: string): string | null => text(one[name]) || null;
  const room = roomName({ id: Number(one['dwelling_id']), unit: part('unit'), floor: part('floor'), room: part('room') });
  return `${text(one['address'])} ${room}`.trim();
}

/** Whether an episode is to be shown for a day that was asked for: all of it without one. */
export function holdsOn(one: Pick<Episode, 'valid_from' | 'valid_to'>, day: string | null): boolean {
  return !day || ((one.valid_from ?? '') <= day && (!one.valid_to || one.valid_to > day));
}

export function episodeWords(one: Episode): string {
  const join = (...parts: string[]) => parts.filter(Boolean).join(' · ');
  switch (one.kind) {
    case 'residence':
      return join(doorOf(one), coded('status', text(one['status'])), text(one['permit']) && one['permit'] !== 'none' ? coded('permit', text(one['permit'])) : '');
    case 'tenancy':
      return join(text(one['address']), coded('tenure', text(one['tenure'])));
    case 'employment':
      return join(text(one['employer']), text(one['occupation']), one['insured'] === true ? t('episode.insured') : '');
    case 'schooling':
      return join(text(one['school']), coded('stage', text(one['stage'])));
    case 'insurance':
      return join(coded('insurance', text(one['insurance'])), text(one['employer']));
    case 'permit':
      return join(coded('permitkind', text(one['permit_kind'])), text(one['endorsed_on']) ? t('episode.endorsed', { date: text(one['endorsed_on']) }) : '');
    default:
      return one.title ? (app.lang === 'en' ? one.title.en : one.title.zh) : '';
  }
}

/** What each act asks for, step by step; what is wrong with it; and what is sent. Pure but for the words. */
import { rightId, rightPhone } from '../lib/people';
import { t } from '../lib/store.svelte';
import type { ActKind } from '../lib/url';
import type { Draft } from './draft.svelte';
import type { BuildingRef, Home, Resident } from './types';
import { addressOf, coded, listed, nameOfPerson, peopleCount } from './words';

export type Step = 'who' | 'where' | 'when' | 'fields' | 'check';
export interface Context {
  people: Resident[];
  person: Resident | null;
  home: Home | null;
  building: BuildingRef | null;
  today: string;
}
export interface FieldPlan {
  name: string;
  type: 'text' | 'date' | 'choice' | 'person' | 'tel';
  /** Group of words for the choices. */
  words?: string;
  choices?: string[];
  required?: boolean;
}

const NAME: FieldPlan = { name: 'name', type: 'text', required: true };
const SEX: FieldPlan = { name: 'sex', type: 'choice', words: 'sex', choices: ['1', '2'], required: true };
const BIRTH: FieldPlan = { name: 'birth_date', type: 'date', required: true };
const ID: FieldPlan = { name: 'id_number', type: 'text' };
const PHONE: FieldPlan = { name: 'phone', type: 'tel' };
const STATUS: FieldPlan = { name: 'status', type: 'choice', words: 'status', choices: ['registered', 'floating'], required: true };
const HOUSEHOLD: FieldPlan = { name: 'household_id', type: 'choice', words: 'household.choice', choices: [] };

export const FIELDS: Partial<Record<ActKind, FieldPlan[]>> = {
  arrive: [NAME, SEX, BIRTH, ID, PHONE, STATUS, HOUSEHOLD],
  born: [{ name: 'parent_id', type: 'person', required: true }, { ...NAME, required: false }, SEX, BIRTH],
  correct: [NAME, SEX, BIRTH, PHONE, STATUS],
};

export function steps(kind: ActKind, people: number): Step[] {
  if (kind === 'move') return people > 1 ? ['who', 'where', 'when', 'check'] : ['where', 'when', 'check'];
  if (kind === 'leave') return people > 1 ? ['who', 'when', 'check'] : ['when', 'check'];
  if (kind === 'died') return ['when', 'check'];
  if (kind === 'arrive') return ['fields', 'when', 'check'];
  return ['fields', 'check'];
}

export function newDraft(kind: ActKind, from: string, today: string, people: string[], person: Resident | null): Draft {
  const fields: Record<string, string> = {};
  if (kind === 'correct' && person) Object.assign(fields, correctable(person));
  if (kind === 'arrive') fields['status'] = 'floating';
  if (kind === 'born' && person) fields['parent_id'] = person.id;
  return { kind, from, step: 0, people, dwelling: null, on: today, fields };
}

/** The values of a person that can be corrected, as they stand. */
export function correctable(person: Resident): Record<string, string> {
  return {
    name: person.name ?? '',
    sex: String(person.sex),
    birth_date: person.birth_date ?? '',
    status: person.status ?? '',
  };
}

const isDay = (text: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));

function dayProblem(day: string, today: string): string {
  if (!isDay(day)) return t('field.date.wrong');
  if (day > today) return t('field.date.future');
  if (day < '1900-01-01') return t('field.date.old');
  return '';
}

/** What is wrong with a field as it stands, while it is being typed. */
export function fieldProblem(name: string, draft: Draft, { today }: Context): string {
  const field = FIELDS[draft.kind]?.find((one) => one.name === name);
  const value = (draft.fields[name] ?? '').trim();
  if (!field) return '';
  if (!value) return field.required ? t('field.required') : '';
  if (field.type === 'date') return dayProblem(value, today);
  if (name === 'id_number') {
    if (/^\d{1,17}$/.test(value)) return t('field.id.short', { n: value.length });
    if (!rightId(value)) return t('field.id.wrong');
    const birth = draft.fields['birth_date'] ?? '';
    if (birth && /^\d{17}/.test(value) && value.slice(6, 14) !== birth.replaceAll('-', '')) return t('field.id.birth');
  }
  if (name === 'phone' && !rightPhone(value)) return t('field.phone.wrong');
  if (name === 'name' && value.length > 100) return t('field.name.long');
  return '';
}

export function stepProblem(step: Step, draft: Draft, context: Context): string {
  if (step === 'who') return draft.people.length ? '' : t('step.who.none');
  if (step === 'where') {
    if (!draft.dwelling) return t('step.where.none');
    return draft.dwelling.id === context.home?.id ? t('step.where.same') : '';
  }
  if (step === 'when') return dayProblem(draft.on, context.today);
  if (step === 'fields') {
    const wrong = (FIELDS[draft.kind] ?? []).filter((field) => fieldProblem(field.name, draft, context));
    if (wrong.length) return t('step.fields.wrong', { fields: wrong.map((field) => t(`field.${field.name}` as 'field.name')).join(' · ') });
    if (draft.kind === 'correct' && !Object.keys(changed(draft, context)).length) return t('step.fields.same');
    return '';
  }
  return steps(draft.kind, context.people.length)
    .filter((one) => one !== 'check')
    .map((one) => stepProblem(one, draft, context))
    .find(Boolean) ?? '';
}

/** Of a correction, only what is not as it was. */
export function changed(draft: Draft, { person }: Context): Record<string, string> {
  const before: Record<string, string> = person ? correctable(person) : {};
  return Object.fromEntries(
    Object.entries(draft.fields)
      .map(([name, value]) => [name, value.trim()] as const)
      .filter(([name, value]) => value !== (before[name] ?? '') && (value !== '' || name in before)),
  );
}

function personFields(values: Record<string, string>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of ['name', 'birth_date', 'id_number', 'phone']) if (values[name]) fields[name] = values[name].trim();
  if (values['sex']) fields['sex'] = Number(values['sex']);
  return fields;
}

export function payload(draft: Draft, context: Context): Record<string, unknown> {
  const { person, people, home } = context;
  const chosen = people.filter((one) => draft.people.includes(one.id)).map(({ id, version }) => ({ id, version }));
  switch (draft.kind) {
    case 'move':
      return { people: chosen, dwelling_id: draft.dwelling?.id, on: draft.on };
    case 'leave':
      return { people: chosen, on: draft.on };
    case 'died':
      return { people: chosen.slice(0, 1), on: draft.on };
    case 'arrive':
      return {
        dwelling_id: home?.id,
        on: draft.on,
        status: draft.fields['status'],
        household_id: draft.fields['household_id'] || undefined,
        person: personFields(draft.fields),
      };
    case 'born':
      return { parent_id: draft.fields['parent_id'], person: personFields(draft.fields) };
    case 'correct': {
      const { status, ...own } = changed(draft, context);
      return {
        person_id: person?.id,
        version: person?.version,
        ...(Object.keys(own).length ? { person: personFields(own) } : {}),
        ...(status ? { residence: { status } } : {}),
      };
    }
  }
}

/** What is about to be done, line by line, and the words once it is done. */
export function summary(draft: Draft, context: Context): { lines: [string, string][]; done: string } {
  const { people, home, building } = context;
  const chosen = people.filter((one) => draft.people.includes(one.id));
  const names = listed(chosen.map((one) => nameOfPerson(one)));
  const here = home && building ? addressOf(building, home) : '–';
  const who: [string, string] = [t('check.who'), chosen.length > 1 ? `${names}\n${peopleCount(chosen.length)}` : names];
  const when: [string, string] = [t('check.on'), draft.on];
  const filled = (FIELDS[draft.kind] ?? []).filter((field) => draft.fields[field.name]);
  const values = (only: Record<string, string>): [string, string][] =>
    filled
      .filter((field) => field.name in only)
      .map((field) => [t(`field.${field.name}` as 'field.name'), shown(field, only[field.name] ?? '', people)]);
  switch (draft.kind) {
    case 'move': {
      const stay = people.filter((one) => !draft.people.includes(one.id));
      const lines: [string, string][] = [who, [t('check.from'), here], [t('check.to'), draft.dwelling?.address ?? '–'], when];
      if (stay.length) lines.push([t('check.stay'), listed(stay.map((one) => nameOfPerson(one)))]);
      return { lines, done: t('act.move.done', { names, n: chosen.length, to: draft.dwelling?.address ?? '' }) };
    }
    case 'leave':
      return { lines: [who, [t('check.from'), here], when], done: t('act.leave.done', { names }) };
    case 'died':
      return { lines: [who, when], done: t('act.died.done', { names }) };
    case 'arrive':
      return { lines: [...values(draft.fields), [t('check.to'), here], when], done: t('act.arrive.done', { names: draft.fields['name'] ?? '' }) };
    case 'born':
      return { lines: [...values(draft.fields), [t('check.to'), here]], done: t('act.born.done') };
    case 'correct':
      return { lines: values(changed(draft, context)), done: t('act.correct.done', { names }) };
  }
}

function shown(field: FieldPlan, value: string, people: Resident[]): string {
  if (field.type === 'person') return nameOfPerson(people.find((one) => one.id === value) ?? { name: value });
  if (field.name === 'household_id') return t('household.choice.known');
  if (field.words) return coded(field.words, value);
  return value;
}


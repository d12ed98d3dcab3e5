/** What each chart of a dashboard shows, as a table. */
import { t, tx } from '../lib/store.svelte';
import type { Column, Table } from '../lib/table';
import type { Dashboard, Item, Series } from '../lib/types';
import type { Key } from '../locales';

const text = (title: string): Column => ({ title, type: 'text' });
const number = (title: string, unit = ''): Column => ({ title, type: 'number', ...(unit ? { unit } : {}) });

export function itemTable(items: Item[], of: string, unit: string, insured = false): Table {
  const sum = items.reduce((all, item) => all + (item.value ?? 0), 0);
  return {
    columns: [
      text(of),
      number(t('column.value'), unit),
      number(t('column.share'), '%'),
      ...(insured ? [number(t('column.insured'), unit)] : []),
    ],
    rows: items.map((item) => [
      tx(item.title),
      item.withheld ? t('figure.withheld') : item.value,
      item.value === null || !sum ? null : Number(((item.value / sum) * 100).toFixed(1)),
      ...(insured ? [item.insured ?? null] : []),
    ]),
  };
}

export function pyramidTable(pyramid: NonNullable<Dashboard['pyramid']>): Table {
  return {
    columns: [text(t('column.age')), number(t('sex.male')), number(t('sex.female'))],
    rows: pyramid.bands.map((band, index) => [band, pyramid.male[index] ?? null, pyramid.female[index] ?? null]),
  };
}

export const SERIES = ['residents', 'registered', 'floating', 'jobs', 'moved_in', 'moved_out'] as const;
export type SeriesId = (typeof SERIES)[number];
export const seriesTitle = (id: SeriesId): string => t(`series.${id}` satisfies Key);

/** The series that hold any figure at all. */
export function presentSeries(series: Series, ids: readonly SeriesId[]): SeriesId[] {
  return ids.filter((id) => series[id]?.some((value) => value !== null));
}

export function seriesTable(series: Series, ids: readonly SeriesId[]): Table {
  return {
    columns: [text(t('column.month')), ...ids.map((id) => number(seriesTitle(id)))],
    rows: series.months.map((month, index) => [month, ...ids.map((id) => series[id][index] ?? null)]),
  };
}

export function comparisonTable(rows: NonNullable<Dashboard['comparison']>, own: string, parent: string): Table {
  return {
    columns: [text(t('column.figure')), text(t('column.unit')), number(own), number(parent)],
    rows: rows.map((row) => [tx(row.title), tx(row.unit), row.value, row.parent_value]),
  };
}

export function arealTable(rows: NonNullable<Dashboard['areal']>): Table {
  return {
    columns: [text(t('column.figure')), number(t('column.estimate')), number(t('column.margin'))],
    rows: rows.map((row) => [tx(row.title), row.value, row.moe]),
  };
}

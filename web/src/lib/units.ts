/** Rows of a layer's table as the server sends them, and what is read from them. */
import type { Basis, Id } from './types';

export interface UnitRow {
  id: Id;
  code: string | null;
  name: string | null;
  name_en: string | null;
  value: number | null;
  withheld: boolean;
}
type Cell = string | number | boolean | null;

/** Headings, rows and what the table is, in the reader's language. */
export interface UnitTable {
  title: string;
  headings: string[];
  rows: Cell[][];
  about: { heading: string; text: string }[];
  basis: Basis;
}

/** Cells have a text for an id, then figure and withheld; areas and grids a number, then code, name and English name first. */
export function unitRows(table: UnitTable | null): UnitRow[] {
  return (table?.rows ?? []).map((row) => {
    const [id, ...rest] = row;
    const [code, name, nameEn] = typeof id === 'string' ? [null, null, null] : rest.splice(0, 3);
    const [value, withheld] = rest;
    return {
      id: typeof id === 'number' ? id : String(id),
      code: typeof code === 'string' ? code : null,
      name: typeof name === 'string' ? name : null,
      name_en: typeof nameEn === 'string' ? nameEn : null,
      value: typeof value === 'number' ? value : null,
      withheld: withheld === true,
    };
  });
}

/** The day that the table says its figures are of. */
export function tableDay(table: UnitTable | null): string | null {
  return table?.about.find(({ text }) => /^\d{4}-\d{2}-\d{2}$/.test(text))?.text ?? null;
}

/** The rows at either end that have a figure: largest first, smallest first; no row is in both. */
export function extremes(rows: UnitRow[], count: number): { top: UnitRow[]; bottom: UnitRow[] } {
  const known = rows.filter((row) => row.value !== null).sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const top = known.slice(0, count);
  return { top, bottom: known.slice(top.length).slice(-count).reverse() };
}

/** A chart's figures as a table, and that table as a CSV file. */

export interface Column {
  title: string;
  /** 'number' columns are aligned right and grouped. */
  type: 'text' | 'number';
  unit?: string;
}
export type Value = string | number | null;
export interface Table {
  columns: Column[];
  rows: Value[][];
}

/** A spreadsheet runs a text that begins like a formula; an apostrophe in front keeps it a text. */
export function harmless(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function csvField(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = harmless(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function columnTitle(column: Column): string {
  return column.unit ? `${column.title} (${column.unit})` : column.title;
}

/** UTF-8 with a byte order mark, which Excel and WPS need to see Chinese. */
export function toCsv(table: Table): string {
  const lines = [table.columns.map(columnTitle), ...table.rows];
  return '\uFEFF' + lines.map((line) => line.map(csvField).join(',')).join('\r\n') + '\r\n';
}

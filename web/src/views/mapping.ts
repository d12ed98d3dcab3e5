/** The columns of a source as rows to choose a field for, and what is wrong with a choice. */
export interface SourceColumns {
  last_run: { columns?: Record<string, string>; how?: Record<string, string>; unused?: string[]; headers?: string[] } | null;
  corrected: { header: string; field: string }[];
  fields: { name: string; title: { zh: string; en: string }; required: boolean }[];
  allowed: { change: boolean };
}
/** `fixed`: the city's file says so, which wins over what is chosen here. */
export interface MappingRow {
  header: string;
  field: string;
  how: string;
  fixed: boolean;
}
export type RowProblem = { code: 'twice'; header: string } | { code: 'missing'; field: string };

export function mappingRows(found: SourceColumns): MappingRow[] {
  const run = found.last_run ?? {};
  const rows = new Map<string, MappingRow>();
  const headers = [...(run.headers ?? []), ...Object.values(run.columns ?? {}), ...(run.unused ?? [])];
  for (const header of headers) rows.set(header, { header, field: '', how: '', fixed: false });
  for (const [field, header] of Object.entries(run.columns ?? {})) {
    const how = run.how?.[field] ?? 'name';
    // What was remembered then counts only as far as it still is.
    rows.set(header, { header, field, how: how === 'remembered' ? 'name' : how, fixed: how === 'explicit' });
  }
  for (const { header, field } of found.corrected) {
    if (!rows.get(header)?.fixed) rows.set(header, { header, field, how: 'remembered', fixed: false });
  }
  return [...rows.values()];
}

export function problemsOf(rows: MappingRow[], chosen: Record<string, string>, fields: SourceColumns['fields']): Record<string, RowProblem> {
  const problems: Record<string, RowProblem> = {};
  const now = (row: MappingRow) => chosen[row.header] ?? row.field;
  for (const row of rows) {
    const field = now(row);
    const other = field && rows.find((one) => one !== row && now(one) === field);
    if (other && !row.fixed) problems[row.header] = { code: 'twice', header: other.header };
    const lost = row.field && row.field !== field && !rows.some((one) => now(one) === row.field);
    if (lost && fields.some((one) => one.name === row.field && one.required)) problems[row.header] = { code: 'missing', field: row.field };
  }
  return problems;
}

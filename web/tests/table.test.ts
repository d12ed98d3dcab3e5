import { describe, expect, it } from 'vitest';

import { harmless, toCsv, type Table } from '../src/lib/table';
import { extremes, tableDay, unitRows, type UnitTable } from '../src/lib/units';
import { toXlsx } from '../src/lib/xlsx';

const table: Table = {
  columns: [
    { title: '行业', type: 'text' },
    { title: 'Jobs', type: 'number', unit: '%' },
  ],
  rows: [
    ['=HYPERLINK("http://x")', 12.5],
    ['a "quoted", one', null],
    ['-1', -1],
  ],
};

describe('CSV', () => {
  it('cannot be run by a spreadsheet', () => {
    expect(harmless('=1+1')).toBe("'=1+1");
    expect(harmless('@x')).toBe("'@x");
    expect(harmless('张三')).toBe('张三');
    const lines = toCsv(table).split('\r\n');
    expect(lines[0]).toBe('\uFEFF行业,Jobs (%)');
    expect(lines[1]).toBe('"\'=HYPERLINK(""http://x"")",12.5');
    expect(lines[2]).toBe('"a ""quoted"", one",');
    expect(lines[3]).toBe("'-1,-1");
  });
});

describe('Excel', () => {
  it('is a ZIP whose parts lie where its directory says', async () => {
    const bytes = new Uint8Array(await toXlsx(table, '行业/年').arrayBuffer());
    const view = new DataView(bytes.buffer);
    const end = bytes.length - 22;
    expect(view.getUint32(end, true)).toBe(0x06054b50);
    const parts = view.getUint16(end + 10, true);
    expect(parts).toBe(6);
    let at = view.getUint32(end + 16, true);
    for (let part = 0; part < parts; part += 1) {
      expect(view.getUint32(at, true)).toBe(0x02014b50);
      expect(view.getUint32(view.getUint32(at + 42, true), true)).toBe(0x04034b50);
      at += 46 + view.getUint16(at + 28, true);
    }
    expect(at).toBe(end);
    const text = new TextDecoder().decode(bytes);
    expect(text).toContain('name="行业 年"');
    expect(text).not.toContain('<f>');
  });
});

describe('tables of the server', () => {
  const grids: UnitTable = {
    basis: 'day',
    title: 'Residents',
    headings: ['Grid', 'Code', 'Name', 'English name', 'Residents (people)', 'Withheld'],
    rows: [
      [7, '110101001001001', '一格', 'Hedong grid 1', 30, false],
      [8, '110101001001002', '二格', null, null, true],
      [9, '110101001001003', null, null, 10, false],
    ],
    about: [{ heading: 'Layer', text: 'Residents' }, { heading: 'As of', text: '2026-11-22' }],
  };
  it('are read with and without code and name', () => {
    expect(unitRows(grids)[0]).toEqual({ id: 7, code: '110101001001001', name: '一格', name_en: 'Hedong grid 1', value: 30, withheld: false });
    const cells = { ...grids, rows: [['8a40cc9a3aeffff', 3.5, false]] };
    expect(unitRows(cells)[0]).toEqual({ id: '8a40cc9a3aeffff', code: null, name: null, name_en: null, value: 3.5, withheld: false });
    expect(unitRows(null)).toEqual([]);
    expect(tableDay(grids)).toBe('2026-11-22');
  });
  it('have ends that never share a row', () => {
    const { top, bottom } = extremes(unitRows(grids), 5);
    expect(top.map((row) => row.id)).toEqual([7, 9]);
    expect(bottom).toEqual([]);
  });
});

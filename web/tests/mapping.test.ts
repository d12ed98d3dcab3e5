import { describe, expect, it } from 'vitest';

import { mappingRows, problemsOf, type SourceColumns } from '../src/views/mapping';

const found: SourceColumns = {
  last_run: { columns: { key: '编号', name: '姓名', sex: '性别' }, how: { key: 'explicit', name: 'name', sex: 'name' }, headers: ['编号', '姓名', '性别', '备注'] },
  corrected: [{ header: '备注', field: 'phone' }],
  fields: ['key', 'name', 'sex', 'phone'].map((name) => ({ name, title: { zh: name, en: name }, required: name === 'name' })),
  allowed: { change: true },
};

describe('columns of a source', () => {
  const rows = mappingRows(found);
  it('come in the order of the file, with what the file and a person said', () => {
    expect(rows.map((row) => [row.header, row.field, row.how, row.fixed])).toEqual([
      ['编号', 'key', 'explicit', true],
      ['姓名', 'name', 'name', false],
      ['性别', 'sex', 'name', false],
      ['备注', 'phone', 'remembered', false],
    ]);
  });
  it('tell a field chosen twice at both rows that can be changed', () => {
    expect(problemsOf(rows, { 备注: 'sex' }, found.fields)).toEqual({ 性别: { code: 'twice', header: '备注' }, 备注: { code: 'twice', header: '性别' } });
    expect(problemsOf(rows, { 备注: 'key' }, found.fields)).toEqual({ 备注: { code: 'twice', header: '编号' } });
  });
  it('tell a required field that has lost its column, and let an optional one go', () => {
    expect(problemsOf(rows, { 姓名: '' }, found.fields)).toEqual({ 姓名: { code: 'missing', field: 'name' } });
    expect(problemsOf(rows, { 性别: '' }, found.fields)).toEqual({});
    expect(problemsOf(rows, { 姓名: '', 备注: 'name' }, found.fields)).toEqual({});
  });
});

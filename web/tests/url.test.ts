import { describe, expect, it } from 'vitest';

import { DEFAULT_VIEW, fromUrl, toUrl, unitKey, type View } from '../src/lib/url';

const read = (path: string): View => fromUrl(new URL(path, 'http://127.0.0.1:8000'));

describe('the address', () => {
  it('of a plain view is plain', () => {
    expect(toUrl(DEFAULT_VIEW)).toBe('/');
    expect(read('/')).toEqual(DEFAULT_VIEW);
  });
  it('holds the whole view and gives it back', () => {
    const view: View = {
      ...DEFAULT_VIEW,
      route: 'map', run: null, sheet: null, lang: 'en', layer: 'areal:foreign.born', geography: 'area', level: 3, look: 'heat',
      scheme: 'jenks', classes: 7, month: '2026-04', lng: 114.05712, lat: 22.54301, zoom: 13.25,
      selection: { kind: 'cell', id: '8a40cc9a3aeffff' }, side: 'list',
    };
    expect(read(toUrl(view))).toEqual(view);
  });
  it('knows every page', () => {
    expect(read('/figures').route).toBe('figures');
    expect(read('/imports/17')).toMatchObject({ route: 'run', run: 17 });
    expect(read('/print/grid/42')).toMatchObject({ route: 'sheet', sheet: { kind: 'grid', id: '42' } });
    expect(read('/people/0b7e5a52-1f0e-4c3c-9d5b-6c1a2b3c4d5e?act=move&on=2026-03-31')).toMatchObject({
      route: 'person', record: '0b7e5a52-1f0e-4c3c-9d5b-6c1a2b3c4d5e', act: 'move', trueOn: '2026-03-31', knownOn: null,
    });
    expect(read('/buildings/<b>').route).toBe('map');
    for (const path of ['/buildings/7', '/dwellings/31?act=arrive', '/households/0b7e5a52', '/people/0b7e5a52?act=move&on=2026-03-31&known=2026-04-01', '/figures', '/imports', '/imports/17', '/print', '/print/grid/42', '/account']) {
      expect(toUrl(read(path))).toBe(path);
    }
  });
  it('falls back where it is nonsense', () => {
    const view = read('/nowhere?geo=moon&classes=99&date=2026-13&act=steal&on=soon&at=1,2&sel=grid:<x>&lang=fr&layer=a/b&scheme=');
    expect(view).toEqual(DEFAULT_VIEW);
    expect(read('/?at=200,0,3').zoom).toBeNull();
  });
  it('takes a month or a day for the past', () => {
    expect(read('/?date=2026-04').month).toBe('2026-04');
    expect(read('/?date=2026-04-15').month).toBe('2026-04-15');
    expect(read('/?date=2026-04-39').month).toBeNull();
  });
  it('keeps a selection to what an id can be', () => {
    expect(unitKey('area:12')).toEqual({ kind: 'area', id: '12' });
    expect(unitKey('area:1/2')).toBeNull();
    expect(unitKey('person:1')).toBeNull();
    expect(unitKey(null)).toBeNull();
  });
});

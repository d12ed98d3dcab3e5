import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec';
import { describe, expect, it } from 'vitest';

import type { City, Legend } from '../src/lib/types';
import { buildStyle, classColour, maskOf, resolutionAt, type MapScene } from '../src/map/style';

const city: City = {
  code: 'x', name: { zh: '城', en: 'City' }, zone: 'Asia/Shanghai', languages: ['zh-CN', 'en'], bounds: [0, 0, 1, 1],
  base_resolution: 10, levels: [], is_demo: true, demo_accounts: [], as_of: '2026-11-22', today: '2026-11-23',
  basemap: { tiles: '/api/basemap/{z}/{x}/{y}.mvt', minzoom: 8, maxzoom: 14 },
};
const legend: Legend = {
  breaks: [5, 10, 20], colors: ['#aaaaaa', '#777777', '#333333'], counts: [1, 1, 1], min: 1, max: 20,
  unit: { zh: '人', en: 'people' }, as_of: '2026-11-22', basis: 'day', exactness: 'duty', withheld_n: 0,
};
const ring = [[0, 0], [1, 0], [1, 1], [0, 0]];
const scene: MapScene = {
  origin: 'http://127.0.0.1:8000', dark: false, lang: 'en', city, layer: 'residents', geography: 'cell', level: 4, date: null,
  look: 'classes', legend, territory: { type: 'Polygon', coordinates: [ring] }, selection: null,
};

describe('the style', () => {
  it('is valid in every look, theme and geography, and asks nobody outside', () => {
    for (const dark of [false, true]) {
      for (const geography of ['cell', 'grid', 'area'] as const) {
        for (const look of ['classes', 'heat'] as const) {
          const style = buildStyle({ ...scene, dark, geography, look });
          expect(validateStyleMin(style)).toEqual([]);
          expect(style.glyphs).toBeUndefined();
          expect(style.sprite).toBeUndefined();
          for (const url of JSON.stringify(style).match(/https?:\/\/[^/"]+/g) ?? []) expect(url).toBe('http://127.0.0.1:8000');
        }
      }
    }
  });
  it('is valid with neither layer nor basemap', () => {
    expect(validateStyleMin(buildStyle({ ...scene, layer: null, legend: null, city: { ...city, basemap: null } }))).toEqual([]);
  });
  it('gives each class its upper limit', () => {
    expect(classColour(legend)).toEqual(['case', ['<=', ['get', 'v'], 5], '#aaaaaa', ['<=', ['get', 'v'], 10], '#777777', '#333333']);
  });
  it('picks the resolution that the server draws', () => {
    expect([7, 8, 9, 10.9, 11, 12.99, 13, 17].map((zoom) => resolutionAt(zoom, 10))).toEqual([7, 7, 8, 8, 9, 9, 10, 10]);
  });
  it('leaves the territory open in the mask', () => {
    const { geometry } = maskOf({ type: 'MultiPolygon', coordinates: [[ring], [ring]] });
    expect(geometry.type === 'Polygon' && geometry.coordinates).toHaveLength(3);
  });
});

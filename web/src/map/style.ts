/** The MapLibre style of a view: a quiet grey ground, the figures in colour, names drawn from local fonts. Pure. */
import type { ExpressionSpecification, FilterSpecification, LayerSpecification, SourceSpecification, StyleSpecification } from 'maplibre-gl';

import type { City, Lang, Legend, UnitKind } from '../lib/types';
import type { Look } from '../lib/url';
import type { BuildingHit } from '../people/types';

export interface MapScene {
  origin: string;
  dark: boolean;
  lang: Lang;
  city: City;
  layer: string | null;
  geography: UnitKind;
  level: number;
  /** YYYY-MM-DD or null. */
  date: string | null;
  look: Look;
  legend: Legend | null;
  territory: GeoJSON.Geometry | null;
  selection: GeoJSON.Geometry | null;
  /** Buildings to open, close up, for those whose duty the people in them are. */
  buildings?: BuildingHit[];
}

export const DATA = 'data';
export const HIT = 'data-hit';
export const BUILDINGS = 'building-dots';
/** From this zoom on, buildings can be told apart and opened. */
export const BUILDINGS_ZOOM = 15;
export const HATCH = 'hatch';
/** The legend shows its colours at the same strength. */
export const FILL_OPACITY = 0.82;

/** Fonts of the reader's own machine, in the order they are tried; no `glyphs` in the style keeps it that way. */
const FONT = ['PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', 'WenQuanYi Micro Hei', 'sans-serif'];

const LIGHT = {
  ground: '#f1f2f3', residential: '#eceeef', commercial: '#eae9ea', industrial: '#e6e7ea', public: '#e9ebee',
  green: '#e2e8e1', farmland: '#ecefe8', water: '#d3dce3', transport: '#e4e6e8', other: '#ebeced',
  road: '#ffffff', roadEdge: '#d5d9dd', building: '#dde0e3', label: '#48535d', halo: '#f7f8f9', unit: '#7d8894',
  territory: '#0f3e5c', mask: '#eef0f2', selection: '#d2491b', hover: '#15202a',
};
const DARK: typeof LIGHT = {
  ground: '#14181c', residential: '#181d21', commercial: '#1b1f24', industrial: '#1a1e25', public: '#1a2026',
  green: '#18211d', farmland: '#191f1b', water: '#0b2130', transport: '#1c2126', other: '#171b1f',
  road: '#2a3138', roadEdge: '#14181c', building: '#242a30', label: '#b4c0ca', halo: '#10151a', unit: '#56626d',
  territory: '#bfe2f7', mask: '#0e1317', selection: '#ff9a62', hover: '#ffffff',
};

/** Address of the data tiles of a view; the source layer is "cells", "grids" or "areas". */
export function dataTiles(scene: Pick<MapScene, 'origin' | 'geography' | 'level' | 'date'>, layer: string): string {
  const kind = scene.geography === 'area' ? `areas/${scene.level}` : `${scene.geography}s`;
  const date = scene.date ? `?date=${scene.date}` : '';
  return `${scene.origin}/api/tiles/${kind}/${encodeURIComponent(layer)}/{z}/{x}/{y}.mvt${date}`;
}

/** The H3 resolution drawn at a zoom: the base resolution close up, one coarser every two steps out. */
export function resolutionAt(zoom: number, base: number): number {
  const z = Math.floor(zoom);
  const steps = z <= 8 ? 3 : z <= 10 ? 2 : z <= 12 ? 1 : 0;
  return Math.max(0, base - steps);
}

/** Colour of a value: each class holds its upper limit, as the legend says. */
export function classColour(legend: Legend): ExpressionSpecification | string {
  const [first] = legend.colors;
  if (legend.colors.length < 2) return first ?? 'transparent';
  const cases: unknown[] = ['case'];
  legend.colors.slice(0, -1).forEach((colour, index) => {
    cases.push(['<=', ['get', 'v'], legend.breaks[index] ?? 0], colour);
  });
  return [...cases, legend.colors.at(-1)] as unknown as ExpressionSpecification;
}

function heatColour(colours: string[]): ExpressionSpecification {
  const stops = colours.flatMap((colour, index) => [0.12 + (0.88 * index) / Math.max(1, colours.length - 1), colour]);
  return ['interpolate', ['linear'], ['heatmap-density'], 0, `${colours[0] ?? '#000000'}00`, 0.04, `${colours[0] ?? '#000000'}00`, ...stops] as unknown as ExpressionSpecification;
}

/** A world-wide sheet with the territory cut out of it. */
export function maskOf(territory: GeoJSON.Geometry): GeoJSON.Feature {
  const polygons =
    territory.type === 'Polygon' ? [territory.coordinates] : territory.type === 'MultiPolygon' ? territory.coordinates : [];
  const world = [[-180, -85], [180, -85], [180, 85], [-180, 85], [-180, -85]];
  const holes = polygons.flatMap((polygon) => (polygon[0] ? [polygon[0]] : []));
  return { type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [world, ...holes] } };
}

const feature = (geometry: GeoJSON.Geometry | null): GeoJSON.FeatureCollection => ({
  type: 'FeatureCollection',
  features: geometry ? [{ type: 'Feature', properties: {}, geometry }] : [],
});

const dots = (buildings: BuildingHit[]): GeoJSON.FeatureCollection => ({
  type: 'FeatureCollection',
  features: buildings.map(({ id, lng, lat, dwellings }) => ({
    type: 'Feature',
    properties: { id, dwellings },
    geometry: { type: 'Point', coordinates: [lng, lat] },
  })),
});

const geojson = (data: GeoJSON.GeoJSON): SourceSpecification => ({ type: 'geojson', data });

function tiles(url: string, minzoom: number, maxzoom: number): SourceSpecification {
  return { type: 'vector', tiles: [url], minzoom, maxzoom };
}

function sources(scene: MapScene): StyleSpecification['sources'] {
  const { city, layer, origin } = scene;
  const out: StyleSpecification['sources'] = {
    territory: geojson(feature(scene.territory)),
    mask: geojson(scene.territory ? maskOf(scene.territory) : feature(null)),
    selection: geojson(feature(scene.selection)),
    buildings: geojson(dots(scene.buildings ?? [])),
  };
  if (city.basemap) out['basemap'] = tiles(origin + city.basemap.tiles, city.basemap.minzoom, city.basemap.maxzoom);
  if (layer) {
    out[DATA] = { ...tiles(dataTiles(scene, layer), 5, 14), promoteId: 'id' } as SourceSpecification;
    if (scene.geography === 'cell') {
      const grids = { ...scene, geography: 'grid' as const };
      out['grids'] = tiles(dataTiles(grids, layer), 14, 14);
    }
  }
  return out;
}

function ground(scene: MapScene, ink: typeof LIGHT): LayerSpecification[] {
  const out: LayerSpecification[] = [{ id: 'ground', type: 'background', paint: { 'background-color': ink.ground } }];
  if (!scene.city.basemap) return out;
  const colours: string[] = [];
  for (const name of ['residential', 'commercial', 'industrial', 'public', 'green', 'farmland', 'water', 'transport'] as const) {
    colours.push(name, ink[name]);
  }
  out.push(
    {
      id: 'landuse', type: 'fill', source: 'basemap', 'source-layer': 'landuse',
      paint: { 'fill-color': ['match', ['get', 'class'], ...colours, ink.other] as unknown as ExpressionSpecification },
    },
    {
      id: 'water', type: 'fill', source: 'basemap', 'source-layer': 'water',
      filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': ink.water },
    },
    {
      id: 'building', type: 'fill', source: 'basemap', 'source-layer': 'buildings', minzoom: 14,
      paint: { 'fill-color': ink.building },
    },
  );
  return out;
}

/** About two and a half edges of the hexagons drawn at each zoom, whose resolution steps at 9, 11 and 13. */
const HEAT_RADIUS = [
  'interpolate', ['exponential', 2], ['zoom'], 6, 3, 8.999, 23, 9, 8.5, 10.999, 34, 11, 13, 12.999, 52, 13, 20, 14, 40, 15, 80, 16, 160,
] as unknown as ExpressionSpecification;

const ROAD_WIDTH = (scale: number): ExpressionSpecification => {
  const size = (main: number, second: number, small: number) => [
    'match', ['get', 'class'], ['motorway', 'trunk', 'ring', 'expressway', 'primary', 'arterial'], main * scale,
    ['secondary', 'tertiary', 'collector'], second * scale, small * scale,
  ];
  return [
    'interpolate', ['exponential', 1.5], ['zoom'], 10, size(1.1, 0.5, 0), 13, size(2.4, 1.3, 0.5), 16, size(8, 5, 3), 18, size(18, 12, 8),
  ] as unknown as ExpressionSpecification;
};

function roads(scene: MapScene, ink: typeof LIGHT): LayerSpecification[] {
  if (!scene.city.basemap) return [];
  return [
    {
      id: 'road', type: 'line', source: 'basemap', 'source-layer': 'roads',
      filter: ['!=', ['get', 'class'], 'rail'],
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': ink.road, 'line-width': ROAD_WIDTH(1), 'line-opacity': scene.layer ? (scene.dark ? 0.5 : 0.4) : 1 },
    },
    {
      id: 'rail', type: 'line', source: 'basemap', 'source-layer': 'roads', minzoom: 11,
      filter: ['==', ['get', 'class'], 'rail'],
      paint: { 'line-color': ink.unit, 'line-width': 1.4, 'line-dasharray': [4, 2], 'line-opacity': 0.6 },
    },
  ];
}

function figures(scene: MapScene, ink: typeof LIGHT): LayerSpecification[] {
  const { layer, legend } = scene;
  if (!layer) return [];
  const base = { source: DATA, 'source-layer': `${scene.geography}s` };
  const out: LayerSpecification[] = [{ id: HIT, type: 'fill', ...base, paint: { 'fill-opacity': 0 } }];
  const zeroDrawn = legend !== null && legend.min !== null && legend.min <= 0;
  const known = (zeroDrawn ? ['has', 'v'] : ['all', ['has', 'v'], ['!=', ['get', 'v'], 0]]) as FilterSpecification;
  if (legend && legend.colors.length > 0) {
    if (scene.look === 'heat') {
      const most = Math.max(legend.breaks.at(-2) ?? legend.max ?? 1, 1e-9);
      out.push({
        id: 'heat', type: 'heatmap', ...base, filter: known,
        paint: {
          'heatmap-weight': ['min', 1, ['/', ['get', 'v'], most]],
          'heatmap-intensity': 0.21,
          'heatmap-radius': HEAT_RADIUS,
          'heatmap-color': heatColour(legend.colors),
          'heatmap-opacity': 0.8,
        },
      });
    } else {
      out.push({
        id: 'classes', type: 'fill', ...base, filter: known,
        paint: { 'fill-color': classColour(legend), 'fill-opacity': FILL_OPACITY, 'fill-antialias': true },
      });
    }
  }
  out.push({ id: 'withheld', type: 'fill', ...base, filter: ['==', ['get', 'w'], 1], paint: { 'fill-pattern': HATCH } });
  if (scene.look !== 'heat' || scene.geography !== 'cell') {
    out.push({
      id: 'outline', type: 'line', ...base,
      paint: {
        'line-color': scene.geography === 'cell' ? ink.ground : ink.unit,
        'line-width': scene.geography === 'cell' ? 0.5 : ['interpolate', ['linear'], ['zoom'], 9, 0.4, 15, 1],
        'line-opacity': 0.7,
      },
    });
  }
  if (scene.geography === 'cell') {
    out.push({
      id: 'grids', type: 'line', source: 'grids', 'source-layer': 'grids', minzoom: 14,
      paint: { 'line-color': ink.unit, 'line-width': 0.7, 'line-opacity': ['interpolate', ['linear'], ['zoom'], 14, 0.25, 15, 0.8] },
    });
  }
  return out;
}

function marks(scene: MapScene, ink: typeof LIGHT): LayerSpecification[] {
  const out: LayerSpecification[] = [
    { id: 'mask', type: 'fill', source: 'mask', paint: { 'fill-color': ink.mask, 'fill-opacity': 0.62, 'fill-antialias': false } },
    {
      id: 'territory', type: 'line', source: 'territory', layout: { 'line-join': 'round' },
      paint: { 'line-color': ink.territory, 'line-width': 2 },
    },
  ];
  if (scene.layer) {
    out.push({
      id: 'hover', type: 'line', source: DATA, 'source-layer': `${scene.geography}s`, layout: { 'line-join': 'round' },
      paint: { 'line-color': ink.hover, 'line-width': ['case', ['boolean', ['feature-state', 'hover'], false], 2, 0] },
    });
  }
  out.push(
    {
      id: 'selection-casing', type: 'line', source: 'selection', layout: { 'line-join': 'round' },
      paint: { 'line-color': ink.halo, 'line-width': 6, 'line-opacity': 0.85 },
    },
    {
      id: 'selection', type: 'line', source: 'selection', layout: { 'line-join': 'round' },
      paint: { 'line-color': ink.selection, 'line-width': 3 },
    },
    {
      id: BUILDINGS, type: 'circle', source: 'buildings', minzoom: BUILDINGS_ZOOM,
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['zoom'], 15, 5, 18, 10],
        'circle-color': ink.territory,
        'circle-stroke-color': ink.halo,
        'circle-stroke-width': 2,
      },
    },
  );
  return out;
}

function labels(scene: MapScene, ink: typeof LIGHT): LayerSpecification[] {
  if (!scene.city.basemap) return [];
  const [own, other] = scene.lang === 'en' ? ['name_en', 'name'] : ['name', 'name_en'];
  const name = ['case', ['to-boolean', ['get', own]], ['get', own], ['coalesce', ['get', other], '']];
  const rank = ['to-number', ['get', 'rank'], 5];
  const paint = { 'text-color': ink.label, 'text-halo-color': ink.halo, 'text-halo-width': 1.4 };
  return [
    {
      id: 'label', type: 'symbol', source: 'basemap', 'source-layer': 'labels',
      filter: ['==', ['geometry-type'], 'Point'],
      layout: {
        'text-field': name as unknown as ExpressionSpecification,
        'text-font': FONT,
        'text-size': ['interpolate', ['linear'], ['zoom'], 10, ['case', ['<=', rank, 2], 13, 11], 16, ['case', ['<=', rank, 2], 16, 12.5]] as unknown as ExpressionSpecification,
        'text-max-width': 8,
        'text-padding': 6,
        'symbol-sort-key': rank as unknown as ExpressionSpecification,
      },
      paint,
    },
    {
      id: 'label-line', type: 'symbol', source: 'basemap', 'source-layer': 'labels', minzoom: 13,
      filter: ['==', ['geometry-type'], 'LineString'],
      layout: {
        'symbol-placement': 'line',
        'text-field': name as unknown as ExpressionSpecification,
        'text-font': FONT,
        'text-size': 11,
      },
      paint,
    },
  ];
}

export function buildStyle(scene: MapScene): StyleSpecification {
  const ink = scene.dark ? DARK : LIGHT;
  return {
    version: 8,
    sources: sources(scene),
    layers: [...ground(scene, ink), ...figures(scene, ink), ...roads(scene, ink), ...marks(scene, ink), ...labels(scene, ink)],
  };
}

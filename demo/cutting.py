"""Cut layers of shapes into the vector tiles of a zoom, all tiles of it at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely

from demo.types import Flags, Ints, Shapes, Texts
from maps import mvt

#: A tile is drawn 512 pixels wide from 4096 units.
_UNITS_A_PIXEL = mvt.EXTENT / 512
_SMALL_TABLE = 32


@dataclass
class Layer:
    """A layer of the map: shapes in the unit square (x east, y south, EPSG:3857), zooms of each, and attributes."""

    name: str
    shapes: Shapes
    first_zoom: Ints
    last_zoom: Ints
    texts: dict[str, Texts] = field(default_factory=dict)
    numbers: dict[str, Ints] = field(default_factory=dict)

    def taken(self, keep: Ints | Flags) -> Layer:
        """The layer with the chosen shapes only."""
        return Layer(
            self.name,
            self.shapes[keep],
            self.first_zoom[keep],
            self.last_zoom[keep],
            {key: values[keep] for key, values in self.texts.items()},
            {key: values[keep] for key, values in self.numbers.items()},
        )


def joined(layers: list[Layer]) -> Layer:
    """Layers of one name and the same attributes as one, drawn in their order."""
    first = layers[0]
    return Layer(
        first.name,
        np.concatenate([layer.shapes for layer in layers]),
        np.concatenate([layer.first_zoom for layer in layers]),
        np.concatenate([layer.last_zoom for layer in layers]),
        {key: np.concatenate([layer.texts[key] for layer in layers]) for key in first.texts},
        {key: np.concatenate([layer.numbers[key] for layer in layers]) for key in first.numbers},
    )


def unit_square(shapes: Shapes) -> Shapes:
    """Shapes in WGS84 degrees on the unit square of the web's Mercator map, y growing southwards."""
    degrees = shapely.get_coordinates(shapes)
    lat = np.radians(degrees[:, 1])
    unit = np.column_stack([degrees[:, 0] / 360 + 0.5, 0.5 - np.arcsinh(np.tan(lat)) / (2 * np.pi)])
    moved: Shapes = shapely.set_coordinates(np.array(shapes, dtype=object, copy=True), unit)
    return moved


def cut(layer: Layer, zoom: int) -> dict[tuple[int, int], bytes]:
    """The layer's part of each tile (x, y) of a zoom that it touches."""
    layer = layer.taken((layer.first_zoom <= zoom) & (layer.last_zoom >= zoom))
    sorts = shapely.get_dimensions(layer.shapes)
    cuts = [
        _cut_sort(layer.shapes, np.flatnonzero(sorts == sort), sort, zoom)
        for sort in (2, 1, 0)
        if (sorts == sort).any()
    ]
    if not cuts:
        return {}
    feature, x, y = (np.concatenate([getattr(part, name) for part in cuts]) for name in ("feature", "x", "y"))
    encoded = mvt.Shapes(
        np.concatenate([part.encoded.data for part in cuts]),
        np.concatenate([part.encoded.lengths for part in cuts]),
        np.concatenate([np.full(len(part.x), part.encoded.kind, dtype=np.uint64) for part in cuts]),
    )
    order = np.lexsort([feature, y, x])
    feature, x, y = feature[order], x[order], y[order]
    return _tiles(layer.taken(feature), encoded.take(order), feature, x, y)


@dataclass
class _Cut:
    """Encoded parts of shapes in tiles, with the shape's number and the tile of each."""

    encoded: mvt.Shapes
    feature: Ints
    x: Ints
    y: Ints


def _cut_sort(shapes: Shapes, numbers: Ints, sort: int, zoom: int) -> _Cut:
    """Parts of the shapes of one sort (0 points, 1 lines, 2 polygons): thinned for the zoom, cut, encoded."""
    shapes = _scaled(shapes[numbers], mvt.EXTENT * 2.0**zoom)
    if sort and zoom < 16:
        shapes = shapely.simplify(
            shapes, _UNITS_A_PIXEL * (0.35 if zoom >= 14 else 0.6), preserve_topology=sort == 2
        )
    if sort == 2 and zoom < 14:
        visible = shapely.area(shapes) > 3 * _UNITS_A_PIXEL**2
        shapes, numbers = shapes[visible], numbers[visible]
    feature, x, y = _pairs(shapes, mvt.BUFFER if sort else 0)
    parts, feature, x, y = _clipped(shapes, feature, x, y, sort)
    return _Cut(_encoded(parts, x, y, sort), numbers[feature], x, y)


def _scaled(shapes: Shapes, scale: float) -> Shapes:
    result: Shapes = shapely.set_coordinates(
        np.array(shapes, dtype=object, copy=True), shapely.get_coordinates(shapes) * scale
    )
    return result


def _pairs(shapes: Shapes, buffer: int) -> tuple[Ints, Ints, Ints]:
    """Each shape with each tile its bounds touch: shape number, tile column, tile row."""
    box = shapely.bounds(shapes)
    low = np.floor((box[:, :2] - buffer) / mvt.EXTENT).astype(np.int64)
    high = np.floor((box[:, 2:] + buffer) / mvt.EXTENT).astype(np.int64)
    wide, tall = (high - low + 1).T
    count = wide * tall
    feature = np.repeat(np.arange(len(shapes)), count)
    place = np.arange(len(feature)) - np.repeat(np.cumsum(count) - count, count)
    return feature, low[feature, 0] + place % wide[feature], low[feature, 1] + place // wide[feature]


def _clipped(shapes: Shapes, feature: Ints, x: Ints, y: Ints, sort: int) -> tuple[Shapes, Ints, Ints, Ints]:
    """The part of each shape in each tile, and which of the pairs have one."""
    west, north = x * float(mvt.EXTENT) - mvt.BUFFER, y * float(mvt.EXTENT) - mvt.BUFFER
    width = mvt.EXTENT + 2 * mvt.BUFFER
    box = shapely.bounds(shapes)[feature]
    inside = (
        (box[:, 0] >= west)
        & (box[:, 1] >= north)
        & (box[:, 2] <= west + width)
        & (box[:, 3] <= north + width)
    )
    parts = shapes[feature]
    across = ~inside
    if sort and across.any():
        frames = shapely.box(west[across], north[across], west[across] + width, north[across] + width)
        parts[across] = shapely.intersection(parts[across], frames)
    keep = ~shapely.is_empty(parts) & (shapely.get_dimensions(parts) == sort)
    return parts[keep], feature[keep], x[keep], y[keep]


def _encoded(parts: Shapes, x: Ints, y: Ints, sort: int) -> mvt.Shapes:
    """Geometry of the parts in their tiles' units."""
    if sort == 0:
        xy = shapely.get_coordinates(parts) - np.column_stack([x, y]) * float(mvt.EXTENT)
        return mvt.points(xy)
    single, owner = shapely.get_parts(parts, return_index=True)
    solid = shapely.get_dimensions(single) == sort
    single, owner = single[solid], owner[solid]
    if sort == 1:
        xy, index = shapely.get_coordinates(single, return_index=True)
        ring_owner = owner
    else:
        rings, of_single = shapely.get_rings(shapely.orient_polygons(single), return_index=True)
        xy, index = shapely.get_coordinates(rings, return_index=True)
        ring_owner = owner[of_single]
    xy = xy - (np.column_stack([x, y]) * float(mvt.EXTENT))[ring_owner[index]]
    ends = np.cumsum(np.bincount(index, minlength=len(ring_owner)))
    if sort == 1:
        return mvt.lines(xy, ends, ring_owner, len(parts))
    return mvt.polygons(xy, ends, ring_owner, len(parts))


def _tiles(
    layer: Layer, encoded: mvt.Shapes, feature: Ints, x: Ints, y: Ints
) -> dict[tuple[int, int], bytes]:
    """The bytes of the layer in each tile; features are sorted by tile."""
    if not len(feature):
        return {}
    fixed = {key: np.unique(values, return_inverse=True) for key, values in layer.texts.items()}
    kinds = np.asarray(encoded.kind)
    starts = np.flatnonzero(np.append(True, (x[1:] != x[:-1]) | (y[1:] != y[:-1])))
    ends = np.append(starts[1:], len(x))
    byte_end = np.cumsum(encoded.lengths)
    byte_start = byte_end - encoded.lengths
    ids = (feature + 1).astype(np.uint64)
    result = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        here = slice(start, end)
        shapes = mvt.Shapes(
            encoded.data[byte_start[start] : byte_end[end - 1]], encoded.lengths[here], kinds[here]
        )
        data = mvt.layer(layer.name, shapes, ids[here], _columns(layer, fixed, here))
        if data:
            result[int(x[start]), int(y[start])] = data
    return result


def _columns(layer: Layer, fixed: dict[str, tuple[Texts, Ints]], here: slice) -> list[mvt.Column]:
    """Attributes of a tile's features: a short list of words is the same in every tile."""
    columns = []
    for key, values in layer.texts.items():
        words, index = fixed[key]
        if len(words) <= _SMALL_TABLE:
            table = mvt.texts(key, words.tolist())
            columns.append(mvt.Column(key, index[here].astype(np.int64), table.table, table.size))
        else:
            columns.append(mvt.texts(key, [value or None for value in values[here].tolist()]))
    for key, counts in layer.numbers.items():
        numbers = counts[here].astype(np.float64)
        columns.append(mvt.numbers(key, numbers, np.ones(len(numbers), dtype=bool)))
    return columns

"""The demo city's basemap: its own ground as vector tiles in one PMTiles file, zoom 8 to 16.

Layers: `landuse` {class}, `water`, `roads` {class, name, name_en}, `buildings`, `labels` {name, name_en, rank}
(points for places, lines for streets). Around the city lie fields, and river, railway and main roads run on.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from demo.areas import CITY_NAME, CITY_NAME_EN, merged
from demo.city import Ground
from demo.cutting import Layer, cut, joined, unit_square
from demo.plane import shapes_to_lnglat
from demo.shapes_out import land_use
from demo.types import Ints, Shapes, Texts
from demo.zones import KINDS
from maps.pmtiles import Extent, write_archive

FILE = "basemap.pmtiles"
MIN_ZOOM, MAX_ZOOM = 8, 16
_LAST = 22
#: First zoom at which a class of road is drawn.
_ROAD_ZOOM = {
    "motorway": 8,
    "primary": 9,
    "secondary": 11,
    "rail": 10,
    "tertiary": 12,
    "residential": 14,
    "path": 15,
}


def build(folder: Path, ground: Ground) -> Path:
    """Write `basemap.pmtiles` of the city into `folder` and return its path."""
    layers = [_land(ground), _water(ground), _roads(ground), _buildings(ground), _labels(ground)]
    bounds = shapely.bounds(shapes_to_lnglat(np.array([_surroundings(ground)], dtype=object)))[0]
    tiles = []
    for zoom in range(MIN_ZOOM, MAX_ZOOM + 1):
        here: dict[tuple[int, int], list[bytes]] = {}
        for layer in layers:
            for place, data in cut(layer, zoom).items():
                here.setdefault(place, []).append(data)
        tiles += [(zoom, x, y, gzip.compress(b"".join(parts), 6, mtime=0)) for (x, y), parts in here.items()]
    path = folder / FILE
    west, south, east, north = (float(value) for value in bounds)
    extent = Extent(MIN_ZOOM, MAX_ZOOM, (west, south, east, north))
    write_archive(path, tiles, extent, _about())
    return path


def _about() -> dict[str, object]:
    fields = {
        "landuse": ("class",),
        "water": (),
        "roads": ("class", "name", "name_en"),
        "buildings": (),
        "labels": ("name", "name_en", "rank"),
    }
    return {
        "name": f"{CITY_NAME} {CITY_NAME_EN}", "type": "baselayer", "version": "1",
        "vector_layers": [
            {"id": name, "minzoom": MIN_ZOOM, "maxzoom": MAX_ZOOM,
             "fields": {key: "Number" if key == "rank" else "String" for key in keys}}
            for name, keys in fields.items()],
    }  # fmt: skip


def _layer(name: str, shapes: Shapes, first: Ints | int, last: Ints | int = _LAST, **texts: Texts) -> Layer:
    """A layer from shapes in plane metres."""
    count = len(shapes)
    return Layer(
        name,
        unit_square(shapes_to_lnglat(np.asarray(shapes, dtype=object))),
        np.broadcast_to(np.asarray(first), count).copy(),
        np.broadcast_to(np.asarray(last), count).copy(),
        dict(texts),
    )


def _surroundings(ground: Ground) -> shapely.Polygon:
    return shapely.Point(0, 0).buffer(ground.network.plan.radius * 1.65, quad_segs=24)


def _land(ground: Ground) -> Layer:
    """Fields around the city; blocks by class from afar, parcels from near."""
    network = ground.network
    city = ground.areas.levels[0].shape[0]
    fields = _shredded(shapely.difference(_surroundings(ground), city))
    around = _layer("landuse", fields, MIN_ZOOM)
    around.texts["class"] = np.full(len(fields), "farmland")
    use = np.array([KINDS[kind].land_use for kind in network.plot_kind])
    quarter = network.block_quarter[network.plot_block]
    classes, number = np.unique(use, return_inverse=True)
    group = np.unique(quarter * 100 + number, return_inverse=True)[1]
    blocks = merged(network.plots, group)
    block_use = classes[number[np.unique(group, return_index=True)[1]]]
    dry = block_use != "water"
    far = _layer("landuse", blocks[dry], MIN_ZOOM, 13)
    far.texts["class"] = block_use[dry]
    shapes, kinds, _ = land_use(ground)
    land = (kinds != "water") & ~(
        (kinds == "transport") & (np.arange(len(kinds)) >= int((~shapely.is_empty(ground.parcels)).sum()))
    )
    near = _layer("landuse", shapes[land], 14)
    near.texts["class"] = kinds[land]
    return joined([around, far, near])


def _shredded(shape: BaseGeometry) -> Shapes:
    """A large shape in overlapping squares, so that no tile has to be cut from the whole of it."""
    west, south, east, north = shape.bounds
    step = max((east - west) / 24, 900.0)
    x, y = np.meshgrid(np.arange(west, east, step), np.arange(south, north, step))
    squares = shapely.box(x.ravel() - 25, y.ravel() - 25, x.ravel() + step + 25, y.ravel() + step + 25)
    shapely.prepare(shape)
    near = squares[shapely.intersects(shape, squares)]
    pieces = shapely.get_parts(shapely.intersection(shape, near))
    solid: Shapes = pieces[shapely.get_dimensions(pieces) == 2]
    return solid


def _water(ground: Ground) -> Layer:
    network = ground.network
    around = _surroundings(ground)
    course = network.warp.polygons(np.array([network.plan.water], dtype=object))[0]
    outside = shapely.difference(
        shapely.intersection(course, around), ground.areas.levels[0].shape[0].buffer(-5)
    )
    inside = merged(
        network.plots[network.plot_kind == "water"], network.plot_block[network.plot_kind == "water"]
    )
    parts = np.concatenate([shapely.get_parts(inside), _shredded(outside)])
    return _layer("water", parts[shapely.get_dimensions(parts) == 2], MIN_ZOOM)


def _roads(ground: Ground) -> Layer:
    network = ground.network
    lines = shapely.intersection(network.roads, _surroundings(ground))
    first = np.array([_ROAD_ZOOM[kind] for kind in network.road_kind])
    here = ~shapely.is_empty(lines)
    roads = _layer("roads", lines[here], first[here])
    roads.texts = {
        "class": network.road_kind[here],
        "name": ground.addresses.road_name[here],
        "name_en": ground.addresses.road_name_en[here],
    }
    return roads


def _buildings(ground: Ground) -> Layer:
    shapes = ground.buildings.shape
    return _layer("buildings", shapes, np.where(shapely.area(shapes) > 350, 13, 14))


_PLACE_RANK = {
    "station": 3,
    "stadium": 4,
    "hospital": 4,
    "government": 4,
    "campus": 4,
    "park": 5,
    "market": 5,
    "school": 6,
    "commercial": 6,
    "industrial": 6,
    "kindergarten": 7,
    "estate": 6,
    "danwei": 6,
}
_RANK_ZOOM = {3: 12, 4: 13, 5: 14, 6: 15, 7: 16}


def _labels(ground: Ground) -> Layer:
    """Names: areas, places, the river, and named streets along their line."""
    points, names, names_en, ranks, first, last = [], [], [], [], [], []

    def add(xy: Shapes, zh: Texts, en: Texts, rank: Ints, low: Ints, *, high: int = _LAST) -> None:
        points.append(xy)
        names.append(zh)
        names_en.append(en)
        ranks.append(rank)
        first.append(low)
        last.append(np.full(len(xy), high))

    for number, (rank, low, high) in enumerate(((1, 8, 11), (2, 9, 13), (3, 11, 14), (5, 13, 16))):
        level = ground.areas.levels[number]
        count = len(level.code)
        add(
            shapely.point_on_surface(level.shape),
            level.name,
            level.name_en,
            np.full(count, rank),
            np.full(count, low),
            high=high,
        )
    place = _places(ground)
    add(
        shapely.point_on_surface(ground.network.plots[place]),
        ground.addresses.plot_place[place],
        ground.addresses.plot_place_en[place],
        *_ranked(ground.network.plot_kind[place]),
    )
    river = ground.network.warp.lines(np.array([ground.network.plan.river], dtype=object))
    spots = shapely.line_interpolate_point(river[0], np.array([0.36, 0.64]), normalized=True)
    add(spots, np.full(2, "泽水"), np.full(2, "Ze River"), np.full(2, 2), np.full(2, 10))
    layer = _layer("labels", np.concatenate(points), np.concatenate(first), np.concatenate(last))
    layer.texts = {"name": np.concatenate(names), "name_en": np.concatenate(names_en)}
    layer.numbers = {"rank": np.concatenate(ranks)}
    return joined([layer, _street_names(ground)])


def _ranked(kinds: Texts) -> tuple[Ints, Ints]:
    rank = np.array([_PLACE_RANK[kind] for kind in kinds], dtype=np.int64)
    return rank, np.array([_RANK_ZOOM[int(value)] for value in rank], dtype=np.int64)


def _places(ground: Ground) -> Ints:
    """One plot for each named place: the largest of its block that bears the name."""
    network = ground.network
    named = np.flatnonzero(
        (ground.addresses.plot_place != "") & np.isin(network.plot_kind, list(_PLACE_RANK))
    )
    order = named[np.lexsort([-shapely.area(network.plots[named]), network.plot_block[named]])]
    quarter = network.block_quarter[network.plot_block[order]]
    wide = np.isin(network.plot_kind[order], ("industrial", "campus", "park", "commercial"))
    key = np.where(wide, -quarter - 1, network.plot_block[order])
    marks = np.char.add(
        np.char.add(key.astype("U12"), network.plot_kind[order]), ground.addresses.plot_place[order]
    )
    return np.sort(order[np.unique(marks, return_index=True)[1]])


def _street_names(ground: Ground) -> Layer:
    network, names = ground.network, ground.addresses.road_name
    here = (names != "") & (network.road_kind != "rail") & (shapely.length(network.roads) > 120)
    first = np.array(
        [
            {"motorway": 13, "primary": 13, "secondary": 14, "tertiary": 15}.get(kind, 16)
            for kind in network.road_kind
        ]
    )
    lines = shapely.intersection(network.roads[here], _surroundings(ground))
    layer = _layer("labels", lines, first[here])
    layer.texts = {"name": names[here], "name_en": ground.addresses.road_name_en[here]}
    rank = np.array(
        [{"motorway": 4, "primary": 5, "secondary": 6}.get(kind, 7) for kind in network.road_kind]
    )
    layer.numbers = {"rank": rank[here]}
    return layer

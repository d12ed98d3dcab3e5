"""The basemap of the demo city, read by our own reader, by mapbox-vector-tile and by GDAL."""

from __future__ import annotations

import gzip
import math
from itertools import pairwise
from pathlib import Path

import mapbox_vector_tile
import numpy as np
import pyogrio
import pytest
import shapely

from demo import basemap as builder
from demo.city import Ground
from demo.plane import to_lnglat
from maps import basemap
from maps.errors import BasemapUnreadableError
from maps.pmtiles import Archive, Extent, tile_id, write_archive

LAYERS = {"landuse", "water", "roads", "buildings", "labels"}


@pytest.fixture(scope="module")
def archive(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return builder.build(tmp_path_factory.mktemp("basemap"), ground)


def _tile_of(lng: float, lat: float, z: int) -> tuple[int, int]:
    y = 0.5 - math.asinh(math.tan(math.radians(lat))) / (2 * math.pi)
    return int((lng / 360 + 0.5) * 2**z), int(y * 2**z)


def test_every_tile_over_the_city_holds_what_its_zoom_shows(archive: Path, ground: Ground) -> None:
    said = basemap.facts(archive)
    assert (said.minzoom, said.maxzoom, said.gzip) == (8, 16, True)
    assert set(said.layers) == LAYERS
    lng, lat = to_lnglat(ground.buildings.x, ground.buildings.y)
    for zoom, present in (
        (8, {"landuse"}),
        (12, {"landuse", "roads"}),
        (15, {"landuse", "roads", "buildings"}),
    ):
        for x, y in {_tile_of(a, b, zoom) for a, b in zip(lng, lat, strict=True)}:
            data = basemap.tile(archive, zoom, x, y)
            assert data is not None
            decoded = mapbox_vector_tile.decode(gzip.decompress(data))
            assert present <= set(decoded) <= LAYERS, (zoom, x, y)


def test_classes_names_and_ranks(archive: Path) -> None:
    x, y = _tile_of(115.05, 30.55, 14)
    decoded = mapbox_vector_tile.decode(gzip.decompress(basemap.tile(archive, 14, x, y) or b""))
    uses = {feature["properties"]["class"] for feature in decoded["landuse"]["features"]}
    assert uses <= {
        "residential",
        "commercial",
        "industrial",
        "public",
        "green",
        "farmland",
        "transport",
        "other",
    }
    assert {"residential", "public", "green"} <= uses
    roads = {feature["properties"]["class"] for feature in decoded["roads"]["features"]}
    assert {"primary", "secondary", "tertiary"} <= roads
    labels = decoded["labels"]["features"]
    assert all(set(label["properties"]) >= {"name", "name_en", "rank"} for label in labels)
    assert {label["geometry"]["type"] for label in labels} >= {"Point", "LineString"}
    assert any(label["properties"]["name"].endswith("社区") for label in labels)


def test_gdal_reads_the_buildings_where_they_are(archive: Path, ground: Ground) -> None:
    assert {name for name, _ in pyogrio.list_layers(archive)} == LAYERS
    drawn = pyogrio.read_dataframe(archive, layer="buildings", ZOOM_LEVEL="16").to_crs("EPSG:4326")
    lng, lat = to_lnglat(ground.buildings.x, ground.buildings.y)
    tree = shapely.STRtree(drawn.geometry.to_numpy())
    points = shapely.points(lng, lat)
    _, away = tree.query_nearest(points, return_distance=True, all_matches=False)
    solid = shapely.contains_xy(ground.buildings.shape, ground.buildings.x, ground.buildings.y)
    assert (away[solid] * 111_000 < 0.6).all()


def test_the_river_is_one_band_of_water_through_the_city(archive: Path, ground: Ground) -> None:
    water = pyogrio.read_dataframe(archive, layer="water", ZOOM_LEVEL="13").to_crs("EPSG:4326")
    course = ground.network.warp.lines(np.array([ground.network.plan.river]))[0]
    along = shapely.get_coordinates(
        shapely.line_interpolate_point(course, np.linspace(0.3, 0.7, 60), normalized=True)
    )
    spots = shapely.points(*to_lnglat(along[:, 0], along[:, 1]))
    assert shapely.contains(shapely.union_all(water.geometry.to_numpy()).buffer(2e-6), spots).mean() > 0.98


def test_tile_numbers_fill_each_zoom_and_walk_to_neighbours() -> None:
    for z in range(6):
        numbered = sorted((tile_id(z, x, y), x, y) for x in range(2**z) for y in range(2**z))
        first = (4**z - 1) // 3
        assert [number for number, _, _ in numbered] == list(range(first, first + 4**z))
        steps = [abs(a[1] - b[1]) + abs(a[2] - b[2]) for a, b in pairwise(numbered)]
        assert set(steps) <= {1}


def test_a_large_archive_has_leaf_directories_and_gdal_agrees(tmp_path: Path) -> None:
    """Tiles of random bytes, so many that the root directory does not hold them."""
    random = np.random.default_rng(3)
    tiles = {
        (14, int(x), int(y)): gzip.compress(random.bytes(int(random.integers(20, 400))), mtime=0)
        for x, y in random.integers(0, 1 << 14, (9_000, 2))
    }
    path = tmp_path / "large.pmtiles"
    rows = [(z, x, y, data) for (z, x, y), data in tiles.items()]
    write_archive(path, rows, Extent(14, 14, (-180, -85, 180, 85)), {"vector_layers": []})
    opened = Archive(path)
    assert all(opened.tile(*place) == data for place, data in tiles.items())
    free = [(14, x, 5) for x in range(200) if (14, x, 5) not in tiles]
    assert all(opened.tile(*place) is None for place in free)
    assert opened.tile(15, 0, 0) is None
    assert opened.tile(14, -1, 0) is None


def test_equal_tiles_are_stored_once(tmp_path: Path) -> None:
    same = gzip.compress(b"sea" * 100, mtime=0)
    path = tmp_path / "sea.pmtiles"
    tiles = [(9, x, y, same) for x in range(64) for y in range(64)]
    write_archive(path, tiles, Extent(9, 9, (-180, -85, 180, 85)), {})
    assert path.stat().st_size < 1_000
    assert all(Archive(path).tile(9, x, y) == same for x, y in ((0, 0), (63, 63), (17, 40)))


@pytest.mark.parametrize("spoil", ["absent", "empty", "other", "cut", "garbled"])
def test_what_is_no_archive_is_refused(archive: Path, tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "broken.pmtiles"
    good = archive.read_bytes()
    content = {"empty": b"", "other": b"PK\x03\x04" + b"x" * 900, "cut": good[: len(good) // 2]}
    content["garbled"] = good[:127] + bytes(reversed(good[127:2000])) + good[2000:]
    if spoil != "absent":
        path.write_bytes(content[spoil])
    with pytest.raises(BasemapUnreadableError):
        basemap.facts(path)


def test_a_replaced_archive_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "map.pmtiles"
    for word in (b"first", b"second, longer"):
        write_archive(path, [(0, 0, 0, gzip.compress(word, mtime=0))], Extent(0, 0, (-180, -85, 180, 85)), {})
        data = basemap.tile(path, 0, 0, 0)
        assert data is not None
        assert gzip.decompress(data) == word

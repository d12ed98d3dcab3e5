"""The exact join against geopandas and shapely: random areas, borders, overlaps, holes, crowds of tiny areas."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.join import NOWHERE, AreaJoin
from grid.orient import side


def smallest_code_by_geos(shapes: np.ndarray, codes: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The documented rule, by the library: of all areas that intersect a point the one with the smallest code."""
    points, areas = shapely.STRtree(shapes).query(shapely.points(x, y), predicate="intersects")
    rank = np.argsort(np.argsort(codes, kind="stable"), kind="stable")
    best = np.full(x.size, len(codes), dtype=np.int64)
    np.minimum.at(best, points, rank[areas])
    by_rank = np.append(np.argsort(codes, kind="stable"), NOWHERE)
    found: np.ndarray = by_rank[best]
    return found


def voronoi(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    whole = shapely.box(114.0, 22.5, 114.3, 22.7)
    seeds = shapely.multipoints(np.column_stack([rng.uniform(114.0, 114.3, n), rng.uniform(22.5, 22.7, n)]))
    return shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=whole)), whole)


def hostile_points(shapes: np.ndarray, seed: int, n: int = 3_000) -> tuple[np.ndarray, np.ndarray]:
    """Points anywhere, on corners, on the middle of edges, beside them, and level with corners."""
    rng = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(shapes)
    corners = shapely.get_coordinates(shapes)
    middles = (corners[1:] + corners[:-1]) / 2
    shifted = corners + rng.choice([0.0, 1e-15, -1e-15, 1e-13, 1e-9], corners.shape) * 100
    level = np.column_stack([rng.uniform(west, east, len(corners)), corners[:, 1]])
    free = np.column_stack(
        [rng.uniform(west - 0.01, east + 0.01, n), rng.uniform(south - 0.01, north + 0.01, n)]
    )
    every = np.vstack([corners, middles, shifted, level, free])
    return every[:, 0], every[:, 1]


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 60), seed=st.integers(0, 10_000), cells=st.sampled_from([1, 7, 500, 100_000]))
def test_partition_at_any_raster(n: int, seed: int, cells: int) -> None:
    shapes = voronoi(n, seed)
    codes = np.random.default_rng(seed).permutation(shapes.size).astype(str)
    x, y = hostile_points(shapes, seed)
    got = AreaJoin.build(shapes, codes, raster_cells=cells).locate(x, y)
    np.testing.assert_array_equal(got, smallest_code_by_geos(shapes, codes, x, y))


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 30), seed=st.integers(0, 10_000), cells=st.sampled_from([1, 50, 20_000]))
def test_overlaps_holes_and_many_parts(n: int, seed: int, cells: int) -> None:
    rng = np.random.default_rng(seed)
    centres = shapely.points(rng.uniform(0, 4, n), rng.uniform(0, 4, n))
    rings = shapely.difference(
        shapely.buffer(centres, rng.uniform(0.3, 1.5, n), quad_segs=4), shapely.buffer(centres, 0.2)
    )
    parts = [shapely.MultiPolygon([r, shapely.box(k + 5.0, 5.0, k + 5.5, 5.5)]) for k, r in enumerate(rings)]
    shapes = np.array(parts, dtype=object)
    codes = rng.permutation(n)
    x, y = hostile_points(shapes, seed)
    got = AreaJoin.build(shapes, codes, raster_cells=cells).locate(x, y)
    np.testing.assert_array_equal(got, smallest_code_by_geos(shapes, codes, x, y))


def test_squares_on_round_numbers_meet_every_degenerate_case() -> None:
    shapes = np.array([shapely.box(i, j, i + 1, j + 1) for i in range(8) for j in range(8)], dtype=object)
    codes = np.arange(64)[::-1]
    x, y = (v.ravel() for v in np.meshgrid(np.arange(-0.5, 9, 0.25), np.arange(-0.5, 9, 0.25)))
    for cells in (1, 16, 64, 4096, 250_000):
        got = AreaJoin.build(shapes, codes, raster_cells=cells).locate(x, y)
        np.testing.assert_array_equal(got, smallest_code_by_geos(shapes, codes, x, y))


def test_a_cell_with_more_areas_than_one_record_holds() -> None:
    shapes = np.array(
        [shapely.box(i / 20, j / 20, (i + 1) / 20, (j + 1) / 20) for i in range(20) for j in range(20)]
    )
    whole = np.append(shapes, shapely.box(0, 0, 1, 1))
    codes = np.append(
        np.arange(400) * 2, 301
    )  # the large area ranks in the middle: it takes over from there on
    join = AreaJoin.build(whole, codes, raster_cells=1)
    assert join.more.sum() >= 6
    x, y = hostile_points(whole, 5)
    np.testing.assert_array_equal(join.locate(x, y), smallest_code_by_geos(whole, codes, x, y))


def test_areas_smaller_than_a_cell_keep_their_points() -> None:
    shapes = np.array([shapely.Point(114.05, 22.55).buffer(0.2), shapely.Point(114.05, 22.55).buffer(1e-6)])
    join = AreaJoin.build(shapes, ["b", "a"], raster_cells=10_000)
    assert join.locate([114.05, 114.06], [22.55, 22.55]).tolist() == [1, 0]


def test_borders_and_outside_are_defined() -> None:
    join = AreaJoin.build([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)], ["440305", "440303"])
    x = [1.0, 1.0, 0.0, 2.0, 2.0000001, np.nan, 0.5, np.inf]
    y = [0.5, 1.0, 0.0, 1.0, 0.5, 0.5, np.nan, 0.5]
    assert join.locate(x, y).tolist() == [1, 1, 0, 1, -1, -1, -1, -1]
    assert join.locate([], []).size == 0


def test_no_areas_and_empty_areas() -> None:
    assert AreaJoin.build([], []).locate([1.0], [1.0]).tolist() == [-1]
    mixed = np.array([None, shapely.Polygon(), shapely.box(0, 0, 1, 1)], dtype=object)
    assert AreaJoin.build(mixed, ["a", "b", "c"]).locate([0.5, 2.0], [0.5, 0.5]).tolist() == [2, -1]
    with pytest.raises(ValueError, match="polygons"):
        AreaJoin.build([shapely.Point(0, 0)], ["a"])
    with pytest.raises(ValueError, match="codes"):
        AreaJoin.build([shapely.box(0, 0, 1, 1)], ["a", "b"])
    with pytest.raises(ValueError, match="one length"):
        AreaJoin.build([], []).locate([1.0, 2.0], [1.0])


def test_save_and_load_give_the_same_answers(tmp_path: Path) -> None:
    shapes = voronoi(50, 2)
    join = AreaJoin.build(shapes, range(shapes.size), raster_cells=20_000)
    join.save(tmp_path / "areas.npz")
    x, y = hostile_points(shapes, 2)
    np.testing.assert_array_equal(AreaJoin.load(tmp_path / "areas.npz").locate(x, y), join.locate(x, y))
    assert [f.name for f in tmp_path.iterdir()] == ["areas.npz"]


@settings(max_examples=300)
@given(st.lists(st.floats(-180, 180), min_size=6, max_size=6), st.floats(0, 1))
def test_side_is_exact(v: list[float], along: float) -> None:
    from fractions import Fraction

    ax, ay, bx, by, cx, cy = v
    for px, py in ((cx, cy), (ax + along * (bx - ax), ay + along * (by - ay)), (ax, ay), (bx, by)):
        f = [Fraction(t) for t in (ax, ay, bx, by, px, py)]
        exact = (f[0] - f[4]) * (f[3] - f[5]) - (f[1] - f[5]) * (f[2] - f[4])
        if all(abs(t) > 1e-140 or t == 0 for t in (ax, ay, bx, by, px, py)):  # products must not underflow
            assert side(ax, ay, bx, by, px, py) == (exact > 0) - (exact < 0)


@pytest.mark.acceptance
def test_new_york_s_areas_at_random_points_and_at_their_own_corners(shared_data: Path) -> None:
    areas = gpd.read_file(shared_data / "nyc/boundary/neighborhood_tabulation_area.geojson")
    rng = np.random.default_rng(4)
    west, south, east, north = areas.total_bounds
    x, y = rng.uniform(west, east, 100_000), rng.uniform(south, north, 100_000)
    names = areas["nta2020"].to_numpy().astype(str)
    got = AreaJoin.build(areas.geometry.values, names).locate(x, y)
    np.testing.assert_array_equal(got, smallest_code_by_geos(np.asarray(areas.geometry.values), names, x, y))
    corners_x, corners_y = shapely.get_coordinates(areas.geometry.values)[::10].T
    got = AreaJoin.build(areas.geometry.values, names).locate(corners_x, corners_y)
    want = smallest_code_by_geos(np.asarray(areas.geometry.values), names, corners_x, corners_y)
    np.testing.assert_array_equal(got, want)

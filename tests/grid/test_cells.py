"""Cells against the h3 library: random points, points on edges, its own published vectors, and odd input."""

from __future__ import annotations

from pathlib import Path

import h3.api.basic_int as h3_int
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from grid import cells as c
from grid import lattice

BEIJING = (115.9, 39.6, 116.8, 40.2)
SHENZHEN = (113.75, 22.4, 114.63, 22.87)
NEW_YORK = (-74.26, 40.49, -73.69, 40.92)
VECTORS = Path(__file__).parents[3] / "shared/data/vectors/h3_inputfiles"


def library(lng: np.ndarray, lat: np.ndarray, resolution: int) -> np.ndarray:
    return np.array(
        [h3_int.latlng_to_cell(y, x, resolution) for x, y in zip(lng.tolist(), lat.tolist(), strict=True)],
        np.uint64,
    )


def scatter(bounds: c.Bounds, n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(bounds[0], bounds[2], n), rng.uniform(bounds[1], bounds[3], n)


def vectors(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    file = VECTORS / name
    if not file.exists():
        pytest.skip("H3 vectors are not on this machine")
    rows = [line.split() for line in file.read_text().splitlines() if line.strip()]
    lat, lng = np.array([float(r[1]) for r in rows]), np.array([float(r[2]) for r in rows])
    return np.array([int(r[0], 16) for r in rows], np.uint64), np.where(lng > 180, lng - 360, lng), lat


@pytest.mark.parametrize("bounds", [BEIJING, SHENZHEN, NEW_YORK])
@pytest.mark.parametrize("resolution", [7, 10, 11])
def test_random_points_agree_with_the_library(bounds: c.Bounds, resolution: int) -> None:
    indexer = c.CellIndexer.for_bounds(bounds, resolution)
    assert indexer.method == "lattice"
    lng, lat = scatter(bounds, 100_000)
    np.testing.assert_array_equal(indexer.cells(lng, lat), library(lng, lat, resolution))


def test_points_on_edges_and_corners_agree_with_the_library() -> None:
    indexer = c.CellIndexer.for_bounds(SHENZHEN, 10)
    some = np.unique(indexer.cells(*scatter((113.8, 22.45, 114.6, 22.83), 3_000)))
    corners = shapely.get_coordinates(c.outlines(some))
    for shift in (0.0, 1e-12, -1e-12, 1e-10, 1e-8, -1e-8):
        x, y = corners[:, 0] + shift, corners[:, 1] - shift
        np.testing.assert_array_equal(indexer.cells(x, y), library(x, y, 10))
    middles = (corners[1:] + corners[:-1]) / 2
    np.testing.assert_array_equal(indexer.cells(*middles.T), library(*middles.T, 10))


@settings(max_examples=300)
@given(lng=st.floats(-180, 180), lat=st.floats(-90, 90), resolution=st.integers(0, 15))
def test_any_place_on_earth(lng: float, lat: float, resolution: int) -> None:
    west, south = max(-180.0, lng - 1e-5), max(-90.0, lat - 1e-5)
    indexer = c.CellIndexer.for_bounds(
        (west, south, min(180.0, lng + 1e-5), min(90.0, lat + 1e-5)), resolution
    )
    x, y = np.array([lng, west]), np.array([lat, south])
    np.testing.assert_array_equal(indexer.cells(x, y), library(x, y, resolution))


def test_points_outside_the_rectangle_and_off_the_globe() -> None:
    indexer = c.CellIndexer.for_bounds(SHENZHEN, 10)
    lng, lat = np.array([2.35, 114.0, -73.9]), np.array([48.86, 22.39, 40.7])
    np.testing.assert_array_equal(indexer.cells(lng, lat), library(lng, lat, 10))
    nowhere = indexer.cells([np.nan, 114.0, np.inf, 181.0, 114.0], [22.5, np.nan, 22.5, 22.5, 90.001])
    assert (nowhere == c.NO_CELL).all()
    assert indexer.cells([], []).size == 0
    with pytest.raises(ValueError, match="one length"):
        indexer.cells([1.0, 2.0], [1.0])


def test_a_city_on_two_faces_falls_back_and_says_so() -> None:
    middle = (
        lattice.faces()[0][0] + lattice.faces()[0][np.argsort(lattice.faces()[0] @ lattice.faces()[0][0])[-2]]
    )
    lng = float(np.rad2deg(np.arctan2(middle[1], middle[0])))
    lat = float(np.rad2deg(np.arctan2(middle[2], np.hypot(middle[0], middle[1]))))
    bounds = (lng - 0.2, lat - 0.2, lng + 0.2, lat + 0.2)
    with capture_logs() as said:
        indexer = c.CellIndexer.for_bounds(bounds, 10)
    assert indexer.method == "library"
    assert "two icosahedron faces" in (indexer.reason or "")
    assert "cells.library_fallback" in [entry["event"] for entry in said]
    x, y = scatter(bounds, 20_000)
    np.testing.assert_array_equal(indexer.cells(x, y), library(x, y, 10))


def test_other_limits_fall_back(tmp_path: Path) -> None:
    centre = lattice.faces()[0][2]
    lng = float(np.rad2deg(np.arctan2(centre[1], centre[0])))
    lat = float(np.rad2deg(np.arcsin(centre[2])))
    for bounds, resolution in [((lng - 0.1, lat - 0.1, lng + 0.1, lat + 0.1), 10), (BEIJING, 15)]:
        indexer = c.CellIndexer.for_bounds(bounds, resolution)
        assert indexer.method == "library"
        x, y = scatter(bounds, 5_000)
        np.testing.assert_array_equal(indexer.cells(x, y), library(x, y, resolution))
        indexer.save(tmp_path / "kept.npz")
        assert c.CellIndexer.load(tmp_path / "kept.npz").method == "library"
    with pytest.raises(c.ResolutionError):
        c.CellIndexer.for_bounds(SHENZHEN, 16)
    with pytest.raises(ValueError, match="rectangle"):
        c.CellIndexer.for_bounds((114, 23, 113, 22), 10)


def test_save_and_load_give_the_same_answers(tmp_path: Path) -> None:
    indexer = c.CellIndexer.for_bounds(SHENZHEN, 9)
    indexer.save(tmp_path / "cells.npz")
    again = c.CellIndexer.load(tmp_path / "cells.npz")
    assert (again.method, again.bounds, again.resolution) == ("lattice", SHENZHEN, 9)
    lng, lat = scatter(SHENZHEN, 50_000)
    np.testing.assert_array_equal(again.cells(lng, lat), indexer.cells(lng, lat))
    assert [f.name for f in tmp_path.iterdir()] == ["cells.npz"]


@pytest.mark.acceptance
@pytest.mark.parametrize("resolution", range(5, 16))
def test_random_centres_of_the_published_vectors(resolution: int) -> None:
    want, lng, lat = vectors(f"rand{resolution:02d}centers.txt")
    np.testing.assert_array_equal(c.by_library(lng, lat, resolution), want)
    lattices = 0
    for k in range(0, want.size, 50):  # each its own small city, so that the fast method is what is tested
        around = (lng[k] - 1e-4, lat[k] - 1e-4, lng[k] + 1e-4, lat[k] + 1e-4)
        if around[0] < -180 or around[2] > 180 or around[1] < -90 or around[3] > 90:
            continue
        indexer = c.CellIndexer.for_bounds(around, resolution)
        lattices += indexer.method == "lattice"
        assert indexer.cells(lng[k : k + 1], lat[k : k + 1])[0] == want[k]
    assert lattices > 90


@pytest.mark.acceptance
@pytest.mark.parametrize("base", ["bc05", "bc14", "bc19"])
@pytest.mark.parametrize("resolution", range(8, 16))
def test_centres_in_one_region_of_the_published_vectors(base: str, resolution: int) -> None:
    want, lng, lat = vectors(f"{base}r{resolution:02d}centers.txt")
    indexer = c.CellIndexer.for_bounds((lng.min(), lat.min(), lng.max(), lat.max()), resolution)
    np.testing.assert_array_equal(indexer.cells(lng, lat), want)


@pytest.mark.acceptance
@pytest.mark.parametrize("resolution", [0, 1, 2])
def test_all_cells_of_the_coarse_resolutions(resolution: int) -> None:
    want, lng, lat = vectors(f"res{resolution:02d}ic.txt")
    np.testing.assert_array_equal(c.by_library(lng, lat, resolution), want)


@given(st.integers(0, 2**32), st.integers(0, 10))
def test_parent_by_mask_is_the_library_s(seed: int, resolution: int) -> None:
    rng = np.random.default_rng(seed)
    own = c.by_library(rng.uniform(-180, 180, 20), rng.uniform(-90, 90, 20), 10)
    want = [h3_int.cell_to_parent(int(cell), resolution) for cell in own]
    assert c.parent(own, resolution).tolist() == want


def test_parent_of_a_coarser_cell_is_refused() -> None:
    own = c.by_library(np.array([114.0]), np.array([22.5]), 8)
    with pytest.raises(c.ResolutionError):
        c.parent(own, 9)
    with pytest.raises(c.ResolutionError):
        c.parent(own, -1)


def test_roll_up_sums_children() -> None:
    own = np.unique(c.by_library(*scatter(SHENZHEN, 5_000), 10))
    values = np.arange(own.size * 2).reshape(-1, 2)
    parents, sums = c.roll_up(own, values, 8)
    assert (np.diff(parents.astype(np.int64)) > 0).all()
    for k in (0, parents.size // 2, parents.size - 1):
        np.testing.assert_array_equal(sums[k], values[c.parent(own, 8) == parents[k]].sum(axis=0))
    assert sums.sum() == values.sum()
    with pytest.raises(ValueError, match="sorted"):
        c.roll_up(own[::-1], values, 8)


def test_cover_holds_every_touching_cell_and_no_other() -> None:
    shapes = [
        shapely.Point(114.05, 22.55).buffer(0.01),
        shapely.Point(114.2, 22.6).buffer(1e-5),
        shapely.box(114, 22.5, 114.05, 22.503),
    ]
    rows, found = c.cover(shapes, 10)
    around = np.unique(c.by_library(*scatter((113.98, 22.49, 114.22, 22.61), 400_000), 10))
    touching = shapely.STRtree(c.outlines(around)).query(shapes, predicate="intersects")
    want = {(int(i), int(around[j])) for i, j in touching.T}
    assert {(int(i), int(cell)) for i, cell in zip(rows, found, strict=True)} == want
    assert (rows == 1).sum() >= 1


def test_centres_lie_in_their_outlines() -> None:
    own = np.unique(c.by_library(*scatter(NEW_YORK, 1_000), 10))
    assert shapely.contains_xy(c.outlines(own), *c.centres(own)).all()

"""Datums against published vectors, by round trips, at the edge of the rectangle, and on the Shenzhen layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from grid import datum as d

CITY_DATUMS = ["GCJ-02", "BD-09"]


def metres(lng: Any, lat: Any, lng2: Any, lat2: Any) -> Any:
    """Distance on the ellipsoid, metres."""
    return pyproj.Geod(ellps="WGS84").inv(*np.broadcast_arrays(lng, lat, lng2, lat2))[2]


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    file = Path(__file__).parents[3] / "shared/data/vectors/coords/gcj02_bd09_vectors.json"
    if not file.exists():
        pytest.skip("coordinate vectors are not on this machine")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_gcj02_forward_agrees_with_the_published_vectors(vectors: dict[str, Any]) -> None:
    for lat, lng, lat_gcj, lng_gcj in vectors["eviltransform_wgs2gcj_lat_lng"]:
        x, y = d.from_wgs84(lng, lat, "GCJ-02")
        assert metres(x, y, lng_gcj, lat_gcj) < 0.12
    pair = vectors["coordtransform_lng_lat"]
    np.testing.assert_allclose(d.from_wgs84(*pair["input"], "GCJ-02"), pair["wgs84togcj02"], atol=1e-12)


def test_gcj02_inverse_is_exact_and_within_the_stated_tolerance_of_published_ones(
    vectors: dict[str, Any],
) -> None:
    for lat, lng, lat_gcj, lng_gcj in vectors["eviltransform_wgs2gcj_lat_lng"]:
        assert metres(*d.to_wgs84(lng_gcj, lat_gcj, "GCJ-02"), lng, lat) < 0.12
    pair = vectors["coordtransform_lng_lat"]
    ours = d.to_wgs84(*pair["input"], "GCJ-02")
    assert metres(*ours, *pair["gcj02towgs84"]) < vectors["tolerances"]["gcj2wgs_m"]
    assert metres(*d.from_wgs84(*ours, "GCJ-02"), *pair["input"]) < 1e-6


def test_bd09_agrees_with_the_published_vectors(vectors: dict[str, Any]) -> None:
    pair = vectors["coordtransform_lng_lat"]
    lng, lat = (np.array([v]) for v in pair["input"])
    np.testing.assert_allclose(np.ravel(d.gcj_to_bd(lng, lat)), pair["gcj02tobd09"], atol=1e-12)
    gcj = d.from_wgs84(*d.to_wgs84(lng, lat, "BD-09"), "GCJ-02")
    # The published inverse is a one-step approximation; the exact one differs from it by 0.06 m here.
    assert metres(*gcj, *pair["bd09togcj02"])[0] < 0.12


def test_published_bd09_to_wgs84_pairs_use_another_turn_and_one_step(vectors: dict[str, Any]) -> None:
    """eviltransform turns by pi where BD-09's published constant is 3000 pi / 180, and inverts in one step.

    Doing just that gives its numbers exactly, so the 10-42 m between them and ours are its own, not ours: our
    inverse comes back to the input within a micrometre.
    """
    for lat_bd, lng_bd, lat, lng in vectors["eviltransform_bd2wgs_lat_lng"]:
        x, y = np.array([lng_bd - 0.0065]), np.array([lat_bd - 0.006])
        z = np.hypot(x, y) - 0.00002 * np.sin(y * np.pi)
        theta = np.arctan2(y, x) - 0.000003 * np.cos(x * np.pi)
        gx, gy = z * np.cos(theta), z * np.sin(theta)
        fx, fy = d.from_wgs84(gx, gy, "GCJ-02")
        assert metres(2 * gx - fx, 2 * gy - fy, lng, lat)[0] < 1e-6
        ours = d.to_wgs84(lng_bd, lat_bd, "BD-09")
        assert metres(*d.from_wgs84(*ours, "BD-09"), lng_bd, lat_bd) < 1e-6
        assert 5.0 < metres(*ours, lng, lat) < 45.0


@pytest.mark.parametrize("key", CITY_DATUMS)
@given(lng=st.floats(73.0, 135.5), lat=st.floats(3.0, 53.6))
def test_round_trip_in_china(key: str, lng: float, lat: float) -> None:
    there = d.from_wgs84(lng, lat, key)
    assert metres(*there, lng, lat) > 1.0
    assert metres(*d.to_wgs84(*there, key), lng, lat) < 1e-6


@pytest.mark.parametrize("key", CITY_DATUMS)
@given(lng=st.floats(-180, 180), lat=st.floats(-89, 89))
def test_every_answer_of_the_inverse_maps_back(key: str, lng: float, lat: float) -> None:
    """Whatever the inverse answers is a true origin; where it answers nothing there is none near."""
    origin = d.to_wgs84(lng, lat, key)
    if np.isnan(origin[0]):
        west, south, east, north = d.CHINA_BOX
        assert min(abs(lng - west), abs(lng - east), abs(lat - south), abs(lat - north)) < 0.05
    else:
        assert metres(*d.from_wgs84(*origin, key), lng, lat) < 1e-6


@pytest.mark.parametrize("key", CITY_DATUMS)
@given(across=st.floats(-0.02, 0.02), along=st.floats(0, 1), side=st.integers(0, 3))
def test_at_the_edge_of_the_rectangle(key: str, across: float, along: float, side: int) -> None:
    west, south, east, north = d.CHINA_BOX
    edge = (west, south, east, north)[side]
    lng, lat = (
        (edge + across, south + along * (north - south))
        if side % 2 == 0
        else (west + along * (east - west), edge + across)
    )
    inside = west <= lng <= east and south <= lat <= north
    there = d.from_wgs84(lng, lat, key)
    assert (metres(*there, lng, lat) > 1.0) == inside
    back = d.to_wgs84(*there, key)
    if inside:  # an origin inside the rectangle is preferred, so inside is always recovered
        assert metres(*back, lng, lat) < 1e-6
    else:  # outside, the same coordinate may have an origin inside; either way it maps to what was given
        assert metres(*d.from_wgs84(*back, key), *there) < 1e-6


@pytest.mark.parametrize("key", CITY_DATUMS)
def test_outside_china_is_wgs84(key: str) -> None:
    lng, lat = np.array([-73.98, 2.35, 151.2, 139.7]), np.array([40.75, 48.86, -33.87, 35.68])
    np.testing.assert_array_equal(d.from_wgs84(lng, lat, key), (lng, lat))
    np.testing.assert_array_equal(d.to_wgs84(lng, lat, key), (lng, lat))


@pytest.mark.parametrize("key", ["WGS84", "CGCS2000", "GCJ-02", "BD-09", "EPSG:4547"])
def test_not_a_number_stays_that_and_shapes_are_kept(key: str) -> None:
    lng, lat = np.array([[114.1, np.nan], [114.0, 114.2]]), np.array([[22.5, 22.5], [np.nan, 22.6]])
    x, y = d.from_wgs84(lng, lat, key)
    back = d.to_wgs84(x, y, key)
    assert x.shape == y.shape == back[0].shape == (2, 2)
    assert np.isnan(back[0][0, 1])
    assert np.isnan(back[1][1, 0])
    np.testing.assert_allclose(back[0][[0, 1], [0, 1]], [114.1, 114.2], atol=1e-9)


@pytest.mark.parametrize("code", [4491, 4507, 4513, 4526, 4533, 4534, 4547, 4554])
def test_projected_zones_round_trip(code: int) -> None:
    operation = pyproj.CRS(f"EPSG:{code}").coordinate_operation
    assert operation is not None
    meridian = next(p.value for p in operation.params if p.name == "Longitude of natural origin")
    lng, lat = meridian + np.linspace(-1.4, 1.4, 25), np.linspace(20, 50, 25)
    x, y = d.from_wgs84(lng, lat, f"EPSG:{code}")
    assert np.abs(y).min() > 1e6  # northing is second
    assert metres(*d.to_wgs84(x, y, f"EPSG:{code}"), lng, lat).max() < 1e-5


def test_unknown_or_missing_datum_is_refused() -> None:
    for bad in ("Beijing 54?", "EPSG:999999", "EPSG:", "EPSG:5773"):
        with pytest.raises(d.UnknownDatumError):
            d.Datum.parse(bad)
    for none in (None, "", "  "):
        with pytest.raises(d.MissingDatumError):
            d.to_wgs84(1.0, 1.0, none)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        d.to_wgs84([1.0, 2.0], [1.0], "WGS84")


@pytest.mark.acceptance
def test_shenzhen_sub_districts_declare_one_datum_and_fit_another() -> None:
    folder = Path(__file__).parents[3] / "shared/data/shenzhen"
    if not folder.exists():
        pytest.skip("Shenzhen's layers are not on this machine")
    streets = gpd.read_file(folder / "深圳街道.geojson")
    districts = gpd.read_file(folder / "sz_districts_transbigdata_wgs84.json")
    fits = d.suggest_datum(streets.geometry.values, districts.geometry.values, declared="EPSG:4326")
    overlap = {fit.datum.key: round(fit.overlap, 3) for fit in fits}
    assert fits[0].datum == d.GCJ02
    assert overlap["GCJ-02"] == 0.916
    assert overlap["WGS84"] == 0.891
    assert d.better_datum(fits, "EPSG:4326") == d.GCJ02
    assert d.better_datum(fits, "GCJ-02") is None
    fits = d.suggest_datum(districts.geometry.values, districts.geometry.values, declared="CGCS2000")
    assert d.better_datum(fits, "CGCS2000") is None


def test_points_and_metres_are_ranked_too() -> None:
    city = shapely.Point(114.05, 22.55).buffer(0.1)
    rng = np.random.default_rng(3)
    lng, lat = 114.05 + rng.uniform(-0.1, 0.1, 20_000), 22.55 + rng.uniform(-0.1, 0.1, 20_000)
    keep = shapely.contains_xy(city, lng, lat)
    layer = shapely.points(*d.from_wgs84(lng[keep], lat[keep], "BD-09"))
    assert d.better_datum(d.suggest_datum(layer, city, "WGS84"), "WGS84") == d.BD09
    layer = shapely.points(*d.from_wgs84(lng[keep], lat[keep], "EPSG:4547"))
    fits = d.suggest_datum(layer, city, "EPSG:4549")
    assert fits[0].datum.key == "EPSG:4547"
    assert fits[0].overlap == 1.0
    assert d.suggest_datum([], city) == []

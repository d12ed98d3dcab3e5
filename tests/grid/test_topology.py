"""Faults planted in layers are named, located and repaired, and nothing else is touched."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.measure import area_m2, only_polygons
from grid.topology import Tolerance, check, largest_first

M = 1e-5  # about a metre


def squares(n: int = 3) -> list[shapely.Polygon]:
    return [shapely.box(114 + i * 1e-3, 22, 114 + (i + 1) * 1e-3, 22.001) for i in range(n)]


def test_a_sound_layer_has_no_findings() -> None:
    assert check(squares(), list("abc")).findings == []


def test_rounding_is_not_a_fault() -> None:
    shapes = squares()
    shapes[1] = shapely.box(114.001 + 1e-9, 22, 114.002, 22.001)  # a tenth of a millimetre off: 0.01 m2
    assert check(shapes, list("abc")).findings == []
    assert (
        len(
            check(
                shapes,
                list("abc"),
                within=shapely.box(114, 22, 114.003, 22.001),
                tolerance=Tolerance(ignore_m2=0.001),
            ).findings
        )
        == 1
    )


def test_an_overlap_is_located_measured_and_left_with_the_smaller_code() -> None:
    shapes = squares()
    shapes[2] = shapely.box(114.0015, 22, 114.003, 22.001)
    found = check(shapes, ["a", "c", "b"])
    assert [(f.kind, f.code, f.other_code, f.repair) for f in found.findings] == [("overlap", "b", "c", None)]
    fault = found.findings[0]
    assert 114.0015 < fault.lng < 114.002
    assert 22 < fault.lat < 22.001
    assert fault.area_m2 == pytest.approx(area_m2(shapely.box(114.0015, 22, 114.002, 22.001))[0], rel=1e-9)
    assert all(a is b for a, b in zip(found.shapes, shapes, strict=True))
    mended = check(shapes, ["a", "c", "b"], repair=True)
    assert mended.findings[0].repair == "left with b, taken from c"
    assert mended.shapes[2].equals(shapes[2])
    assert mended.shapes[1].equals(shapely.box(114.001, 22, 114.0015, 22.001))


def test_gap_hole_and_outside_against_the_area_above() -> None:
    above = shapely.box(114, 22, 114.003, 22.001)
    shapes = [squares()[0], squares()[1], shapely.box(114.0021, 22, 114.0031, 22.001)]
    found = check(shapes, list("abc"), within=above).findings
    assert Counter(f.kind for f in found) == {"gap": 1, "outside": 1}
    gap = next(f for f in found if f.kind == "gap")
    assert {gap.code, gap.other_code} == {"b", "c"}
    mended = check(shapes, list("abc"), within=above, repair=True)
    assert shapely.union_all(mended.shapes).buffer(M).contains(above)
    still = check(mended.shapes, list("abc"), within=above).findings
    assert [f.kind for f in still] == ["outside"]  # ground is never cut off


def test_an_enclosed_gap_and_a_hole_are_told_apart_and_filled_up_to_a_size() -> None:
    ring = [
        shapely.box(0, 0, 3, 1),
        shapely.box(0, 2, 3, 3),
        shapely.box(0, 1, 1, 2),
        shapely.box(2, 1, 3, 2),
    ]
    ring = [shapely.transform(g, lambda c: c * 1e-3 + [114, 22]) for g in ring]
    pierced = shapely.Polygon(
        shapely.box(114.01, 22, 114.02, 22.01).exterior,
        [shapely.box(114.015, 22.005, 114.0151, 22.0051).exterior.coords],
    )
    found = check([*ring, pierced], list("abcde")).findings
    assert [f.kind for f in found] == ["gap", "hole"]
    assert {found[0].code, found[0].other_code} <= set("abcd")
    assert (found[1].code, found[1].other_code) == ("e", None)
    mended = check([*ring, pierced], list("abcde"), repair=True)
    repairs = {f.kind: f.repair for f in mended.findings}
    assert repairs["hole"] == "given to e"
    assert repairs["gap"] == f"given to {found[0].code}"  # 11,455 m2: below what is filled
    small = check([*ring, pierced], list("abcde"), repair=True, tolerance=Tolerance(fill_m2=1000))
    assert {f.kind: f.repair for f in small.findings} == {"gap": None, "hole": "given to e"}
    assert "left as it is" in small.findings[0].detail


def test_an_invalid_shape_does_not_hide_other_faults() -> None:
    bow = shapely.Polygon([(114.0005, 22.0), (114.0025, 22.001), (114.0025, 22.0), (114.0005, 22.001)])
    found = check([squares()[0], bow], ["a", "bow"]).findings
    assert Counter(f.kind for f in found) == {"invalid": 1, "overlap": 1}
    assert largest_first(found, 1)[0].kind == "invalid"
    assert (found[0].lng, found[0].lat) == pytest.approx((114.0015, 22.0005))
    mended = check([squares()[0], bow], ["a", "bow"], repair=True)
    assert all(shapely.is_valid(mended.shapes))
    assert all(f.repair for f in mended.findings)
    assert check(mended.shapes, ["a", "bow"]).findings == []


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 25))
def test_what_is_repaired_is_sound_and_keeps_the_ground(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    frame = shapely.box(114, 22, 114.05, 22.05)
    seeds = shapely.multipoints(np.column_stack([rng.uniform(114, 114.05, n), rng.uniform(22, 22.05, n)]))
    shapes = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=frame)), frame)
    moved = shapely.buffer(shapes, rng.choice([0.0, 20 * M, -20 * M], shapes.size), join_style="mitre")
    codes = [f"{k:03d}" for k in range(shapes.size)]
    mended = check(
        shapely.intersection(moved, frame),
        codes,
        within=frame,
        repair=True,
        tolerance=Tolerance(fill_m2=1e12),
    )
    assert all(shapely.is_valid(mended.shapes))
    assert check(mended.shapes, codes, within=frame).findings == []
    assert area_m2(mended.shapes).sum() == pytest.approx(area_m2(frame)[0], rel=1e-6)


def test_areas_are_exact_on_the_ellipsoid() -> None:
    import pyproj

    geod = pyproj.Geod(ellps="WGS84")
    rng = np.random.default_rng(1)
    for lat in (-60, 0, 22, 45, 75):
        shape = (
            shapely.Point(10, lat)
            .buffer(0.1)
            .difference(shapely.Point(10.02, lat).buffer(rng.uniform(0.01, 0.05)))
        )
        dense = shapely.segmentize(shape, 1e-4)  # geodesic edges that short are straight in degrees too
        assert area_m2(shape)[0] == pytest.approx(
            abs(geod.geometry_area_perimeter(shapely.geometry.polygon.orient(dense))[0]), rel=1e-8
        )
    assert area_m2([None, shapely.Point(1, 1), shapely.Polygon()]).tolist() == [0.0, 0.0, 0.0]


def test_only_the_ground_of_a_shape_is_kept() -> None:
    square = shapely.box(0, 0, 1, 1)
    mixed = shapely.GeometryCollection(
        [square, shapely.Point(5, 5), shapely.MultiPolygon([shapely.box(2, 0, 3, 1)])]
    )
    line = shapely.LineString([(0, 0), (1, 1)])
    given = np.array(
        [square, shapely.MultiPolygon([square]), mixed, line, None, shapely.Polygon()], dtype=object
    )
    kept = only_polygons(given)
    assert [None if g is None else g.geom_type for g in kept] == ["MultiPolygon"] * 4 + [None, "MultiPolygon"]
    assert [None if g is None else g.area for g in kept] == [1.0, 1.0, 2.0, 0.0, None, 0.0]

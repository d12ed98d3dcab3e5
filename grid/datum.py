"""Datums: from what a source declares to WGS84 and back, vectorised over numpy arrays.

Known are WGS84, CGCS2000 (geographic, and its projected zones as ``EPSG:4491`` to ``EPSG:4554``), GCJ-02, BD-09
and any ``EPSG:n`` that pyproj knows. Everything else is an error: a source that does not name its datum is refused.

GCJ-02 and BD-09 are only defined forward, from WGS84. Their inverse is found here by fixed-point iteration on the
forward formula, to better than 1e-6 m, instead of the usual one-step approximation (off by metres).

Border rule: the forward formulas apply to WGS84 points inside the rectangle 72.004..137.8347 E, 0.8293..55.8271 N
(edges included) that every published implementation uses; outside it both datums *are* WGS84. The formula jumps
at that edge, so a coordinate next to it can have two origins or none. The inverse answers with the origin inside the
rectangle where there is one, else with the coordinate itself where that lies outside, else NaN: nothing maps there.

Sources: the formulas as published by eviltransform (BSD-2-Clause) and coordtransform (MIT); EPSG registry for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from db.errors import HexwardError

Floats = npt.NDArray[np.float64]

CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north in WGS84 degrees: where GCJ-02 and BD-09 differ from WGS84."""

_A = 6378245.0  # Krasovsky 1940 semi-major axis, metres
_EE = 0.00669342162296594323
_BD_TURN = np.pi * 3000.0 / 180.0
_ITERATIONS = 12
_DONE_DEG = 1e-13

Shift = Callable[[Floats, Floats], tuple[Floats, Floats]]


class UnknownDatumError(HexwardError):
    """The datum is not one that this program knows."""

    code = "datum.unknown"


class MissingDatumError(HexwardError):
    """A source with coordinates does not say which datum they are in."""

    code = "datum.missing"


@dataclass(frozen=True)
class Datum:
    """A datum by its canonical key: ``WGS84``, ``CGCS2000``, ``GCJ-02``, ``BD-09`` or ``EPSG:n``.

    >>> Datum.parse("gcj02").key
    'GCJ-02'
    >>> Datum.parse("EPSG:4326").key, Datum.parse("epsg:4547").is_projected
    ('WGS84', True)
    >>> Datum.parse("Mars 2000")
    Traceback (most recent call last):
    grid.datum.UnknownDatumError: datum.unknown(datum=Mars 2000)
    """

    key: str

    @classmethod
    def parse(cls, text: str | Datum | None) -> Datum:
        """The datum a person or a file named; raises `MissingDatumError` for none, `UnknownDatumError` otherwise."""
        if isinstance(text, Datum):
            return text
        if text is None or not str(text).strip():
            raise MissingDatumError
        plain = "".join(ch for ch in str(text).upper() if ch.isalnum() or ch == ":")
        known = _SPELLINGS.get(plain)
        if known is not None:
            return cls(known)
        if plain.startswith("EPSG:") and plain[5:].isdigit() and _crs(plain) is not None:
            return cls(plain)
        raise UnknownDatumError(datum=str(text))

    @property
    def is_projected(self) -> bool:
        """Whether coordinates are metres (easting, northing) rather than degrees."""
        crs = _crs(self.key) if self.key.startswith("EPSG:") else None
        return bool(crs is not None and crs.is_projected)

    def __str__(self) -> str:
        return self.key


_SPELLINGS = {
    **dict.fromkeys(("WGS84", "WGS1984", "EPSG:4326", "CRS84", "OGC:CRS84"), "WGS84"),
    **dict.fromkeys(("CGCS2000", "CGCS", "EPSG:4490"), "CGCS2000"),
    **dict.fromkeys(("GCJ02", "GCJ", "MARS"), "GCJ-02"),
    **dict.fromkeys(("BD09", "BD09LL", "BAIDU"), "BD-09"),
}

WGS84, CGCS2000, GCJ02, BD09 = (Datum(key) for key in ("WGS84", "CGCS2000", "GCJ-02", "BD-09"))


@lru_cache(maxsize=64)
def _crs(key: str) -> pyproj.CRS | None:
    try:
        crs = pyproj.CRS.from_user_input(key)
    except pyproj.exceptions.CRSError:
        return None
    return crs if crs.is_geographic or crs.is_projected else None


@lru_cache(maxsize=64)
def _transformer(key: str, forward: bool) -> pyproj.Transformer:
    ends = ("EPSG:4326", key) if forward else (key, "EPSG:4326")
    return pyproj.Transformer.from_crs(*ends, always_xy=True)


def to_wgs84(x: npt.ArrayLike, y: npt.ArrayLike, datum: Datum | str) -> tuple[Floats, Floats]:
    """WGS84 degrees (lng, lat) of coordinates in `datum` (degrees lng, lat; or metres easting, northing).

    Arrays of one shape in, the same shape out; NaN in gives NaN out, and so does a coordinate that nothing maps to.
    CGCS2000 geographic coordinates are WGS84's within centimetres and are passed on unchanged.

    >>> lng, lat = to_wgs84([116.41024449916938], [39.91640428150164], "GCJ-02")
    >>> [round(float(v), 9) for v in (lng[0], lat[0])]
    [116.404, 39.915]
    """
    return _convert(x, y, Datum.parse(datum), forward=False)


def from_wgs84(lng: npt.ArrayLike, lat: npt.ArrayLike, datum: Datum | str) -> tuple[Floats, Floats]:
    """Coordinates in `datum` of WGS84 degrees; the inverse of `to_wgs84`, same shapes.

    >>> x, y = from_wgs84([116.404, 2.35], [39.915, 48.86], "GCJ-02")
    >>> x.round(6).tolist(), y.round(6).tolist()
    ([116.410244, 2.35], [39.916404, 48.86])
    """
    return _convert(lng, lat, Datum.parse(datum), forward=True)


def _convert(x: npt.ArrayLike, y: npt.ArrayLike, datum: Datum, *, forward: bool) -> tuple[Floats, Floats]:
    xs = np.array(x, dtype=np.float64)
    ys = np.array(y, dtype=np.float64)
    if xs.shape != ys.shape:
        raise ValueError(f"x and y differ in shape: {xs.shape} and {ys.shape}")
    if datum in (WGS84, CGCS2000):
        return xs, ys
    if datum in (GCJ02, BD09):
        shift = _wgs_to_gcj if datum == GCJ02 else _wgs_to_bd
        return _shifted(shift, xs, ys) if forward else _unshifted(shift, xs, ys)
    out_x, out_y = _transformer(datum.key, forward).transform(xs, ys)
    out_x, out_y = np.asarray(out_x, np.float64), np.asarray(out_y, np.float64)
    bad = ~(np.isfinite(out_x) & np.isfinite(out_y))
    return np.where(bad, np.nan, out_x), np.where(bad, np.nan, out_y)


def in_china_box(lng: Floats, lat: Floats) -> npt.NDArray[np.bool_]:
    """Whether WGS84 points lie where GCJ-02 is defined by formula (edges included); False for NaN."""
    west, south, east, north = CHINA_BOX
    inside = (lng >= west) & (lng <= east) & (lat >= south) & (lat <= north)
    return np.asarray(inside, dtype=np.bool_)


def _shifted(shift: Shift, lng: Floats, lat: Floats) -> tuple[Floats, Floats]:
    inside = in_china_box(lng, lat)
    with np.errstate(invalid="ignore"):
        x, y = shift(lng, lat)
    return np.where(inside, x, lng), np.where(inside, y, lat)


def _unshifted(shift: Shift, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Origin p with shift(p) = (x, y): p <- p + ((x, y) - shift(p)) contracts by 0.02 or better a step."""
    lng, lat = x.copy(), y.copy()
    near = (np.abs(x - 105.0) < 40.0) & (np.abs(y - 28.0) < 35.0)
    px, py, qx, qy = x[near], y[near], x[near], y[near]
    for _ in range(_ITERATIONS):
        fx, fy = shift(px, py)
        dx, dy = qx - fx, qy - fy
        px, py = px + dx, py + dy
        if not dx.size or max(np.abs(dx).max(), np.abs(dy).max()) < _DONE_DEG:
            break
    # An origin on the very edge may come back a rounding error outside; the edge belongs to the rectangle.
    west, south, east, north = CHINA_BOX
    px = np.where(np.abs(px - west) < 1e-12, west, np.where(np.abs(px - east) < 1e-12, east, px))
    py = np.where(np.abs(py - south) < 1e-12, south, np.where(np.abs(py - north) < 1e-12, north, py))
    origin_inside = in_china_box(px, py)
    nowhere = ~origin_inside & in_china_box(qx, qy)
    lng[near] = np.where(origin_inside, px, np.where(nowhere, np.nan, qx))
    lat[near] = np.where(origin_inside, py, np.where(nowhere, np.nan, qy))
    return lng, lat


def _wgs_to_gcj(lng: Floats, lat: Floats) -> tuple[Floats, Floats]:
    x, y = lng - 105.0, lat - 35.0
    common = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    root = np.sqrt(np.abs(x))
    north = common + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)
    north += 160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)
    north = north * (2.0 / 3.0) - 100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    east = common + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)
    east += 150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)
    east = east * (2.0 / 3.0) + 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    phi = np.deg2rad(lat)
    magic = 1.0 - _EE * np.sin(phi) ** 2
    root_magic = np.sqrt(magic)
    d_lat = north * 180.0 / ((_A * (1.0 - _EE)) / (magic * root_magic) * np.pi)
    d_lng = east * 180.0 / (_A / root_magic * np.cos(phi) * np.pi)
    return lng + d_lng, lat + d_lat


def _wgs_to_bd(lng: Floats, lat: Floats) -> tuple[Floats, Floats]:
    return gcj_to_bd(*_wgs_to_gcj(lng, lat))


def gcj_to_bd(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """BD-09 of GCJ-02 degrees, by the published formula.

    >>> x, y = gcj_to_bd(np.array([116.404]), np.array([39.915]))
    >>> round(float(x[0]), 11), round(float(y[0]), 11)
    (116.41036949371, 39.92133699351)
    """
    z = np.hypot(x, y) + 0.00002 * np.sin(y * _BD_TURN)
    theta = np.arctan2(y, x) + 0.000003 * np.cos(x * _BD_TURN)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006


@dataclass(frozen=True)
class DatumFit:
    """How well a layer read in `datum` lies on the known areas: `overlap` is 0..1, 1 the best."""

    datum: Datum
    overlap: float


FIT_MARGIN = 0.005
"""A datum is only called better when its overlap exceeds the declared one's by more than this."""

_SAMPLE_POINTS = 50_000
_MANY_SHAPES = 5_000


def suggest_datum(
    layer: Sequence[BaseGeometry] | npt.NDArray[np.object_],
    reference: BaseGeometry | Sequence[BaseGeometry] | npt.NDArray[np.object_],
    declared: Datum | str | None = None,
) -> list[DatumFit]:
    """Ranks the datums a layer could be in by how well it then lies on the city's known areas, best first.

    `layer` holds shapely geometries in the source's own coordinates; `reference` the known areas in WGS84. Polygons
    are scored by intersection over union of the two outlines, points (and very many polygons, by a point inside
    each) by the share that falls inside. `declared` joins the candidates WGS84, GCJ-02 and BD-09; a layer in metres
    is tried in every projected CGCS2000 zone instead. Ties keep the declared datum first.
    """
    shapes = np.asarray(
        [g for g in np.asarray(layer, dtype=object).ravel() if g is not None and not g.is_empty]
    )
    known = shapely.union_all(shapely.make_valid(np.atleast_1d(np.asarray(reference, dtype=object))))
    if not shapes.size or known.is_empty:
        return []
    named = [] if declared is None else [Datum.parse(declared)]
    # CGCS2000 degrees are WGS84's: one candidate stands for both.
    candidates = list(dict.fromkeys([*named, *_candidates(shapes, named)]))
    as_points = bool((shapely.get_dimensions(shapes) < 2).any()) or shapes.size > _MANY_SHAPES
    if as_points:
        shapes = shapely.point_on_surface(shapes)[:: max(1, shapes.size // _SAMPLE_POINTS)]
    shapely.prepare(known)
    fits = [DatumFit(datum, _overlap(shapes, datum, known, as_points)) for datum in candidates]
    return sorted(fits, key=lambda fit: -round(fit.overlap, 6))


def better_datum(fits: Sequence[DatumFit], declared: Datum | str) -> Datum | None:
    """The datum that fits clearly better than the declared one, or None: what the loader warns with."""
    named = Datum.parse(declared)
    stated = next((fit.overlap for fit in fits if fit.datum == named), 0.0)
    return fits[0].datum if fits and fits[0].overlap > stated + FIT_MARGIN else None


def _candidates(shapes: npt.NDArray[np.object_], named: list[Datum]) -> list[Datum]:
    west, south, east, north = (float(v) for v in shapely.total_bounds(shapes))
    if max(abs(west), abs(east)) > 360.0 or max(abs(south), abs(north)) > 360.0:
        return [Datum(f"EPSG:{code}") for code in range(4491, 4555)]
    return [GCJ02, BD09] if CGCS2000 in named else [WGS84, GCJ02, BD09]


def _overlap(shapes: npt.NDArray[np.object_], datum: Datum, known: BaseGeometry, as_points: bool) -> float:
    def convert(coordinates: Floats) -> Floats:
        return np.column_stack(to_wgs84(coordinates[:, 0], coordinates[:, 1], datum))

    corners = convert(shapely.get_coordinates(shapely.box(*shapely.total_bounds(shapes))))
    if not np.isfinite(corners).all() or not shapely.box(*_span(corners)).intersects(known.envelope):
        return 0.0
    coordinates = convert(shapely.get_coordinates(shapes))
    if not np.isfinite(coordinates).all():
        return 0.0
    moved = shapely.set_coordinates(shapes.copy(), coordinates)
    if as_points:
        return float(shapely.intersects(known, moved).mean())
    outline = shapely.union_all(shapely.make_valid(moved))
    shared = float(shapely.area(shapely.intersection(outline, known)))
    return shared / (float(outline.area) + float(known.area) - shared)


def _span(corners: Floats) -> tuple[float, float, float, float]:
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    return float(west), float(south), float(east), float(north)

"""A row's place: from text or geometry in the source's datum to WGS84, and what can be wrong with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from grid.datum import Datum, to_wgs84

Bounds = tuple[float, float, float, float]
"""West, south, east, north in WGS84 degrees."""

MARGIN_DEG = 0.02
"""How far outside of the city's bounds a place still is no mistake (about 2 km)."""

_GEOGRAPHIC_SAME = ("WGS84", "CGCS2000")
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def effective_datum(declared: str, crs: str | None) -> Datum:
    """The datum to convert from: as declared, but in the file's own zone where its coordinates are metres.

    >>> effective_datum("CGCS2000", "EPSG:4547").key, effective_datum("GCJ-02", "EPSG:4326").key
    ('EPSG:4547', 'GCJ-02')
    """
    datum = Datum.parse(declared)
    if crs is not None and datum.key in _GEOGRAPHIC_SAME and crs.startswith("EPSG:"):
        own = Datum.parse(crs)
        if own.is_projected:
            return own
    return datum


def _inside(lng: Floats, lat: Floats, bounds: Bounds | None) -> Bools:
    if bounds is None:
        return np.isfinite(lng) & np.isfinite(lat)
    west, south, east, north = bounds
    with np.errstate(invalid="ignore"):
        inside: Bools = (
            (lng >= west - MARGIN_DEG)
            & (lng <= east + MARGIN_DEG)
            & (lat >= south - MARGIN_DEG)
            & (lat <= north + MARGIN_DEG)
        )
    return inside


def _converted(x: Floats, y: Floats, datum: Datum) -> tuple[Floats, Floats]:
    """To WGS84; NaN where the numbers are no coordinates at all."""
    if not datum.is_projected:
        possible = (np.abs(x) <= 180) & (np.abs(y) <= 90)
        x, y = np.where(possible, x, np.nan), np.where(possible, y, np.nan)
    lng, lat = to_wgs84(x, y, datum)
    possible = np.isfinite(lng) & np.isfinite(lat) & (np.abs(lng) <= 180) & (np.abs(lat) <= 90)
    return np.where(possible, lng, np.nan), np.where(possible, lat, np.nan)


def place_points(
    x: pl.Series, y: pl.Series, datum: Datum, bounds: Bounds | None
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """``x`` and ``y`` (Float64, in ``datum``) as WGS84 degrees, and reason codes (null where right or empty).

    >>> from grid.datum import WGS84
    >>> x, y = pl.Series([114.06, 22.54, 0.0, 116.4]), pl.Series([22.54, 114.06, 0.0, 39.9])
    >>> place_points(x, y, WGS84, (113.7, 22.4, 114.7, 22.9))[2].to_list()
    [None, 'coordinates_swapped', 'coordinates_zero', 'outside_city']
    """
    xs, ys = x.cast(pl.Float64).to_numpy(), y.cast(pl.Float64).to_numpy()
    lng, lat = _converted(xs, ys, datum)
    there = np.isfinite(xs) & np.isfinite(ys)
    reasons = np.full(len(xs), "", dtype="U24")
    reasons[np.isfinite(xs) ^ np.isfinite(ys)] = "coordinates_missing"
    wrong = there & ~_inside(lng, lat, bounds)
    if wrong.any():
        reasons[wrong] = _why(xs[wrong], ys[wrong], (lng[wrong], lat[wrong]), datum, bounds)
    zero = there & ((np.abs(xs) < 1e-9) & (np.abs(ys) < 1e-9))
    reasons[zero] = "coordinates_zero"
    return (
        pl.Series(np.where(there, lng, np.nan)).fill_nan(None),
        pl.Series(np.where(there, lat, np.nan)).fill_nan(None),
        pl.Series(reasons).replace("", None),
    )


def _why(
    x: Floats, y: Floats, placed: tuple[Floats, Floats], datum: Datum, bounds: Bounds | None
) -> npt.NDArray[np.str_]:
    swapped = _inside(*_converted(y, x, datum), bounds)
    either_zero = (np.abs(x) < 1e-9) | (np.abs(y) < 1e-9)
    found = np.where(np.isfinite(placed[0]), "outside_city", "coordinates_impossible")
    found = np.where(swapped, "coordinates_swapped", found)
    return np.where(either_zero, "coordinates_zero", found)


def read_geometry(wkb: pl.Series) -> npt.NDArray[np.object_]:
    """Shapely geometries (2D), None where there is none or it cannot be read."""
    made: npt.NDArray[np.object_] = shapely.from_wkb(
        np.array(wkb.to_list(), dtype=object), on_invalid="ignore"
    )
    return shapely.force_2d(made)


def points_of(wkb: pl.Series) -> tuple[pl.Series, pl.Series]:
    """x and y of point geometries; of others a point that surely lies on them (a building's footprint)."""
    made = read_geometry(wkb)
    points = np.where(shapely.get_type_id(made) == 0, made, shapely.point_on_surface(made))
    return pl.Series(shapely.get_x(points)).fill_nan(None), pl.Series(shapely.get_y(points)).fill_nan(None)


def place_geometries(wkb: pl.Series, datum: Datum, bounds: Bounds | None) -> tuple[pl.Series, pl.Series]:
    """Geometries (WKB in ``datum``) as WKB in WGS84, and reason codes.

    Invalid polygons pass: their repair is for the room that knows their neighbours.
    """
    made = read_geometry(wkb)
    there = wkb.is_not_null().to_numpy()
    unreadable = there & (shapely.is_missing(made) | shapely.is_empty(made))
    reasons = np.where(unreadable, "bad_geometry", "").astype("U24")

    def convert(points: Floats) -> Floats:
        return np.column_stack(_converted(points[:, 0], points[:, 1], datum))

    placed = made if datum.key == "WGS84" else shapely.transform(made, convert)
    old, new = shapely.bounds(made), shapely.bounds(placed)
    corners = [(new[:, 0], new[:, 1]), (new[:, 2], new[:, 3])]
    right = np.logical_and.reduce(
        [_inside(*_converted(*corner, Datum("WGS84")), bounds) for corner in corners]
    )
    overlaps = right if bounds is None else _overlaps(new, bounds)
    wrong = there & ~unreadable & ~overlaps
    if wrong.any():
        middle = ((old[wrong, 0] + old[wrong, 2]) / 2, (old[wrong, 1] + old[wrong, 3]) / 2)
        reasons[wrong] = _why(*middle, _converted(*middle, datum), datum, bounds)
    found: list[Any] = [
        None if missing else shapely.to_wkb(g)
        for g, missing in zip(placed, shapely.is_missing(placed), strict=True)
    ]
    return pl.Series(found, dtype=pl.Binary), pl.Series(reasons).replace("", None)


def _overlaps(boxes: Floats, bounds: Bounds) -> Bools:
    west, south, east, north = bounds
    with np.errstate(invalid="ignore"):
        found: Bools = (
            (boxes[:, 0] <= east + MARGIN_DEG)
            & (boxes[:, 2] >= west - MARGIN_DEG)
            & (boxes[:, 1] <= north + MARGIN_DEG)
            & (boxes[:, 3] >= south - MARGIN_DEG)
        )
    return found

"""Areas on the ground: square metres on the WGS84 ellipsoid of shapes whose edges are straight in degrees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

Floats = npt.NDArray[np.float64]

_A = 6378137.0
_E2 = 0.0066943799901413165
_E = float(np.sqrt(_E2))
_POLYGON, _MULTIPOLYGON = 3, 6


def _authalic(lat: Floats) -> Floats:
    """Area between the equator and a parallel, per radian of longitude, in square metres."""
    s = np.sin(np.deg2rad(lat))
    return _A * _A * (1 - _E2) / 2 * (s / (1 - _E2 * s * s) + np.arctanh(_E * s) / _E)


def area_m2(shapes: BaseGeometry | Sequence[BaseGeometry] | npt.NDArray[np.object_]) -> Floats:
    """Area of each polygon or multipolygon, m2; 0 for None, empty ones, points and lines.

    Exact to double precision but for Simpson's rule along each edge (below 1e-9 for edges under a degree).

    >>> round(float(area_m2(shapely.box(116, 39, 117, 40))[0]) / 1e6, 3)
    9549.52
    """
    geometries = np.atleast_1d(np.asarray(shapes, dtype=object))
    parts, of_shape = shapely.get_parts(geometries, return_index=True)
    flat = shapely.get_type_id(parts) == 3
    parts, of_shape = parts[flat], of_shape[flat]
    rings, of_part = shapely.get_rings(parts, return_index=True)
    total = np.zeros(geometries.size)
    if not rings.size:
        return total
    points, of_ring = shapely.get_coordinates(rings, return_index=True)
    starts = np.flatnonzero(np.concatenate([[True], of_ring[1:] != of_ring[:-1]]))
    first = points[starts][of_ring]
    lng = np.deg2rad(points[:, 0] - first[:, 0])
    over = _authalic(points[:, 1]) - _authalic(first[:, 1])
    halfway = _authalic((points[1:, 1] + points[:-1, 1]) / 2) - _authalic(first[:-1, 1])
    strips = np.zeros(len(points))
    strips[:-1] = np.diff(lng) * (over[:-1] + 4 * halfway + over[1:]) / 6
    strips[starts[1:] - 1] = 0.0  # from the end of one ring to the start of the next
    of_rings = np.abs(np.add.reduceat(strips, starts))
    outer = np.concatenate([[True], of_part[1:] != of_part[:-1]])
    np.add.at(total, of_shape[of_part], np.where(outer, of_rings, -of_rings))
    return total


def only_polygons(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Each shape as one multipolygon of its polygonal parts; lines and points in it are left out, None stays None."""
    kinds = shapely.get_type_id(shapes)
    out = shapes.copy()
    out[kinds != _MULTIPOLYGON] = None
    plain = np.flatnonzero((kinds == _POLYGON) & ~shapely.is_empty(shapes))
    if plain.size:
        out[plain] = shapely.multipolygons(shapes[plain], indices=np.arange(plain.size))
    mixed = np.flatnonzero((kinds >= 0) & (kinds != _MULTIPOLYGON) & shapely.is_missing(out))
    for k in mixed.tolist():
        parts = [shapes[k]]
        while any(hasattr(p, "geoms") for p in parts):
            parts = [q for p in parts for q in (p.geoms if hasattr(p, "geoms") else [p])]
        out[k] = shapely.MultiPolygon([p for p in parts if p.geom_type == "Polygon" and not p.is_empty])
    return out


def local_plane(lng0: float, lat0: float) -> tuple[float, float]:
    """Metres a degree of longitude and of latitude near a place: a flat plane good to 1e-4 over some kilometres."""
    phi = np.deg2rad(lat0)
    w = 1 - _E2 * np.sin(phi) ** 2
    east = _A * np.cos(phi) / np.sqrt(w)
    north = _A * (1 - _E2) / w**1.5
    return float(np.deg2rad(east)), float(np.deg2rad(north))

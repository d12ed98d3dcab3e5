"""The flat map on which the city is drawn, and its place on the globe.

The city lies at 30.55 N, 115.05 E (hills and farmland in reality): well inside one icosahedron face of
H3 at every size, and inside one 3-degree zone of CGCS2000 (EPSG:4547). Plane coordinates are metres east
and north of the centre on a transverse Mercator with true scale there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

from demo.types import Floats, Shapes

CENTRE_LNG = 115.05
CENTRE_LAT = 30.55
#: The 3-degree Gauss-Kruger zone of CGCS2000 around 114 E, in which planning departments deliver.
ZONE_CRS = "EPSG:4547"
_PLANE = f"+proj=tmerc +lat_0={CENTRE_LAT} +lon_0={CENTRE_LNG} +k=1 +ellps=GRS80 +units=m +no_defs"


@cache
def _transformer(target: str) -> Transformer:
    return Transformer.from_crs(_PLANE, target, always_xy=True)


def to_lnglat(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    """WGS84 degrees of plane metres, rounded to 1e-7 degrees (1 cm)."""
    lng, lat = _transformer("EPSG:4326").transform(np.asarray(x, float), np.asarray(y, float))
    return np.round(lng, 7), np.round(lat, 7)


def shapes_to_lnglat(shapes: Shapes) -> Shapes:
    """Geometries in plane metres as geometries in WGS84 degrees; shared vertices stay shared."""
    return _moved(shapes, "EPSG:4326", 7)


def shapes_to_zone(shapes: Shapes) -> Shapes:
    """Geometries in plane metres as geometries in CGCS2000 3-degree zone metres (EPSG:4547)."""
    return _moved(shapes, ZONE_CRS, 3)


def _moved(shapes: Shapes, target: str, decimals: int) -> Shapes:
    xy = shapely.get_coordinates(shapes)
    east, north = _transformer(target).transform(xy[:, 0], xy[:, 1])
    moved = np.round(np.column_stack([east, north]), decimals)
    result: Shapes = shapely.set_coordinates(np.array(shapes, dtype=object, copy=True), moved)
    return result

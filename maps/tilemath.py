"""Web-Mercator tiles: where they lie, and coordinates inside them.

Source: OGC Two Dimensional Tile Matrix Set, WebMercatorQuad; EPSG:3857.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from maps.errors import TileOutOfRangeError
from maps.mvt import BUFFER, EXTENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ZOOM: Final = 16
MAX_LATITUDE: Final = 85.051128


@dataclass(frozen=True)
class Tile:
    """A tile of the pyramid: column ``x`` from west, row ``y`` from north, at zoom ``z``.

    Raises TileOutOfRangeError when there is no such tile.
    """

    z: int
    x: int
    y: int

    def __post_init__(self) -> None:
        if not 0 <= self.z <= MAX_ZOOM or not (0 <= self.x < 2**self.z and 0 <= self.y < 2**self.z):
            raise TileOutOfRangeError(z=self.z, x=self.x, y=self.y)

    def bounds(self, buffer: int = BUFFER) -> tuple[float, float, float, float]:
        """West, north, east, south in the unit square (0..1, y down), ``buffer`` tile units wider on each side."""
        step = 1 / 2**self.z
        extra = step * buffer / EXTENT
        return (
            self.x * step - extra,
            self.y * step - extra,
            (self.x + 1) * step + extra,
            (self.y + 1) * step + extra,
        )

    def bounds_lnglat(self, buffer: int = BUFFER) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees.

        >>> [round(v, 3) for v in Tile(0, 0, 0).bounds_lnglat(0)]
        [-180.0, -85.051, 180.0, 85.051]
        """
        west, north, east, south = self.bounds(buffer)
        return west * 360 - 180, latitude(south), east * 360 - 180, latitude(north)

    def inside(self, unit_xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tile units (0..4096, y down) of points of the unit square."""
        scale = 2**self.z * EXTENT
        out: NDArray[np.float64] = unit_xy * scale - np.array(
            [self.x * EXTENT, self.y * EXTENT], dtype=np.float64
        )
        return out


def latitude(unit_y: float) -> float:
    """Latitude in degrees of a height in the unit square (0 = north)."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * unit_y))))


def to_unit(lnglat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 2) in degrees (WGS84) as points of the unit square, y down.

    >>> to_unit(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    out = np.empty_like(lnglat)
    out[:, 0] = (lnglat[:, 0] + 180) / 360
    sine = np.sin(np.radians(np.clip(lnglat[:, 1], -MAX_LATITUDE, MAX_LATITUDE)))
    out[:, 1] = 0.5 - np.log((1 + sine) / (1 - sine)) / (4 * np.pi)
    return out


def resolution_at(zoom: int, base: int) -> int:
    """H3 resolution drawn at ``zoom``: three below ``base`` up to zoom 8, ``base`` from zoom 13.

    >>> [resolution_at(z, 10) for z in (7, 8, 9, 10, 11, 12, 13, 16)]
    [7, 7, 8, 8, 9, 9, 10, 10]
    """
    return base - (3 if zoom <= 8 else 2 if zoom <= 10 else 1 if zoom <= 12 else 0)

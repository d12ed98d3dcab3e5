"""Outlines of H3 cells, kept ready for drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from h3ronpy.vector import cells_to_wkb_polygons

from maps import mvt
from maps.tilemath import Tile, to_unit
from maps.varints import ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAFE_BITS: Final = np.uint64((1 << 52) - 1)


def feature_ids(cells: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The cell's position bits: distinct within a resolution and exact as a browser's number.

    >>> feature_ids(np.array([0x8A40CC9A3AEFFFF], dtype=np.uint64)).tolist()
    [1139960080957439]
    """
    return cells & SAFE_BITS


def names(cells: NDArray[np.uint64]) -> list[str]:
    """The usual text of a cell: 15 hexadecimal digits.

    >>> names(np.array([0x8A40CC9A3AEFFFF], dtype=np.uint64))
    ['8a40cc9a3aeffff']
    """
    return [f"{cell:x}" for cell in cells.tolist()]


_WKB_HEAD: Final = 13
_POINT: Final = 16


def corners(cells: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Corners in degrees (lng, lat), counter-clockwise, cell after cell and not closed, and how many each cell has.

    Reads the coordinates out of the library's bytes without making a polygon of each.

    >>> points, counts = corners(np.array([0x8A40CC9A3AEFFFF], dtype=np.uint64))
    >>> points.shape, counts.tolist()
    ((6, 2), [6])
    """
    found = pa.array(cells_to_wkb_polygons(cells), type=pa.binary())
    if cells.size == 0:
        return np.empty((0, 2)), np.empty(0, dtype=np.int64)
    _, offsets_buffer, data_buffer = found.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[
        found.offset : found.offset + cells.size + 1
    ].astype(np.int64)
    data = np.frombuffer(data_buffer, dtype=np.uint8)
    counts = (np.diff(offsets) - _WKB_HEAD) // _POINT - 1
    points = np.empty((int(counts.sum()), 2))
    starts = np.cumsum(counts) - counts
    for count in np.unique(counts):  # nearly all have six; those on an edge of the icosahedron have more
        same = np.flatnonzero(counts == count)
        width = int(count) * _POINT
        rows = data[(offsets[same] + _WKB_HEAD)[:, None] + np.arange(width)]
        points[ragged(starts[same], counts[same])] = rows.view("<f8").reshape(-1, 2)
    return points, counts


@dataclass(frozen=True)
class CellShapes:
    """Cells sorted from west to east with their corners in the unit square.

    ``order``: place of each drawn cell in the array it was made from. ``corners``: clockwise on the screen, cell
    after cell, ``ends`` where each ends. ``west`` .. ``south``: box of each cell.
    """

    cells: NDArray[np.uint64]
    order: NDArray[np.int64]
    corners: NDArray[np.float64]
    ends: NDArray[np.int64]
    west: NDArray[np.float64]
    north: NDArray[np.float64]
    east: NDArray[np.float64]
    south: NDArray[np.float64]
    widest: float

    @classmethod
    def of(cls, cells: NDArray[np.uint64]) -> CellShapes:
        """Shapes of ``cells``."""
        points, counts = corners(cells)
        drawn = to_unit(points)[::-1]
        per_cell = counts[::-1]
        starts = np.cumsum(per_cell) - per_cell
        if cells.size == 0:
            empty = np.empty(0)
            none = np.empty(0, dtype=np.int64)
            return cls(cells, none, np.empty((0, 2)), none, empty, empty, empty, empty, 0.0)
        low = np.minimum.reduceat(drawn, starts)
        high = np.maximum.reduceat(drawn, starts)
        by_west = np.argsort(low[:, 0], kind="stable")
        return cls(
            cells=cells[::-1][by_west],
            order=(cells.size - 1 - by_west).astype(np.int64),
            corners=drawn[ragged(starts[by_west], per_cell[by_west])],
            ends=np.cumsum(per_cell[by_west]),
            west=low[by_west, 0],
            north=low[by_west, 1],
            east=high[by_west, 0],
            south=high[by_west, 1],
            widest=float((high[:, 0] - low[:, 0]).max()),
        )

    def touching(self, tile: Tile) -> NDArray[np.int64]:
        """Places (in this object's order) of the cells whose box touches the tile and its buffer."""
        west, north, east, south = tile.bounds()
        start = int(np.searchsorted(self.west, west - self.widest))
        end = int(np.searchsorted(self.west, east, side="right"))
        near = slice(start, end)
        hit = (self.east[near] >= west) & (self.south[near] >= north) & (self.north[near] <= south)
        return np.flatnonzero(hit) + start

    def geometry(self, places: NDArray[np.int64], tile: Tile) -> mvt.Shapes:
        """Encoded outlines of the cells at ``places``, seen in ``tile``."""
        counts = np.diff(self.ends, prepend=0)[places]
        points = tile.inside(self.corners[ragged(self.ends[places] - counts, counts)])
        return mvt.polygons(points, np.cumsum(counts), np.arange(places.size), places.size)

    def centres(self, places: NDArray[np.int64], tile: Tile) -> mvt.Shapes:
        """Encoded middles of the cells at ``places``, seen in ``tile``."""
        middle = np.column_stack([self.west + self.east, self.north + self.south])[places] / 2
        return mvt.points(tile.inside(middle))

"""Outlines of H3 cells, kept ready for drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from grid.cells import outlines
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
        points, of = shapely.get_coordinates(outlines(cells), return_index=True)
        last = np.append(of[1:] != of[:-1], True) if of.size else np.zeros(0, dtype=bool)
        corners = to_unit(points[~last])[::-1]
        per_cell = np.bincount(of[~last], minlength=cells.size)[::-1]
        starts = np.cumsum(per_cell) - per_cell
        if cells.size == 0:
            empty = np.empty(0)
            none = np.empty(0, dtype=np.int64)
            return cls(cells, none, np.empty((0, 2)), none, empty, empty, empty, empty, 0.0)
        low = np.minimum.reduceat(corners, starts)
        high = np.maximum.reduceat(corners, starts)
        by_west = np.argsort(low[:, 0], kind="stable")
        return cls(
            cells=cells[::-1][by_west],
            order=(cells.size - 1 - by_west).astype(np.int64),
            corners=corners[ragged(starts[by_west], per_cell[by_west])],
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

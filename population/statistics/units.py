"""From places to units: areas of every level, legal grids, and cells of the base resolution and three above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

LEVELS_ABOVE_BASE: Final = 3
KINDS: Final = ("area", "grid", "cell")


def cell_parent(cells: NDArray[np.int64], resolution: int) -> NDArray[np.int64]:
    """H3 parents by bit mask: the resolution's bits set, the digits below it to 7."""
    cleared = (cells & ~np.int64(15 << 52)) | np.int64(resolution << 52)
    return cleared | np.int64((1 << (3 * (15 - resolution))) - 1)


def area_paths(conn: psycopg.Connection[Any]) -> dict[int, list[int]]:
    """Every area with the areas above it, root first, itself last."""
    return dict(conn.execute("SELECT id, path FROM geo.area").fetchall())


@dataclass(frozen=True)
class Units:
    """Units that places add to.

    ``table``: unit_kind, unit_id, resolution, one row a unit, sorted. ``member``: places x ways of being part of a
    unit (area by depth, grid, cell by resolution), the row of ``table`` or -1.
    """

    table: pl.DataFrame
    member: NDArray[np.int64]

    def sums(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Places x columns added up to units x columns."""
        places, ways = self.member.shape
        rows = self.member.reshape(-1)
        kept = rows >= 0
        columns = np.repeat(np.arange(places), ways)[kept]
        ones = np.ones(len(columns), np.int64)
        ties = csr_matrix((ones, (rows[kept], columns)), shape=(self.table.height, places))
        return np.asarray(ties @ values)


def units_of(places: pl.DataFrame, paths: dict[int, list[int]]) -> Units:
    """The units of ``places`` (community, grid, cell; 0 for none)."""
    ways = _areas(places["community"].to_numpy(), paths)
    grids = places["grid"].to_numpy()
    ways.append(("grid", None, grids, grids != 0))
    cells = places["cell"].to_numpy()
    base = int(cells[0] >> 52 & 15) if len(cells) else 0
    for above in range(max(base - LEVELS_ABOVE_BASE, 0), base + 1):
        ways.append(("cell", above, cell_parent(cells, above), cells != 0))
    found = []
    for kind, resolution, ids, valid in ways:
        frame = pl.DataFrame({"unit_id": np.unique(ids[valid])}, schema={"unit_id": pl.Int64})
        found.append(
            frame.select(
                pl.lit(kind).alias("unit_kind"), "unit_id", pl.lit(resolution, pl.Int16).alias("resolution")
            )
        )
    table = pl.concat(found).unique().sort("unit_kind", "unit_id")
    start = {kind: int((table["unit_kind"] < kind).sum()) for kind in KINDS}
    ids_of = {kind: table.filter(unit_kind=kind)["unit_id"].to_numpy() for kind in KINDS}
    member = np.full((places.height, len(ways)), -1, np.int64)
    for way, (kind, _, ids, valid) in enumerate(ways):
        member[valid, way] = start[kind] + np.searchsorted(ids_of[kind], ids[valid])
    return Units(table, member)


def _areas(
    communities: NDArray[np.int64], paths: dict[int, list[int]]
) -> list[tuple[str, int | None, NDArray[np.int64], NDArray[np.bool_]]]:
    known, at = np.unique(communities, return_inverse=True)
    depth = max((len(paths.get(int(c), ())) for c in known), default=0)
    wide = np.zeros((len(known), depth), np.int64)
    for row, community in enumerate(known):
        path = paths.get(int(community), [])
        wide[row, : len(path)] = path
    return [("area", None, wide[at, level], wide[at, level] != 0) for level in range(depth)]

"""Where a point belongs: its cell, its community and its legal grid, in one pass.

The answers are defined everywhere: a point on a border belongs to the area with the smaller code; a point outside all
areas has its cell and 0 for community and grid; a point that is not a number or not on the globe has 0 for all three.
Tables are prepared once for each version of the areas and kept on disk, so that a second process starts in moments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import shapely
import structlog

from db.settings import DbSettings
from grid import repository
from grid.cells import Bounds, CellIndexer, Cells
from grid.join import AreaJoin

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

Ints = npt.NDArray[np.int64]

NO_AREA = 0
_FORMAT = 1  # raise when the kept tables change their form
_MARGIN_DEG = 0.01
_KEPT_VERSIONS = 4
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Placer:
    """Cell, community and grid of points; made by `for_city` or `from_areas`.

    >>> placer = Placer.from_areas([shapely.box(114.0, 22.5, 114.1, 22.6)], ["440305007001"], [7])
    >>> cell, community, grid = placer.place([114.05, 115.0], [22.54, 22.54])
    >>> f"{cell[0]:x}", community.tolist(), grid.tolist()
    ('8a411caa008ffff', [7, 0], [0, 0])
    """

    indexer: CellIndexer
    communities: AreaJoin
    community_ids: Ints
    grids: AreaJoin
    grid_ids: Ints

    def place(self, lng: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Cells, Ints, Ints]:
        """Cell (uint64), community id and grid id (int64, 0 for none) of WGS84 points, arrays of one length."""
        x = np.ascontiguousarray(lng, dtype=np.float64)
        y = np.ascontiguousarray(lat, dtype=np.float64)
        cells = self.indexer.cells(x, y)
        return cells, _ids(self.communities, self.community_ids, x, y), _ids(self.grids, self.grid_ids, x, y)

    @classmethod
    def from_areas(
        cls,
        shapes: Any,
        codes: list[str],
        ids: Any,
        grid_units: repository.Units | None = None,
        resolution: int = 10,
    ) -> Placer:
        """Prepares from areas in memory (and grids, if there are any)."""
        known = np.asarray(shapes, dtype=object)
        indexer = CellIndexer.for_bounds(_bounds(known), resolution)
        communities = AreaJoin.build(known, codes)
        grids = AreaJoin.build(grid_units.shapes, grid_units.codes) if grid_units else AreaJoin.build([], [])
        own_grids = grid_units.ids if grid_units else np.zeros(0, dtype=np.int64)
        return cls(indexer, communities, np.asarray(ids, dtype=np.int64), grids, own_grids)

    @classmethod
    def for_city(cls, conn: Connection, folder: Path | None = None) -> Placer:
        """The placer of the loaded city: leaf areas and legal grids as they are in this transaction.

        `folder` (default: the project's data folder) keeps the tables under a hash of the areas' version.
        """
        keep = folder or DbSettings().home / "cache" / "places"
        file = keep / f"{hashlib.sha256(f'{_FORMAT}:{repository.version(conn)}'.encode()).hexdigest()[:24]}"
        kept = cls._load(file)
        if kept is not None:
            return kept
        leaf = repository.leaf_level(conn)
        areas = repository.areas(conn, -1 if leaf is None else leaf)
        resolution = repository.base_resolution(conn)
        made = cls.from_areas(areas.shapes, areas.codes, areas.ids, repository.grids(conn), resolution)
        made._save(file)
        _log.info(
            "places.prepared", areas=len(areas), grids=int(made.grid_ids.size), cells=made.indexer.method
        )
        return made

    def _save(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.indexer.save(folder / "cells.npz")
            self.communities.save(folder / "communities.npz")
            self.grids.save(folder / "grids.npz")
            np.savez(folder / "ids.part.npz", communities=self.community_ids, grids=self.grid_ids)
            (folder / "ids.part.npz").replace(
                folder / "ids.npz"
            )  # written last: its presence says all is there
            _forget_old(folder.parent)
        except OSError as problem:  # a full or read-only disk costs time at the next start, not answers
            _log.warning("places.not_kept", reason=str(problem))

    @classmethod
    def _load(cls, folder: Path) -> Placer | None:
        if not (folder / "ids.npz").exists():
            return None
        try:
            with np.load(folder / "ids.npz", allow_pickle=False) as ids:
                communities, grids = ids["communities"], ids["grids"]
            indexer = CellIndexer.load(folder / "cells.npz")
            by_area, by_grid = AreaJoin.load(folder / "communities.npz"), AreaJoin.load(folder / "grids.npz")
        except (OSError, ValueError, KeyError, BadZipFile) as problem:
            _log.warning("places.cache_unreadable", reason=str(problem))
            return None
        (folder / "ids.npz").touch()
        return cls(indexer, by_area, communities, by_grid, grids)


def _ids(join: AreaJoin, ids: Ints, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Ints:
    if not ids.size:
        return np.zeros(x.size, dtype=np.int64)
    found = join.locate(x, y)
    return np.where(found >= 0, ids[found], NO_AREA)


def _bounds(shapes: npt.NDArray[np.object_]) -> Bounds:
    """Rectangle about the areas with a margin; one degree about nowhere when there are none."""
    west, south, east, north = shapely.total_bounds(shapes) if shapes.size else (np.nan,) * 4
    if np.isnan(west):
        return (0.0, 0.0, 0.01, 0.01)
    return (
        max(-180.0, float(west) - _MARGIN_DEG),
        max(-90.0, float(south) - _MARGIN_DEG),
        min(180.0, float(east) + _MARGIN_DEG),
        min(90.0, float(north) + _MARGIN_DEG),
    )


def _forget_old(folder: Path) -> None:
    """Keeps the tables of the latest versions only."""
    kept = sorted(
        (f for f in folder.iterdir() if (f / "ids.npz").exists()),
        key=lambda f: (f / "ids.npz").stat().st_mtime,
        reverse=True,
    )
    for old in kept[_KEPT_VERSIONS:]:
        for file in old.iterdir():
            file.unlink(missing_ok=True)
        old.rmdir()

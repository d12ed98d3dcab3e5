"""What other rooms ask of areas, grids and cells: find, search, what is at a place, and proposed grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from grid import repository, versions
from grid.layer import LoadResult
from grid.measure import area_m2
from grid.place import Placer
from grid.proposal import TARGET_M2, propose

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_CLOSE_M2 = 1.0


@dataclass(frozen=True)
class Place:
    """What is at a point: its cell (hex text, "" where there is none), its grid, and its areas from the root down."""

    cell: str
    grid: dict[str, Any] | None
    areas: list[dict[str, Any]]


def at(conn: Connection, placer: Placer, lng: float, lat: float) -> Place:
    """The cell, legal grid and areas of a WGS84 point; a border belongs to the smaller code, outside to nobody."""
    cell, community, grid = placer.place([lng], [lat])
    areas = repository.ancestors(conn, int(community[0])) if community[0] else []
    found = repository.grid(conn, int(grid[0])) if grid[0] else None
    return Place(f"{int(cell[0]):x}" if cell[0] else "", found, areas)


def find_area(conn: Connection, code: str, on: date | None = None) -> dict[str, Any] | None:
    """The area with this code, as it was on a day (default: as it is now); None when there is none."""
    return repository.area_by_code(conn, code, on)


def find_grid(conn: Connection, code: str, on: date | None = None) -> dict[str, Any] | None:
    """The legal grid with this code, as it was on a day (default: as it is now); None when there is none."""
    return repository.grid_by_code(conn, code, on)


def search(conn: Connection, words: str, limit: int = 20) -> list[dict[str, Any]]:
    """Areas and grids whose code begins with, or whose name holds, the words; the closest first, then by level."""
    plain = words.strip()
    return repository.search(conn, plain, limit) if plain else []


def propose_grids(
    conn: Connection,
    *,
    target_m2: float = TARGET_M2,
    lines: Sequence[Any] | None = None,
    buildings: Sequence[Any] | None = None,
    run_id: int | None = None,
    on: date | None = None,
) -> LoadResult:
    """Proposes legal grids in every community that has none, and anew where a community's boundary changed.

    Uploaded grids are never touched. Cuts follow `lines` (streets; default: the edges of the city's land use) and spare
    `buildings` (polygons). A grid that keeps its code keeps its id; those no longer proposed are closed on `on`.
    """
    day = on or date.today()
    leaf = repository.leaf_level(conn)
    areas = repository.areas(conn, -1 if leaf is None else leaf)
    open_ones = _without_grids(areas, repository.grids(conn), repository.uploaded_communities(conn))
    result = LoadResult()
    if not open_ones.size:
        return result
    codes = [areas.codes[k] for k in open_ones.tolist()]
    streets = repository.land_use_shapes(conn) if lines is None else np.asarray(lines, dtype=object)
    made = propose(areas.shapes[open_ones], codes, lines=streets, buildings=buildings, target_m2=target_m2)
    names = [areas.names[k] for k in open_ones.tolist()]
    rows = pl.DataFrame(
        {
            "code": made.codes,
            "area_id": areas.ids[open_ones][made.of],
            "name": [f"{names[k]} {code[-3:]}" for k, code in zip(made.of.tolist(), made.codes, strict=True)],
            "origin": ["proposed"] * len(made.codes),
            "officer_patch": pl.Series([None] * len(made.codes), dtype=pl.String),
            "valid_from": pl.Series([None] * len(made.codes), dtype=pl.Date),
            "area_m2": area_m2(made.shapes),
            "run_id": pl.Series([run_id] * len(made.codes), dtype=pl.Int64),
        }
    )
    versions.merge_grids(conn, rows, made.shapes, day, result)
    repository.close_grids(conn, areas.ids[open_ones].tolist(), made.codes, day)
    result.accepted = rows.height
    return result


def _without_grids(areas: repository.Units, grids: repository.Units, uploaded: set[int]) -> Any:
    """Positions of areas to propose grids in: those whose proposed grids are not (or no longer) their ground."""
    order = np.argsort(areas.ids)
    held = np.zeros(len(areas))
    if len(grids):
        np.add.at(held, order[np.searchsorted(areas.ids[order], grids.parents)], area_m2(grids.shapes))
    differs = np.abs(held - area_m2(areas.shapes)) > _CLOSE_M2 if len(areas) else np.zeros(0, dtype=np.bool_)
    free = ~np.isin(areas.ids, list(uploaded))
    return np.flatnonzero(differs & free)

"""Which part of which cell lies in which area: exact overlaps in square metres, and the share of dwellings on them.

`overlaps` is pure: polygons in, pairs out. `rebuild` fills `geo.cell`, `geo.area_cell` and `geo.grid_cell` for the
loaded city; `weigh_dwellings` brings the dwelling weights up to date after buildings or dwellings were loaded.
"""

# Statements are put together from names in this file only.
# ruff: noqa: S608

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from db.copy import copy_frame
from grid import cells as h3
from grid import repository
from grid.measure import area_m2, only_polygons

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

Shapes = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


_FEW_CORNERS = 256
_MOST_CUTS = 24


@dataclass(frozen=True)
class Overlaps:
    """Pairs of a shape (its row) and a cell it touches, sorted by row and cell, with the ground they share, m2."""

    rows: Ints
    cells: h3.Cells
    m2: Floats


@dataclass(frozen=True)
class Ground:
    """Outlines and areas (m2) of the cells in play, sorted by cell."""

    cells: h3.Cells
    outlines: Shapes
    m2: Floats

    @classmethod
    def of(cls, cells: h3.Cells) -> Ground:
        """Looks up each different cell once."""
        known = np.unique(cells)
        outlines = h3.outlines(known) if known.size else np.zeros(0, dtype=object)
        return cls(known, outlines, area_m2(outlines) if known.size else np.zeros(0))

    def at(self, cells: h3.Cells) -> Ints:
        """Positions of cells, all of which must be known."""
        return np.searchsorted(self.cells, cells)


def overlaps(shapes: Shapes, resolution: int, ground: Ground | None = None) -> tuple[Overlaps, Ground]:
    """Every cell that touches each polygon and the ground they share; areas are measured on the ellipsoid.

    >>> found, ground = overlaps(np.array([shapely.box(114.0, 22.5, 114.01, 22.51)]), 9)
    >>> round(float(found.m2.sum() / area_m2(shapely.box(114.0, 22.5, 114.01, 22.51))[0]), 9)
    1.0
    """
    pieces, of = _subdivided(shapes)
    piece, cells = h3.cover(pieces, resolution)
    ground = ground or Ground.of(cells)
    at = ground.at(cells)
    shapely.prepare(pieces)
    part = ~shapely.contains_properly(pieces[piece], ground.outlines[at])
    m2 = ground.m2[at].copy()
    m2[part] = area_m2(shapely.intersection(pieces[piece[part]], ground.outlines[at[part]]))
    pairs, which = np.unique(np.stack([of[piece], at], axis=1), axis=0, return_inverse=True)
    summed = np.bincount(which.ravel(), weights=m2, minlength=len(pairs)).astype(np.float64)
    return Overlaps(pairs[:, 0], ground.cells[pairs[:, 1]], summed), ground


def _subdivided(shapes: Shapes) -> tuple[Shapes, Ints]:
    """Shapes cut into pieces of few corners, and whose each is: work on a piece costs by its corners."""
    done, owners = [], []
    pieces, of = shapes, np.arange(shapes.size)
    for _ in range(_MOST_CUTS):
        small = shapely.get_num_coordinates(pieces) <= _FEW_CORNERS
        done.append(pieces[small])
        owners.append(of[small])
        pieces, of = pieces[~small], of[~small]
        if not pieces.size:
            break
        west, south, east, north = shapely.bounds(pieces).T
        wide = east - west > north - south
        x, y = (west + east) / 2, (south + north) / 2
        first = shapely.box(west, south, np.where(wide, x, east), np.where(wide, north, y))
        second = shapely.box(np.where(wide, x, west), np.where(wide, south, y), east, north)
        halves = shapely.intersection(np.concatenate([pieces, pieces]), np.concatenate([first, second]))
        flat = only_polygons(halves)
        some = ~shapely.is_empty(flat)
        pieces, of = flat[some], np.concatenate([of, of])[some]
    return np.concatenate([*done, pieces]), np.concatenate([*owners, of]).astype(np.int64)


def rebuild(conn: Connection) -> dict[str, int]:
    """Makes cells and crosswalks anew from the current areas, grids and land use; returns how many rows of each.

    A cell counts when any area touches it. Its land is its part of the leaf areas less what land use calls water.
    """
    resolution = repository.base_resolution(conn)
    areas, grids = repository.areas(conn), repository.grids(conn)
    by_area, ground = overlaps(areas.shapes, resolution)
    leaf = areas.levels == (areas.levels.max() if len(areas) else 0)
    in_city = np.zeros(ground.cells.size)
    of_leaf = leaf[by_area.rows]
    np.add.at(in_city, ground.at(by_area.cells[of_leaf]), by_area.m2[of_leaf])
    land_use = _land_use(conn, ground, resolution)
    conn.execute("TRUNCATE geo.area_cell, geo.grid_cell, geo.cell")
    copy_frame(conn, "geo.cell", _cell_rows(ground, np.minimum(in_city, ground.m2), land_use, resolution))
    copy_frame(conn, "geo.area_cell", _pair_rows("area", areas, by_area, ground))
    by_grid = Overlaps(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64), np.zeros(0))
    if len(grids):
        by_grid = _known(overlaps(grids.shapes, resolution)[0], ground)
        copy_frame(conn, "geo.grid_cell", _pair_rows("grid", grids, by_grid, ground))
    conn.execute("ANALYZE geo.cell, geo.area_cell, geo.grid_cell")
    weigh_dwellings(conn)
    return {"cells": ground.cells.size, "area_cells": by_area.rows.size, "grid_cells": by_grid.rows.size}


def _known(found: Overlaps, ground: Ground) -> Overlaps:
    keep = np.isin(found.cells, ground.cells)
    return Overlaps(found.rows[keep], found.cells[keep], found.m2[keep])


def _land_use(conn: Connection, ground: Ground, resolution: int) -> dict[str, Floats]:
    """Square metres of each known land use by cell (of water and residential ground only)."""
    found = {}
    for use in ("water", "residential"):
        wkb = conn.execute(
            "SELECT ST_AsBinary(geom) FROM geo.land_use WHERE class = %s", (use,), binary=True
        ).fetchall()
        total = np.zeros(ground.cells.size)
        if wkb:
            shapes = shapely.from_wkb(np.array([bytes(w) for (w,) in wkb], dtype=object))
            shapes = np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes))
            pairs = _known(overlaps(shapes, resolution)[0], ground)
            np.add.at(total, ground.at(pairs.cells), pairs.m2)
        found[use] = total
    return found


def _cell_rows(ground: Ground, in_city: Floats, land_use: dict[str, Floats], resolution: int) -> pl.DataFrame:
    lng, lat = h3.centres(ground.cells) if ground.cells.size else (np.zeros(0), np.zeros(0))
    return pl.DataFrame(
        {
            "cell": ground.cells.astype(np.int64),
            "r9": h3.parent(ground.cells, resolution - 1).astype(np.int64),
            "r8": h3.parent(ground.cells, resolution - 2).astype(np.int64),
            "r7": h3.parent(ground.cells, resolution - 3).astype(np.int64),
            "lng": lng,
            "lat": lat,
            "area_m2": ground.m2,
            "land_m2": np.maximum(0.0, in_city - land_use["water"]),
            "residential_m2": np.minimum(land_use["residential"], ground.m2),
        }
    )


def _pair_rows(unit: str, units: repository.Units, pairs: Overlaps, ground: Ground) -> pl.DataFrame:
    total = np.bincount(pairs.rows, weights=pairs.m2, minlength=len(units))
    whole = np.where(total > 0, total, 1.0)[pairs.rows]
    cell_m2 = ground.m2[ground.at(pairs.cells)]
    return pl.DataFrame(
        {
            f"{unit}_id": units.ids[pairs.rows],
            "cell": pairs.cells.astype(np.int64),
            "overlap_m2": pairs.m2,
            "share_of_cell": np.minimum(1.0, pairs.m2 / cell_m2),
            f"share_of_{unit}": pairs.m2 / whole,
        }
    )


_DWELLINGS = """
CREATE TEMP TABLE dwelling_place ON COMMIT DROP AS
SELECT b.community_id, b.grid_id, b.cell, sum(coalesce(d.n, b.dwellings_count, 0))::double precision AS dwellings
FROM register.building b
LEFT JOIN (SELECT building_id, count(*) AS n FROM register.dwelling WHERE valid_to IS NULL GROUP BY 1) d
  ON d.building_id = b.id
WHERE b.valid_to IS NULL
GROUP BY 1, 2, 3
HAVING sum(coalesce(d.n, b.dwellings_count, 0)) > 0
"""
_BY_UNIT = {
    "area": "SELECT u.id, p.cell, sum(p.dwellings) AS n FROM dwelling_place p JOIN geo.area a ON a.id = p.community_id"
    " CROSS JOIN LATERAL unnest(a.path) AS u (id) GROUP BY 1, 2",
    "grid": "SELECT p.grid_id, p.cell, sum(p.dwellings) AS n FROM dwelling_place p"
    " WHERE p.grid_id IS NOT NULL GROUP BY 1, 2",
}


def weigh_dwellings(conn: Connection) -> None:
    """Counts the dwellings of each area and grid by cell: rows of dwellings, else the number a building states.

    `dwelling_share_of_area` is the part of the area's dwellings in the cell, 0 where the area has none.
    """
    conn.execute("DROP TABLE IF EXISTS pg_temp.dwelling_place")
    conn.execute(_DWELLINGS)
    for unit, counted in _BY_UNIT.items():
        table, key = f"geo.{unit}_cell", f"{unit}_id"
        # A building on a cell's edge may stand in a pair that shares no ground; it counts all the same.
        conn.execute(
            f"INSERT INTO {table} ({key}, cell, overlap_m2, share_of_cell, share_of_{unit})"
            f" SELECT c.id, c.cell, 0, 0, 0 FROM ({counted}) c (id, cell, n) JOIN geo.cell USING (cell)"
            " ON CONFLICT DO NOTHING"
        )
        conn.execute(
            f"WITH counted (id, cell, n) AS ({counted}), whole AS (SELECT id, sum(n) AS n FROM counted GROUP BY 1)"
            f" UPDATE {table} t SET dwellings = coalesce(f.n, 0),"
            f" dwelling_share_of_{unit} = coalesce(f.n / nullif(f.of, 0), 0)"
            f" FROM (SELECT x.{key} AS id, x.cell, c.n, w.n AS of FROM {table} x"
            f"       LEFT JOIN counted c ON c.id = x.{key} AND c.cell = x.cell LEFT JOIN whole w ON w.id = x.{key}) f"
            f" WHERE f.id = t.{key} AND f.cell = t.cell"
            f" AND (t.dwellings, t.dwelling_share_of_{unit})"
            f" IS DISTINCT FROM (coalesce(f.n, 0), coalesce(f.n / nullif(f.of, 0), 0))"
        )
    conn.execute("DROP TABLE pg_temp.dwelling_place")

"""The only SQL on areas, grids and cells; callers bring the connection and its transaction."""

# Statements are put together from texts in this file only; values travel as parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Current areas or grids in columns, ordered by code; `shapes` are shapely multipolygons in WGS84."""

    ids: Ints
    codes: list[str]
    levels: Ints
    parents: Ints
    names: list[str]
    shapes: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.codes)


def _units(rows: Sequence[tuple[Any, ...]]) -> Units:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    ids, codes, levels, parents, names, shapes = columns
    return Units(
        np.array(ids, dtype=np.int64),
        list(codes),
        np.array(levels, dtype=np.int64),
        np.array([p or 0 for p in parents], dtype=np.int64),
        list(names),
        np.asarray(shapely.from_wkb(np.array([bytes(s) for s in shapes], dtype=object))),
    )


def set_levels(conn: Connection, levels: Sequence[tuple[str, dict[str, str]]]) -> None:
    """Declares the levels of the tree, root first: (key, {"zh":.., "en":..}); levels in use are never dropped."""
    with conn.cursor() as cursor:
        cursor.execute("UPDATE geo.area_level SET key = '~' || level || key")
        cursor.executemany(
            "INSERT INTO geo.area_level (level, key, name) VALUES (%s, %s, %s)"
            " ON CONFLICT (level) DO UPDATE SET key = excluded.key, name = excluded.name",
            [(number, key, Jsonb(name)) for number, (key, name) in enumerate(levels)],
        )
        cursor.execute("DELETE FROM geo.area_level WHERE level >= %s", (len(levels),))


def level_number(conn: Connection, key: str) -> int | None:
    """Number of the level called `key`."""
    row = conn.execute("SELECT level FROM geo.area_level WHERE key = %s", (key,)).fetchone()
    return None if row is None else int(row[0])


def leaf_level(conn: Connection) -> int | None:
    """The deepest level that has areas."""
    row = conn.execute("SELECT geo.leaf_level()").fetchone()
    return None if row is None or row[0] is None else int(row[0])


def base_resolution(conn: Connection) -> int:
    """The city's base cell resolution; 10 where no city is described yet."""
    row = conn.execute("SELECT base_resolution FROM ops.city").fetchone()
    return 10 if row is None else int(row[0])


def areas(conn: Connection, level: int | None = None) -> Units:
    """Current areas, of one level or all."""
    return _units(
        conn.execute(
            "SELECT id, code, level, parent_id, name, ST_AsBinary(geom) FROM geo.area"
            ' WHERE valid_to IS NULL AND (%(level)s::int IS NULL OR level = %(level)s) ORDER BY code COLLATE "C"',
            {"level": level},
            binary=True,
        ).fetchall()
    )


def grids(conn: Connection) -> Units:
    """Current legal grids; `parents` are their communities."""
    return _units(
        conn.execute(
            "SELECT id, code, -1, area_id, name, ST_AsBinary(geom) FROM geo.grid"
            ' WHERE valid_to IS NULL ORDER BY code COLLATE "C"',
            binary=True,
        ).fetchall()
    )


def version(conn: Connection) -> str:
    """A hash of all that places depend on: leaf areas and grids (ids, codes, shapes) and the base resolution."""
    row = conn.execute(
        """SELECT md5(concat_ws('|', %s::text,
             (SELECT string_agg(md5(concat_ws(':', id, code, ST_AsBinary(geom))), '' ORDER BY id) FROM geo.area
              WHERE valid_to IS NULL AND level = geo.leaf_level()),
             (SELECT string_agg(md5(concat_ws(':', id, code, ST_AsBinary(geom))), '' ORDER BY id) FROM geo.grid
              WHERE valid_to IS NULL)))""",
        (base_resolution(conn),),
    ).fetchone()
    assert row is not None
    return str(row[0])


_AREA = """SELECT a.id, a.code, a.level, l.key AS level_key, a.name, a.name_en, a.parent_id, a.area_m2,
  a.valid_from, a.valid_to, ARRAY[ST_XMin(a.geom), ST_YMin(a.geom), ST_XMax(a.geom), ST_YMax(a.geom)] AS bbox
  FROM geo.area a JOIN geo.area_level l USING (level)"""
_GRID = """SELECT g.id, g.code, g.name, g.area_id, g.area_m2, g.origin, g.officer_patch, g.valid_from, g.valid_to,
  ARRAY[ST_XMin(g.geom), ST_YMin(g.geom), ST_XMax(g.geom), ST_YMax(g.geom)] AS bbox FROM geo.grid g"""
_ON = """({0}.valid_to IS NULL OR {0}.valid_to > %(on)s::date)
  AND (%(on)s::date IS NULL OR {0}.valid_from <= %(on)s::date)"""


def _dicts(conn: Connection, query: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, params).fetchall()


def ancestors(conn: Connection, area_id: int) -> list[dict[str, Any]]:
    """An area and all above it, root first."""
    return _dicts(
        conn,
        f"{_AREA} JOIN geo.area leaf ON a.id = ANY (leaf.path) WHERE leaf.id = %(id)s ORDER BY a.level",
        {"id": area_id},
    )


def grid(conn: Connection, grid_id: int) -> dict[str, Any] | None:
    """A legal grid by id."""
    found = _dicts(conn, f"{_GRID} WHERE g.id = %(id)s", {"id": grid_id})
    return found[0] if found else None


def area_by_code(conn: Connection, code: str, on: date | None) -> dict[str, Any] | None:
    """An area by code as of a day, the newest version first where a day is given that two share."""
    query = f"{_AREA} WHERE a.code = %(code)s AND {_ON.format('a')} ORDER BY a.valid_from DESC LIMIT 1"
    found = _dicts(conn, query, {"code": code, "on": on})
    return found[0] if found else None


def grid_by_code(conn: Connection, code: str, on: date | None) -> dict[str, Any] | None:
    """A legal grid by code as of a day."""
    query = f"{_GRID} WHERE g.code = %(code)s AND {_ON.format('g')} ORDER BY g.valid_from DESC LIMIT 1"
    found = _dicts(conn, query, {"code": code, "on": on})
    return found[0] if found else None


def search(conn: Connection, words: str, limit: int) -> list[dict[str, Any]]:
    """Current areas and grids by the beginning of their code or a part of their name."""
    pattern = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return _dicts(
        conn,
        """WITH hit AS (
             SELECT 'area' AS kind, id, code, name, name_en, level::int AS level,
                    greatest(similarity(name, %(words)s), similarity(coalesce(name_en, ''), %(words)s)) AS near
             FROM geo.area WHERE valid_to IS NULL
               AND (name ILIKE %(part)s OR name_en ILIKE %(part)s OR code ILIKE %(start)s)
             UNION ALL
             SELECT 'grid', id, code, name, NULL, 99, similarity(name, %(words)s)
             FROM geo.grid WHERE valid_to IS NULL AND (name ILIKE %(part)s OR code ILIKE %(start)s))
           SELECT kind, id, code, name, name_en, nullif(level, 99) AS level FROM hit
           ORDER BY (code = %(words)s) DESC, (lower(name) = lower(%(words)s)) DESC, level, near DESC, code COLLATE "C"
           LIMIT %(limit)s""",
        {"words": words, "part": f"%{pattern}%", "start": f"{pattern}%", "limit": limit},
    )


def uploaded_communities(conn: Connection) -> set[int]:
    """Communities that have legal grids of their own making."""
    rows = conn.execute(
        "SELECT DISTINCT area_id FROM geo.grid WHERE valid_to IS NULL AND origin = 'uploaded'"
    ).fetchall()
    return {int(number) for (number,) in rows}


def land_use_shapes(conn: Connection) -> npt.NDArray[np.object_]:
    """All land use polygons."""
    rows = conn.execute("SELECT ST_AsBinary(geom) FROM geo.land_use ORDER BY id", binary=True).fetchall()
    return np.asarray(shapely.from_wkb(np.array([bytes(w) for (w,) in rows], dtype=object)))


def close_grids(conn: Connection, area_ids: list[int], keep: list[str], on: date) -> None:
    """Ends the proposed grids of communities that are not among the codes kept; one made that very day goes."""
    gone = "origin = 'proposed' AND valid_to IS NULL AND area_id = ANY (%s) AND NOT code = ANY (%s)"
    conn.execute(f"DELETE FROM geo.grid WHERE {gone} AND valid_from >= %s", (area_ids, keep, on))
    conn.execute(f"UPDATE geo.grid SET valid_to = %s WHERE {gone}", (on, area_ids, keep))


def record_findings(conn: Connection, layer: str, run_id: int | None, findings: Sequence[Any]) -> None:
    """Keeps what a topology check found (`grid.topology.Finding`)."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO geo.topology_finding"
            " (run_id, layer, kind, code, other_code, lng, lat, area_m2, detail, repair)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    run_id,
                    layer,
                    f.kind,
                    f.code,
                    f.other_code,
                    f.lng,
                    f.lat,
                    f.area_m2,
                    f.detail or None,
                    f.repair,
                )
                for f in findings
            ],
        )

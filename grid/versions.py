"""Versions of areas, grids and land use in the database: what is new, what changed, what stays.

The current row of a code keeps its id through all its changes. When its boundary changes, the former boundary is
written as a closed row (valid_to = the day of the change) and the current one takes the new boundary from that day; a
second change on one day replaces the first. A change of words alone is written in place.
"""

# Statements are put together from names in this file only; values travel as parameters.
# ruff: noqa: S608

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl
import shapely

from db.copy import copy_frame
from grid.layer import LoadResult, Shapes

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_AREA = {
    "code": "text",
    "level": "smallint",
    "parent_id": "bigint",
    "name": "text",
    "name_en": "text",
    "urban_rural_class": "smallint",
    "valid_from": "date",
    "area_m2": "double precision",
    "run_id": "bigint",
}
_GRID = {
    "code": "text",
    "area_id": "bigint",
    "name": "text",
    "origin": "text",
    "officer_patch": "text",
    "valid_from": "date",
    "area_m2": "double precision",
    "run_id": "bigint",
}
_OPEN = "t.code = s.code AND t.valid_to IS NULL"
_MOVED = "ST_AsBinary(t.geom) IS DISTINCT FROM s.shape"


def merge_areas(conn: Connection, rows: pl.DataFrame, shapes: Shapes, on: date, result: LoadResult) -> None:
    """Brings `geo.area` in line with the rows (by code); counts into `result`."""
    _stage(conn, "staged_area", _AREA, rows, shapes)
    _merge(conn, "geo.area", "staged_area", _AREA, on=on, result=result)


def merge_grids(conn: Connection, rows: pl.DataFrame, shapes: Shapes, on: date, result: LoadResult) -> None:
    """Brings `geo.grid` in line with the rows (by code); counts into `result`."""
    _stage(conn, "staged_grid", _GRID, rows, shapes)
    _merge(conn, "geo.grid", "staged_grid", _GRID, on=on, result=result)


def _stage(conn: Connection, table: str, columns: dict[str, str], rows: pl.DataFrame, shapes: Shapes) -> None:
    described = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    conn.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
    conn.execute(f"CREATE TEMP TABLE {table} ({described}, shape bytea) ON COMMIT DROP")
    wkb = pl.Series("shape", list(shapely.to_wkb(shapes)), dtype=pl.Binary)
    copy_frame(conn, table, rows.select(*columns).with_columns(wkb))
    conn.execute(f"ANALYZE {table}")


def _merge(
    conn: Connection, table: str, staged: str, columns: dict[str, str], *, on: date, result: LoadResult
) -> None:
    words = [c for c in columns if c not in {"code", "valid_from", "area_m2", "run_id"}]
    differ = f"row({', '.join('t.' + w for w in words)}) IS DISTINCT FROM row({', '.join('s.' + w for w in words)})"
    conn.execute("DROP TABLE IF EXISTS pg_temp.former")
    conn.execute(
        f"CREATE TEMP TABLE former ON COMMIT DROP AS SELECT t.*, coalesce(s.valid_from, %s) AS closed_on"
        f" FROM {table} t JOIN {staged} s ON {_OPEN} AND {_MOVED} AND t.valid_from < coalesce(s.valid_from, %s)",
        (on, on),
    )
    same = conn.execute(
        f"SELECT count(*) FROM {table} t JOIN {staged} s ON {_OPEN} WHERE NOT {_MOVED} AND NOT {differ}"
    ).fetchone()
    result.unchanged = int(same[0]) if same else 0
    taken = ", ".join(f"{w} = s.{w}" for w in [*words, "area_m2", "run_id"])
    moved = conn.execute(
        f"UPDATE {table} t SET {taken}, geom = ST_GeomFromWKB(s.shape, 4326),"
        f" valid_from = greatest(t.valid_from, coalesce(s.valid_from, %s)) FROM {staged} s WHERE {_OPEN} AND {_MOVED}",
        (on,),
    ).rowcount
    renamed = conn.execute(
        f"UPDATE {table} t SET {taken} FROM {staged} s WHERE {_OPEN} AND {differ}"
    ).rowcount
    kept = ", ".join(c for c in columns if c != "valid_from")
    former = ", ".join(f"f.{c}" for c in columns if c != "valid_from")
    path, old_path = (", path", ", trim_array(f.path, 1)") if table == "geo.area" else ("", "")
    conn.execute(
        f"INSERT INTO {table} ({kept}, geom, valid_from, valid_to{path})"
        f" SELECT {former}, f.geom, f.valid_from, f.closed_on{old_path} FROM former f"
    )
    if table == "geo.area":  # the path of a closed version ends in that version
        conn.execute(
            "UPDATE geo.area t SET path = t.path || t.id WHERE valid_to IS NOT NULL AND NOT t.id = ANY (t.path)"
        )
    new_path = ", '{}'" if table == "geo.area" else ""
    result.inserted = conn.execute(
        f"INSERT INTO {table} ({kept}, geom, valid_from{path}) SELECT {kept}, ST_GeomFromWKB(shape, 4326),"
        f" coalesce(valid_from, '1900-01-01'){new_path} FROM {staged} s"
        f" WHERE NOT EXISTS (SELECT FROM {table} t WHERE {_OPEN})"
    ).rowcount
    result.updated = moved + renamed
    result.places_changed = bool(moved or result.inserted)


def replace_land_use(
    conn: Connection, source: str, rows: pl.DataFrame, shapes: Shapes, *, run_id: int, result: LoadResult
) -> None:
    """Replaces the patches of one source, unless they are the ones already there."""
    fresh = pl.DataFrame(
        {
            "class": rows["class"],
            "name": rows["name"],
            "shape": pl.Series("shape", list(shapely.to_wkb(shapes)), dtype=pl.Binary),
        }
    )
    conn.execute("DROP TABLE IF EXISTS pg_temp.staged_land_use")
    conn.execute("CREATE TEMP TABLE staged_land_use (class text, name text, shape bytea) ON COMMIT DROP")
    copy_frame(conn, "staged_land_use", fresh)
    same = conn.execute(
        """SELECT (SELECT md5(string_agg(md5(concat_ws(':', class, name, shape)), '' ORDER BY class, name, shape))
                   FROM staged_land_use)
           IS NOT DISTINCT FROM
                  (SELECT md5(string_agg(md5(concat_ws(':', class, name, ST_AsBinary(geom))), ''
                              ORDER BY class, name, ST_AsBinary(geom)))
                   FROM geo.land_use WHERE source = %s)""",
        (source,),
    ).fetchone()
    if same and same[0]:
        result.unchanged = rows.height
        return
    conn.execute("DELETE FROM geo.land_use WHERE source = %s", (source,))
    result.inserted = conn.execute(
        "INSERT INTO geo.land_use (class, name, geom, run_id, source)"
        " SELECT class, name, ST_GeomFromWKB(shape, 4326), %s, %s FROM staged_land_use",
        (run_id, source),
    ).rowcount

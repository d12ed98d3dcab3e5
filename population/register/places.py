"""Places found again: after areas or grids have changed, every building and employer asks where it lies now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from db.copy import copy_frame
from population.register.keys import read_frame
from population.register.load_places import PLACE, Placer, with_place
from population.register.merge import ROWS_BY_TRIGGER, count_later, follow

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_SCHEMA: Final = {"id": pl.Int64, "lng": pl.Float64, "lat": pl.Float64} | dict.fromkeys(PLACE, pl.Int64)
_BELOW: Final = {
    "building": (("dwelling", "building"), ("household", "dwelling"), ("residence", "dwelling")),
    "employer": (("employment", "employer"),),
}


def find_places(conn: Connection, placer: Placer) -> tuple[int, bool]:
    """Bring the places of buildings and employers, and of all that hangs on them, in line with ``placer``.

    Returns how many moved, and whether the statistics have to be rebuilt (else the triggers have followed).
    """
    moved, rebuild = 0, False
    for table, below in _BELOW.items():
        rows = read_frame(conn, f"select id, lng, lat, {', '.join(PLACE)} from register.{table}", _SCHEMA)
        found = with_place(rows.select("id", "lng", "lat"), placer)
        differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_was")) for name in PLACE)
        was = rows.select(pl.col(name).alias(f"{name}_was") for name in PLACE)
        changed = pl.concat([found, was], how="horizontal").filter(differs).select("id", *PLACE)
        if not changed.height:
            continue
        quiet = changed.height > ROWS_BY_TRIGGER and count_later(conn)
        _write(conn, table, changed)
        if quiet:
            for child, parent in below:
                follow(conn, child, parent)
        moved, rebuild = moved + changed.height, rebuild or quiet
    return moved, rebuild


def _write(conn: Connection, table: str, changed: pl.DataFrame) -> None:
    conn.execute("drop table if exists pg_temp.found_place")
    conn.execute(
        "create temp table found_place (id bigint, cell bigint, community_id bigint, grid_id bigint) on commit drop"
    )
    copy_frame(conn, "found_place", changed)
    conn.execute(
        f"update register.{table} t set cell = f.cell, community_id = f.community_id, grid_id = f.grid_id"
        " from found_place f where f.id = t.id"
    )
    conn.execute("drop table found_place")

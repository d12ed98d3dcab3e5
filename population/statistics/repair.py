"""Derived columns of register rows put right where they are not as computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from db.copy import copy_frame
from population.statistics.counted import NEVER
from population.statistics.readout import whole_uuids

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from population.statistics.compute import Computed
    from population.statistics.readout import Columns

_EPOCH_FROM_1970: Final = 10_957
_PLACED: Final = ("dwelling", "household", "residence", "employment")
_ENDED: Final = ("residence", "employment")


@dataclass(frozen=True)
class _Derived:
    """One derived column: its name and type in the table, what is stored, what should be."""

    name: str
    kind: str
    stored: NDArray[Any]
    right: NDArray[Any]


def repair(conn: psycopg.Connection[Any], register: dict[str, Columns], made: Computed) -> dict[str, int]:
    """Update the rows that differ, triggers standing aside; returns how many by table."""
    before = conn.execute("SELECT coalesce(current_setting('hexward.bulk', true), 'off')").fetchone()
    conn.execute("SET LOCAL hexward.bulk = 'on'")
    repaired = {}
    for table in ("building", "dwelling", "household", "residence", "employer", "employment", "schooling"):
        columns = _derived(table, register[table], made)
        wrong = np.zeros(len(register[table]["valid_from"]), np.bool_)
        for column in columns:
            wrong |= column.stored != column.right
        if wrong.any():
            _update(conn, table, register[table], columns, np.flatnonzero(wrong))
            repaired[table] = int(wrong.sum())
    conn.execute("SELECT set_config('hexward.bulk', %s, true)", before)
    return repaired


def _derived(table: str, rows: Columns, made: Computed) -> list[_Derived]:
    found = [_Derived("changes_on", "date", rows["stored_changes"], made.changes[table])]
    if table != "household":
        found.append(_Derived("counted", "integer", rows["stored_counted"], made.counted[table]))
    if table in _ENDED:
        found.append(_Derived("ended", "date", rows["stored_ended"], made.ended[table]))
    if table in _PLACED:
        place = made.place[table]
        for name, column in (("community_id", "community"), ("grid_id", "grid"), ("cell", "cell")):
            right = made.places[column].to_numpy()[place] if made.places.height else rows[column]
            found.append(_Derived(name, "bigint", rows[column], right))
    if table == "building":
        found.append(_Derived("counted_dwellings", "x100", rows["stored_dwellings"], made.stated_dwellings))
        found.append(_Derived("counted_residents", "x1m", rows["stored_residents"], made.stated_residents))
    return found


def _update(
    conn: psycopg.Connection[Any], table: str, rows: Columns, columns: list[_Derived], at: NDArray[np.int64]
) -> None:
    uuids = "id_hi" in rows
    key = (
        pl.Series(
            "id", [bytes(u) for u in whole_uuids(rows["id_hi"][at], rows["id_lo"][at])], dtype=pl.Binary
        )
        if uuids
        else pl.Series("id", rows["id"][at])
    )
    frame = pl.DataFrame([key, *(_series(column, at) for column in columns)])
    kinds = {"date": "date", "integer": "integer", "bigint": "bigint", "x100": "bigint", "x1m": "bigint"}
    fields = ", ".join(f"{column.name} {kinds[column.kind]}" for column in columns)
    conn.execute(f"CREATE TEMP TABLE put_right (id {'uuid' if uuids else 'bigint'}, {fields}) ON COMMIT DROP")
    copy_frame(conn, "put_right", frame)
    conn.execute("ANALYZE put_right")
    conn.execute(
        f"UPDATE register.{table} AS t SET {', '.join(_assign(column) for column in columns)}"  # noqa: S608
        " FROM put_right AS p WHERE p.id = t.id"
    )
    conn.execute("DROP TABLE put_right")


def _series(column: _Derived, at: NDArray[np.int64]) -> pl.Series:
    values = column.right[at]
    if column.kind != "date":
        return pl.Series(column.name, values)
    known = values != NEVER
    days = (
        pl.Series("d", np.where(known, values, 0).astype(np.int64) + _EPOCH_FROM_1970)
        .cast(pl.Int32)
        .cast(pl.Date)
    )
    return pl.select(pl.when(pl.Series(known)).then(days).otherwise(None).alias(column.name)).to_series()


def _assign(column: _Derived) -> str:
    if column.kind == "x100":
        return f"{column.name} = p.{column.name} / 100.0"
    if column.kind == "x1m":
        return f"{column.name} = p.{column.name} / 1000000.0"
    if column.name in ("community_id", "grid_id"):
        return f"{column.name} = nullif(p.{column.name}, 0)"
    return f"{column.name} = p.{column.name}"

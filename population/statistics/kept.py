"""Columns of the register that a first load still has in hand, so that the rebuild after it need not read them back.

What is kept counts only while the tables hold exactly the rows that were copied: before it is used the server says,
row by row, that each was written by the copying transaction, by no later command, and touched by nobody since
(``xmin``, ``cmin``, ``xmax``). Anything else, and the table is read as always.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from db.copy import uuid_bytes
from population.statistics.counted import PERMITS, coded, days, days_of
from population.statistics.readout import halves

if TYPE_CHECKING:
    import polars as pl
    import psycopg

    from population.statistics.readout import Columns

MOST_ROWS: Final = 10_000_000
"""Of all tables together; a larger load gives its memory back and is read again (about 1 GB at this size)."""

_ALWAYS: Final = days_of(date(1900, 1, 1))
_LAST_PAGE: Final = "SELECT greatest(pg_relation_size(%s::regclass) / 8192 - 1, 0)"
_LAST_ROW: Final = (
    "SELECT xmin::text, cmin::text::bigint FROM {table} WHERE ctid >= '({page},0)' ORDER BY ctid DESC LIMIT 1"
)
_UNTOUCHED: Final = (
    "SELECT count(*), count(*) FILTER (WHERE xmin = %(xmin)s::xid AND xmax = '0'::xid"
    " AND cmin::text::bigint <= %(cmin)s) FROM {table}"
)


@dataclass
class _Table:
    pieces: list[Columns] = field(default_factory=list)
    rows: int = 0
    written: tuple[str, int] | None = None
    """Transaction and last command of the copy, once it is complete."""


class Kept:
    """Tables of the register as they were copied into empty tables, piece by piece; see ``register_columns``."""

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}
        self._full = False

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Keep a piece of ``table`` (person, household, residence) that is being copied."""
        if self._full:
            return
        mine = self._tables.setdefault(table, _Table())
        mine.pieces.append(_COLUMNS[table](frame))
        mine.rows += frame.height
        if sum(one.rows for one in self._tables.values()) > MOST_ROWS:
            self._full = True
            self._tables.clear()

    def complete(self, conn: psycopg.Connection[Any]) -> None:
        """The copies are done: note by which transaction and command, in that transaction."""
        for name, table in self._tables.items():
            page = conn.execute(_LAST_PAGE, (f"register.{name}",)).fetchone()
            query = _LAST_ROW.format(table=f"register.{name}", page=page[0] if page else 0)
            table.written = conn.execute(query).fetchone()

    def take(self, conn: psycopg.Connection[Any], name: str) -> Columns | None:
        """The columns of a table, once, if the table is what was copied; else None."""
        table = self._tables.pop(name, None)
        if table is None or table.written is None:
            return None
        xmin, cmin = table.written
        query = _UNTOUCHED.format(table=f"register.{name}")
        found = conn.execute(query, {"xmin": xmin, "cmin": cmin}).fetchone()
        if found != (table.rows, table.rows):
            return None
        return {key: np.concatenate([piece[key] for piece in table.pieces]) for key in table.pieces[0]}


def _place(frame: pl.DataFrame) -> Columns:
    return {
        "community": frame["community_id"].fill_null(0).to_numpy(),
        "grid": frame["grid_id"].fill_null(0).to_numpy(),
        "cell": frame["cell"].to_numpy(),
    }


def _uuids(frame: pl.DataFrame, column: str, name: str) -> Columns:
    hi, lo = halves(uuid_bytes(frame[column]))
    return {f"{name}_hi": hi, f"{name}_lo": lo}


def _person(frame: pl.DataFrame) -> Columns:
    return {
        **_uuids(frame, "id", "id"),
        "sex": frame["sex"].to_numpy().astype(np.int16),
        "birth": days(frame, "birth_date"),
        "gone": days(frame, "valid_to"),
    }


def _household(frame: pl.DataFrame) -> Columns:
    return {
        **_uuids(frame, "id", "id"),
        "dwelling": frame["dwelling_id"].to_numpy(),
        **_place(frame),
        "valid_from": np.full(frame.height, _ALWAYS, np.int32),
        "valid_to": days(frame, "valid_to"),
        "stored_changes": days(frame, "changes_on"),
        "collective": (frame["kind"] == "collective").to_numpy(),
    }


def _residence(frame: pl.DataFrame) -> Columns:
    return {
        "id": frame["id"].to_numpy(),
        **_uuids(frame, "person_id", "person"),
        **_uuids(frame, "household_id", "household"),
        "dwelling": frame["dwelling_id"].fill_null(0).to_numpy(),
        **_place(frame),
        "valid_from": days(frame, "valid_from"),
        "valid_to": days(frame, "valid_to"),
        "stored_changes": days(frame, "changes_on"),
        "stored_counted": frame["counted"].to_numpy().astype(np.int32),
        "stored_ended": days(frame, "ended"),
        "superseded": np.zeros(frame.height, np.bool_),
        "floating": (frame["status"] == "floating").to_numpy(),
        "permit": coded(frame, "permit", PERMITS, 0).astype(np.int16),
        "permit_until": days(frame, "permit_until"),
    }


_COLUMNS: Final = {"person": _person, "household": _household, "residence": _residence}

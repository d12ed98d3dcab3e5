"""Rows into a table of the register: straight in when it is empty, merged by key when it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from db.bulk import bulk, is_empty
from db.copy import copy_frame
from grid.layer import REJECTED
from grid.layer import LoadResult as RowsLoaded

if TYPE_CHECKING:
    import psycopg

    from intake.city import Source
    from population.statistics.kept import Kept

    Connection = psycopg.Connection[Any]

Derive = Callable[[pl.DataFrame, date], pl.DataFrame]

CONFIRMED = ("confirmed_on", "confirmed_source")
ROWS_BY_TRIGGER = 50_000
"""Up to so many changed rows the triggers keep the statistics current; beyond it a rebuild is quicker."""


@dataclass
class LoadResult(RowsLoaded):
    """What became of the rows of a source; ``kept`` holds what a first load has in hand for the statistics."""

    kept: Kept | None = None


def refuse(rows: pl.DataFrame, name: str, reason: str, params: str = "{}") -> pl.DataFrame:
    """``rows`` of an accepted frame as rejected rows: ``reason`` (a code) at the field ``name``."""
    if not rows.height:
        return pl.DataFrame(schema=REJECTED)
    shown = [pl.col(column) for column in rows.columns if not column.startswith("__")]
    whole = pl.col("__row") if "__row" in rows.columns else pl.struct(shown).struct.json_encode()
    return rows.select(
        pl.col("__line").alias("line"),
        pl.lit(name).alias("field"),
        pl.lit(reason).alias("reason"),
        pl.lit(params).alias("params"),
        pl.col(name).cast(pl.String).str.slice(0, 500).alias("value"),
        whole.alias("row"),
    )


class Target:
    """One table being filled; made by ``into``."""

    def __init__(self, conn: Connection, table: str, key: Sequence[str], bare: bool, derive: Derive) -> None:
        self.conn, self.table, self.key, self.bare = conn, table, tuple(key), bare
        self._derive, self._today = derive, as_of(conn)
        self.staged = f"staged_{table.rpartition('.')[2]}"
        self.inserted = self.updated = self.unchanged = 0
        self.quiet = False
        self._columns: list[str] = []
        self._derived: list[str] = []
        self._filled: set[str] = set()

    def write(self, frame: pl.DataFrame) -> None:
        """Take ``frame`` (columns of the table; each key once): into the empty table, or aside for the merge."""
        if not frame.height:
            return
        whole = self._derive(frame, self._today)
        if self.bare:
            copy_frame(self.conn, self.table, whole, freeze=True)
            self.inserted += frame.height
            return
        if not self._columns:
            self._columns = frame.columns
            self._derived = [name for name in whole.columns if name not in frame.columns]
            names = ", ".join(f'"{name}"' for name in whole.columns)
            self.conn.execute(f"drop table if exists pg_temp.{self.staged}")
            self.conn.execute(
                f"create temp table {self.staged} on commit drop as select {names} from {self.table} where false"
            )
        self._filled |= {name for name in frame.columns if frame[name].null_count() < frame.height}
        copy_frame(self.conn, self.staged, whole)

    def merge(self) -> None:
        """Update what differs, insert what is new, leave the rest; columns the source never fills stay as they are."""
        if self.bare or not self._columns:
            return
        self.conn.execute(f"analyze {self.staged}")
        same = " and ".join(f't."{name}" = s."{name}"' for name in self.key)
        compared = [
            name
            for name in self._columns
            if name in self._filled and name not in {*self.key, "run_id", *CONFIRMED}
        ]
        staged = self._count(f"select count(*) from {self.staged}")
        new = f"not exists (select from {self.table} t where {same})"
        if compared:
            values = ", ".join(
                f'"{name}" = s."{name}"'
                for name in [*compared, *(["run_id"] if "run_id" in self._columns else [])]
            )
            mine = ", ".join(f't."{name}"' for name in compared)
            theirs = ", ".join(f's."{name}"' for name in compared)
            differs = f"{same} and row({mine}) is distinct from row({theirs})"
            if set(CONFIRMED) <= set(self._columns):
                differs += " and (t.confirmed_on is null or t.confirmed_on <= s.confirmed_on)"
            either = f"{new} or exists (select from {self.table} t where {differs})"
            touched = f"select count(*) from {self.staged} s where {either}"
            if staged > ROWS_BY_TRIGGER and self._count(touched) > ROWS_BY_TRIGGER:
                self.quiet = count_later(self.conn)
            self.updated = self.conn.execute(
                f"update {self.table} t set {values} from {self.staged} s where {differs}"
            ).rowcount
        if set(CONFIRMED) <= set(self._columns):
            confirm_again(self.conn, self.table, self.staged, same)
        # Where no trigger counts the new rows, they bring along what was counted for them in columns.
        written = [*self._columns, *(self._derived if self.quiet else [])]
        names = ", ".join(f'"{name}"' for name in written)
        self.inserted = self.conn.execute(
            f"insert into {self.table} ({names}) select {names} from {self.staged} s where {new}"
        ).rowcount
        self.unchanged = staged - self.updated - self.inserted
        self.conn.execute(f"drop table {self.staged}")

    def _count(self, query: str) -> int:
        row = self.conn.execute(query).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def into(
    conn: Connection, table: str, key: Sequence[str], result: LoadResult, derive: Derive
) -> Iterator[Target]:
    """A ``Target`` for ``table``; at the end of the block the rows are merged and counted into ``result``.

    ``derive`` adds what the triggers would (a function of ``population.statistics.counted``).
    """
    empty = is_empty(conn, table)
    with bulk(conn, [table] if empty else []):
        target = Target(conn, table, key, empty, derive)
        yield target
        target.merge()
    result.inserted += target.inserted
    result.updated += target.updated
    result.unchanged += target.unchanged
    result.rebuild |= empty or target.quiet


def as_of(conn: Connection) -> date:
    """The day that the statistics speak of."""
    row = conn.execute("select as_of from stats.state").fetchone()
    if row is None:
        raise LookupError("stats.state")
    day: date = row[0]
    return day


def count_later(conn: Connection) -> bool:
    """Leave counting in this transaction to a rebuild; returns True."""
    conn.execute("select set_config('hexward.bulk', 'on', true)")
    return True


def confirmed(source: Source, today: date) -> list[pl.Expr]:
    """The columns that say who confirmed a row last: its source, on the day that the row tells, else on the day of
    the load; a day that has not come yet is no day on which anything was seen."""
    return [
        pl.min_horizontal("confirmed", pl.lit(today)).alias("confirmed_on"),
        pl.lit(source.name).alias("confirmed_source"),
    ]


def city_day(conn: Connection) -> date:
    """The day it is in the city."""
    row = conn.execute("select register.today()").fetchone()
    if row is None:
        raise LookupError("register.today")
    day: date = row[0]
    return day


def confirm_again(conn: Connection, table: str, staged: str, same: str) -> None:
    """Rows of ``table`` (t) whose like in ``staged`` (s) was confirmed later: only that is written. Nothing is counted
    by it, so no statistic has to look at the rows."""
    before = conn.execute("select coalesce(current_setting('hexward.bulk', true), 'off')").fetchone()
    count_later(conn)
    conn.execute(
        f"update {table} t set confirmed_on = s.confirmed_on, confirmed_source = s.confirmed_source from {staged} s"
        f" where {same} and (t.confirmed_on is null or t.confirmed_on < s.confirmed_on)"
    )
    conn.execute("select set_config('hexward.bulk', %s, true)", before)


def follow(conn: Connection, child: str, parent: str) -> None:
    """Bring the place of the ``child`` rows in line with their ``parent`` where no trigger has done it."""
    conn.execute(
        f"update register.{child} c set cell = p.cell, community_id = p.community_id, grid_id = p.grid_id"
        f" from register.{parent} p where p.id = c.{parent}_id"
        " and row(c.cell, c.community_id, c.grid_id) is distinct from row(p.cell, p.community_id, p.grid_id)"
    )

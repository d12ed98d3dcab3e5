"""People from a CSV file into the database, with place, indexes and statistics, against a bare copy.

One run, one file, rows of people a second:

- ``load``: the whole way - read, validate, encrypt, place, encode, copy with keys, indexes and triggers aside, put
  them back, rebuild the statistics, commit.
- ``bare``: the same rows (people, households, residences, with their places) by the same binary COPY encoder into
  tables without any index, from columns in memory.
- ``indexed``: the whole way with keys, foreign keys and indexes left in place. Counting by triggers is switched off and
  the statistics are rebuilt as in ``load``: the kinder form of the comparison, since triggers cost more than a rebuild.

``wal_level`` is the server's: a cluster made with ``minimal`` (our own) writes no log for a table truncated in the
transaction that fills it; with ``replica`` every row is logged, and a first load is slower by that much. Both cores are
used, so on a machine that is busy with other work the ratios come out lower.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import psycopg
from sqlalchemy import make_url

from benchmarks._people import lay_out, write_files
from db import testing
from db.ahead import ahead
from db.copy import column_types, copy_frame
from grid.place import Placer
from intake.city import Source
from intake.pipeline import Reading, read_validated
from intake.reader import open_source
from population.register.keys import read_frame
from population.register.load_people import load_persons
from population.register.loaders import load
from population.register.schemas import SCHEMAS
from population.statistics.rebuild import rebuild

Connection = psycopg.Connection[Any]

_T = TypeVar("_T")

TABLES = ("person", "household", "residence")


def run(people: int = 1_000_000, indexed_people: int = 1_000_000) -> dict[str, Any]:
    """Ratios ``x_bare_copy`` (load over bare) and ``x_indexed_load`` (load over indexed), in rows a second."""
    with tempfile.TemporaryDirectory() as folder:
        with testing.clone("bench") as url:
            write_files(Path(folder), people)
            seconds = _timed(url, Path(folder), aside=True)
            bare = _bare(url)
            level = _wal_level(url)
        with testing.clone("bench") as url:
            write_files(Path(folder), indexed_people)
            slow = _timed(url, Path(folder), aside=False)
    rates = {
        "load": people / sum(seconds.values()), "bare": people / bare, "indexed": indexed_people / sum(slow.values())
    }  # fmt: skip
    return {
        "x_bare_copy": round(rates["load"] / rates["bare"], 3),
        "x_indexed_load": round(rates["load"] / rates["indexed"], 2),
        "rows_a_second": {name: round(rate) for name, rate in rates.items()},
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "indexed_seconds": {name: round(value, 2) for name, value in slow.items()},
        "wal_level": level,
        "people": people,
        "indexed_people": indexed_people,
    }


def _timed(url: str, folder: Path, aside: bool) -> dict[str, float]:
    """Seconds of loading the people's file and of the statistics, after places and homes are there."""
    with psycopg.connect(plain(url)) as conn:
        lay_out(conn)
        placer = Placer.for_city(conn, folder / "places")
        for kind in ("buildings", "dwellings"):
            source, reading = _reading(kind, folder)
            load(conn, source, reading, 1, placer)
        conn.commit()
        source, _ = _reading("persons", folder)
        seconds: dict[str, float] = {}

        def lap(name: str, work: Callable[[], _T]) -> _T:
            start = time.perf_counter()
            made = work()
            seconds[name] = time.perf_counter() - start
            return made

        if not aside:
            conn.execute("SELECT set_config('hexward.bulk', 'on', true)")
        batches = ahead(_reading("persons", folder)[1])
        loaded = lap("rows", lambda: load_persons(conn, source, batches, 1, aside=aside))
        lap("statistics", lambda: rebuild(conn, kept=loaded.kept))
        lap("commit", conn.commit)
        return seconds


def _reading(kind: str, folder: Path) -> tuple[Source, Reading]:
    source = Source(name=kind, kind=kind, file=f"{kind}.csv", datum="WGS84")  # type: ignore[arg-type]
    return source, read_validated(open_source(folder / f"{kind}.csv"), SCHEMAS[kind], source)


def _bare(url: str) -> float:
    """Seconds of a binary COPY of the rows that the load wrote into tables without indexes, from frames in memory."""
    with psycopg.connect(plain(url)) as conn:
        frames = {}
        for table in TABLES:
            names = [row[0] for row in conn.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
                (f"register.{table}",),
            ).fetchall()]  # fmt: skip
            frames[table] = _typed(conn, f"register.{table}", names)
            conn.execute(f"CREATE TABLE public.bare_{table} (LIKE register.{table})")
        conn.commit()
        start = time.perf_counter()
        for table, frame in frames.items():
            copy_frame(conn, f"public.bare_{table}", frame)
        conn.commit()
        return time.perf_counter() - start


def _typed(conn: Connection, table: str, names: list[str]) -> pl.DataFrame:
    """The whole of ``table`` as a frame of the types that the loader has in hand."""
    types = dict(zip(names, column_types(conn, table, names), strict=True))
    kinds: dict[str, Any] = {"bigint": pl.Int64, "integer": pl.Int64, "smallint": pl.Int64, "date": pl.Date}
    schema = {name: kinds.get(kind, pl.String) for name, kind in types.items()}
    frame = read_frame(conn, f"SELECT * FROM {table}", schema)
    moments = [name for name, kind in types.items() if kind.startswith("timestamp")]
    raw = [name for name, kind in types.items() if kind == "bytea"]
    uuids = [name for name, kind in types.items() if kind == "uuid"]
    return frame.with_columns(
        *(pl.col(name).str.slice(2).str.decode("hex") for name in raw),
        *(pl.col(name).str.replace_all("-", "").str.decode("hex") for name in uuids),
        *(pl.col(name).str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S") for name in moments),
    )


def _wal_level(url: str) -> str:
    with psycopg.connect(plain(url)) as conn:
        row = conn.execute("SHOW wal_level").fetchone()
    return str(row[0]) if row else ""


def plain(url: str) -> str:
    """The address as the driver takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

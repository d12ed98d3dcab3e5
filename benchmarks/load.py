"""People from a CSV file into the database, with place, indexes and statistics, against a bare copy.

One run, one file, rows of people a second:

- ``load``: the whole way - read, validate, encrypt, place, encode, copy with keys, indexes and triggers aside, put them
  back, rebuild the statistics, commit.
- ``bare``: the same people, with the same columns and places, in one table without any index, from binary COPY bytes
  that lie ready.
- ``indexed``: the whole way with keys and indexes left in place (with fewer people, which favours it).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks._people import lay_out, write_files
from db import testing
from db.copy import HEADER, ROWS_A_CHUNK, TRAILER, column_types, encode
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

_WIDE = """
CREATE TABLE public.wide AS SELECT p.id AS person, p.key, p.name, p.sex, p.birth_date, p.id_number_enc, p.id_number_hash,
  p.phone_enc, p.origin_code, r.id, r.household_id, r.dwelling_id, r.cell, r.community_id, r.grid_id, r.status, r.permit,
  r.permit_until, r.valid_from, r.valid_to, r.ended, r.changes_on, r.counted, r.recorded_at, r.run_id
FROM register.residence r JOIN register.person p ON p.id = r.person_id
"""


def run(people: int = 1_000_000, indexed_people: int = 250_000) -> dict[str, Any]:
    """Ratios ``x_bare_copy`` (load over bare) and ``x_indexed_load`` (load over indexed), in rows a second."""
    with tempfile.TemporaryDirectory() as folder:
        with testing.clone("bench") as url:
            files, seconds = write_files(Path(folder), people), _timed(url, Path(folder), aside=True)
            bare = _bare(url)
        with testing.clone("bench") as url:
            write_files(Path(folder), indexed_people)
            slow = _timed(url, Path(folder), aside=False)
    size = files["persons"].stat().st_size if files["persons"].exists() else None
    rates = {
        "load": people / sum(seconds.values()), "bare": people / bare, "indexed": indexed_people / sum(slow.values())
    }  # fmt: skip
    return {
        "x_bare_copy": round(rates["load"] / rates["bare"], 3),
        "x_indexed_load": round(rates["load"] / rates["indexed"], 2),
        "rows_a_second": {name: round(rate) for name, rate in rates.items()},
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "indexed_seconds": {name: round(value, 2) for name, value in slow.items()},
        "people": people,
        "indexed_people": indexed_people,
        "csv_bytes": size,
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

        def lap(name: str, work: Callable[[], object]) -> None:
            start = time.perf_counter()
            work()
            seconds[name] = time.perf_counter() - start

        if not aside:
            conn.execute("SELECT set_config('hexward.bulk', 'on', true)")
        lap("rows", lambda: load_persons(conn, source, _reading("persons", folder)[1], 1, aside=aside))
        lap("statistics", lambda: rebuild(conn))
        lap("commit", conn.commit)
        return seconds


def _reading(kind: str, folder: Path) -> tuple[Source, Reading]:
    source = Source(name=kind, kind=kind, file=f"{kind}.csv", datum="WGS84")  # type: ignore[arg-type]
    return source, read_validated(open_source(folder / f"{kind}.csv"), SCHEMAS[kind], source)


def _bare(url: str) -> float:
    """Seconds of a binary COPY of the people loaded, from bytes that lie ready, into a table without indexes."""
    with psycopg.connect(plain(url)) as conn:
        conn.execute(_WIDE)
        names = [row[0] for row in conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'public.wide'::regclass AND attnum > 0 ORDER BY attnum"
        ).fetchall()]  # fmt: skip
        types = column_types(conn, "public.wide", names)
        frame = _typed(conn, names, types)
        pieces = [
            encode(frame.slice(at, ROWS_A_CHUNK), types).tobytes()
            for at in range(0, frame.height, ROWS_A_CHUNK)
        ]
        conn.execute("CREATE TABLE public.bare (LIKE public.wide)")
        conn.commit()
        start = time.perf_counter()
        with conn.cursor() as cursor, cursor.copy("COPY public.bare FROM STDIN (FORMAT binary)") as copy:
            copy.write(HEADER)
            for piece in pieces:
                copy.write(piece)
            copy.write(TRAILER)
        conn.commit()
        return time.perf_counter() - start


def _typed(conn: Connection, names: list[str], types: list[str]) -> Any:
    import polars as pl

    kinds: dict[str, Any] = {
        "bigint": pl.Int64, "integer": pl.Int64, "smallint": pl.Int64, "date": pl.Date, "bytea": pl.String
    }  # fmt: skip
    schema = {name: kinds.get(kind, pl.String) for name, kind in zip(names, types, strict=True)}
    frame = read_frame(conn, "SELECT * FROM public.wide", schema)
    return frame.with_columns(
        *(
            pl.col(n).str.slice(2).str.decode("hex")
            for n, k in zip(names, types, strict=True)
            if k == "bytea"
        ),
        pl.col("recorded_at").str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S"),
    )


def plain(url: str) -> str:
    """The address as the driver takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

"""All statistics from scratch, in columns, to the numbers that the triggers keep."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from db.bulk import bulk
from db.copy import HEADER, TRAILER, copy_frame
from population.statistics import series as months_of
from population.statistics.bulk import one_writer
from population.statistics.compute import COLUMN, SCALE, Computed, compute
from population.statistics.counted import days_of
from population.statistics.indicators import FIGURES, NUMERIC_FIGURES
from population.statistics.readout import whole_uuids
from population.statistics.register_columns import read_register
from population.statistics.repair import repair
from population.statistics.units import area_paths, units_of

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from population.statistics.kept import Kept
    from population.statistics.readout import Columns

ROWS_A_CHUNK: Final = 200_000
LEDGERS: Final = (
    "stats.counted_dwelling", "stats.counted_household", "stats.counted_person", "stats.counted_move",
)  # fmt: skip


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild did: the day, rows written, register rows put right, and seconds by step."""

    as_of: date
    places: int
    units: int
    repaired: dict[str, int]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Figures:
    """Figures of a day: ``places`` (community_id, grid_id, cell, FIGURES) and ``units`` (unit_kind, unit_id,
    resolution, FIGURES). Units with nothing to count have no row."""

    as_of: date
    places: pl.DataFrame
    units: pl.DataFrame


def city_today(conn: psycopg.Connection[Any]) -> date:
    """Today in the city's time zone (UTC before a city is loaded)."""
    row = conn.execute("SELECT zone FROM ops.city").fetchone()
    return datetime.now(ZoneInfo(row[0]) if row else UTC).date()


def rebuild(
    conn: psycopg.Connection[Any],
    as_of: date | None = None,
    series_from: date | None = None,
    kept: Kept | None = None,
) -> RebuildReport:
    """Recompute everything in schema ``stats`` for the day ``as_of`` (default: today in the city).

    Runs in the connection's open transaction; writers wait for it, readers only for its last step. Derived columns of
    register rows that are not as computed are written back, which is quick when a loader has filled them (see
    ``counted``). Tables that ``kept`` still holds from their first load are not read. The series begin at
    ``series_from``, else where they began, at the latest 36 months before ``as_of``.

    Raises OrphanError and OverlapError for a register that contradicts itself.
    """
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(step: str) -> None:
        nonlocal clock
        seconds[step], clock = round(time.perf_counter() - clock, 3), time.perf_counter()

    one_writer(conn)
    day = as_of or city_today(conn)
    begins = _series_from(conn, day, series_from)
    register = read_register(conn, kept)
    lap("read")
    made = compute(register, days_of(day))
    lap("count")
    units = units_of(made.places, area_paths(conn))
    months = months_of.Months.between(begins, day)
    moved = months_of.moves(register, made, begins)
    unit_figures = units.table.hstack(_frame(units.sums(made.figures)))
    unit_series = months_of.as_frame(units, months_of.unit_series(register, made, units, moved, months))
    lap("roll up")
    repaired = repair(conn, register, made)
    lap("repair")
    conn.execute(f"TRUNCATE stats.place_figures, stats.unit_figures, stats.unit_series, {', '.join(LEDGERS)}")
    with bulk(conn, LEDGERS):
        _write_ledgers(conn, register, made, moved)
    place_figures = _place_frame(made)
    copy_frame(conn, "stats.place_figures", place_figures)
    copy_frame(conn, "stats.unit_figures", _counted_only(unit_figures))
    copy_frame(conn, "stats.unit_series", unit_series)
    conn.execute(
        "UPDATE stats.state SET as_of = %s, series_from = %s, rebuilt_at = clock_timestamp(), version = version + 1",
        (day, begins),
    )
    for table in ("place_figures", "unit_figures", "unit_series"):
        conn.execute(f"ANALYZE stats.{table}")
    lap("write")
    return RebuildReport(day, place_figures.height, unit_figures.height, repaired, seconds)


def snapshot(conn: psycopg.Connection[Any], day: date) -> Figures:
    """All figures as of another day, by the same code, without writing anything."""
    made = compute(read_register(conn), days_of(day))
    units = units_of(made.places, area_paths(conn))
    return Figures(
        day, _place_frame(made), _counted_only(units.table.hstack(_frame(units.sums(made.figures))))
    )


def _series_from(conn: psycopg.Connection[Any], day: date, wanted: date | None) -> date:
    if wanted is not None:
        return wanted.replace(day=1)
    row = conn.execute("SELECT series_from FROM stats.state").fetchone()
    default = months_of.default_start(day)
    return min(row[0], default) if row else default


def _frame(figures: NDArray[np.int64]) -> pl.DataFrame:
    """Figures by name, numeric ones in whole units again."""
    columns = []
    for name in FIGURES:
        values = figures[:, COLUMN[name]]
        columns.append(pl.Series(name, values / SCALE[name] if name in NUMERIC_FIGURES else values))
    return pl.DataFrame(columns)


def _counted_only(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.any_horizontal(pl.col(FIGURES) != 0))


def _place_frame(made: Computed) -> pl.DataFrame:
    places = made.places.select(community_id="community", grid_id="grid", cell="cell")
    return _counted_only(places.hstack(_frame(made.figures)))


def _write_ledgers(
    conn: psycopg.Connection[Any], register: dict[str, Columns], made: Computed, moved: months_of.Moves
) -> None:
    place = _triples(made)
    for name, ledger in made.ledgers.items():
        table = register[name]
        key = table["id"][ledger.at] if name == "dwelling" else whole_uuids(
            table["id_hi"][ledger.at], table["id_lo"][ledger.at])  # fmt: skip
        order = np.argsort(key if name == "dwelling" else table["id_hi"][ledger.at], kind="stable")
        columns = [key[order], *(part[ledger.place[order]] for part in place), ledger.counted[order]]
        copy_fixed(conn, f"stats.counted_{name}", columns)
    order = np.lexsort((moved.moved_on, register["person"]["id_hi"][moved.person]))
    person = moved.person[order]
    movers = whole_uuids(register["person"]["id_hi"][person], register["person"]["id_lo"][person])
    outside = [np.append(part, 0) for part in place]  # place -1: outside
    ends = [part[at[order]] for at in (moved.source, moved.target) for part in outside]
    copy_fixed(conn, "stats.counted_move", [movers, moved.moved_on[order], *ends])


def _triples(made: Computed) -> list[NDArray[np.int64]]:
    return [made.places[name].to_numpy() for name in ("community", "grid", "cell")]


def copy_fixed(conn: psycopg.Connection[Any], table: str, columns: list[NDArray[Any]]) -> None:
    """COPY columns of fixed width without nulls (int32 also for dates, int64, 16-byte uuids) in the table's order.

    The table was truncated in this transaction, so its rows are written as frozen.
    """
    layout: list[tuple[str, str]] = [("n", ">i2")]
    for i, column in enumerate(columns):
        kind = "V16" if column.dtype.kind == "V" else column.dtype.newbyteorder(">").str
        layout += [(f"l{i}", ">i4"), (f"v{i}", kind)]
    with (
        conn.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary, FREEZE true)") as copy,
    ):
        copy.write(HEADER)
        for start in range(0, len(columns[0]), ROWS_A_CHUNK):
            part = [column[start : start + ROWS_A_CHUNK] for column in columns]
            record = np.zeros(len(part[0]), dtype=layout)
            record["n"] = len(columns)
            for i, column in enumerate(part):
                record[f"l{i}"], record[f"v{i}"] = column.dtype.itemsize, column
            copy.write(record.tobytes())
        copy.write(TRAILER)

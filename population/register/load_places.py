"""Buildings, lots and employers: what has a position of its own and gets its place by it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import polars as pl

from population.register.keys import KeyIndex
from population.register.merge import LoadResult, follow, into
from population.statistics.counted import building_columns, employer_columns

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from intake.city import Source
    from intake.pipeline import Batch

    Connection = psycopg.Connection[Any]

ALWAYS: Final = date(1900, 1, 1)
PLACE: Final = ("cell", "community_id", "grid_id")
_BUILDING: Final = (
    "key", "name", "address", "use", "lng", "lat", "floors", "built_year", "floor_area_m2", "dwellings_count",
    "residents_estimate", "valid_from", "valid_to",
)  # fmt: skip
_EMPLOYER: Final = (
    "key",
    "uscc",
    "name",
    "industry",
    "address",
    "lng",
    "lat",
    "jobs_count",
    "valid_from",
    "valid_to",
)


class Placer(Protocol):
    """Gives positions their cell, community and grid (``grid.place.Placer``)."""

    def place(
        self, lng: NDArray[np.float64], lat: NDArray[np.float64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]: ...


def with_place(rows: pl.DataFrame, placer: Placer) -> pl.DataFrame:
    """``rows`` with cell, community_id and grid_id of their lng and lat (null where there is none)."""
    cell, community, grid = placer.place(rows["lng"].to_numpy(), rows["lat"].to_numpy())
    return rows.with_columns(
        pl.Series("cell", np.asarray(cell).astype(np.int64)),
        pl.Series("community_id", np.asarray(community, dtype=np.int64)).replace(0, None),
        pl.Series("grid_id", np.asarray(grid, dtype=np.int64)).replace(0, None),
    )


class Repeated:
    """Rows that repeat a key that the file had before, where the source says to keep them.

    The second row of a key is stored under ``key#2``, the third under ``key#3``. Without ``repeated = "keep"`` intake
    has refused such rows already.
    """

    def __init__(self, source: Source) -> None:
        self.keep = source.repeated == "keep"
        self.rows, self.keys = 0, list[str]()
        self._index = KeyIndex()
        self._times = np.zeros(0, dtype=np.int64)

    def rename(self, rows: pl.DataFrame) -> pl.DataFrame:
        """``rows`` with their keys made unique."""
        if not self.keep:
            return rows
        at = self._index.add(rows["key"])
        self._times = np.concatenate((self._times, np.zeros(len(self._index) - len(self._times), np.int64)))
        within = rows.select(pl.int_range(1, pl.len() + 1).over("key")).to_series()
        number = pl.Series(self._times[at]) + within
        np.add.at(self._times, at, 1)
        again = number > 1
        self.rows += int(again.sum())
        self.keys += rows.filter(again)["key"].head(20 - len(self.keys)).to_list()
        key = pl.when(again).then(pl.col("key") + "#" + number.cast(pl.String)).otherwise("key")
        return rows.with_columns(key.alias("key"))

    def tell(self, result: LoadResult) -> None:
        """Warn of the rows that were kept."""
        if self.rows:
            result.warn("repeated_keys_kept", rows=self.rows, keys=self.keys)


def load_buildings(
    conn: Connection, source: Source, batches: Iterable[Batch], run_id: int, placer: Placer
) -> LoadResult:
    """Buildings, or lots with counts only, by key; an ``area_code`` that a row states is held against its place."""
    result, repeated, stated = LoadResult(), Repeated(source), _Stated(conn)
    with into(conn, "register.building", ("key",), result, building_columns) as target:
        for batch in batches:
            rows = with_place(repeated.rename(batch.accepted), placer)
            stated.compare(rows)
            marks = (pl.lit(run_id).alias("run_id"), pl.lit(source.name).alias("source"))
            target.write(
                _filled(rows, {"use": "residential"}).select(*_BUILDING, *PLACE, *marks).sort("cell")
            )
            result.accepted += rows.height
    if target.quiet:
        for child, parent in (("dwelling", "building"), ("household", "dwelling"), ("residence", "dwelling")):
            follow(conn, child, parent)
    stated.tell(result)
    repeated.tell(result)
    return result


def load_employers(
    conn: Connection, source: Source, batches: Iterable[Batch], run_id: int, placer: Placer
) -> LoadResult:
    """Employers by key, each at the place of its position."""
    result, repeated = LoadResult(), Repeated(source)
    with into(conn, "register.employer", ("key",), result, employer_columns) as target:
        for batch in batches:
            rows = _filled(with_place(repeated.rename(batch.accepted), placer), {})
            target.write(rows.select(*_EMPLOYER, *PLACE, pl.lit(run_id).alias("run_id")).sort("cell"))
            result.accepted += rows.height
    if target.quiet:
        follow(conn, "employment", "employer")
    repeated.tell(result)
    return result


def _filled(rows: pl.DataFrame, defaults: dict[str, str]) -> pl.DataFrame:
    return rows.with_columns(
        pl.col("valid_from").fill_null(ALWAYS),
        *(pl.col(name).fill_null(value) for name, value in defaults.items()),
    )


class _Stated:
    """Counts the rows that state another area than the one they lie in."""

    def __init__(self, conn: Connection) -> None:
        found = conn.execute("select id, code from geo.area where code is not null").fetchall()
        self.codes = pl.DataFrame(found, schema={"community_id": pl.Int64, "code": pl.String}, orient="row")
        self.checked = self.differ = 0
        self.examples: list[str] = []

    def compare(self, rows: pl.DataFrame) -> None:
        said = rows.filter(pl.col("area_code").is_not_null()).select("key", "area_code", "community_id")
        if not said.height:
            return
        other = said.join(self.codes, on="community_id", how="left").filter(
            pl.col("code").is_null() | (pl.col("code") != pl.col("area_code"))
        )
        self.checked += said.height
        self.differ += other.height
        self.examples += other["key"].head(20 - len(self.examples)).to_list()

    def tell(self, result: LoadResult) -> None:
        if self.differ:
            result.warn("stated_area_differs", rows=self.differ, of=self.checked, keys=self.examples)

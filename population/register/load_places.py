"""Buildings, lots and employers: what has a position of its own and gets its place by it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import polars as pl

from population.register.keys import KeyIndex
from population.register.merge import LoadResult, into, refuse

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


def once(rows: pl.DataFrame, index: KeyIndex, keep: bool, result: LoadResult) -> pl.DataFrame:
    """The rows whose key comes for the first time; repeated ones are refused, or kept under ``key#2``, ``key#3``."""
    while True:
        before = len(index)
        at = index.add(rows["key"])
        first = pl.Series(at).is_first_distinct().to_numpy() & (at >= before)
        if first.all():
            return rows
        again = pl.Series(~first)
        result.warn(
            "repeated_keys",
            rows=int(again.sum()),
            kept=keep,
            keys=rows.filter(again)["key"].head(20).to_list(),
        )
        if not keep:
            result.rejected.append(refuse(rows.filter(again), "key", "duplicate_key"))
            return rows.filter(~again)
        renamed = rows.filter(again)
        numbers = renamed.select(pl.int_range(2, pl.len() + 2).over("key")).to_series()
        renamed = renamed.with_columns(key=pl.col("key") + "#" + numbers.cast(pl.String))
        return pl.concat([rows.filter(~again), once(renamed, index, keep=False, result=result)])


def load_buildings(
    conn: Connection, source: Source, batches: Iterable[Batch], run_id: int, placer: Placer
) -> LoadResult:
    """Buildings, or lots with counts only, by key; an ``area_code`` that a row states is held against its place."""
    result, index = LoadResult(), KeyIndex()
    stated = _Stated(conn)
    with into(conn, "register.building", ("key",), result) as target:
        for batch in batches:
            rows = once(batch.accepted, index, source.repeated == "keep", result)
            rows = with_place(rows, placer)
            stated.compare(rows)
            rows = _filled(rows, {"use": "residential" if source.kind == "buildings" else "other"})
            target.write(
                rows.select(
                    *_BUILDING, *PLACE, pl.lit(run_id).alias("run_id"), pl.lit(source.name).alias("source")
                ).sort("cell")
            )
            result.accepted += rows.height
    stated.tell(result)
    if target.updated:
        follow_buildings(conn)
    return result


def load_employers(
    conn: Connection, source: Source, batches: Iterable[Batch], run_id: int, placer: Placer
) -> LoadResult:
    """Employers by key, each at the place of its position."""
    result, index = LoadResult(), KeyIndex()
    with into(conn, "register.employer", ("key",), result) as target:
        for batch in batches:
            rows = once(batch.accepted, index, source.repeated == "keep", result)
            rows = _filled(with_place(rows, placer), {})
            target.write(rows.select(*_EMPLOYER, *PLACE, pl.lit(run_id).alias("run_id")).sort("cell"))
            result.accepted += rows.height
    if target.updated:
        follow(conn, "employment", "employer")
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


def follow_buildings(conn: Connection) -> None:
    """Give dwellings, households and residences the place of their building again, where it moved."""
    follow(conn, "dwelling", "building")
    follow(conn, "household", "dwelling")
    follow(conn, "residence", "dwelling")


def follow(conn: Connection, child: str, parent: str) -> int:
    """Bring the place of the ``child`` rows in line with their ``parent``; returns how many moved."""
    values = ", ".join(f"{name} = p.{name}" for name in PLACE)
    return conn.execute(
        f"update register.{child} c set {values} from register.{parent} p where p.id = c.{parent}_id"
        " and row(c.cell, c.community_id, c.grid_id) is distinct from row(p.cell, p.community_id, p.grid_id)"
    ).rowcount

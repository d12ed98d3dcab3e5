"""Dwellings: each in a building, whose place it takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from population.register.keys import read_known
from population.register.load_places import ALWAYS, PLACE, Repeated
from population.register.merge import CONFIRMED, LoadResult, city_day, confirmed, follow, into, refuse
from population.statistics.counted import period_columns

if TYPE_CHECKING:
    import psycopg

    from intake.city import Source
    from intake.pipeline import Batch

    Connection = psycopg.Connection[Any]

PLACED: Final = {
    "key": pl.String,
    "id": pl.Int64,
    "cell": pl.Int64,
    "community_id": pl.Int64,
    "grid_id": pl.Int64,
}
_DWELLING: Final = (
    "key",
    "unit",
    "floor",
    "room",
    "area_m2",
    "rooms",
    "capacity",
    "tenure",
    "use",
    "valid_from",
    "valid_to",
)


def load_dwellings(conn: Connection, source: Source, batches: Iterable[Batch], run_id: int) -> LoadResult:
    """Dwellings by key; a row whose building is unknown is refused, an area or room count of zero means unknown."""
    result, repeated, zeros = LoadResult(), Repeated(source), 0
    who = confirmed(source, city_day(conn))
    buildings = read_known(conn, "select key, id, cell, community_id, grid_id from register.building", PLACED)
    with into(conn, "register.dwelling", ("key",), result, period_columns) as target:
        for batch in batches:
            rows = repeated.rename(batch.accepted)
            known, place = buildings.look_up(rows["building_key"])
            result.rejected.append(
                refuse(
                    rows.filter(~pl.Series(known)),
                    "building_key",
                    "unknown_reference",
                    '{"source": "buildings"}',
                )
            )
            rows = pl.concat([rows, place.rename({"id": "building_id"})], how="horizontal").filter(
                pl.Series(known)
            )
            zeros += rows.filter((pl.col("area_m2") <= 0) | (pl.col("rooms") <= 0)).height
            rows = rows.with_columns(
                pl.col("valid_from").fill_null(ALWAYS),
                pl.col("tenure").fill_null("other"),
                *who,
                *(pl.when(pl.col(name) > 0).then(pl.col(name)).alias(name) for name in ("area_m2", "rooms")),
            )
            columns = (*_DWELLING, "building_id", *PLACE, *CONFIRMED)
            target.write(rows.select(*columns, pl.lit(run_id).alias("run_id")).sort("cell"))
            result.accepted += rows.height
    if zeros:
        result.warn("zero_means_unknown", rows=zeros)
    if target.quiet:
        follow(conn, "household", "dwelling")
        follow(conn, "residence", "dwelling")
    repeated.tell(result)
    return result

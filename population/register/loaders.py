"""The loader of each kind of source that the register takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from population.register.load_homes import load_dwellings
from population.register.load_people import load_persons
from population.register.load_places import Placer, load_buildings, load_employers
from population.register.load_work import load_employment, load_schooling
from population.register.merge import LoadResult

if TYPE_CHECKING:
    import psycopg

    from intake.city import Source
    from intake.pipeline import Batch

__all__ = ["LoadResult", "load"]


def load(
    conn: psycopg.Connection[Any], source: Source, batches: Iterable[Batch], run_id: int, placer: Placer
) -> LoadResult:
    """Load the accepted rows of ``batches`` in the open transaction of ``conn`` and say what became of each.

    The same rows again change nothing. Into empty tables they go by binary COPY with keys, indexes and triggers
    aside, and ``LoadResult.rebuild`` asks for the statistics to be made anew; into filled tables only what differs is
    touched, and the triggers keep the statistics current. Raises KeyError for a kind that is not the register's.
    """
    if source.kind == "buildings":
        return load_buildings(conn, source, batches, run_id, placer)
    if source.kind == "employers":
        return load_employers(conn, source, batches, run_id, placer)
    return {
        "dwellings": load_dwellings,
        "persons": load_persons,
        "employment": load_employment,
        "schooling": load_schooling,
    }[source.kind](conn, source, batches, run_id)

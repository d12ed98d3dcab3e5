"""What follows a load: the city's root, proposed grids, crosswalk, places, dwelling weights, statistics, areal tables.

What has to be done is noted in the database in the transaction that makes it necessary, and struck out in the one that
does it. A load that dies in between is completed by the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from db.engine import raw_copy, read_session, write_session
from grid import crosswalk, tree
from grid.place import Placer
from grid.service import propose_grids
from intake.city import City
from intake.runs import DatabaseGone, connection_lost, with_patience
from population.register import searchable
from population.register.places import find_places
from population.statistics.areal_tables import respread
from population.statistics.rebuild import rebuild

if TYPE_CHECKING:
    from population.statistics.kept import Kept

    Connection = psycopg.Connection[Any]

STEPS = ("root", "grids", "crosswalk", "places", "weights", "statistics", "areal", "search")
"""In the order in which they are done."""

_AFTER = {
    "areas": ("root", "grids", "crosswalk", "places", "statistics", "areal"),
    "grids": ("crosswalk", "places", "statistics"),
    "land_use": ("grids", "crosswalk", "areal"),
    "buildings": ("weights", "areal"),
    "dwellings": ("weights", "areal"),
}


def mark(conn: Connection, kind: str, changed: bool, rebuild_needed: bool) -> None:
    """Note in the open transaction what a loaded source of ``kind`` makes necessary."""
    steps = list(_AFTER.get(kind, ())) if changed else []
    if rebuild_needed:
        steps += ["statistics", *(["search"] if kind == "persons" else [])]
    _add(conn, steps)


def _add(conn: Connection, steps: list[str]) -> None:
    for step in steps:
        conn.execute(
            "UPDATE ops.city SET config = jsonb_set(config, '{pending}',"
            " coalesce(config -> 'pending', '{}') || jsonb_build_object(%s::text, true))",
            (step,),
        )


class Settling:
    """Does what is noted; ``tell`` hears each step begin (None) and end (seconds)."""

    def __init__(
        self,
        engine: Engine,
        city: City,
        tell: Callable[[str, float | None], None],
        waiting: Callable[[str, float], None],
    ) -> None:
        self.engine, self.city, self.tell, self.waiting = engine, city, tell, waiting
        self.kept: Kept | None = None
        """What a first load of this run still has in hand for the statistics."""

    def after_layers(self) -> None:
        """The root, grids, crosswalk and places that changed layers ask for."""
        self._do("root", "grids", "crosswalk", "places")

    def after_register(self) -> None:
        """The weights and areal tables that changed dwellings ask for."""
        self._do("weights", "areal")

    def finish(self) -> None:
        """Everything that is noted, and the telephone numbers that changed."""
        self._do(*STEPS)
        with write_session(self.engine) as session:
            searchable.catch_up(raw_copy(session))

    def _do(self, *steps: str) -> None:
        for step in STEPS:
            if step in steps and step in self._pending():
                self._patiently(step)

    def _pending(self) -> set[str]:
        with read_session(self.engine) as session:
            noted = session.execute(text("SELECT config -> 'pending' FROM ops.city")).scalar()
        return set(noted or ())

    def _patiently(self, step: str) -> None:
        self.tell(step, None)
        started = time.perf_counter()
        with_patience(lambda: self._attempt(step), tell=lambda _gone, wait: self.waiting(step, wait))
        self.tell(step, time.perf_counter() - started)

    def _attempt(self, step: str) -> None:
        try:
            with write_session(self.engine) as session:
                conn = raw_copy(session)
                getattr(self, f"_{step}")(conn)
                conn.execute("UPDATE ops.city SET config = config #- ARRAY['pending', %s::text]", (step,))
        except (DBAPIError, psycopg.Error) as problem:
            if connection_lost(problem):
                raise DatabaseGone(source=step) from problem
            raise

    def _root(self, conn: Connection) -> None:
        said = self.city.city
        tree.ensure_root(conn, said.code, said.name.zh, said.name.en)

    def _grids(self, conn: Connection) -> None:
        if self.city.grids.propose:
            propose_grids(conn, target_m2=self.city.grids.target_m2)

    def _crosswalk(self, conn: Connection) -> None:
        crosswalk.rebuild(conn)

    def _places(self, conn: Connection) -> None:
        _, counting = find_places(conn, Placer.for_city(conn))
        if counting:
            _add(conn, ["statistics", "search"])

    def _weights(self, conn: Connection) -> None:
        crosswalk.weigh_dwellings(conn)

    def _statistics(self, conn: Connection) -> None:
        kept, self.kept = self.kept, None
        rebuild(conn, kept=kept)

    def _areal(self, conn: Connection) -> None:
        respread(conn)

    def _search(self, conn: Connection) -> None:
        searchable.fill(conn)

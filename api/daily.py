"""The day goes on while the server runs: birthdays, episodes that begin and end, permits that run out."""

from __future__ import annotations

import threading

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from api.logs import logger
from db.engine import raw_copy, write_session
from db.errors import HexwardError
from population.currency import checks
from population.register import searchable
from population.statistics import service
from population.statistics.rebuild import city_today
from privacy import retention, roots, unusual

CHECK_EVERY_S = 600.0


def catch_up(owner: Engine) -> bool:
    """Bring the statistics to today in the city's time zone; True when they stood at an earlier day."""
    with write_session(owner) as session:
        if session.execute(text("SELECT 1 FROM ops.city")).scalar() is None:
            return False
        today = city_today(raw_copy(session))
        if service.state(session).as_of >= today:
            return False
        service.advance(session, today)
        return True


def oversee(owner: Engine) -> None:
    """Sign the roots of the days that have ended, look for unusual use, deal with what has lost its ground."""
    with write_session(owner) as session:
        made = roots.make_due(session, roots.signing_key())
    if made:  # once a day
        retention.run(owner, dry_run=False)
    with write_session(owner) as session:
        if session.execute(text("SELECT 1 FROM ops.city")).scalar() is not None:
            for day in [*made[-7:], city_today(raw_copy(session))]:
                unusual.find(session, day)


def look_for_visits(owner: Engine, seen: tuple[object, ...] | None) -> tuple[object, ...] | None:
    """Let the checks look at the whole city when it is another day or another load than ``seen``; what was seen."""
    with write_session(owner) as session:
        now = session.execute(
            text("SELECT as_of, rebuilt_at FROM stats.state WHERE EXISTS (SELECT FROM ops.city)")
        )
        state = tuple(now.one_or_none() or ())
        if not state or state == seen:
            return seen
        checks.look(raw_copy(session), state[0])
    return state


class Calendar:
    """A thread that looks every ten minutes whether a new day has begun."""

    def __init__(self, owner: Engine) -> None:
        self._owner = owner
        self._stop = threading.Event()
        self._seen: tuple[object, ...] | None = None
        self._thread = threading.Thread(target=self._run, name="hexward-calendar", daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, waiting for a step that is under way."""
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while True:
            try:
                if catch_up(self._owner):
                    logger().info("new_day")
                searchable.catch_up_now(self._owner)
                self._seen = look_for_visits(self._owner, self._seen)
                oversee(self._owner)
            except (SQLAlchemyError, HexwardError, OSError) as error:  # tried again at the next look
                logger().warning("new_day_failed", exc_info=error)
            if self._stop.wait(CHECK_EVERY_S):
                return

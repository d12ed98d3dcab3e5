"""A new day while the server runs: statistics follow it, by the city's own clock."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine, text

from api.daily import Calendar, catch_up
from db.engine import read_session, write_session
from tests.small_city import SmallCity


def test_statistics_are_brought_to_today_once(small_city: SmallCity, owner: Engine) -> None:
    with write_session(owner) as session:
        session.execute(text("UPDATE register.residence SET valid_to = current_date WHERE grid_id = :g"),
                        {"g": small_city.grids[0]})  # fmt: skip
        before = session.execute(text("SELECT sum(residents) FROM stats.place_figures")).scalar_one()
    assert catch_up(owner) is True
    with read_session(owner) as session:
        as_of = session.execute(text("SELECT as_of FROM stats.state")).scalar_one()
        after = session.execute(text("SELECT sum(residents) FROM stats.place_figures")).scalar_one()
    assert as_of >= date.today().replace(day=1)
    assert after == before - 20
    assert catch_up(owner) is False


def test_the_calendar_stops_when_told(owner: Engine, small_city: SmallCity) -> None:
    calendar = Calendar(owner)
    calendar.start()
    calendar.stop()
    with read_session(owner) as session:
        assert session.execute(text("SELECT as_of FROM stats.state")).scalar_one() > date(2026, 11, 1)

"""A unit's dashboard on a past day: everything that is known of that day, for those whose duty the unit is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import h3
import psycopg
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from db import testing
from db.engine import make_engine, raw_copy, write_session
from maps.dashboard import dashboard
from maps.viewer import CITY
from population.statistics.rebuild import rebuild
from tests.server import Browser
from tests.small_city import PEOPLE, SmallCity

DAY = date(2026, 6, 17)
BLOCKS = (
    "pyramid",
    "tenure",
    "crowding",
    "household_size",
    "industries",
    "registration",
    "as_of",
    "exactness",
)


@pytest.fixture
def moved(owner: Engine) -> None:
    """Since that day people have left, lost their work and become older."""
    with write_session(owner) as session:
        for change in (
            "UPDATE register.residence SET valid_to = '2026-08-09' WHERE id % 5 = 0",
            "UPDATE register.residence SET valid_from = '2026-07-01' WHERE id % 7 = 1",
            "UPDATE register.employment SET valid_to = '2026-09-09' WHERE id % 4 = 0",
            "UPDATE register.person SET birth_date = '1986-10-10' WHERE sex = 1",
        ):
            assert session.execute(text(change)).rowcount > 5  # type: ignore[attr-defined]
    owner.dispose()  # a copy of the city can only be made while nobody is connected


@pytest.fixture
def back_then(small_city: SmallCity, moved: None) -> Iterator[Engine]:
    """A copy of the city whose statistics were built for that day: what the answers are held against."""
    name = make_url(small_city.url).database
    assert name is not None
    url = testing.create_clone(name)
    made = make_engine(url, pool_size=2)
    with write_session(made) as session:
        rebuild(raw_copy(session), DAY)
    yield made
    made.dispose()
    testing.drop(url)


def _key(board: dict[str, Any]) -> dict[str, Any]:
    return {figure["id"]: figure["value"] for figure in board["key_figures"]}


@pytest.mark.parametrize("role", ["officer", "manager", "steward"])
def test_a_past_day_is_the_snapshot_of_that_day(
    role: str, small_city: SmallCity, back_then: Engine, browser: Browser
) -> None:
    own = {
        "officer": [("grid", str(small_city.grids[0])), ("grid", str(small_city.grids[1]))],
        "manager": [("grid", str(small_city.grids[2])), ("area", str(small_city.areas["330101"]))],
        "steward": [("area", str(small_city.areas["3301"])), ("grid", str(small_city.grids[7])),
                    ("cell", small_city.grid_cells[6])],
    }  # fmt: skip
    person = browser(role)
    with Session(back_then) as session:
        for kind, unit in own[role]:
            answer = person.get(f"/api/dashboards/{kind}/{unit}?date={DAY}")
            assert answer.status_code == 200, answer.text
            found, wanted = answer.json(), dashboard(session, CITY, kind, unit)
            assert found["basis"] == "day"
            assert {b: found[b] for b in BLOCKS} == {b: wanted[b] for b in BLOCKS}
            assert _key(found) == _key(wanted)
            today = person.get(f"/api/dashboards/{kind}/{unit}").json()
            assert found["pyramid"] != today["pyramid"]
            assert found["series"]["months"][-1] == "2026-05"


def test_a_cell_on_the_border_gives_only_the_own_part(
    small_city: SmallCity, moved: None, browser: Browser
) -> None:
    address = f"/api/dashboards/cell/{small_city.grid_cells[0]}?date={DAY}"
    cell = browser("officer").get(address).json()
    grid = browser("officer").get(f"/api/dashboards/grid/{small_city.grids[0]}?date={DAY}").json()
    assert cell["exactness"] == "duty"
    assert cell["pyramid"] == grid["pyramid"]
    parent = h3.cell_to_parent(small_city.grid_cells[1], 7)
    own = _key(browser("officer").get(f"/api/dashboards/cell/{parent}?date={DAY}").json())["residents"]
    whole = _key(browser("steward").get(f"/api/dashboards/cell/{parent}?date={DAY}").json())["residents"]
    assert 0 < own <= sum(PEOPLE[:2])
    assert own < whole


@pytest.mark.parametrize("day", [DAY, date(2026, 5, 31)])
def test_nobody_gets_the_past_of_what_is_not_theirs(
    day: date, small_city: SmallCity, moved: None, browser: Browser
) -> None:
    """Others' grids have no figures, others' areas only what is published of month ends."""
    for role, kind, unit in (
        ("officer", "grid", small_city.grids[2]),
        ("officer", "area", small_city.areas["330101001001"]),
        ("manager", "grid", small_city.grids[4]),
        ("manager", "area", small_city.areas["330102"]),
        ("analyst", "grid", small_city.grids[0]),
    ):
        found = browser(role).get(f"/api/dashboards/{kind}/{unit}?date={day}").json()
        assert found.get("exactness", "threshold") == "threshold"
        assert found.get("pyramid") is None
        assert found.get("tenure") is None
        for figure in found.get("key_figures", []):
            assert figure["value"] is None or figure["value"] >= 13


def test_the_parent_is_not_told_to_those_who_have_a_part_of_it(
    small_city: SmallCity, moved: None, browser: Browser
) -> None:
    found = browser("officer").get(f"/api/dashboards/grid/{small_city.grids[0]}?date={DAY}").json()
    assert all(figure["parent_value"] is None for figure in found["key_figures"])
    own = browser("manager").get(f"/api/dashboards/grid/{small_city.grids[0]}?date={DAY}").json()
    assert next(f["parent_value"] for f in own["key_figures"] if f["id"] == "residents") > 0


def test_an_analyst_gets_month_ends_and_no_small_number(
    small_city: SmallCity, moved: None, browser: Browser
) -> None:
    analyst = browser("analyst")
    shown = 0
    for kind, unit in [("area", a) for a in small_city.areas.values()] + [
        ("cell", c) for c in small_city.grid_cells
    ]:
        found = analyst.get(f"/api/dashboards/{kind}/{unit}?date={DAY}").json()
        assert (found["exactness"], found["basis"], found["as_of"]) == ("threshold", "month", "2026-05-31")
        assert found["pyramid"] is None
        for figure in found["registration"] or []:
            assert figure["value"] is None or figure["value"] >= 13
            shown += figure["value"] is not None
    assert shown > 0


@pytest.mark.parametrize(
    ("language", "day", "words"),
    [
        ("zh-CN", "2027-01-01", "不在保存的时间范围内"),
        ("en", "2027-01-01", "outside the time that is kept"),
        ("zh-CN", "1999-01-01", "不在保存的时间范围内"),
        ("en", "1999-01-01", "outside the time that is kept"),
    ],
)
def test_a_day_without_figures_is_told_in_words(
    language: str, day: str, words: str, small_city: SmallCity, browser: Browser
) -> None:
    answer = browser("officer", **{"accept-language": language}).get(
        f"/api/dashboards/grid/{small_city.grids[0]}?date={day}"
    )
    assert answer.status_code == 422
    assert answer.json()["code"] == "outside_history"
    assert words in answer.json()["detail"]


def test_the_look_at_a_past_day_is_in_the_trail(small_city: SmallCity, browser: Browser) -> None:
    browser("officer").get(f"/api/dashboards/grid/{small_city.grids[0]}?date={DAY}")
    with psycopg.connect(small_city.url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "SELECT params->>'date' FROM audit.event WHERE action = 'dashboard.view' ORDER BY id DESC LIMIT 1"
        ).fetchone()
    assert row == (DAY.isoformat(),)

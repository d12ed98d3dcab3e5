"""Unusual use: each planted case is found by its own rule; a month of ordinary work gives no finding at all."""

from __future__ import annotations

import random
from datetime import date, timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, text

from db.engine import write_session
from privacy import unusual
from tests.small_city import SmallCity, plain

DAY = date(2026, 11, 18)  # a Wednesday


@pytest.fixture
def people(small_city: SmallCity) -> list[list[UUID]]:
    """Who lives in each grid; family names as mixed as a real street's."""
    with psycopg.connect(plain(small_city.url)) as connection:
        connection.execute(
            """UPDATE register.person
               SET name = substr('王李陈黄周吴徐孙胡朱', 1 + (substr(key, 2)::int % 10), 1) || '某'"""
        )
        return [
            [p for (p,) in connection.execute(
                "SELECT person_id FROM register.residence WHERE grid_id = %s ORDER BY person_id", (grid,))]
            for grid in small_city.grids
        ]  # fmt: skip


def _event(
    connection: psycopg.Connection,
    city: SmallCity,
    at: str,
    *persons: UUID,
    action: str = "person.view",
    params: str = "{}",
    role: str = "officer",
) -> None:
    """An event of a past hour: written as the trail is, its time set back (the chain is not this test's matter)."""
    connection.execute("ALTER TABLE audit.event DISABLE TRIGGER event_append_only")
    number = connection.execute(
        "SELECT audit.write(%s, %s, %s, %s, 'person', 'duty', '', %s::jsonb, %s)",
        (city.users[role], role, role, action, params, list(persons)),
    ).fetchone()
    assert number is not None
    connection.execute(
        "UPDATE audit.event SET at = %s::timestamp AT TIME ZONE 'Asia/Shanghai' WHERE id = %s",
        (at, number[0]),
    )


def _found(owner: Engine, day: date = DAY) -> dict[str, dict[str, object]]:
    with write_session(owner) as session:
        unusual.find(session, day)
        unusual.find(session, day)  # again: nothing twice
        rows = session.execute(
            text("SELECT rule, account, person_id, params FROM audit.finding WHERE day = :day"), {"day": day}
        ).all()
    assert len({row.rule for row in rows}) == len(rows)
    return {row.rule: {"account": row.account, "person": row.person_id, **row.params} for row in rows}


def test_each_planted_case_is_found_by_its_rule(
    small_city: SmallCity, owner: Engine, people: list[list[UUID]]
) -> None:
    own, foreign = people[0], people[4]
    with psycopg.connect(plain(small_city.url)) as c:
        c.execute(
            """UPDATE ops."user" SET name = '{"zh": "王小明", "en": "Wang"}' WHERE account = 'manager'"""
        )
        wangs = [p for (p,) in c.execute("SELECT id FROM register.person WHERE name LIKE '王%' LIMIT 9")]
        for n in range(6):
            _event(c, small_city, f"{DAY} 23:1{n}", own[n])  # outside hours
        for n in range(5):
            _event(c, small_city, f"{DAY - timedelta(2 * n)} 10:00", own[7])  # again and again
            _event(c, small_city, f"{DAY} 11:0{n}", action="identity.view", params='{"reveal": true}')
        for n in range(10):
            _event(c, small_city, f"{DAY} 12:{n:02}", action="person_search.view", params='{"hits": 50}')
            _event(c, small_city, f"{DAY} 13:{n:02}", action="refused")
        for person in foreign[:4]:
            _event(c, small_city, f"{DAY} 14:00", person)  # not the officer's grid
        for person in wangs:
            _event(c, small_city, f"{DAY} 15:00", person, role="manager")
        _event(c, small_city, f"{DAY} 16:00", *(UUID(int=n) for n in range(201)), role="steward")
    found = _found(owner)
    assert set(found) == set(unusual.rules().rules)
    assert found["many_looks"] == {"account": "steward", "person": None, "persons": 201}
    assert found["outside_hours"] == {
        "account": "officer", "person": None, "looks": 6, "first": "23:10", "last": "23:15"
    }  # fmt: skip
    assert found["same_person"]["person"] == own[7]
    assert found["outside_duty"] | {"persons": 4} == found["outside_duty"]
    assert found["own_family_name"] == {"account": "manager", "person": None, "persons": 9, "of": 9}
    assert found["refusals"]["refused"] == 10


def test_ordinary_work_gives_no_finding(
    small_city: SmallCity, owner: Engine, people: list[list[UUID]]
) -> None:
    """Three weeks of an officer and a manager: visits in working hours, a few returns, changes made, own territory."""
    draw = random.Random(3)
    with psycopg.connect(plain(small_city.url)) as c:
        c.execute("""UPDATE ops."user" SET name = '{"zh": "王小明", "en": "Wang"}'""")
        for back in range(21):
            day = DAY - timedelta(back)
            if day.isoweekday() > 5:
                continue
            for _ in range(25):
                at = f"{day} {draw.randint(8, 19):02}:{draw.randint(0, 59):02}"
                _event(c, small_city, at, draw.choice(people[0] + people[1]))
                _event(
                    c, small_city, at, draw.choice([p for grid in people[:4] for p in grid]), role="manager"
                )
            _event(c, small_city, f"{day} 21:30", people[0][1])  # one late look is no pattern
            _event(c, small_city, f"{day} 10:00", people[2][0], action="act.confirm", role="manager")
            _event(c, small_city, f"{day} 10:10", action="person_search.view", params='{"hits": 45}')
            _event(c, small_city, f"{day} 10:20", action="refused")
    with write_session(owner) as session:
        for back in range(14):
            unusual.find(session, DAY - timedelta(back))
        rows = session.execute(
            text("SELECT rule, params FROM audit.finding WHERE rule <> 'same_person'")
        ).all()
    assert rows == []


def test_weekends_and_holidays_are_outside_hours_and_make_up_days_are_not(
    small_city: SmallCity, owner: Engine, people: list[list[UUID]]
) -> None:
    for day, outside in ((date(2026, 11, 15), True), (date(2026, 10, 1), True), (date(2026, 10, 10), False)):
        with psycopg.connect(plain(small_city.url)) as c:
            for n in range(6):
                _event(c, small_city, f"{day} 10:0{n}", people[0][n])
        assert ("outside_hours" in _found(owner, day)) is outside, day


@pytest.mark.parametrize(
    ("old", "new"),
    [("persons = 200", "persons = 0"), ("persons = 200", "person = 200"), ('from = "07:00"', 'from = "7 Uhr"'),
     ("[rules.refusals]", "[rules.refusal]"), ("on = true", "")],
)  # fmt: skip
def test_a_spoiled_file_of_rules_is_refused(old: str, new: str) -> None:
    content = unusual._FILE.read_text("utf-8")
    assert old in content
    with pytest.raises(unusual.UnusualRulesError):
        unusual.read_rules(content.replace(old, new, 1))

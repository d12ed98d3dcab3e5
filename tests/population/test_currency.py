"""How current the register is: figures that equal a count, whatever happened; and each check by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from population.currency import checks as cases
from population.currency.checks import CheckError, read_checks
from population.statistics.rebuild import rebuild
from tests.population.changes import START, Changes, lay_out_areas
from tests.small_city import plain

Conn = psycopg.Connection[Any]


@pytest.fixture
def conn(database: str) -> Iterator[Conn]:
    with psycopg.connect(plain(database)) as made:
        lay_out_areas(made)
        yield made


def kept(conn: Conn) -> tuple[list[Any], list[Any]]:
    return (
        conn.execute("SELECT * FROM stats.place_confirmed ORDER BY 1, 2, 3, 4").fetchall(),
        conn.execute("SELECT * FROM stats.place_capacity ORDER BY 1, 2, 3").fetchall(),
    )


def counted_anew(conn: Conn, today: date) -> tuple[list[Any], list[Any]]:
    """By plain Python over the rows: an independent count."""
    days: dict[tuple[int, int, int, date], int] = {}
    for community, grid, cell, on in conn.execute(
        """SELECT coalesce(r.community_id, 0), coalesce(r.grid_id, 0), r.cell, r.confirmed_on FROM register.residence r
           JOIN register.person p ON p.id = r.person_id
           WHERE r.superseded_at IS NULL AND r.valid_from <= %(d)s
             AND least(coalesce(r.valid_to, 'infinity'), coalesce(p.valid_to, 'infinity')) > %(d)s""",
        {"d": today},
    ):
        day = on if on is not None and on > today - timedelta(days=180) else date(1900, 1, 1)
        key = (community, grid, cell, day)
        days[key] = days.get(key, 0) + 1
    rooms: dict[tuple[int, int, int], list[int]] = {}
    for community, grid, cell, capacity in conn.execute(
        """SELECT coalesce(community_id, 0), coalesce(grid_id, 0), cell, capacity FROM register.dwelling
           WHERE capacity IS NOT NULL AND valid_from <= %(d)s AND (valid_to IS NULL OR valid_to > %(d)s)""",
        {"d": today},
    ):
        into = rooms.setdefault((community, grid, cell), [0, 0])
        into[0] += 1
        into[1] += capacity
    return (
        [(*key, n) for key, n in sorted(days.items())],
        [(*key, *values) for key, values in sorted(rooms.items())],
    )


@pytest.mark.parametrize("seed", [21, 22])
def test_figures_equal_a_count_after_every_kind_of_change(conn: Conn, seed: int) -> None:
    changes = Changes(conn, seed)
    changes.start()
    for step in range(40):
        changes.one()
        if step % 3 == 0:
            conn.execute(
                """UPDATE register.residence SET confirmed_on = %s::date - (random() * 400)::integer
                   WHERE random() < 0.2""",
                (changes.today,),
            )
            conn.execute(
                "UPDATE register.dwelling SET capacity = nullif(floor(random() * 6), 0) WHERE random() < 0.2"
            )
        if step % 10 == 9:
            changes.today += timedelta(days=17)
            conn.execute("SELECT stats.advance(%s)", (changes.today,))
        if step % 5 == 4:
            assert kept(conn) == counted_anew(conn, changes.today), f"seed {seed}, step {step}"
    before = kept(conn)
    assert before[0]
    rebuild(conn, changes.today)
    assert kept(conn) == before


def test_a_rebuild_for_an_earlier_day_counts_anew(conn: Conn) -> None:
    changes = Changes(conn, 3)
    changes.start()
    conn.execute("UPDATE register.residence SET confirmed_on = %s::date - 100", (START,))
    conn.execute("SELECT stats.advance(%s)", (START + timedelta(days=90),))
    assert {row[3] for row in kept(conn)[0]} == {date(1900, 1, 1)}
    rebuild(conn, START)
    assert kept(conn) == counted_anew(conn, START)


class Street:
    """One building by hand: dwellings, people, what is known of them."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        conn.execute("UPDATE stats.state SET as_of = %s", (TODAY,))
        self.building = self.one(
            """INSERT INTO register.building (key, lng, lat, cell, community_id)
               VALUES ('B', 121.4, 31.2, 622236723497533439, 101) RETURNING id"""
        )
        self.employer = self.one(
            """INSERT INTO register.employer (key, industry, lng, lat, cell, community_id)
               VALUES ('E', 'C', 121.4, 31.2, 622236723497533439, 101) RETURNING id"""
        )
        pupil = self.person(self.dwelling(), born=date(2016, 1, 1))
        conn.execute(
            "INSERT INTO register.schooling (person_id, stage, valid_from) VALUES (%s, 'primary', '2024-09-01')",
            (pupil,),
        )

    def one(self, query: str, *values: Any) -> Any:
        row = self.conn.execute(query, values).fetchone()
        assert row is not None
        return row[0]

    def dwelling(self, tenure: str = "own", capacity: int = 9, area: float = 200) -> int:
        found: int = self.one(
            """INSERT INTO register.dwelling (key, building_id, tenure, capacity, area_m2, cell)
               VALUES (%s, %s, %s, %s, %s, 0) RETURNING id""",
            str(uuid.uuid4()), self.building, tenure, capacity, area,
        )  # fmt: skip
        return found

    def person(
        self,
        dwelling: int,
        *,
        born: date = date(1990, 1, 1),
        since: date = date(2020, 1, 1),
        status: str = "registered",
        permit: str = "none",
        until: date | None = None,
        seen: date | None = None,
        by: str = "police",
        household: uuid.UUID | None = None,
    ) -> uuid.UUID:
        person: uuid.UUID = self.one(
            "INSERT INTO register.person (key, birth_date) VALUES (%s, %s) RETURNING id",
            str(uuid.uuid4()),
            born,
        )
        self.conn.execute(
            """INSERT INTO register.residence (person_id, household_id, dwelling_id, status, permit, permit_until,
                 valid_from, confirmed_on, confirmed_source, cell) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0)""",
            (person, household, dwelling, status, permit, until, since, seen or TODAY, by),
        )
        return person

    def job(self, person: uuid.UUID, until: date | None = None) -> None:
        self.conn.execute(
            """INSERT INTO register.employment (person_id, employer_id, valid_from, valid_to, cell)
               VALUES (%s, %s, '2020-01-01', %s, 0)""",
            (person, self.employer, until),
        )

    def open(self, today: date | None = None) -> set[tuple[str, Any]]:
        """Look, and what is open then: (check, person or dwelling)."""
        cases.look(self.conn, today or TODAY)
        return {
            (check, person or dwelling)
            for check, person, dwelling in self.conn.execute(
                "SELECT check_id, person_id, dwelling_id FROM ops.work_item WHERE state = 'open'"
            )
        }


TODAY = date(2026, 11, 24)


@pytest.fixture
def street(conn: Conn) -> Street:
    return Street(conn)


def days(number: int) -> date:
    return TODAY - timedelta(days=number)


def test_nothing_to_do_where_all_is_well(street: Street) -> None:
    assert street.open() == set()


def test_a_child_of_school_age_without_a_school(street: Street) -> None:
    home = street.dwelling()
    six = street.person(home, born=date(2020, 8, 31))
    street.person(home, born=date(2020, 9, 1))
    fourteen = street.person(home, born=date(2011, 9, 1))
    street.person(home, born=date(2011, 8, 31))
    assert street.open() == {("no_school", six), ("no_school", fourteen)}


def test_too_many_in_a_dwelling_by_space_and_by_capacity(street: Street) -> None:
    narrow, full, right = (
        street.dwelling(area=14.9),
        street.dwelling(capacity=2),
        street.dwelling(capacity=3, area=15),
    )
    for home in (narrow, full, right):
        for _ in range(3):
            street.person(home)
    assert street.open() == {("crowded", narrow), ("crowded", full)}


def test_forty_in_one_room_are_one_visit(street: Street) -> None:
    room = street.dwelling("dormitory", capacity=8, area=30)
    for _ in range(40):
        street.person(room)
    assert street.open() == {("crowded", room)}
    facts = street.one("SELECT facts FROM ops.work_item")
    assert facts == {"people": 40, "area_m2": 30, "capacity": 8}


def test_permits_that_lapse_and_permits_that_could_be_had(street: Street) -> None:
    home, other = street.dwelling(), street.dwelling("other")
    last = street.person(home, status="floating", permit="valid", until=TODAY + timedelta(days=30))
    street.person(home, status="floating", permit="valid", until=TODAY + timedelta(days=31))
    lapsed = street.person(home, status="floating", permit="valid", until=days(1))
    street.person(home, status="floating", since=date(2026, 5, 25))
    due = street.person(home, status="floating", since=date(2026, 5, 24))
    street.person(other, status="floating")  # no job, no school, no stable home
    works = street.person(other, status="floating")
    street.job(works)
    assert street.open() == {
        ("permit_lapse", last), ("permit_due", lapsed), ("permit_due", due), ("permit_due", works),
    }  # fmt: skip
    assert street.one(
        "SELECT due_on FROM ops.work_item WHERE check_id = 'permit_lapse'"
    ) == TODAY + timedelta(30)


def test_new_arrivals_until_an_officer_has_seen_them(street: Street) -> None:
    home = street.dwelling()
    new = street.person(home, since=days(44), seen=TODAY)
    street.person(home, since=days(45), seen=TODAY)
    street.person(home, since=days(10), seen=days(9), by="officer")
    assert street.open() == {("new_arrival", new)}


def test_registered_in_one_home_living_in_another(street: Street) -> None:
    here, there = street.dwelling(), street.dwelling()
    household = street.one(
        "INSERT INTO register.household (key, dwelling_id, cell) VALUES ('H', %s, 0) RETURNING id", here
    )
    street.person(here, household=household)
    away = street.person(there, household=household)
    assert street.open() == {("elsewhere", away)}
    assert street.one("SELECT dwelling_id FROM ops.work_item") == here  # where the registration is looked at


def test_empty_registration_and_long_unseen(street: Street) -> None:
    empty, mixed, unseen, seen = (street.dwelling() for _ in range(4))
    street.person(empty, seen=days(366))
    street.person(empty, seen=days(500))
    street.person(mixed, seen=days(400))
    street.person(mixed, status="floating", permit="valid", seen=days(400))
    street.person(unseen, seen=days(181))
    street.person(seen, seen=days(180))
    assert street.open() == {
        ("empty_registration", empty), ("unseen", empty), ("unseen", mixed), ("unseen", unseen),
    }  # fmt: skip


def test_let_and_nobody_registered(street: Street) -> None:
    homes = [street.dwelling("rent") for _ in range(3)]
    for home, ends in zip(homes, (None, None, TODAY), strict=True):
        street.conn.execute(
            "INSERT INTO register.tenancy (dwelling_id, tenure, valid_from, valid_to)"
            " VALUES (%s, 'rent', '2026-01-01', %s)",
            (home, ends),
        )
    street.person(homes[1])
    assert street.open() == {("let_unregistered", homes[0])}


def test_insured_without_a_job(street: Street) -> None:
    home = street.dwelling()
    ended, works = street.person(home), street.person(home)
    street.job(ended, until=days(3))
    street.job(works)
    for person in (ended, works):
        street.conn.execute(
            "INSERT INTO register.insurance (person_id, kind, employer_id, valid_from)"
            " VALUES (%s, 'pension', %s, '2020-01-01')",
            (person, street.employer),
        )
    assert street.open() == {("insured_jobless", ended)}


def history(street: Street) -> list[tuple[str, str | None]]:
    return list(street.conn.execute("SELECT state, outcome FROM ops.work_event ORDER BY id"))


def test_an_item_goes_when_its_cause_is_gone_and_only_the_changed_are_looked_at(street: Street) -> None:
    home = street.dwelling()
    child, other = street.person(home, born=date(2017, 1, 1)), street.person(home, born=date(2018, 1, 1))
    assert street.open() == {("no_school", child), ("no_school", other)}
    assert not cases.anything_changed(street.conn)
    street.conn.execute(
        "INSERT INTO register.schooling (person_id, stage, valid_from) VALUES (%s, 'primary', '2026-09-01')",
        (child,),
    )
    assert cases.look_at_changed(street.conn, TODAY) == 1
    states = dict(street.conn.execute("SELECT person_id, state FROM ops.work_item").fetchall())
    assert states == {child: "gone", other: "open"}
    assert history(street)[-1] == ("gone", "cause_gone")
    street.conn.execute("DELETE FROM register.schooling WHERE person_id = %s", (child,))
    cases.look_at_changed(street.conn, TODAY)
    assert street.open() == {("no_school", child), ("no_school", other)}


def test_a_case_looked_at_rests_and_a_snoozed_one_comes_back(street: Street) -> None:
    room = street.dwelling(capacity=1)
    street.person(room)
    street.person(room)
    assert street.open() == {("crowded", room)}
    street.conn.execute(
        "UPDATE ops.work_item SET state = 'snoozed', snoozed_until = %s", (TODAY + timedelta(days=3),)
    )
    assert street.open(TODAY + timedelta(days=2)) == set()
    assert street.open(TODAY + timedelta(days=3)) == {("crowded", room)}
    street.conn.execute(
        "UPDATE ops.work_item SET state = 'done', quiet_until = %s", (TODAY + timedelta(days=90),)
    )
    assert street.open(TODAY + timedelta(days=89)) == set()
    assert street.open(TODAY + timedelta(days=90)) == {("crowded", room)}


CHECK = """
[[checks]]
id = "{id}"
severity = 1
due_days = 1
quiet_days = 1
title = {{ zh = "一", en = "One" }}
text = {{ zh = "一", en = "One" }}
ground = {{ zh = "法", en = "Law" }}
definition = {{ zh = "一", en = "One" }}
{more}
"""


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("no_such", ""),
        ("unseen", ""),  # its limit is missing
        ("unseen", "limits = { days = 1, weeks = 2 }"),
        ("elsewhere", "urgent = true"),
    ],
)
def test_a_wrong_file_of_checks_is_an_error(name: str, more: str) -> None:
    with pytest.raises(CheckError):
        read_checks(CHECK.format(id=name, more=more))

"""Deliveries as they come: twice, in the wrong order, rare names, days to come, crowds, every tenth row a double."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.engine import make_engine, write_session
from population.register import records, search
from tests.faults.town import HOMES, PEOPLE, Rows, Town, id_number

pytestmark = pytest.mark.faults

RARE = ("𬭎㛃", "欧阳㛃", "Zoë O'Neil", "阿依古丽·买买提")
LODGERS = 40


@contextmanager
def steward(town: Town) -> Iterator[Session]:
    """The register as a steward of the city reads it: the app's role, under row-level security."""
    engine, user, token = make_engine(town.url, 1), uuid.uuid4(), secrets.token_bytes(32)
    with write_session(engine) as session:
        session.execute(
            text(
                """INSERT INTO ops."user" (id, account, name, role, password_hash)
                   VALUES (:id, :account, '{}', 'steward', 'x')"""
            ),
            {"id": user, "account": f"steward {user}"},
        )
        session.execute(
            text(
                "INSERT INTO ops.user_session (token_hash, user_id, expires_at)"
                " VALUES (:token, :id, now() + interval '1 hour')"
            ),
            {"token": token, "id": user},
        )
        session.execute(text("SET LOCAL ROLE hexward_app"))
        session.execute(text("SELECT ops.enter(:token, 3600)"), {"token": token})
        yield session
    engine.dispose()


def homes_of(town: Town, key: str) -> list[tuple[str, date, date | None]]:
    """What is believed of where a person lived, in order."""
    return [
        tuple(row)
        for row in town.rows(
            "select d.key, r.valid_from, r.valid_to from register.residence r"
            " join register.person p on p.id = r.person_id join register.dwelling d on d.id = r.dwelling_id"
            " where p.key = %s and r.superseded_at is null order by 2",
            key,
        )
    ]


def test_the_same_again_in_another_order_and_an_older_file_after_a_newer_one(settled: Town) -> None:
    assert settled.load().code == 0
    first = settled.table("people")
    versions = "select count(*), max(id), min(recorded_at), max(superseded_at) from register.residence"
    before = settled.rows(versions)
    settled.write("people", [first[0], *first[:0:-1]])
    assert settled.load().code == 0
    assert (settled.rows(versions), settled.rejected("people")) == (before, [])

    newer = [row[:] for row in first]
    newer[1][6], newer[1][7], newer[1][9] = "D050", "H050", "2026-01-01"
    settled.write("people", newer)
    assert settled.load().code == 0
    moved = [("D002", date(2020, 1, 1), date(2026, 1, 1)), ("D050", date(2026, 1, 1), None)]
    assert homes_of(settled, "P0001") == moved
    settled.write("people", [first[0], *first[:1:-1], first[1]])  # what was true before the move
    assert settled.load().code == 0
    assert homes_of(settled, "P0001") == moved
    assert settled.people_counted_twice() == (PEOPLE, PEOPLE)


def _rare_and_crowded(rows: Rows) -> None:
    for row, name in zip(rows[1:], RARE, strict=False):
        row[2] = name
    for row in rows[5 : 5 + LODGERS]:
        row[6], row[7] = f"D{HOMES:03}", f"H{HOMES:03}"


def test_rare_names_are_shown_and_found_and_forty_in_one_room_are_seen_as_a_crowd(settled: Town) -> None:
    settled.edit("people", _rare_and_crowded)
    assert settled.load().code == 0
    assert settled.rejected("people") == []
    assert settled.people_counted_twice() == (PEOPLE, PEOPLE)
    keys = [f"P{n:04}" for n in range(1, len(RARE) + 1)]
    people = settled.rows("select id from register.person where key = any(%s) order by key", keys)
    living = (
        "select count(*) from register.residence r join register.dwelling d on d.id = r.dwelling_id"
        " where d.key = %s"
    )
    crowd = int(settled.value(living, f"D{HOMES:03}"))
    assert crowd >= LODGERS
    home = settled.value("select id from register.dwelling where key = %s", f"D{HOMES:03}")
    building = settled.value("select building_id from register.dwelling where id = %s", home)
    with steward(settled) as session:
        for name, (person,) in zip(RARE, people, strict=True):
            assert records.person(session, person)["person"]["name"] == name
            hits = search.search(session, name, 5, date(2026, 11, 24)).hits
            assert hits[0]["name"] == name, (name, hits)
        page = records.building(session, building)
    rooms = {one["id"]: one for floor in page["floors"] for one in floor["dwellings"]}
    assert (rooms[home]["people"], rooms[home]["crowded"]) == (crowd, True)
    assert not all(one["crowded"] for one in rooms.values())
    ((narrow,),) = settled.rows(
        "select sum(crowd_lt8) from stats.unit_figures join geo.area on area.id = unit_id"
        " where unit_kind = 'area' and level = 0"
    )
    assert narrow > 0


def _unborn_and_doubled(rows: Rows) -> None:
    rows[1][1], rows[1][4], rows[1][9] = "", "2091-01-01", ""
    rows[2][1], rows[2][4], rows[2][9] = id_number(2, date(2091, 1, 1)), "", ""
    for n in range(10, PEOPLE + 1, 10):
        rows[n][0] = rows[n - 1][0]


def test_days_to_come_and_every_tenth_row_a_double_are_kept_with_their_reasons(settled: Town) -> None:
    settled.edit("people", _unborn_and_doubled)
    told = settled.load()
    assert (told.code, "Traceback" in told.err) == (0, False)
    rejected = settled.rejected("people")
    assert rejected[0] == (2, "birth_date", "in_the_future")
    assert rejected[1][:2] == (3, "id_number")
    doubles = PEOPLE // 10
    assert [one[2] for one in rejected[2:]] == ["duplicate_key"] * doubles
    assert settled.people_counted_twice() == (PEOPLE - 2 - doubles,) * 2
    kept = settled.value(
        'select count(*) from ops.rejected_row where "row" is not null and run_id = (select max(id) from'
        " ops.import_run where source = 'people')"
    )
    assert kept == len(rejected)

"""Statistics kept current by the triggers against statistics rebuilt from scratch."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from population.statistics.bulk import counting_off
from population.statistics.compute import OrphanError
from population.statistics.rebuild import rebuild, snapshot
from population.statistics.series import OverlapError
from tests.population.changes import START, Changes, Conn
from tests.population.conftest import plain

STATS = ("place_figures", "unit_figures", "unit_series", "counted_dwelling", "counted_household", "counted_person",
         "counted_move")  # fmt: skip
COUNTED = ("building", "dwelling", "household", "residence", "employer", "employment", "schooling")


def everything(conn: Conn) -> dict[str, Counter[Any]]:
    """Every row of every table that statistics write, as text."""
    tables = [f"stats.{table}" for table in STATS] + [f"register.{table}" for table in COUNTED]
    return {t: Counter(row for (row,) in conn.execute(f"SELECT x::text FROM {t} x")) for t in tables}


def compare(conn: Conn, said: str) -> None:
    """What the triggers keep is what a rebuild gives, to the row."""
    kept = everything(conn)
    as_of, series_from = conn.execute("SELECT as_of, series_from FROM stats.state").fetchone() or (None, None)
    with conn.transaction(force_rollback=True):
        report = rebuild(conn, as_of, series_from)
        fresh = everything(conn)
    for table, rows in kept.items():
        wrong = list((rows - fresh[table]) + (fresh[table] - rows))
        assert not wrong, f"{table} after {said}: {wrong[:6]}"
    assert report.repaired == {}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kept_current_equals_rebuilt(conn: Conn, seed: int) -> None:
    changes = Changes(conn, seed)
    changes.start()
    compare(conn, "start")
    done: Counter[str] = Counter()
    for number in range(1, 1101):
        done[changes.one()] += 1
        if number % 100 == 0:
            compare(conn, f"{number} changes")
            conn.commit()
    assert sum(n for kind, n in done.items() if not kind.startswith("refused")) > 800
    assert {kind.__name__ for kind in changes.kinds} <= set(done)
    people = conn.execute("SELECT residents FROM stats.unit_figures WHERE unit_kind = 'area' AND unit_id = 1")
    assert (people.fetchone() or (0,))[0] > 10


def test_the_comparison_finds_a_change_that_was_not_counted(conn: Conn) -> None:
    changes = Changes(conn, 4)
    changes.start()
    compare(conn, "start")
    conn.execute("SET LOCAL hexward.bulk = 'on'")
    changes.new_building()
    conn.execute("SET LOCAL hexward.bulk = 'off'")
    with pytest.raises(AssertionError, match="place_figures"):
        compare(conn, "an uncounted building")


def test_a_rebuild_puts_right_what_a_bulk_load_left_uncounted(conn: Conn) -> None:
    conn.execute("UPDATE stats.state SET as_of = %s, series_from = '2025-09-01'", (START,))
    conn.execute("SET LOCAL hexward.bulk = 'on'")
    cell = Changes(conn, 5).cells[0]
    conn.execute("INSERT INTO register.building (id, key, lng, lat, cell, community_id, dwellings_count) VALUES"
                 " (1, 'b', 121, 31, %s, 101, 9)", (cell,))  # fmt: skip
    conn.execute(
        "INSERT INTO register.dwelling (id, key, building_id, cell, area_m2, rooms) VALUES (1, 'd', 1, 0, 30, 2)"
    )
    conn.execute(
        "INSERT INTO register.household (id, key, dwelling_id, cell) SELECT gen_random_uuid(), 'h', 1, 0"
    )
    conn.execute(
        "INSERT INTO register.person (key, sex, birth_date)"
        " SELECT 'p' || n, 1, '1990-01-01' FROM generate_series(1, 3) n"
    )
    conn.execute(
        "INSERT INTO register.residence (person_id, household_id, dwelling_id, cell, status, valid_from)"
        " SELECT p.id, h.id, 1, 0, 'registered', '2026-01-10' FROM register.person p, register.household h"
    )
    conn.execute("SET LOCAL hexward.bulk = 'off'")
    report = rebuild(conn, START)
    assert report.repaired == {"building": 1, "dwelling": 1, "household": 1, "residence": 3}
    found = conn.execute(
        "SELECT residents, m_35_39, households, hh_3, other_tenure, crowd_8_15, ppr_1_2, dwellings, dwellings_occupied"
        " FROM stats.unit_figures WHERE unit_kind = 'area' AND unit_id = 101"
    ).fetchone()
    assert found == (3, 3, 1, 1, 1, 3, 3, 1, 1)
    moved = conn.execute("SELECT moved_in FROM stats.unit_month WHERE unit_kind = 'area' AND unit_id = 1"
                         " AND month = '2026-01-01'").fetchone()  # fmt: skip
    assert moved == (3,)
    compare(conn, "the rebuild")


def test_a_rebuild_refuses_a_register_that_contradicts_itself(conn: Conn) -> None:
    changes = Changes(conn, 6)
    changes.start()
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL hexward.bulk = 'on'")
        conn.execute(
            "INSERT INTO register.residence (person_id, cell, status, valid_from, valid_to)"
            " SELECT person_id, cell, status, valid_from, valid_from + 1 FROM register.residence WHERE valid_to IS NULL"
        )
        with pytest.raises(OverlapError):
            rebuild(conn, START)
    with conn.transaction(force_rollback=True):
        conn.execute("ALTER TABLE register.residence DROP CONSTRAINT residence_person_fk")
        conn.execute("SET LOCAL hexward.bulk = 'on'")
        conn.execute(
            "UPDATE register.residence SET person_id = gen_random_uuid()"
            " WHERE id = (SELECT min(id) FROM register.residence)"
        )
        with pytest.raises(OrphanError):
            rebuild(conn, START)


def test_the_past_is_what_a_rebuild_for_that_day_says(conn: Conn) -> None:
    changes = Changes(conn, 8)
    changes.start()
    for _ in range(150):
        changes.one()
    for back in (0, 1, 45, 200):
        day = changes.today - timedelta(days=back)
        asked = snapshot(conn, day)
        with conn.transaction(force_rollback=True):
            rebuild(conn, day, date(2024, 1, 1))
            names = asked.units.columns
            kept = conn.execute(f"SELECT {', '.join(names)} FROM stats.unit_figures").fetchall()
        assert Counter(_plain(r) for r in kept) == Counter(_plain(r) for r in asked.units.rows())


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(v if isinstance(v, str) or v is None else float(v) for v in row)


def test_series_agree_with_the_past(conn: Conn) -> None:
    changes = Changes(conn, 9)
    changes.start()
    for _ in range(200):
        changes.one()
    months = conn.execute("SELECT month, day FROM stats.months()").fetchall()
    assert len(months) >= 7
    for month, day in months:
        past = {(r["unit_kind"], r["unit_id"]): r for r in snapshot(conn, day).units.rows(named=True)}
        rows = conn.execute(
            "SELECT unit_kind, unit_id, residents, registered, floating FROM stats.unit_month WHERE month = %s",
            (month,),
        )
        seen = {(k, u): (a, b, c) for k, u, a, b, c in rows if a}
        assert seen == {
            k: (r["residents"], r["registered"], r["floating"]) for k, r in past.items() if r["residents"]
        }


def test_a_move_counts_in_the_units_that_hold_one_end_of_it(conn: Conn) -> None:
    conn.execute("UPDATE stats.state SET as_of = '2026-03-20', series_from = '2026-01-01'")
    cells = Changes(conn, 1).cells
    for number, (community, cell) in enumerate([(101, cells[0]), (103, cells[1]), (102, cells[2])], 1):
        conn.execute("INSERT INTO register.building (id, key, lng, lat, cell, community_id)"
                     " VALUES (%s, %s, 121, 31, %s, %s)",
                     (number, f"b{number}", cell, community))  # fmt: skip
        conn.execute(
            "INSERT INTO register.dwelling (id, key, building_id) VALUES (%s, %s, %s)",
            (number, f"d{number}", number),
        )
    (person,) = conn.execute("INSERT INTO register.person (key) VALUES ('p') RETURNING id").fetchone() or (
        None,
    )
    stays = [(1, "2020-01-01", "2026-02-03"), (2, "2026-02-03", "2026-03-05"), (3, "2026-03-05", None)]
    for dwelling, begins, ends in stays:  # 101 and 103 are in district 11, 102 is in district 12
        conn.execute("INSERT INTO register.residence (person_id, dwelling_id, status, valid_from, valid_to)"
                     " VALUES (%s, %s, 'floating', %s, %s)", (person, dwelling, begins, ends))  # fmt: skip
    moved = {
        (unit, month.month): (came, left)
        for unit, month, came, left in conn.execute(
            "SELECT unit_id, month, moved_in, moved_out FROM stats.unit_month WHERE unit_kind = 'area'"
        )
        if came or left
    }
    assert moved == {
        (101, 2): (0, 1),
        (103, 2): (1, 0),
        (103, 3): (0, 1),
        (11, 3): (0, 1),
        (102, 3): (1, 0),
        (12, 3): (1, 0),
    }


def test_no_two_residences_at_once(conn: Conn) -> None:
    (person,) = conn.execute("INSERT INTO register.person (key) VALUES ('p') RETURNING id").fetchone() or (
        None,
    )
    insert = """INSERT INTO register.residence (person_id, cell, status, valid_from, valid_to)
                VALUES (%s, 622351711512100863, 'floating', %s, %s)"""
    conn.execute(insert, (person, "2020-01-01", "2021-01-01"))
    for begins, ends in (("2020-06-01", None), ("2019-01-01", "2020-01-02"), ("2020-03-01", "2020-04-01")):
        with pytest.raises(psycopg.errors.ExclusionViolation), conn.transaction():
            conn.execute(insert, (person, begins, ends))
    conn.execute(insert, (person, "2021-01-01", None))
    with pytest.raises(psycopg.errors.UniqueViolation), conn.transaction():
        conn.execute(insert, (person, "2022-01-01", None))


# Tables from which no figure is made; a new table is counted unless it is named here.
NOT_COUNTED = {
    "tenancy", "insurance", "permit", "act", "act_change", "notice", "reading", "person_search", "search_due",
    "person_ask", "person_ask_to", "declaration",
}  # fmt: skip


def test_every_table_of_the_register_is_watched(conn: Conn) -> None:
    """A table added to the register without triggers would drift in silence."""
    tables = {
        name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'register'")
    }
    watched: dict[str, set[str]] = {table: set() for table in tables}
    for table, name in conn.execute(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE c.relnamespace = 'register'::regnamespace AND NOT t.tgisinternal AND t.tgenabled = 'O'"
    ):
        watched[table].add(name)
    common = {"a_one_writer", "a_refuse_truncate", "c_count_update"}
    full = common | {"b_place", "c_count_insert", "c_count_delete"}
    counted = tables - NOT_COUNTED
    assert counted == {*COUNTED, "person"}
    for table in counted:
        assert watched[table] >= (common if table == "person" else full), table
    for table in counted:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState), conn.transaction():
            conn.execute(f"TRUNCATE register.{table} CASCADE")


def test_counting_stands_aside_only_within_the_block(conn: Conn) -> None:
    changes = Changes(conn, 13)
    changes.start()
    before = everything(conn)["stats.place_figures"]
    with counting_off(conn):
        changes.new_building()
    assert everything(conn)["stats.place_figures"] == before
    changes.new_building()
    assert everything(conn)["stats.place_figures"] != before


def test_two_writers_at_once_neither_drift_nor_deadlock(database: str, conn: Conn) -> None:
    changes = Changes(conn, 12)
    changes.start()
    conn.commit()
    homes = [row[0] for row in conn.execute("SELECT id FROM register.dwelling ORDER BY id")]
    people = [row[0] for row in conn.execute("SELECT id FROM register.person ORDER BY id")]
    conn.commit()
    failed: list[BaseException] = []

    def write(order: int) -> None:
        try:
            with psycopg.connect(plain(database)) as mine:
                for round_ in range(12):  # the same rows, each writer in the other's order
                    for person, home in list(zip(people, homes, strict=False))[::order]:
                        mine.execute(
                            "UPDATE register.person SET sex = %s WHERE id = %s", (1 + round_ % 2, person)
                        )
                        mine.execute(
                            "UPDATE register.dwelling SET area_m2 = %s WHERE id = %s", (10 + round_, home)
                        )
                        mine.execute("UPDATE register.residence SET dwelling_id = %s"
                                     " WHERE person_id = %s AND valid_to IS NULL",
                                     (home, person))  # fmt: skip
                    mine.commit()
        except psycopg.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    compare(conn, "two writers")

"""A small register, and random changes of every kind to it, straight in SQL."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import h3
import psycopg

CENTRE = (31.2, 121.4)
DISTRICTS, COMMUNITIES, GRIDS = 2, 6, 24
START = date(2026, 3, 20)

Conn = psycopg.Connection[Any]


def lay_out_areas(conn: Conn) -> None:
    """A city (1), two districts (11, 12), six communities (101..106)."""
    conn.execute(
        """INSERT INTO geo.area_level VALUES (0, 'city', '{}'), (1, 'district', '{}'), (2, 'community', '{}')"""
    )
    rows = [(1, 0, None, [1])]
    rows += [(11 + d, 1, 1, [1, 11 + d]) for d in range(DISTRICTS)]
    rows += [(101 + c, 2, 11 + c % DISTRICTS, [1, 11 + c % DISTRICTS, 101 + c]) for c in range(COMMUNITIES)]
    for area, level, parent, path in rows:
        conn.execute(
            """INSERT INTO geo.area (id, code, level, parent_id, name, path, geom, area_m2) VALUES
               (%s, %s, %s, %s, 'x', %s, ST_Multi(ST_MakeEnvelope(121, 31, 121.1, 31.1, 4326)), 1e6)""",
            (area, str(area), level, parent, path),
        )


class Changes:
    """Random changes; ``one()`` makes one and says which."""

    def __init__(self, conn: Conn, seed: int) -> None:
        self.conn = conn
        self.random = random.Random(seed)
        self.cells = [int(h3.str_to_int(c)) for c in sorted(h3.grid_disk(h3.latlng_to_cell(*CENTRE, 10), 6))]
        self.today = START
        self.serial = 0
        self.kinds: list[Callable[[], None]] = [
            self.new_person, self.new_person, self.settle, self.settle, self.settle, self.settle_many, self.move,
            self.move_in_one_statement, self.leave, self.correct, self.backdate, self.forget_residence, self.status,
            self.person, self.person_ends, self.new_building, self.move_building, self.building_counts,
            self.new_dwelling, self.new_dwelling, self.dwelling, self.dwelling_elsewhere, self.forget_dwelling,
            self.new_household, self.household, self.household_moves, self.forget_household, self.join_household,
            self.new_employer, self.employer, self.employer_moves, self.hire, self.hire, self.hire_many, self.job,
            self.forget_job, self.school, self.leave_school, self.next_day, self.upsert,
        ]  # fmt: skip

    def start(self) -> None:
        """Enough for every kind of change to find something."""
        self.conn.execute(
            "UPDATE stats.state SET as_of = %s, series_from = %s", (self.today, date(2025, 9, 1))
        )
        homes = [(self.new_building, 12), (self.new_dwelling, 25), (self.new_household, 15)]
        people = [(self.new_person, 40), (self.new_employer, 6), (self.settle, 30), (self.hire, 15)]
        for make, times in homes + people:
            for _ in range(times):
                self._try(make)

    def one(self) -> str:
        """Make one change; one that the register refuses leaves nothing behind."""
        kind = self.random.choice(self.kinds)
        return kind.__name__ if self._try(kind) else f"refused {kind.__name__}"

    def _try(self, kind: Callable[[], None]) -> bool:
        try:
            with self.conn.transaction():
                kind()
        except (
            psycopg.errors.ExclusionViolation,
            psycopg.errors.UniqueViolation,
            psycopg.errors.ForeignKeyViolation,
            psycopg.errors.CheckViolation,
        ):
            return False
        return True

    # -- picking
    def _run(self, statement: str, *values: Any) -> None:
        self.conn.execute(statement, values)

    def _some(self, table: str, where: str = "true") -> Any:
        rows = self.conn.execute(f"SELECT id FROM register.{table} WHERE {where} ORDER BY id").fetchall()
        return self.random.choice(rows)[0] if rows else None

    def _key(self) -> str:
        self.serial += 1
        return f"k{self.serial}"

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def _place(self) -> tuple[int, int | None, int | None]:
        cell = self.random.choice(self.cells)
        community = self.random.choice([None, *range(101, 101 + COMMUNITIES)])
        grid = None if community is None or self.random.random() < 0.2 else self.random.randrange(1, GRIDS)
        return cell, community, grid

    def _day(self, back: int = 420, ahead: int = 25) -> date:
        return self.today + timedelta(days=self.random.randint(-back, ahead))

    def _maybe_day(self, share: float = 0.3) -> date | None:
        return self._day(60, 60) if self.random.random() < share else None

    def _birth(self) -> date | None:
        if self.random.random() < 0.1:
            return None
        if self.random.random() < 0.3:  # birthdays soon, on an age that changes the band
            return self.today.replace(year=self.today.year - 5 * self.random.randint(0, 19)) + timedelta(
                days=self.random.randint(-3, 12)
            )
        return self.random.choice([self._day(36_000, 3), date(2000, 2, 29), date(1996, 2, 29)])

    # -- people
    def new_person(self) -> None:
        self._run(
            "INSERT INTO register.person (id, key, sex, birth_date, valid_to) VALUES (%s, %s, %s, %s, %s)",
            self._uuid(), self._key(), self.random.choice([0, 1, 1, 2, 2, 9]), self._birth(), self._maybe_day(0.05),
        )  # fmt: skip

    def person(self) -> None:
        self._run(
            "UPDATE register.person SET sex = %s, birth_date = %s, name = 'x' WHERE id = %s",
            self.random.choice([0, 1, 2]), self._birth(), self._some("person"),
        )  # fmt: skip

    def person_ends(self) -> None:
        ends = self.random.choice([None, self._day(100, 30)])
        self._run("UPDATE register.person SET valid_to = %s WHERE id = %s", ends, self._some("person"))

    def _status(self) -> tuple[str, str, date | None]:
        status = self.random.choice(["registered", "floating"])
        return (
            status,
            self.random.choice(["none", "valid", "expired"]),
            self.random.choice([None, self._day(30, 30)]),
        )

    def settle(self, begins: date | None = None) -> None:
        cell, community, grid = self._place()
        dwelling = self._some("dwelling") if self.random.random() < 0.85 else None
        household = self._some("household") if self.random.random() < 0.8 else None
        begins = begins or self._day()
        ends = begins + timedelta(days=self.random.randint(1, 300)) if self.random.random() < 0.3 else None
        self._run(
            """INSERT INTO register.residence (person_id, household_id, dwelling_id, cell, community_id, grid_id,
               status, permit, permit_until, valid_from, valid_to) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)""",
            self._some("person"), household, dwelling, cell, community, grid, *self._status(), begins, ends,
        )  # fmt: skip

    def settle_many(self) -> None:
        self._run(
            """INSERT INTO register.residence (person_id, household_id, dwelling_id, cell, status, valid_from)
               SELECT id, %s, %s, %s, 'registered', %s FROM register.person p
               WHERE NOT EXISTS (SELECT FROM register.residence r WHERE r.person_id = p.id) ORDER BY id LIMIT 3""",
            self._some("household"), self._some("dwelling"), self._place()[0], self._day(),
        )  # fmt: skip

    def _open(self) -> Any:
        return self._some("residence", "valid_to IS NULL AND superseded_at IS NULL")

    def move(self) -> None:
        stay, day = self._open(), self._day(60, 20)
        person = self.conn.execute(
            "SELECT person_id FROM register.residence WHERE id = %s", (stay,)
        ).fetchone()
        if person is None:
            return
        self._run("UPDATE register.residence SET valid_to = %s WHERE id = %s", day, stay)
        begins = self.random.choice([day, day + timedelta(days=9)])
        self._run(
            """INSERT INTO register.residence (person_id, dwelling_id, status, valid_from)
               VALUES (%s, %s, 'floating', %s)""",
            person[0], self._some("dwelling"), begins,
        )  # fmt: skip

    def move_in_one_statement(self) -> None:
        self._run(
            """WITH closed AS (UPDATE register.residence SET valid_to = %s WHERE id = %s RETURNING *)
               INSERT INTO register.residence (person_id, household_id, dwelling_id, status, valid_from)
               SELECT person_id, household_id, %s, status, valid_to FROM closed""",
            self._day(60, 20), self._open(), self._some("dwelling"),
        )  # fmt: skip

    def leave(self) -> None:
        self._run(
            "UPDATE register.residence SET valid_to = %s WHERE id = %s", self._day(60, 40), self._open()
        )

    def correct(self) -> None:
        """What was wrong is kept, superseded; what is right is a new row."""
        self._run(
            """WITH wrong AS (UPDATE register.residence SET superseded_at = now() WHERE id = %s RETURNING *)
               INSERT INTO register.residence (person_id, household_id, dwelling_id, cell, status, valid_from, valid_to)
               SELECT person_id, NULL, %s, cell, 'floating', valid_from, valid_to FROM wrong""",
            self._some("residence", "superseded_at IS NULL"), self._some("dwelling"),
        )  # fmt: skip

    def backdate(self) -> None:
        self._run(
            "UPDATE register.residence SET valid_from = %s WHERE id = %s",
            self._day(500, 0),
            self._some("residence"),
        )

    def forget_residence(self) -> None:
        self._run("DELETE FROM register.residence WHERE id = %s", self._some("residence"))

    def status(self) -> None:
        self._run(
            "UPDATE register.residence SET status = %s, permit = %s, permit_until = %s WHERE id %% 5 = %s",
            *self._status(), self.random.randrange(5),
        )  # fmt: skip

    # -- buildings, dwellings, households
    def new_building(self) -> None:
        self._run(
            """INSERT INTO register.building (key, lng, lat, cell, community_id, grid_id, dwellings_count,
               residents_estimate, valid_to) VALUES (%s, 121.4, 31.2, %s, %s, %s, %s, %s, %s)""",
            self._key(), *self._place(), self.random.choice([None, 0, 12.25]),
            self.random.choice([None, 31.123456]), self._maybe_day(0.2),
        )  # fmt: skip

    def move_building(self) -> None:
        self._run(
            "UPDATE register.building SET cell = %s, community_id = %s, grid_id = %s WHERE id = %s",
            *self._place(), self._some("building"),
        )  # fmt: skip

    def building_counts(self) -> None:
        self._run(
            "UPDATE register.building SET dwellings_count = %s, residents_estimate = %s, valid_to = %s WHERE id = %s",
            self.random.choice([None, 3.5, 20]), self.random.choice([None, 7.000001]), self._maybe_day(),
            self._some("building"),
        )  # fmt: skip

    def _home(self) -> tuple[float | None, int | None, str | None]:
        return (
            self.random.choice([None, 8.0, 24.0, 45.3, 90.0, 160.0]),
            self.random.choice([None, 1, 2, 4]),
            self.random.choice([None, "own", "rent", "dormitory", "public", "other"]),
        )

    def new_dwelling(self) -> None:
        self._run(
            """INSERT INTO register.dwelling (key, building_id, area_m2, rooms, tenure, valid_from, valid_to)
               VALUES (%s, %s, %s, %s, %s, %s, %s)""",
            self._key(), self._some("building"), *self._home(), self._day(900, -100), self._maybe_day(0.1),
        )  # fmt: skip

    def dwelling(self) -> None:
        self._run(
            "UPDATE register.dwelling SET area_m2 = %s, rooms = %s, tenure = %s WHERE id = %s",
            *self._home(), self._some("dwelling"),
        )  # fmt: skip

    def dwelling_elsewhere(self) -> None:
        self._run(
            "UPDATE register.dwelling SET building_id = %s, valid_to = %s WHERE id = %s",
            self._some("building"), self._maybe_day(), self._some("dwelling"),
        )  # fmt: skip

    def forget_dwelling(self) -> None:
        self._run("DELETE FROM register.dwelling WHERE id = %s", self._some("dwelling"))

    def new_household(self) -> None:
        self._run(
            "INSERT INTO register.household (id, key, dwelling_id, kind, valid_to) VALUES (%s, %s, %s, %s, %s)",
            self._uuid(), self._key(), self._some("dwelling"),
            self.random.choice(["family", "family", "collective"]), self._maybe_day(0.2),
        )  # fmt: skip

    def household(self) -> None:
        self._run(
            "UPDATE register.household SET kind = %s, valid_to = %s WHERE id = %s",
            self.random.choice(["family", "collective"]), self._maybe_day(), self._some("household"),
        )  # fmt: skip

    def household_moves(self) -> None:
        household, dwelling = self._some("household"), self._some("dwelling")
        self._run("UPDATE register.household SET dwelling_id = %s WHERE id = %s", dwelling, household)

    def forget_household(self) -> None:
        self._run("DELETE FROM register.household WHERE id = %s", self._some("household"))

    def join_household(self) -> None:
        self._run(
            "UPDATE register.residence SET household_id = %s WHERE id = %s",
            self.random.choice([None, self._some("household")]), self._some("residence"),
        )  # fmt: skip

    # -- work and school
    def new_employer(self) -> None:
        self._run(
            """INSERT INTO register.employer (key, industry, lng, lat, cell, community_id, grid_id, jobs_count,
               valid_to)
               VALUES (%s, %s, 121.4, 31.2, %s, %s, %s, %s, %s)""",
            self._key(), self.random.choice([None, *"ACGT"]), *self._place(), self.random.choice([None, 0, 17]),
            self._maybe_day(0.2),
        )  # fmt: skip

    def employer(self) -> None:
        self._run(
            "UPDATE register.employer SET industry = %s, jobs_count = %s, valid_to = %s WHERE id = %s",
            self.random.choice("ACGT"), self.random.choice([None, 5, 40]), self._maybe_day(), self._some("employer"),
        )  # fmt: skip

    def employer_moves(self) -> None:
        self._run(
            "UPDATE register.employer SET cell = %s, community_id = %s, grid_id = %s WHERE id = %s",
            *self._place(), self._some("employer"),
        )  # fmt: skip

    def hire(self) -> None:
        begins = self._day()
        ends = begins + timedelta(days=self.random.randint(1, 400)) if self.random.random() < 0.3 else None
        self._run(
            """INSERT INTO register.employment (person_id, employer_id, insured, valid_from, valid_to)
               VALUES (%s, %s, %s, %s, %s)""",
            self._some("person"), self._some("employer"), self.random.random() < 0.5, begins, ends,
        )  # fmt: skip

    def hire_many(self) -> None:
        self._run(
            """INSERT INTO register.employment (person_id, employer_id, insured, valid_from)
               SELECT id, %s, true, %s FROM register.person ORDER BY key LIMIT 4""",
            self._some("employer"), self._day(),
        )  # fmt: skip

    def job(self) -> None:
        self._run(
            """UPDATE register.employment SET insured = NOT insured, valid_to = %s, superseded_at = %s WHERE id = %s""",
            self._maybe_day(), "now" if self.random.random() < 0.2 else None, self._some("employment"),
        )  # fmt: skip

    def forget_job(self) -> None:
        self._run("DELETE FROM register.employment WHERE id = %s", self._some("employment"))

    def school(self) -> None:
        self._run(
            "INSERT INTO register.schooling (person_id, stage, valid_from, valid_to) VALUES (%s, 'primary', %s, %s)",
            self._some("person"), self._day(400, -61), self._maybe_day(),
        )  # fmt: skip

    def leave_school(self) -> None:
        if self.random.random() < 0.5:
            self._run("DELETE FROM register.schooling WHERE id = %s", self._some("schooling"))
        else:
            school = self._some("schooling")
            self._run("UPDATE register.schooling SET valid_to = %s WHERE id = %s", self._day(60, 30), school)

    def upsert(self) -> None:
        """Insert and update in one statement, as a loader does."""
        self._run(
            """INSERT INTO register.building (key, lng, lat, cell, dwellings_count)
               SELECT key, lng, lat, %s, 7 FROM register.building WHERE id %% 3 = 0
               UNION ALL SELECT %s, 121.4, 31.2, %s, 4
               ON CONFLICT (key) DO UPDATE SET cell = excluded.cell, dwellings_count = excluded.dwellings_count""",
            self._place()[0], self._key(), self._place()[0],
        )  # fmt: skip

    def next_day(self) -> None:
        self.today += timedelta(days=self.random.choice([1, 1, 2, 7, 40]))
        self._run("SELECT stats.advance(%s)", self.today)

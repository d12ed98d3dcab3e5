"""Random acts on a small real register: one residence a person, nothing lost, statistics as rebuilt, undo exact."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from db import testing
from tests.population.acting import Conn, Person, refusal
from tests.population.changes import START, Changes, lay_out_areas
from tests.population.conftest import plain
from tests.population.test_current import compare

EPISODES = ("residence", "employment", "schooling", "insurance", "permit", "tenancy")
KINDS = (
    "confirm", "correct", "correct", "arrive", "move", "move", "move", "leave", "born", "died", "split_household",
    "merge_person", "split_person", "undo", "undo", "undo",
)  # fmt: skip
OVERLAP = """SELECT count(*) FROM register.residence a JOIN register.residence b ON b.person_id = a.person_id
  AND b.id > a.id WHERE a.superseded_at IS NULL AND b.superseded_at IS NULL
  AND a.valid_from < coalesce(b.valid_to, 'infinity') AND b.valid_from < coalesce(a.valid_to, 'infinity')"""
# What is believed, without the marks of when it was written down; rows that an undone act made remain, empty.
BELIEVED = {
    **{
        t: f"SELECT (to_jsonb(t) - ARRAY['id', 'recorded_at'])::text FROM register.{t} t WHERE superseded_at IS NULL"
        for t in EPISODES
    },
    "person": """SELECT to_jsonb(t)::text FROM register.person t
      WHERE EXISTS (SELECT FROM register.residence r WHERE r.person_id = t.id AND r.superseded_at IS NULL)""",
    "household": """SELECT to_jsonb(t)::text FROM register.household t
      WHERE EXISTS (SELECT FROM register.residence r WHERE r.household_id = t.id AND r.superseded_at IS NULL)""",
    "dwelling": "SELECT to_jsonb(t)::text FROM register.dwelling t",
    "place_figures": "SELECT t::text FROM stats.place_figures t",
    "unit_figures": "SELECT t::text FROM stats.unit_figures t",
    "unit_series": "SELECT t::text FROM stats.unit_series t",
    "counted_move": "SELECT t::text FROM stats.counted_move t",
}


def believed(conn: Conn) -> dict[str, Counter[Any]]:
    """Everything the register believes, and all figures."""
    return {name: Counter(row for (row,) in conn.execute(query)) for name, query in BELIEVED.items()}


class Officers:
    """A city officer who draws random acts; every choice comes from one seed, and none from an identifier, which
    differs from run to run."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        self.steward = Person(conn, "steward", [], [])
        self.random = random.Random(0)
        self.today: date = conn.execute("SELECT register.today()").fetchone()[0]  # type: ignore[index]
        self.done: list[str] = []

    def _some(self, query: str, *values: Any) -> Any:
        rows = self.conn.execute(query, values).fetchall()
        return self.random.choice(rows)[0] if rows else None

    def _person(self) -> Any:
        return self._some(
            """SELECT person_id FROM register.residence WHERE superseded_at IS NULL AND valid_to IS NULL
               GROUP BY 1 ORDER BY min(id)"""
        )

    def _people(self) -> list[dict[str, Any]]:
        """One person, or some or all of its household."""
        one = self._person()
        rows = self.conn.execute(
            """SELECT o.person_id FROM register.residence r JOIN register.residence o
               ON o.household_id = r.household_id AND o.superseded_at IS NULL AND o.valid_to IS NULL
               WHERE r.person_id = %s AND r.superseded_at IS NULL AND r.valid_to IS NULL
               GROUP BY 1 ORDER BY min(o.id)""",
            (one,),
        ).fetchall()
        others = [row[0] for row in rows if row[0] != one]
        return [{"id": x} for x in [one, *others[: self.random.randint(0, len(others))]]]

    def _day(self) -> date:
        return self.today - timedelta(days=self.random.choice([0, 0, 1, 20, 200, 900]))

    def _dwelling(self) -> Any:
        return self._some("SELECT id FROM register.dwelling ORDER BY 1")

    def values(self, kind: str) -> dict[str, Any]:
        """What a random act of ``kind`` is asked to do."""
        chance = self.random.random()
        if kind == "confirm":
            return {"dwelling_id": self._dwelling()} if chance < 0.5 else {"person_id": self._person()}
        if kind == "correct":
            if chance < 0.3:
                born = self.today - timedelta(days=self.random.randint(0, 30000))
                own = {"name": f"李{chance}", "sex": self.random.choice([1, 2]), "birth_date": born}
                return {"person_id": self._person(), "person": own}
            if chance < 0.5:
                return {
                    "dwelling_id": self._dwelling(),
                    "dwelling": {"tenure": "rent", "area_m2": 20 + 60 * chance},
                }
            stay = {"status": self.random.choice(["registered", "floating"]), "permit": "valid"}
            return {
                "person_id": self._person(),
                "residence": stay | ({"valid_from": self._day()} if chance > 0.8 else {}),
            }
        if kind in ("arrive", "born"):
            person = {"name": "𬭎㛃 O'Neil", "sex": 1, "birth_date": self._day()}
            where = {"parent_id": self._person()} if kind == "born" else {"dwelling_id": self._dwelling()}
            return {**where, "person": person}
        if kind in ("leave", "died", "split_household"):
            return {"people": self._people(), "on": self._day()}
        if kind == "move":
            return {"people": self._people(), "dwelling_id": self._dwelling(), "on": self._day(),
                    "together": chance < 0.8, **({"tenure": "rent"} if chance < 0.3 else {})}  # fmt: skip
        if kind == "merge_person":
            return {"person_id": self._person(), "other_id": self._person()}
        if kind == "split_person":
            person = self._person()
            stay = self._some(
                "SELECT id FROM register.residence WHERE person_id = %s AND superseded_at IS NULL ORDER BY 1",
                person,
            )
            job = self._some(
                "SELECT id FROM register.employment WHERE person_id = %s AND superseded_at IS NULL ORDER BY 1",
                person,
            )
            return {"person_id": person, "person": {"sex": 1}, "residence": [stay] if chance < 0.7 else [],
                    "employment": [job] if job else []}  # fmt: skip
        recent = self.done[-40:]
        return {"act_id": self.random.choice(recent) if recent else "00000000-0000-4000-8000-000000000000"}

    def one(self, kind: str, seed: int) -> str:
        """Do one act; says its kind, or how it was refused."""
        self.random = random.Random(seed)
        try:
            done = self.steward.does(kind, **self.values(kind))
        except psycopg.Error as error:
            if not refusal(error).startswith(("act.", "23")):
                raise
            return f"{kind} refused"
        self.done.append(done["act"])
        return kind


def town(url: str) -> Conn:
    """A small register with a past, and everything counted as of today."""
    conn = psycopg.connect(plain(url))
    lay_out_areas(conn)
    changes = Changes(conn, 21)
    changes.start()
    for _ in range(120):
        changes.one()
    (today,) = conn.execute("SELECT register.today()").fetchone() or (START,)
    conn.execute("SELECT stats.advance(%s)", (max(today, changes.today),))
    conn.execute("UPDATE register.person SET valid_to = NULL")
    conn.commit()
    return conn


@pytest.fixture(scope="module")
def officers(template_db: str) -> Iterator[Officers]:
    """A city steward in the town; the register goes on from test to test."""
    url = testing.create_clone(template_db)
    conn = town(url)
    yield Officers(conn)
    conn.close()
    testing.drop(url)


def rows_ever(conn: Conn) -> dict[str, set[Any]]:
    """Keys of every row that was ever written."""
    tables = (*EPISODES, "person", "household", "act")
    return {t: {row for (row,) in conn.execute(f"SELECT id::text FROM register.{t}")} for t in tables}


STEP = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**32))


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
@given(st.lists(STEP, min_size=20, max_size=50))
def test_random_acts_keep_every_promise(officers: Officers, steps: list[tuple[str, int]]) -> None:
    conn = officers.conn
    before = rows_ever(conn)
    for kind, seed in steps:
        officers.one(kind, seed)
    assert conn.execute(OVERLAP).fetchone() == (0,)
    after = rows_ever(conn)
    assert all(before[table] <= after[table] for table in before), "a record was lost"
    conn.commit()


def test_statistics_are_as_rebuilt_after_thousands_of_acts(officers: Officers) -> None:
    chance, told = random.Random(5), Counter[str]()
    for number in range(1, 601):
        told[officers.one(chance.choice(KINDS), chance.getrandbits(32))] += 1
        if number % 200 == 0:
            compare(officers.conn, f"{number} acts")
            assert officers.conn.execute(OVERLAP).fetchone() == (0,)
            officers.conn.commit()
    assert set(KINDS) <= set(told), told
    assert told["undo"] > 20
    assert told["move"] > 25


def test_an_undo_restores_what_was_believed_exactly(officers: Officers) -> None:
    chance, undone = random.Random(6), Counter[str]()
    for _ in range(100):
        kind = chance.choice(KINDS)
        before = believed(officers.conn)
        if officers.one(kind, chance.getrandbits(32)).endswith("refused"):
            assert believed(officers.conn) == before, f"{kind} was refused and left something"
            continue
        act = officers.done[-1]
        officers.steward.does("undo", act_id=act)
        after = believed(officers.conn)
        for name in before:
            wrong = list((before[name] - after[name]) + (after[name] - before[name]))
            assert not wrong, f"{name} after the undo of {kind}: {wrong[:4]}"
        undone[kind] += 1
        if chance.random() < 0.7:  # go on from somewhere else
            officers.one(chance.choice(KINDS), chance.getrandbits(32))
    assert {"move", "leave", "died", "born", "arrive", "correct", "undo", "merge_person"} <= set(undone)


def test_an_undo_is_refused_when_something_builds_on_the_act(officers: Officers) -> None:
    person = officers._person()
    homes = [row[0] for row in officers.conn.execute(
        "SELECT id FROM register.dwelling WHERE valid_to IS NULL AND id NOT IN (SELECT dwelling_id FROM register.residence WHERE person_id"  # noqa: E501
        " = %s AND dwelling_id IS NOT NULL) ORDER BY id LIMIT 2", (person,))]  # fmt: skip
    first, second = homes
    before = believed(officers.conn)
    moved = officers.steward.does("move", people=[{"id": person}], dwelling_id=first)
    again = officers.steward.does("move", people=[{"id": person}], dwelling_id=second)
    with pytest.raises(psycopg.Error) as caught:
        officers.steward.does("undo", act_id=moved["act"])
    assert refusal(caught.value) == "act.built_on"
    assert again["act"] in str(caught.value.diag.message_detail)
    officers.steward.does("undo", act_id=again["act"])
    officers.steward.does("undo", act_id=moved["act"])
    assert believed(officers.conn) == before

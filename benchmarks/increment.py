"""One record changes, all its statistics are current: the cost in a small city and in a large one.

A change is a transaction of its own, committed: a person moves (an episode closed, another opened), a person's birth
date is corrected, a registered person becomes floating, a job ends, a dwelling's tenure changes, a household moves.
Both cities are made in databases of their own, warmed alike, and changed in turns, so that whatever else the machine
does falls on both. Afterwards a sample of units is checked against a rebuild.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks._register import build
from db import testing
from population.statistics.rebuild import snapshot

Connection = psycopg.Connection[Any]

OPEN = "superseded_at IS NULL AND valid_to IS NULL"


def run(small: int = 60_000, large: int = 5_000_000, changes: int = 600, seed: int = 7) -> dict[str, Any]:
    """Median cost of a change in milliseconds at ``small`` and ``large`` people, and ``large_over_small``."""
    with ExitStack() as stack:
        cities = [stack.enter_context(_city(people)) for people in (small, large)]
        chance = random.Random(seed)
        kinds = sorted(CHANGES)
        for number in range(changes // 4):  # plans and pages that any server in use has at hand
            for conn, people, _ in cities:
                CHANGES[kinds[number % len(kinds)]](conn, chance.randrange(people))
        costs: list[dict[str, list[float]]] = [{kind: [] for kind in kinds} for _ in cities]
        for number in range(changes):
            kind = kinds[number % len(kinds)]
            for (conn, people, _), cost in zip(cities, costs, strict=True):
                start = time.perf_counter()
                CHANGES[kind](conn, chance.randrange(people))
                cost[kind].append(time.perf_counter() - start)
        drift = _drift(cities[0][0])
        medians = [{kind: statistics.median(times) * 1e3 for kind, times in cost.items()} for cost in costs]
        whole = [sum(median.values()) / len(median) for median in medians]
        return {
            "large_over_small": round(whole[1] / whole[0], 3),
            "small_ms": round(whole[0], 3),
            "large_ms": round(whole[1], 3),
            "by_change": {k: [round(m[k], 3) for m in medians] for k in kinds},
            "small_people": small,
            "large_people": large,
            "changes": changes,
            "drift": drift,
            "rebuild_s": [round(sum(seconds.values()), 2) for _, _, seconds in cities],
            "rebuild_steps_s": cities[1][2],
        }


@contextmanager
def _city(people: int) -> Iterator[tuple[Connection, int, dict[str, float]]]:
    with testing.clone("bench") as url:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as conn:
            report = build(conn, people)
            yield conn, people, report.seconds


def _drift(conn: Connection) -> int:
    """Figures of units that differ from a rebuild: 0."""
    (as_of,) = conn.execute("SELECT as_of FROM stats.state").fetchone() or (None,)
    units = snapshot(conn, as_of).units
    names = [name for name in units.columns if name != "resolution"]
    kept = conn.execute(f"SELECT {', '.join(names)} FROM stats.unit_figures").fetchall()
    fresh = units.select(names).rows()
    return len({_plain(row) for row in kept} ^ {_plain(row) for row in fresh})


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (row[0], *(float(value) for value in row[1:]))


def _person(conn: Connection, number: int) -> Any:
    row = conn.execute("SELECT id FROM register.person WHERE key = %s", (f"p{number + 1}",)).fetchone()
    return row[0] if row else None


def _move(conn: Connection, number: int) -> None:
    person = _person(conn, number)
    conn.execute(
        f"UPDATE register.residence SET valid_to = '2026-11-19' WHERE person_id = %s AND {OPEN}", (person,)
    )
    home = number * 13 % max(number, 1) // 5 + 1
    conn.execute(
        "INSERT INTO register.residence (person_id, household_id, dwelling_id, status, valid_from)"
        " SELECT %s, id, dwelling_id, 'registered', '2026-11-19' FROM register.household WHERE dwelling_id = %s",
        (person, home),
    )
    conn.commit()


def _birth(conn: Connection, number: int) -> None:
    conn.execute(
        "UPDATE register.person SET birth_date = birth_date - 2000 WHERE key = %s", (f"p{number + 1}",)
    )
    conn.commit()


def _status(conn: Connection, number: int) -> None:
    conn.execute(
        "UPDATE register.residence SET status = CASE status WHEN 'floating' THEN 'registered' ELSE 'floating' END"
        f" WHERE person_id = %s AND {OPEN}",
        (_person(conn, number),),
    )
    conn.commit()


def _job(conn: Connection, number: int) -> None:
    person = _person(conn, number - number % 2 + 1)
    conn.execute(
        f"UPDATE register.employment SET valid_to = '2026-11-18' WHERE person_id = %s AND {OPEN}", (person,)
    )
    conn.commit()


def _tenure(conn: Connection, number: int) -> None:
    conn.execute(
        "UPDATE register.dwelling SET tenure = 'public', area_m2 = 19 WHERE id = %s", (number * 2 // 5 + 1,)
    )
    conn.commit()


CHANGES: dict[str, Callable[[Connection, int], None]] = {
    "person moves": _move,
    "birth date corrected": _birth,
    "registered or floating": _status,
    "job ends": _job,
    "tenure and size of a dwelling": _tenure,
}

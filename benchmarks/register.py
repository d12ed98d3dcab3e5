"""A confirmation and a move at the size of a metropolis, and what row-level security costs.

``confirm_p99_ms``: server time of one confirm or move of a random person (half each), as the server does them: whoever
acts is looked up, the act runs as ``hexward_app`` under row-level security, all statistics follow, the audit row is
written, and the transaction is committed. ``rls_ratio``: the same queries of a page and of a grid's list as
``hexward_app`` with policies, over the same as a role that policies do not bind with the territory written out by hand.
"""

from __future__ import annotations

import random
import secrets
import statistics
import time
import uuid
from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import make_url

from benchmarks._register import build
from db import testing

Connection = psycopg.Connection[Any]
OFFICER_GRIDS = 3

QUERIES = {
    "people of a dwelling": (
        """SELECT p.id, p.name, r.status FROM register.residence r JOIN register.person p ON p.id = r.person_id
           WHERE r.dwelling_id = %(dwelling)s AND r.superseded_at IS NULL AND r.valid_to IS NULL{mine}"""
    ),
    "people of a building": (
        """SELECT p.id, p.name, r.status FROM register.dwelling d
           JOIN register.residence r ON r.dwelling_id = d.id JOIN register.person p ON p.id = r.person_id
           WHERE d.building_id = %(building)s AND r.superseded_at IS NULL AND r.valid_to IS NULL{mine}"""
    ),
    "residents of the territory": (
        """SELECT r.status, count(*) FROM register.residence r
           WHERE r.grid_id = %(grid)s AND r.superseded_at IS NULL AND r.valid_to IS NULL{mine} GROUP BY 1"""
    ),
    "one person": (
        """SELECT p.name, r.dwelling_id FROM register.person p JOIN register.residence r ON r.person_id = p.id
           WHERE p.id = %(person)s AND r.superseded_at IS NULL AND r.valid_to IS NULL{mine}"""
    ),
}


def run(people: int = 5_000_000, acts: int = 2_000, looks: int = 300, seed: int = 7) -> dict[str, Any]:
    """Percentiles of the acts' server time in milliseconds, and the cost of policies query by query."""
    with testing.clone("bench") as url:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as conn:
            build(conn, people)
            chance = random.Random(seed)
            officer = _officer(conn)
            for _ in range(acts // 5):  # plans and pages that any server in use has at hand
                _act(conn, officer, chance)
            costs: dict[str, list[float]] = {"confirm": [], "move": []}
            for _ in range(acts):
                kind, seconds = _act(conn, officer, chance)
                costs[kind].append(seconds * 1e3)
            both = [cost for kind in costs.values() for cost in kind]
            ratios = _policies(conn, officer, chance, looks)
    return {
        "confirm_p99_ms": _at(both, 99),
        "confirm_p50_ms": _at(both, 50),
        "by_act": {
            kind: {"p50": _at(cost, 50), "p99": _at(cost, 99), "n": len(cost)} for kind, cost in costs.items()
        },
        "rls_ratio": round(statistics.fmean(ratio["ratio"] for ratio in ratios.values()), 3),
        "by_query": ratios,
        "people": people,
        "acts": acts,
    }


def _at(costs: list[float], percent: int) -> float:
    return round(float(np.percentile(costs, percent)), 3)


class _Officer:
    def __init__(self, token: bytes, grids: list[int], people: list[uuid.UUID], dwellings: list[int]) -> None:
        self.token, self.grids, self.people, self.dwellings = token, grids, people, dwellings


def _officer(conn: Connection) -> _Officer:
    """An account with some grids, who acts on the people in them; moves stay inside, so that they go on being there."""
    row = conn.execute("SELECT array_agg(DISTINCT grid_id) FROM register.building WHERE grid_id <= %s",
                       (OFFICER_GRIDS,)).fetchone()  # fmt: skip
    grids = list(row[0]) if row and row[0] else [1]
    user, token = uuid.uuid4(), secrets.token_bytes(32)
    conn.execute(
        """INSERT INTO ops."user" (id, account, name, role, password_hash) VALUES (%s, 'bench', '{}', 'officer', 'x')""",  # noqa: E501
        (user,),
    )
    conn.execute(
        "INSERT INTO ops.user_session (token_hash, user_id, expires_at) VALUES (%s, %s, now() + interval '9 days')",
        (token, user),
    )
    for grid in grids:
        conn.execute(
            """INSERT INTO geo.grid (id, code, area_id, name, geom, area_m2, origin)
               SELECT %s, 'g' || %s, 100000, 'grid', geom, 1e6, 'uploaded' FROM geo.area WHERE id = 100000""",
            (grid, grid),
        )
        conn.execute("INSERT INTO ops.user_territory (user_id, grid_id) VALUES (%s, %s)", (user, grid))
    people = [row[0] for row in conn.execute(
        "SELECT person_id FROM register.residence WHERE grid_id = ANY (%s) AND superseded_at IS NULL"
        " AND valid_to IS NULL ORDER BY id", (grids,)).fetchall()]  # fmt: skip
    homes = [row[0] for row in conn.execute(
        "SELECT id FROM register.dwelling WHERE grid_id = ANY (%s) ORDER BY id", (grids,)).fetchall()]  # fmt: skip
    conn.commit()
    return _Officer(token, grids, people, homes)


def _act(conn: Connection, officer: _Officer, chance: random.Random) -> tuple[str, float]:
    """One act, committed; its kind and its seconds. An act that is refused (moved today, same home) is drawn anew."""
    while True:
        person, home = chance.choice(officer.people), chance.choice(officer.dwellings)
        kind = chance.choice(["confirm", "move"])
        values: dict[str, Any] = {"person_id": str(person)}
        if kind == "move":
            values = {"people": [{"id": str(person)}], "dwelling_id": home}
        start = time.perf_counter()
        try:
            conn.execute("SET LOCAL ROLE hexward_app")
            conn.execute("SELECT * FROM ops.enter(%s, 3600)", (officer.token,))
            done = conn.execute(f"SELECT register.act_{kind}('duty', %s)", (Jsonb(values),)).fetchone()
            assert done is not None
            conn.execute(
                "SELECT audit.append('act.change', 'act', 'duty', 'bench', %s)",
                (Jsonb({"act": done[0]["act"]}),),
            )
            conn.commit()
        except psycopg.Error as error:
            conn.rollback()
            if error.sqlstate != "HX409":
                raise
            continue
        return kind, time.perf_counter() - start


def _policies(
    conn: Connection, officer: _Officer, chance: random.Random, looks: int
) -> dict[str, dict[str, float]]:
    """Medians of each query in milliseconds with and without policies, asked in turns."""
    made = {}
    mine = " AND r.grid_id = ANY (%(grids)s)"
    for name, query in QUERIES.items():
        with_rls, without = [], []
        for number in range(looks):
            dwelling = chance.choice(officer.dwellings)
            values = {"dwelling": dwelling, "building": (dwelling - 1) // 40 + 1, "grids": officer.grids,
                      "grid": chance.choice(officer.grids), "person": chance.choice(officer.people)}  # fmt: skip
            rows = []
            for bound, times in ((True, with_rls), (False, without))[:: 1 if number % 2 else -1]:
                if bound:
                    conn.execute("SET LOCAL ROLE hexward_app")
                conn.execute("SELECT * FROM ops.enter(%s, 3600)", (officer.token,))
                start = time.perf_counter()
                rows.append(len(conn.execute(query.format(mine="" if bound else mine), values).fetchall()))
                times.append(time.perf_counter() - start)
                conn.rollback()
            if rows[0] != rows[1]:
                raise AssertionError(f"{name}: {rows} rows with and without policies")
        fast, slow = statistics.median(without) * 1e3, statistics.median(with_rls) * 1e3
        made[name] = {"rls_ms": round(slow, 3), "plain_ms": round(fast, 3), "ratio": round(slow / fast, 3)}
    return made

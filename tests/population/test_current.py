"""Statistics kept current by the triggers against statistics rebuilt from scratch."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from population.statistics.rebuild import rebuild
from tests.population.changes import Changes, Conn, lay_out_areas

STATS = ("place_figures", "unit_figures", "unit_series", "counted_dwelling", "counted_household", "counted_person",
         "counted_move")  # fmt: skip
COUNTED = ("building", "dwelling", "household", "residence", "employer", "employment", "schooling")


@pytest.fixture
def conn(database: str) -> Any:
    address = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as made:
        lay_out_areas(made)
        yield made


def everything(conn: Conn) -> dict[str, Counter[Any]]:
    found = {}
    for table in STATS:
        found[f"stats.{table}"] = Counter(str(row) for row in conn.execute(f"SELECT t::text FROM stats.{table} t"))
    for table in COUNTED:
        found[table] = Counter(str(row) for row in conn.execute(f"SELECT t::text FROM register.{table} t"))
    return found


def compare(conn: Conn, said: str) -> None:
    """What the triggers keep is what a rebuild gives, to the row."""
    kept = everything(conn)
    as_of, series_from = conn.execute("SELECT as_of, series_from FROM stats.state").fetchone() or (None, None)
    with conn.transaction(force_rollback=True):
        report = rebuild(conn, as_of, series_from)
        fresh = everything(conn)
    for table, rows in kept.items():
        assert rows == fresh[table], f"{table} after {said}: {list((rows - fresh[table]) + (fresh[table] - rows))[:6]}"
    assert report.repaired == {}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kept_current_equals_rebuilt(conn: Conn, seed: int) -> None:
    changes = Changes(conn, seed)
    changes.start()
    compare(conn, "start")
    done: Counter[str] = Counter()
    for number in range(1, 1201):
        done[changes.one()] += 1
        if number % 60 == 0:
            compare(conn, f"{number} changes")
            conn.commit()
    assert sum(n for kind, n in done.items() if not kind.startswith("refused")) > 900
    assert {kind.__name__ for kind in changes.kinds} <= set(done)
    (people,) = conn.execute("SELECT residents FROM stats.unit_figures WHERE unit_kind='area' AND unit_id=1").fetchone() or (0,)
    assert people > 10

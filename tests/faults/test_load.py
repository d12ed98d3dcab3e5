"""A load that is killed, and one whose database goes away: nothing half-loaded, and the next one completes it."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass

import psycopg
import pytest
from sqlalchemy import make_url

from api.loading import Order, Silent, load_city
from tests.small_load import make

pytestmark = pytest.mark.faults

PEOPLE = 60_000


def test_a_load_killed_half_way_leaves_nothing_and_the_next_completes_it(database, tmp_path):
    files = make(tmp_path, database, PEOPLE)
    process = subprocess.Popen(
        files.words("load", str(files.toml)),
        env=files.env(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_people_are_written(files, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    _until_alone(files)
    assert files.value("select count(*) from register.person") == 0
    assert files.value("select count(*) from register.residence") == 0
    assert files.value("select count(*) from register.dwelling") > 0  # a source before it is whole
    assert files.rows("select state from ops.import_run where source = 'people'") == [("running",)]
    indexes = files.value("select count(*) from pg_indexes where schemaname = 'register'")

    done = files.command("load", str(files.toml))
    assert done.returncode == 0, done.stderr
    assert files.value("select count(*) from register.person") == PEOPLE
    assert (
        files.value("select residents from stats.unit_figures where unit_kind = 'area' and unit_id = 1")
        == PEOPLE
    )
    told = files.rows(
        "select state, error ->> 'code' from ops.import_run where source = 'people' order by id"
    )
    assert told == [("failed", "run.killed"), ("done", None)]
    assert files.value("select count(*) from pg_indexes where schemaname = 'register'") == indexes


def _until_people_are_written(files, process):
    """Wait until the server is filling the tables of people."""
    query = (
        "select count(*) from pg_stat_activity where datname = current_database() and query ilike"
        """ 'COPY "register"."residence"%'"""
    )
    for _ in range(1200):
        assert process.poll() is None, "the load was over before it could be killed"
        if files.value(query):
            return
        time.sleep(0.02)
    pytest.fail("the load never came to the people")


def _until_alone(files):
    for _ in range(600):
        others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        if not files.value(others):
            return
        time.sleep(0.05)


@dataclass
class Breaker(Silent):
    """Ends every connection to the city's database once, in the middle of the people."""

    url: str
    waited: list[str]
    source: str = ""
    broken: bool = False

    def begin(self, source, kind):
        self.source = source

    def rows(self, read, rejected):
        if self.source == "people" and not self.broken:
            self.broken = True
            name = make_url(self.url).database
            maintenance = make_url(self.url).set(drivername="postgresql", database="postgres")
            with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as conn:
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
                )

    def waiting(self, source, seconds):
        self.waited.append(source)


def test_a_database_that_goes_away_is_waited_for_and_the_load_resumes(database, database_engine, tmp_path):
    files = make(tmp_path, database, 5_000)
    breaker = Breaker(database, [])
    reports = load_city(files.city, Order("tester"), breaker, database_engine)
    assert breaker.waited == ["people"]
    assert [one.state for one in reports] == ["done"] * 3
    assert files.value("select count(*) from register.person") == 5_000
    assert (
        files.value("select residents from stats.unit_figures where unit_kind = 'area' and unit_id = 1")
        == 5_000
    )


class Interrupted(Silent):
    """A person presses Ctrl+C when the statistics begin."""

    def step(self, name, seconds):
        if name == "statistics":
            raise KeyboardInterrupt


def test_what_follows_a_load_is_done_by_the_next_when_it_was_interrupted(database, database_engine, tmp_path):
    files, engine = make(tmp_path, database, 3_000), database_engine
    with pytest.raises(KeyboardInterrupt):
        load_city(files.city, Order("tester"), Interrupted(), engine)
    assert files.rows("select count(*) from stats.unit_figures") == [(0,)]
    assert "statistics" in files.value("select config -> 'pending' from ops.city")
    again = load_city(files.city, Order("tester"), Silent(), engine)
    assert {one.state for one in again} == {"unchanged"}
    assert (
        files.value("select residents from stats.unit_figures where unit_kind = 'area' and unit_id = 1")
        == 3_000
    )
    assert files.value("select config -> 'pending' from ops.city") == {}

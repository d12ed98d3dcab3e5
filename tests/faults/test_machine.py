"""The machine under the program fails: the database is stopped during a load, a folder may not be written."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from db import cluster
from db.settings import DbSettings
from tests.faults.town import PEOPLE, Town, make

pytestmark = pytest.mark.faults


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DbSettings, Town]]:
    """A cluster of its own with the town's areas, buildings and homes in it."""
    home = tmp_path_factory.mktemp("own")
    for part in [home, *home.parents][:3]:
        part.chmod(part.stat().st_mode | 0o011)  # pytest's folders are closed to others, `postgres` too
    settings = DbSettings(home=home, database="own", DATABASE_URL=None)
    made = cluster.ensure(settings)
    cluster.ensure_database(made, "own")
    town = make(tmp_path_factory.mktemp("files"), made.url("own"))
    yield settings, town
    cluster.remove(settings)


def _stopped_in_the_middle(settings: DbSettings, town: Town, patience: str) -> subprocess.Popen[str]:
    """A load that was writing people when its server was stopped."""
    with closing(psycopg.connect(town.address)) as holder:
        holder.execute("lock table register.person in access exclusive mode")
        process = subprocess.Popen(
            town.words("load", str(town.toml)), env=town.env() | {"HEXWARD_PATIENCE_S": patience},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        waits = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%person%'"
        )
        for _ in range(1200):
            assert process.poll() is None, process.communicate()[0]
            if town.value(waits):
                break
            time.sleep(0.05)
        else:
            pytest.fail("the load never came to the people")
        assert cluster.stop(settings)
    return process


def test_a_database_stopped_during_a_load_is_said_and_the_load_completed(
    own: tuple[DbSettings, Town],
) -> None:
    settings, town = own
    people = town.sources.pop()
    town.write_toml()
    assert town.load().code == 0
    town.sources.append(people)
    town.write_toml()

    impatient = _stopped_in_the_middle(settings, town, "0")
    said, _ = impatient.communicate(timeout=60)
    assert impatient.returncode == 1
    assert "nothing half-loaded was kept. Run the same command again" in " ".join(said.split())
    assert "Traceback" not in said
    cluster.ensure(settings)
    assert town.value("select count(*) from register.person") == 0
    assert town.rows("select state from ops.import_run where source = 'people'") == [("running",)]

    patient = _stopped_in_the_middle(settings, town, "300")
    time.sleep(0.5)
    assert cluster.ensure(settings).url("own") == town.url
    said, _ = patient.communicate(timeout=120)
    assert patient.returncode == 0, said
    assert "Trying again in 1 s" in said
    assert "Traceback" not in said
    assert town.people_counted_twice() == (PEOPLE, PEOPLE)
    states = town.rows("select state from ops.import_run where source = 'people' order by id")
    assert states == [("failed",), ("failed",), ("done",)]


def _without_rights(town: Town, home: Path, lang: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as somebody whom the rights of folders stop: root without the right to overrule them."""
    root = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    plain = root if os.geteuid() == 0 else []
    env = town.env(lang) | {"HEXWARD_HOME": str(home)}
    return subprocess.run([*plain, *town.words(*words)], env=env, capture_output=True, text=True, check=False)


def test_a_folder_that_may_not_be_written_is_named(settled: Town, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    told = _without_rights(settled, closed / "home", "en", "load", str(settled.toml))
    assert told.returncode == 1
    assert f"No right to write to {closed / 'home'}" in told.stderr
    assert "HEXWARD_HOME" in told.stderr
    assert "Traceback" not in told.stderr
    assert settled.value("select count(*) from register.person") == 0
    assert settled.rows("select state from ops.import_run where source = 'people'") == [("failed",)]
    assert settled.load().code == 0
    assert settled.people_counted_twice() == (PEOPLE, PEOPLE)

    out = closed / "rejected.xlsx"
    told = _without_rights(settled, tmp_path, "zh-CN", "runs", "rejected", "1", "--out", str(out))
    assert told.returncode == 1
    assert f"没有权限写入 {out}" in told.stderr or str(out) in told.stderr
    assert "Traceback" not in told.stderr


def test_a_folder_that_is_not_there_is_named(settled: Town) -> None:
    out = settled.folder / "none" / "rejected.xlsx"
    told = settled.run("runs", "rejected", "1", "--out", str(out))
    assert told.code == 1
    assert str(out) in told.err
    assert "its folder must exist" in told.err


def test_a_defect_of_the_program_is_told_without_quoting_what_it_was_about(
    settled: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("11010519491231002X")

    monkeypatch.setattr("api.loading.describe_city", fails)
    told = settled.load()
    assert told.code == 1
    assert "RuntimeError" in told.err
    assert "11010519491231002X" not in told.out + told.err
    assert "Traceback" not in told.err

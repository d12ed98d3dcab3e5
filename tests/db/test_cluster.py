"""The private cluster: made once, survives interruption and a crash, says what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import psycopg
import pytest

from db import cluster
from db.settings import DbSettings


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("cluster")
    for part in [folder, *folder.parents][:3]:
        part.chmod(part.stat().st_mode | 0o011)  # pytest's folders are closed to others, `postgres` too
    settings = DbSettings(home=folder, database="own")
    yield settings
    cluster.remove(settings)


def _pid(made: cluster.Cluster) -> int:
    return int((Path(made.data_dir) / "postmaster.pid").read_text().split()[0])


def test_made_stopped_started_and_found_again(home: DbSettings) -> None:
    first = cluster.ensure(home)
    cluster.ensure_database(first, "own")
    assert cluster.ensure(home) == first
    assert cluster.stop(home)
    assert not cluster.stop(home)
    again = cluster.ensure(home)
    with psycopg.connect(again.url("own").replace("+psycopg", "")) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)


def test_half_made_cluster_is_made_again(home: DbSettings) -> None:
    made = cluster.ensure(home)
    (Path(made.data_dir) / "hexward-complete").unlink()
    cluster.stop(home)
    again = cluster.ensure(home)
    assert again.passwords != made.passwords
    assert (Path(again.data_dir) / "hexward-complete").exists()


def test_starts_after_a_crash_on_another_port_when_its_own_is_taken(home: DbSettings) -> None:
    made = cluster.ensure(home)
    os.kill(_pid(made), signal.SIGQUIT)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for _ in range(200):
            try:
                squatter.bind(("127.0.0.1", made.port))
                break
            except OSError:
                time.sleep(0.05)
        squatter.listen()
        again = cluster.ensure(home)
    assert again.port != made.port
    assert cluster.running(home) == again


def test_the_cluster_does_not_show_its_passwords(home: DbSettings) -> None:
    made = cluster.ensure(home)
    assert not any(password in repr(made) for password in made.passwords.values())
    assert (home.home / "cluster.json").stat().st_mode & 0o077 == 0


def test_app_login_cannot_become_the_owner(home: DbSettings) -> None:
    made = cluster.ensure(home)
    with psycopg.connect(made.url("postgres", "hexward_app").replace("+psycopg", "")) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE hexward_owner")


def test_missing_postgis_names_the_way_out(home: DbSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    with pytest.raises(cluster.PostgisMissing) as refused:
        cluster.find_programs(home)
    assert "postgis" in refused.value.params["command"]


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        ("FATAL: could not write: No space left on device", "cluster.disk_full"),
        ("could not create directory: Permission denied", "cluster.no_rights"),
        ("something else", "cluster.failed"),
    ],
)
def test_server_trouble_is_explained(stderr: str, code: str) -> None:
    assert cluster._explained(stderr, Path("/x")).code == code


def test_unreadable_state_is_named(home: DbSettings) -> None:
    home.home.mkdir(exist_ok=True)
    state = home.home / "cluster.json"
    state.write_text("{not json")
    with pytest.raises(cluster.ClusterError) as refused:
        cluster.known(home)
    assert refused.value.code == "cluster.state_unreadable"
    state.unlink()

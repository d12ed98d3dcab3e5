"""The command line: real processes, messages with the way out in both languages, no traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import openpyxl
import pytest
from sqlalchemy import Engine, make_url, text

from api.cli import COMMANDS
from db import migrate
from db.engine import read_session, write_session
from db.settings import PROJECT
from tests.small_city import PASSWORD, SmallCity


def hexward(*arguments: str, city: SmallCity | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a person does."""
    said = more.pop("input", None)
    return subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", *arguments],
        env=environment(city, **more), cwd=PROJECT, text=True, capture_output=True, input=said, timeout=120,
        check=False,
    )  # fmt: skip


def environment(city: SmallCity | None, **more: str) -> dict[str, str]:
    """The environment of a person in front of the small city's database."""
    kept = {
        k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "HEXWARD_LANG", "LC_ALL", "LANG")
    }
    if city is not None:
        kept["HEXWARD_DATABASE"] = make_url(city.url).database or ""
    return kept | {"HEXWARD_LANG": "en"} | more


def test_help_lists_every_command_in_the_terminals_language() -> None:
    english, chinese = hexward("--help"), hexward("--help", HEXWARD_LANG="zh-CN")
    assert english.returncode == chinese.returncode == 0
    for name, (_, zh, en) in COMMANDS.items():
        assert name in english.stdout
        assert en in english.stdout
        assert zh in chinese.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    answer = hexward(name, "--help")
    assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_light_command_loads_no_heavy_library() -> None:
    code = (
        "import sys; from api.cli import program; import api.cli.db;"
        "print([m for m in ('fastapi', 'polars', 'geopandas', 'numba') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, text=True, capture_output=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_database_status_and_migrations(small_city: SmallCity) -> None:
    assert "running" in hexward("db", "status").stdout
    newest = max(file.name[:4] for file in (migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert newest in hexward("db", "migrate", city=small_city).stdout
    asked = hexward("db", "psql", "-tAc", "SELECT code FROM ops.city", city=small_city)
    assert asked.stdout.strip() == "3301"


def test_an_external_database_is_never_stopped_or_deleted() -> None:
    outside = "postgresql://someone:secret@127.0.0.1:1/city"
    for command in (("stop",), ("start",), ("reset", "--yes")):
        answer = hexward("db", *command, DATABASE_URL=outside)
        assert answer.returncode == 1
        assert "external" in answer.stderr
    shown = hexward("db", "status", DATABASE_URL=outside)
    assert "127.0.0.1:1/city" in shown.stdout
    assert "secret" not in shown.stdout + shown.stderr


@pytest.mark.parametrize(("lang", "word"), [("en", "cannot be reached"), ("zh-CN", "连不上")])
def test_a_database_that_is_away_is_said_in_words(lang: str, word: str) -> None:
    answer = hexward("user", "list", DATABASE_URL="postgresql://a:b@127.0.0.1:1/none", HEXWARD_LANG=lang)
    assert answer.returncode == 1
    assert word in answer.stderr
    assert "Traceback" not in answer.stderr


def test_accounts_territories_and_passwords(small_city: SmallCity, owner: Engine) -> None:
    added = hexward("user", "add", "li.wei", "--role", "officer", "--name-zh", "李伟", "--territory", "330101001001001",
                    "--password-stdin", city=small_city, input="a long enough password\n")  # fmt: skip
    assert added.returncode == 0, added.stderr
    listed = hexward("user", "list", city=small_city).stdout
    assert "li.wei" in listed
    with read_session(owner) as session:
        row = session.execute(
            text("""SELECT password_hash FROM ops."user" WHERE account = 'li.wei'""")
        ).scalar_one()
    assert row.startswith("$argon2id$")
    set_to = hexward("user", "territory", "li.wei", "330102", "330101001001002", city=small_city)
    assert set_to.returncode == 0
    assert (
        hexward(
            "user", "passwd", "li.wei", "--password-stdin", city=small_city, input="another long one\n"
        ).returncode
        == 0
    )


LONG = "long enough pw\n"
REFUSED = [
    (("add", "x y", "--role", "officer"), LONG, "cannot be an account"),
    (("add", "good", "--role", "king"), LONG, "no role"),
    (("add", "good", "--role", "officer"), "short\n", "at least 10"),
    (("add", "good", "--role", "officer"), "", "No password"),
    (("add", "officer", "--role", "officer"), LONG, "already"),
    (("passwd", "nobody"), LONG, "no account"),
]


@pytest.mark.parametrize(("arguments", "said", "word"), REFUSED)
def test_an_account_that_cannot_be_is_refused_in_words(
    small_city: SmallCity, arguments: tuple[str, ...], said: str, word: str
) -> None:
    answer = hexward("user", *arguments, "--password-stdin", city=small_city, input=said)
    assert answer.returncode == 1
    assert word in answer.stderr
    assert hexward("user", "territory", "officer", "999", city=small_city).returncode == 1


def test_runs_and_the_excel_file_of_rejected_rows(
    small_city: SmallCity, tmp_path: Path, owner: Engine
) -> None:
    assert "people.csv" in hexward("runs", "list", city=small_city).stdout
    assert "check digit" in hexward("runs", "show", "1", city=small_city).stdout
    out = tmp_path / "rejected.xlsx"
    assert "2 rejected rows" in hexward("runs", "rejected", "1", "--out", str(out), city=small_city).stdout
    cells = [
        cell
        for row in openpyxl.load_workbook(out)["rejected"].iter_rows(values_only=True)
        for cell in row
        if cell
    ]
    assert not any("11010519491231002Y" in str(cell) for cell in cells)  # masked unless asked
    assert not any(str(cell).startswith("=") for cell in cells)
    hexward("runs", "rejected", "1", "--out", str(out), "--reveal", city=small_city)
    cells = [
        cell
        for row in openpyxl.load_workbook(out)["rejected"].iter_rows(values_only=True)
        for cell in row
        if cell
    ]
    assert "11010519491231002Y" in cells
    with read_session(owner) as session:
        events = session.execute(
            text("SELECT count(*) FROM audit.event WHERE action = 'rejected_row.export'")
        ).scalar()
    assert events == 2
    assert hexward("runs", "show", "77", city=small_city).returncode == 1


def test_the_trail_is_verified_and_a_broken_one_is_named(small_city: SmallCity, owner: Engine) -> None:
    hexward("user", "territory", "officer", "330101", city=small_city)
    hexward("user", "territory", "officer", "330102", city=small_city)
    assert "whole" in hexward("audit", "verify", city=small_city).stdout
    assert "account.territory" in hexward("audit", "list", city=small_city).stdout
    with write_session(owner) as session:
        session.execute(text("ALTER TABLE audit.event DISABLE TRIGGER event_append_only"))
        session.execute(text("UPDATE audit.event SET account = 'other' WHERE id = 1"))
    broken = hexward("audit", "verify", city=small_city)
    assert broken.returncode == 1
    assert "entry 1" in broken.stderr


def test_a_map_file_shows_published_figures_unless_exact_ones_are_asked_for(
    small_city: SmallCity, tmp_path: Path, owner: Engine
) -> None:
    out = tmp_path / "map.html"
    made = hexward(
        "map", "residents", "--out", str(out), "--geography", "area", "--level", "3", city=small_city
    )
    assert made.returncode == 0, made.stderr
    published = out.read_text("utf-8")
    exact = hexward(
        "map",
        "residents",
        "--out",
        str(out),
        "--geography",
        "area",
        "--level",
        "3",
        "--exact",
        city=small_city,
    )
    assert exact.returncode == 0, exact.stderr
    assert out.read_text("utf-8") != published
    with read_session(owner) as session:
        assert (
            session.execute(
                text("SELECT count(*) FROM audit.event WHERE params ->> 'form' = 'html'")
            ).scalar()
            == 1
        )
    assert hexward("map", "nonsense", "--out", str(out), city=small_city).returncode == 1


def test_settings_hide_secrets() -> None:
    shown = hexward("settings", DATABASE_URL="postgresql://u:topsecret@h/db", HEXWARD_PORT="8123")
    assert "topsecret" not in shown.stdout
    assert "HEXWARD_PORT = 8123" in shown.stdout


def test_an_unknown_benchmark_names_those_there_are() -> None:
    answer = hexward("bench", "nonsense")
    assert answer.returncode == 1
    assert "cell" in answer.stderr


def test_a_benchmark_ends_with_one_json_object() -> None:
    answer = hexward("bench", "cell", "--points=20000", "--repeats=1")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["differences"] == 0


@pytest.mark.parametrize(("lang", "word"), [("en", "already in use"), ("zh-CN", "已被其他程序占用")])
def test_a_taken_port_names_another(small_city: SmallCity, lang: str, word: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = hexward("serve", "--port", str(port), city=small_city, HEXWARD_LANG=lang)
    assert answer.returncode == 1
    assert word in answer.stderr
    assert f"--port {port + 1}" in answer.stderr or "--port" in answer.stderr


def test_serve_says_where_it_is_and_stops_on_interrupt(small_city: SmallCity) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", str(port)],
        env=environment(small_city), cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        assert f"http://localhost:{port}" in server.stdout.readline()
        answer = httpx.post(
            f"http://localhost:{port}/api/session",
            json={"account": "officer", "password": PASSWORD},
            timeout=30,
        )
        assert answer.status_code == 200
    finally:
        server.send_signal(2)
        until = time.monotonic() + 30
        while server.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        code = server.poll()
        server.kill()
        server.communicate()
    assert code in (0, 130, -2)

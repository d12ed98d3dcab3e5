"""A new key while the server answers: nothing unreadable at any moment, a killed run goes on, bad keys are named."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import polars as pl
import psycopg
import pytest
from sqlalchemy import Engine, text

from db.engine import read_session
from db.settings import PROJECT
from population.register import hall, identity, rotation
from population.register.settings import RegisterSettings
from tests.server import Served, served
from tests.small_city import SmallCity, owner, plain, small_city, small_city_template

__all__ = ["owner", "served", "small_city", "small_city_template"]
NUMBER, PHONE = "11010519491231002X", "13800138000"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key folder of this test's own."""
    monkeypatch.setattr(RegisterSettings, "key_file", lambda _: tmp_path / "identity.key")
    return tmp_path


@pytest.fixture
def filled(small_city: SmallCity, keys: Path) -> int:
    """Everybody in the small city with an ID number and a telephone, under the first key; how many values."""
    safe = identity.vault()
    enc = safe.protect(pl.Series([NUMBER, "AB1234567"]))
    phones = safe.protect_phones(pl.Series([PHONE, "+1 (555) 0100"]))
    with psycopg.connect(plain(small_city.url)) as connection:
        connection.execute(
            """UPDATE register.person p SET id_number_enc = (%s::bytea[])[1 + n.n %% 2],
                 id_number_hash = (%s::bytea[])[1 + n.n %% 2], phone_enc = (%s::bytea[])[1 + n.n %% 2]
               FROM (SELECT id, row_number() OVER (ORDER BY key) AS n FROM register.person) n WHERE n.id = p.id""",
            (enc["enc"].to_list(), enc["hash"].to_list(), phones.to_list()),
        )
        row = connection.execute("SELECT 2 * count(*) FROM register.person").fetchone()
    assert row is not None
    return int(row[0])


def _opened(owner: Engine) -> set[tuple[str | None, str | None]]:
    with read_session(owner) as session:
        rows = session.execute(text("SELECT id_number_enc, phone_enc FROM register.person")).all()
    safe = identity.vault()
    numbers = safe.reveal(pl.Series([bytes(row[0]) for row in rows]))
    return set(zip(numbers, safe.reveal(pl.Series([bytes(row[1]) for row in rows])), strict=True))


EVERYBODY = {(NUMBER, PHONE), ("AB1234567", "+1 (555) 0100")}


def test_every_value_gets_the_new_key_and_the_old_one_goes_only_when_confirmed(
    owner: Engine, filled: int, keys: Path
) -> None:
    assert rotation.rotate(owner, breath_s=0) == filled
    assert _opened(owner) == EVERYBODY
    said = rotation.status(owner)
    assert said["writes"] == 1
    assert said["opens"] == [0, 1]
    assert said["values"]["register.person.phone_enc"] == {1: filled // 2}
    assert (keys / "identity.key").exists()
    assert rotation.confirm(owner) == [0]
    assert not (keys / "identity.key").exists()
    assert _opened(owner) == EVERYBODY
    hashes = identity.matching(pl.Series([NUMBER]))[0]  # matching goes on as before
    with read_session(owner) as session:
        found = session.execute(
            text("SELECT count(*) FROM register.person WHERE id_number_hash = ANY (:h)"), {"h": hashes}
        ).scalar_one()
    assert found in (filled // 4, filled // 4 + 1)
    assert rotation.rotate(owner, breath_s=0) == filled  # and a third key
    assert rotation.status(owner)["opens"] == [1, 2]


def test_what_acts_remember_gets_the_new_key_too(owner: Engine, filled: int, small_city: SmallCity) -> None:
    """An undo puts back what stood there before, and must find it readable and unchanged."""
    with psycopg.connect(plain(small_city.url)) as connection:
        connection.execute(
            """WITH a AS (INSERT INTO register.act (kind, role, purpose) VALUES ('correct', 'officer', 'duty')
                 RETURNING id)
               INSERT INTO register.act_change (act_id, seq, table_name, row_id, before, after)
               SELECT a.id, 1, 'person', p.id::text, to_jsonb(p), to_jsonb(p) - 'phone_enc'
               FROM a, register.person p WHERE p.key = 'P00001'"""
        )
    assert rotation.rotate(owner, breath_s=0) == filled + 1
    rotation.confirm(owner)
    with read_session(owner) as session:
        same = session.execute(
            text(
                """SELECT to_jsonb(p) = c.before, to_jsonb(p) - 'phone_enc' = c.after FROM register.act_change c
                   JOIN register.person p ON p.id::text = c.row_id"""
            )
        ).one()
    assert tuple(same) == (True, True)


def test_an_old_key_in_use_is_not_destroyed(owner: Engine, filled: int, small_city: SmallCity) -> None:
    old = identity.vault().protect_phones(pl.Series([PHONE]))[0]
    rotation.rotate(owner, breath_s=0)
    with psycopg.connect(plain(small_city.url)) as connection:  # a load that had begun before
        connection.execute("UPDATE register.person SET phone_enc = %s WHERE key = 'P00001'", (old,))
    with pytest.raises(rotation.NotRotated):
        rotation.confirm(owner)
    assert rotation.rotate(owner, breath_s=0) == 1
    assert rotation.confirm(owner) == [0]


def test_the_server_answers_and_takes_declarations_meanwhile(
    served: Served, owner: Engine, filled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 7)
    codes: list[str] = []
    wrong: list[str] = []
    ended = threading.Event()
    form = {"kind": "changed", "name": "张伟", "id_number": NUMBER, "phone": PHONE, "building_id": 1,
            "on": "2026-11-01", "consent": True}  # fmt: skip

    def resident() -> None:
        with httpx.Client(base_url=served.url, timeout=60) as client:
            while not ended.is_set() or not codes:
                answer = client.post("/api/hall/declarations", json=form)
                if answer.status_code == 201:
                    codes.append(answer.json()["code"])
                    answer = client.get(f"/api/hall/declarations/{codes[-1]}")
                if answer.status_code not in (200, 429):
                    wrong.append(answer.text)
                assert _opened(owner) == EVERYBODY

    monkeypatch.setattr(hall, "knock", lambda *_: None)
    thread = threading.Thread(target=resident)
    thread.start()
    try:
        while not codes:
            time.sleep(0.01)
        rotation.rotate(owner, breath_s=0.1)
    finally:
        ended.set()
        thread.join(60)
    assert wrong == []
    rotation.rotate(owner, breath_s=0)
    rotation.confirm(owner)
    with read_session(owner) as session:
        rows = session.execute(text("SELECT sealed FROM register.declaration")).all()
        assert len(rows) == len(codes)
        for row in rows:
            assert '"张伟"' in identity.vault().unseal(bytes(row.sealed), hall.SEALED)
        for code in codes:
            assert hall.look(session, code)["state"] == "new"


def test_a_killed_run_goes_on_where_it_stopped(
    owner: Engine, filled: int, keys: Path, small_city: SmallCity
) -> None:
    program = f"""
import sys, time
from pathlib import Path
from db.engine import make_engine
from population.register import rotation
from population.register.settings import RegisterSettings
RegisterSettings.key_file = lambda _: Path({str(keys)!r}) / "identity.key"
rotation.BATCH = 10
def told(column, number):
    print(column, number, flush=True)
    if number >= 30: time.sleep(600)
rotation.rotate(make_engine({small_city.url!r}), told, breath_s=0)
"""
    run = subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    for line in run.stdout:
        if line.split()[1] == "30":
            break
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert _opened(owner) == EVERYBODY  # both keys are open
    assert rotation.status(owner)["values"]["register.person.id_number_enc"] == {0: filled // 2 - 30, 1: 30}
    assert rotation.rotate(owner, breath_s=0) == filled - 30
    assert rotation.status(owner)["opens"] == [0, 1]  # the same change was finished, no third key begun


def test_a_missing_or_spoiled_key_is_named_and_nothing_is_written(
    owner: Engine, filled: int, keys: Path
) -> None:
    rotation.rotate(owner, breath_s=0)
    new = keys / "identity.1.key"
    kept = new.read_text()
    for spoil in (new.unlink, lambda: new.write_text("spoiled"), lambda: new.write_text("00" * 16)):
        spoil()
        identity._opened.cache_clear()
        with pytest.raises(identity.IdentityKeyError):
            rotation.rotate(owner, breath_s=0)
    new.write_text("00" * 32)  # a key, but another
    identity._opened.cache_clear()
    with pytest.raises(identity.IdentityKeyError):
        _opened(owner)
    new.write_text(kept)
    (keys / "identity.ring").write_text("{")
    identity._opened.cache_clear()
    with pytest.raises(identity.IdentityKeyFileError):
        identity.vault()


def test_every_encrypted_or_hashed_column_is_registered(owner: Engine) -> None:
    """Whoever adds a column of encrypted values must say so in ``rotation``, or it is left behind by a new key."""
    with read_session(owner) as session:
        found = {
            (row[0], row[1])
            for row in session.execute(
                text(
                    """SELECT n.nspname || '.' || c.relname, a.attname FROM pg_attribute a
                       JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                       WHERE a.atttypid = 'bytea'::regtype AND a.attnum > 0 AND NOT a.attisdropped
                         AND c.relkind IN ('r', 'p') AND n.nspname IN ('register', 'ops', 'cases', 'crowd')"""
                )
            )
        }
    registered = {(one.table, one.column) for one in rotation.ENCRYPTED} | rotation.KEYED_HASHES
    assert ("register.person", "id_number_enc") in found
    assert sorted(found - registered - rotation.NOT_OURS) == []
    assert sorted(registered - found) == []

"""The audit trail: a chain that tells of every change, appended by nobody in another's name."""

from __future__ import annotations

import itertools
import threading

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from api import signin
from db.engine import make_engine, read_session, write_session
from privacy import audit, territory
from tests.small_city import SmallCity, plain


def _some(owner: Engine, number: int = 5) -> None:
    with write_session(owner) as session:
        for n in range(number):
            audit.write(session, "test", account=f"someone{n}", params={"layer": "人口", "n": n})


def test_a_whole_chain_is_whole(small_city: SmallCity, owner: Engine) -> None:
    _some(owner)
    with read_session(owner) as session:
        assert audit.first_broken(session) is None
        hashes = session.execute(text("SELECT prev_hash, hash FROM audit.event ORDER BY id")).all()
    assert hashes[0].prev_hash is None
    assert all(later.prev_hash == earlier.hash for earlier, later in itertools.pairwise(hashes))


@pytest.mark.parametrize(
    "change",
    ["UPDATE audit.event SET account = 'other' WHERE id = 3",
     "UPDATE audit.event SET at = at - interval '1 day' WHERE id = 3",
     "UPDATE audit.event SET params = '{}' WHERE id = 3", "DELETE FROM audit.event WHERE id = 2",
     "UPDATE audit.event SET hash = sha256('x') WHERE id = 2"],
)  # fmt: skip
def test_a_changed_or_removed_event_breaks_the_chain_at_its_place(
    small_city: SmallCity, owner: Engine, change: str
) -> None:
    _some(owner)
    with psycopg.connect(plain(small_city.url)) as connection:  # somebody with all rights, past the trigger
        connection.execute("ALTER TABLE audit.event DISABLE TRIGGER event_append_only")
        connection.execute(change)  # type: ignore[call-overload]
    with read_session(owner) as session:
        broken = audit.first_broken(session)
    assert broken is not None
    assert broken.id in (2, 3)


def test_even_the_owner_cannot_change_it_in_passing(small_city: SmallCity, owner: Engine) -> None:
    _some(owner)
    for statement in (
        "UPDATE audit.event SET account = 'x'",
        "DELETE FROM audit.event",
        "TRUNCATE audit.event",
    ):
        with pytest.raises(ProgrammingError), write_session(owner) as session:
            session.execute(text(statement))


def test_many_writers_at_once_make_one_chain(small_city: SmallCity, owner: Engine) -> None:
    engine = make_engine(small_city.url, 8)
    threads = [threading.Thread(target=_some, args=(engine, 10)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    with read_session(owner) as session:
        assert session.execute(text("SELECT count(*) FROM audit.event")).scalar_one() >= 60
        assert audit.first_broken(session) is None


def test_the_time_zone_of_the_reader_does_not_matter(small_city: SmallCity, owner: Engine) -> None:
    _some(owner)
    with read_session(owner) as session:
        session.execute(text("SET LOCAL TimeZone = 'America/New_York'"))
        session.execute(text("SET LOCAL DateStyle = 'German'"))
        assert audit.first_broken(session) is None


def test_append_names_the_acting_person_and_nobody_else(small_city: SmallCity, owner: Engine) -> None:
    with write_session(owner) as session:
        hashed = signin.token_hash(signin.open_session(session, small_city.users["officer"], 1))
    app = make_engine(small_city.address("app"), 2)
    with write_session(app) as session:
        assert territory.enter(session, hashed, 3600) is not None
        number = audit.append(session, "look", resource="map", purpose="duty", territory="", params={})
    with pytest.raises(ProgrammingError), write_session(app) as session:
        audit.append(session, "look", resource="map", purpose="duty", territory="", params={})
    app.dispose()
    with read_session(owner) as session:
        row = session.execute(
            text("SELECT account, role FROM audit.event WHERE id = :n"), {"n": number}
        ).one()
    assert row == ("officer", "officer")


def test_the_auditor_reads_the_trail_and_nothing_else(small_city: SmallCity, owner: Engine) -> None:
    _some(owner)
    auditor = make_engine(small_city.address("auditor"), 2)
    with read_session(auditor) as session:
        assert session.execute(text("SELECT count(*) FROM audit.event")).scalar_one() >= 5
        assert audit.first_broken(session) is None
    for table in (
        "register.person",
        "stats.unit_figures",
        "pub.unit_figures",
        "ops.rejected_row",
        'ops."user"',
    ):
        with pytest.raises(ProgrammingError), read_session(auditor) as session:
            session.execute(text(f"SELECT 1 FROM {table}"))
    auditor.dispose()

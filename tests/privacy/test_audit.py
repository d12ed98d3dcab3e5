"""The audit trail: a chain that tells of every change, appended by nobody in another's name."""

from __future__ import annotations

import itertools
import threading
from uuid import UUID

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
            audit.write(
                session,
                "test",
                account=f"someone{n}",
                params={"layer": "人口", "n": n},
                persons=[UUID(int=n)],
            )


def test_a_whole_chain_is_whole(small_city: SmallCity, owner: Engine) -> None:
    _some(owner)
    with read_session(owner) as session:
        assert audit.first_broken(session) is None
        hashes = session.execute(text("SELECT prev_hash, hash FROM audit.event ORDER BY id")).all()
    assert hashes[0].prev_hash is None
    assert all(later.prev_hash == earlier.hash for earlier, later in itertools.pairwise(hashes))


SWAP = """UPDATE audit.event SET id = -id WHERE id IN (2, 3);
  UPDATE audit.event SET id = CASE id WHEN -2 THEN 3 ELSE 2 END WHERE id < 0"""
# A row put between 2 and 3 by somebody who knows how links are made: numbers move up, its own hash is right.
INSERT = """UPDATE audit.event SET id = id + 1000 WHERE id > 2;
  UPDATE audit.event SET id = id - 999 WHERE id > 1000;
  INSERT INTO audit.event SELECT (e).* FROM (
    SELECT jsonb_populate_record(e, '{"id": 3, "account": "planted"}') AS e FROM audit.event e WHERE id = 2) x;
  UPDATE audit.event SET prev_hash = (SELECT hash FROM audit.event WHERE id = 2) WHERE id = 3;
  UPDATE audit.event e SET hash = sha256(prev_hash || audit.canonical(e)) WHERE id = 3"""


@pytest.mark.parametrize(
    ("change", "at", "why"),
    [("UPDATE audit.event SET account = 'other' WHERE id = 3", 3, "changed"),
     ("UPDATE audit.event SET at = at - interval '1 day' WHERE id = 3", 3, "changed"),
     ("UPDATE audit.event SET params = '{}' WHERE id = 3", 3, "changed"),
     ("UPDATE audit.event SET persons = NULL WHERE id = 3", 3, "changed"),
     ("UPDATE audit.event SET persons = ARRAY[gen_random_uuid()] WHERE id = 3", 3, "changed"),
     ("UPDATE audit.event SET hash = sha256('x') WHERE id = 2", 2, "changed"),
     ("DELETE FROM audit.event WHERE id = 2", 3, "removed"),
     ("DELETE FROM audit.event WHERE id = 1", 2, "removed"),
     ("DELETE FROM audit.event WHERE id >= 4", 4, "removed_at_end"),
     ("DELETE FROM audit.event", 1, "removed_at_end"),
     (SWAP, 2, "changed"), (INSERT, 4, "changed"),
     ("""INSERT INTO audit.event (id, at, action, prev_hash, hash)
         SELECT 6, now(), 'planted', hash, hash FROM audit.event WHERE id = 5;
         UPDATE audit.event e SET hash = sha256(prev_hash || audit.canonical(e)) WHERE id = 6""", 6, "added_at_end")],
)  # fmt: skip
def test_whatever_was_done_to_the_trail_is_found_at_its_place(
    small_city: SmallCity, owner: Engine, change: str, at: int, why: str
) -> None:
    _some(owner)
    with psycopg.connect(plain(small_city.url)) as connection:  # somebody with all rights, past the trigger
        connection.execute("ALTER TABLE audit.event DISABLE TRIGGER event_append_only")
        connection.execute(change)  # type: ignore[call-overload]
    with read_session(owner) as session:
        broken = audit.first_broken(session)
    assert broken is not None
    assert (broken.id, broken.why) == (at, why)


def test_an_inserted_row_with_its_followers_numbers_forged_too(small_city: SmallCity, owner: Engine) -> None:
    """The follower's own hash made right again: then the link between the two does not hold."""
    _some(owner)
    with psycopg.connect(plain(small_city.url)) as connection:
        connection.execute("ALTER TABLE audit.event DISABLE TRIGGER event_append_only")
        connection.execute(INSERT)  # type: ignore[call-overload]
        connection.execute(
            """UPDATE audit.event e SET hash = sha256(prev_hash || audit.canonical(e)) WHERE id = 4;
               UPDATE audit.event e SET prev_hash = p.hash FROM audit.event p WHERE e.id = 5 AND p.id = 4"""
        )
    with read_session(owner) as session:
        broken = audit.first_broken(session)
    assert broken is not None
    assert (broken.id, broken.why) == (4, "inserted")


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
    with write_session(owner) as session:
        hashed = signin.token_hash(signin.open_session(session, small_city.users["auditor"], 1))
    auditor = make_engine(small_city.address("auditor"), 2)
    with read_session(auditor) as session:
        assert session.execute(text("SELECT count(*) FROM audit.event")).scalar_one() == 0  # nobody acts yet
        assert territory.enter(session, hashed, 3600) is not None
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

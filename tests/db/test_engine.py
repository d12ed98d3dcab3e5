"""Scopes: one commit at the end, no writing while reading, roles that the database holds."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import InternalError, ProgrammingError

from db.engine import acting_as, make_engine, raw_copy, read_session, write_session
from db.migrate import current, head


def test_write_commits_once_at_the_end_and_not_after_an_error(database_engine: Engine) -> None:
    with pytest.raises(RuntimeError), write_session(database_engine) as session:
        session.execute(text("CREATE TABLE gone (x int)"))
        raise RuntimeError
    with write_session(database_engine) as session:
        session.execute(text("CREATE TABLE kept (x int)"))
    with read_session(database_engine) as session:
        seen = session.execute(
            text("SELECT to_regclass('gone') IS NULL, to_regclass('kept') IS NOT NULL")
        ).one()
    assert tuple(seen) == (True, True)


def test_reading_cannot_write(database_engine: Engine) -> None:
    with pytest.raises(InternalError, match="read-only"), read_session(database_engine) as session:
        session.execute(text("CREATE TABLE x (x int)"))


def test_copy_runs_in_the_session_s_transaction(database_engine: Engine) -> None:
    with write_session(database_engine) as session:
        session.execute(text("CREATE TABLE t (x int)"))
        with raw_copy(session).cursor().copy("COPY t FROM STDIN") as copy:
            copy.write("1\n2\n")
        assert session.execute(text("SELECT sum(x) FROM t")).scalar() == 3


def test_acting_as_a_role_limits_the_connection(database: str) -> None:
    limited = make_engine(acting_as(make_url(database), "pub_reader"))
    with limited.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text('SELECT * FROM ops."user"'))
    limited.dispose()


def test_the_template_is_at_the_newest_revision(database: str) -> None:
    assert current(database) == head()


def test_the_audit_trail_cannot_be_changed(database_engine: Engine) -> None:
    with write_session(database_engine) as session:
        session.execute(text("INSERT INTO audit.event (id, action, hash) VALUES (1, 'x', '\\x00')"))
    for change in ("UPDATE audit.event SET action = 'y'", "DELETE FROM audit.event", "TRUNCATE audit.event"):
        with pytest.raises(ProgrammingError, match="append-only"), write_session(database_engine) as session:
            session.execute(text(change))


def test_parameters_stay_out_of_errors(database_engine: Engine) -> None:
    with pytest.raises(ProgrammingError) as caught, write_session(database_engine) as session:
        session.execute(text("SELECT * FROM nowhere WHERE x = :secret"), {"secret": "110101199003070000"})
    assert "110101199003070000" not in str(caught.value)

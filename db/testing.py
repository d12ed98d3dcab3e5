"""A template database built once by the migrations, and quick clones of it for tests and benchmarks."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from db import migrate
from db.engine import database_url
from db.settings import DbSettings

_LOCK = 770431


def _fingerprint() -> str:
    """Changes when a migration, or a file a migration reads, changes."""
    whole = hashlib.sha256()
    folders = [migrate.MIGRATIONS, migrate.MIGRATIONS.parent.parent / "population" / "statistics"]
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".py", ".sql", ".toml"}:
                whole.update(file.read_bytes())
    return whole.hexdigest()[:12]


def _server() -> tuple[str, str]:
    """Plain address of the maintenance database, and the address pattern of the databases beside it."""
    url = make_url(database_url(DbSettings()))
    plain = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    return plain, url.set(database="__name__").render_as_string(hide_password=False)


def _drop_left_behind(connection: psycopg.Connection) -> None:
    """Remove the clones of processes that were ended before they could do it."""
    rows = connection.execute(
        r"SELECT datname, substring(datname FROM '_(\d+)_[0-9a-f]{8}$')::int FROM pg_database "
        r"WHERE datname ~ '^hexward_[a-z]+_\d+_[0-9a-f]{8}$'"
    ).fetchall()
    for name, pid in rows:
        if not os.path.exists(f"/proc/{pid}"):
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def template_database() -> str:
    """Name of the migrated template; built once per state of the migrations, whoever asks first."""
    plain, pattern = _server()
    name = f"hexward_template_{_fingerprint()}"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        _drop_left_behind(connection)
        marked = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
        ).fetchone()
        if marked is None or marked[0] != "complete":
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            migrate.upgrade(pattern.replace("__name__", name))
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS 'complete'").format(sql.Identifier(name)))
    return name


def create_clone(template: str, purpose: str = "test") -> str:
    """Address of a new database copied from ``template``."""
    plain, pattern = _server()
    name = f"hexward_{purpose}_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # copying needs the template to itself
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return pattern.replace("__name__", name)


def drop(url: str) -> None:
    """Remove a clone, whoever is still connected to it."""
    plain, _ = _server()
    name = make_url(url).database
    assert name is not None
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def clone(purpose: str = "test") -> Iterator[str]:
    """A fresh migrated database for the length of the block."""
    url = create_clone(template_database(), purpose)
    try:
        yield url
    finally:
        drop(url)

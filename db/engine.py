"""Engines by role, and the two kinds of scope: one that writes once at its end, one that cannot write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal, cast

import psycopg
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from db import cluster
from db.settings import DbSettings

Role = Literal["owner", "app", "stat_builder", "pub_reader", "auditor"]


def database_url(settings: DbSettings | None = None) -> str:
    """Address of the city's database as its owner; makes and starts the private cluster when needed."""
    return _url(settings or DbSettings(), "owner").render_as_string(hide_password=False)


def _url(settings: DbSettings, role: Role) -> URL:
    if settings.database_url is None:
        running = cluster.ensure(settings)
        cluster.ensure_database(running, settings.database)
        return make_url(running.url(settings.database, f"hexward_{role}"))
    own = {"app": settings.database_url_app, "pub_reader": settings.database_url_pub}.get(role)
    if own is not None:
        return _with_driver(own.get_secret_value())
    url = _with_driver(settings.database_url.get_secret_value())
    return url if role == "owner" else acting_as(url, role)


def _with_driver(address: str) -> URL:
    return make_url(address).set(drivername="postgresql+psycopg")


def acting_as(url: URL, role: Role) -> URL:
    """The same login, switched to ``hexward_<role>`` from the first statement on."""
    return url.update_query_dict({"options": f"-c role=hexward_{role}"})


def make_engine(url: str | URL, pool_size: int = 12) -> Engine:
    """An engine with parameters hidden from logs and tracebacks."""
    return create_engine(
        url, pool_size=pool_size, max_overflow=4, pool_pre_ping=True, hide_parameters=True, future=True
    )


@cache
def _engine(url: URL, pool_size: int) -> Engine:
    return make_engine(url, pool_size)


def engine(role: Role = "owner", settings: DbSettings | None = None) -> Engine:
    """The process-wide engine of ``role``."""
    settings = settings or DbSettings()
    return _engine(_url(settings, role), settings.pool_size)


@contextmanager
def write_session(bound_to: Engine) -> Iterator[Session]:
    """One transaction, committed when the block ends well; nothing else in the project commits."""
    with Session(bound_to, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def read_session(bound_to: Engine) -> Iterator[Session]:
    """One transaction that the database itself keeps from writing."""
    with Session(bound_to, expire_on_commit=False) as session, session.begin():
        session.execute(text("SET TRANSACTION READ ONLY"))
        yield session


def raw_copy(session: Session) -> psycopg.Connection:
    """The driver's connection under ``session``, for COPY inside the same transaction."""
    return cast("psycopg.Connection", session.connection().connection.driver_connection)

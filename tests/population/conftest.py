"""A register of random changes, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.orm import Session

from db.engine import make_engine
from tests.population.changes import Changes, Conn, lay_out_areas


def plain(url: str) -> str:
    """The address as psycopg takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def conn(database: str) -> Iterator[Conn]:
    """A database with areas and nothing else."""
    with psycopg.connect(plain(database)) as made:
        lay_out_areas(made)
        yield made


@pytest.fixture(scope="module")
def town(template_db: str) -> Iterator[Engine]:
    """A register after 300 random changes, committed; shared by the tests of a module that only read."""
    from db import testing

    url = testing.create_clone(template_db)
    with psycopg.connect(plain(url)) as made:
        lay_out_areas(made)
        changes = Changes(made, 11)
        changes.start()
        for _ in range(300):
            changes.one()
    engine = make_engine(url, pool_size=2)
    yield engine
    engine.dispose()
    testing.drop(url)


@pytest.fixture
def reader(town: Engine) -> Iterator[Session]:
    """A session on the town whose work is rolled back."""
    with Session(town) as session:
        yield session
        session.rollback()

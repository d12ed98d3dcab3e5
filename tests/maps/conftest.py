"""The town, built once a test process, and sessions that look at it as a person of each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from db import testing
from db.engine import acting_as, make_engine
from maps import memory
from maps.viewer import Viewer
from tests.maps import town as towns


@dataclass
class Built:
    """The town and engines on it."""

    town: towns.Town
    owner: Engine
    app: Engine
    reader: Engine


@pytest.fixture(scope="session")
def built(template_db: str) -> Iterator[Built]:
    url = testing.create_clone(template_db, "maps")
    engines = [
        make_engine(url, pool_size=2),
        make_engine(acting_as(make_url(url), "app"), pool_size=2),
        make_engine(acting_as(make_url(url), "pub_reader"), pool_size=2),
    ]
    with Session(engines[0]) as session, session.begin():
        made = towns.build(session)
    yield Built(made, *engines)
    for engine in engines:
        engine.dispose()
    testing.drop(url)


@pytest.fixture
def town(built: Built) -> towns.Town:
    return built.town


@contextmanager
def look(built: Built, role: str) -> Iterator[tuple[Session, Viewer]]:
    published = role == "analyst"
    with Session(built.reader if published else built.app) as session, session.begin():
        entered = session.execute(
            text("SELECT * FROM ops.enter(:t, 1e6)"), {"t": built.town.tokens[role]}
        ).one()
        assert entered.role == role
        exactness = "threshold" if published else "duty"
        yield session, Viewer(exactness, whole_city=bool(entered.whole_city), scope=role)


@pytest.fixture
def as_role(built: Built) -> Iterator[Callable[[str], tuple[Session, Viewer]]]:
    """A function that opens a session as a person of a role: (session, viewer)."""
    memory.forget()
    with ExitStack() as opened:
        yield lambda role: opened.enter_context(look(built, role))

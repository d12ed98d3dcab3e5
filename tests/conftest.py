"""Fixtures every room's tests share: a real database a test, and the real data beside the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db import testing
from db.engine import make_engine

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def template_db() -> str:
    """Name of the template database built by the migrations."""
    return testing.template_database()


@pytest.fixture
def database(template_db: str) -> Iterator[str]:
    """Address of a fresh database, dropped afterwards."""
    url = testing.create_clone(template_db)
    yield url
    testing.drop(url)


@pytest.fixture
def database_engine(database: str) -> Iterator[Engine]:
    """Owner's engine on a fresh database."""
    made = make_engine(database, pool_size=4)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def worker_engine(template_db: str) -> Iterator[Engine]:
    """Owner's engine on a database this test process keeps; use through ``session``, which rolls back."""
    url = testing.create_clone(template_db, "worker")
    made = make_engine(url, pool_size=4)
    yield made
    made.dispose()
    testing.drop(url)


@pytest.fixture
def session(worker_engine: Engine) -> Iterator[Session]:
    """A session whose work is rolled back after the test."""
    with worker_engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as made:
            yield made
        transaction.rollback()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data; absent: skipped on a developer's machine, an error in CI."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"real data is missing: {SHARED_DATA}")
        pytest.skip(f"real data is not here: {SHARED_DATA}")
    return SHARED_DATA

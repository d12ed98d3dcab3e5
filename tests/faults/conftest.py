"""A town with its files written, and one that is loaded already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from db import testing
from tests.faults.town import Town, make


@pytest.fixture
def town(database: str, tmp_path: Path) -> Town:
    """The town's files, nothing loaded yet."""
    return make(tmp_path, database)


@pytest.fixture(scope="session")
def layers_loaded(template_db: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the town's areas, homes and buildings, made once a test process."""
    url = testing.create_clone(template_db, "faults")
    there = make(tmp_path_factory.mktemp("town"), url)
    there.sources = [one for one in there.sources if 'name = "people"' not in one]
    there.write_toml()
    done = there.load()
    assert done.code == 0, done.err
    yield url
    testing.drop(url)


@pytest.fixture
def settled(layers_loaded: str, tmp_path: Path) -> Iterator[Town]:
    """A town whose areas, buildings and homes are loaded; its people are still to come."""
    name = make_url(layers_loaded).database
    assert name is not None
    url = testing.create_clone(name)
    yield make(tmp_path, url)
    testing.drop(url)

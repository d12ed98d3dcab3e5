"""The demo city, generated and loaded as a newcomer does it, at its smallest size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.loading import Order, load_city
from db import testing
from db.engine import make_engine
from demo.generate import generate
from intake.city import load_city as read_city
from tests.server import served
from tests.small_city import owner, small_city, small_city_template

__all__ = ["demo_city", "owner", "served", "small_city", "small_city_template"]


@pytest.fixture(scope="session")
def demo_city(template_db: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a database with the demo town in it."""
    folder = generate("town", 1, tmp_path_factory.mktemp("demo"))
    url = testing.create_clone(template_db, "notebook")
    engine = make_engine(url, pool_size=2)
    load_city(read_city(folder / "city.toml"), Order("tests"), engine=engine)
    engine.dispose()
    yield url
    testing.drop(url)

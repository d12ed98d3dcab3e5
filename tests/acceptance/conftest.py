"""Cities of real data, each loaded once for a test session the way ``hexward load`` does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.loading import Order, Report, Silent, load_city
from db import testing
from db.engine import make_engine
from intake.city import load_city as read_city

HERE = Path(__file__).parent


@dataclass
class Heard(Silent):
    """What a person would have seen."""

    warnings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def warn(self, source: str, warning: dict[str, Any]) -> None:
        self.warnings.append((source, warning))

    def of(self, code: str) -> list[tuple[str, dict[str, Any]]]:
        return [(source, one) for source, one in self.warnings if one["code"] == code]


@dataclass
class Loaded:
    """A city in its own database."""

    engine: Engine
    reports: dict[str, Report]
    heard: Heard
    file: Path

    def rows(self, query: str, **params: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), params).fetchall())

    def value(self, query: str, **params: Any) -> Any:
        (row,) = self.rows(query, **params)
        return row[0]

    def again(self, **order: Any) -> list[Report]:
        return load_city(read_city(self.file), Order("tester", **order), Heard(), self.engine)


@contextmanager
def loaded(template: str, name: str) -> Iterator[Loaded]:
    file, heard = HERE / f"{name}.toml", Heard()
    url = testing.create_clone(template, name.replace("-", "_"))
    engine = make_engine(url, pool_size=4)
    try:
        reports = load_city(read_city(file), Order("tester"), heard, engine)
        yield Loaded(engine, {one.source: one for one in reports}, heard, file)
    finally:
        engine.dispose()
        testing.drop(url)


@pytest.fixture(scope="session")
def nyc(template_db: str, shared_data: Path) -> Iterator[Loaded]:
    """Three boroughs of New York."""
    with loaded(template_db, "nyc") as city:
        yield city


@pytest.fixture(scope="session")
def shenzhen(template_db: str, shared_data: Path) -> Iterator[Loaded]:
    """Shenzhen with the sub-districts' file declared as it declares itself."""
    with loaded(template_db, "shenzhen") as city:
        yield city


@pytest.fixture(scope="session")
def shenzhen_gcj02(template_db: str, shared_data: Path) -> Iterator[Loaded]:
    """Shenzhen with the sub-districts declared in the datum they were drawn in."""
    with loaded(template_db, "shenzhen-gcj02") as city:
        yield city

"""A small city in a real database, for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
import shapely
from sqlalchemy.orm import Session

from db.engine import raw_copy
from grid import repository
from grid.loaders import LoadResult, load

LEVELS = [(key, {"zh": key, "en": key}) for key in ("city", "district", "community")]


@dataclass
class Source:
    """What a loader reads of a source."""

    kind: str
    name: str = "layer"
    level: str | None = None


@dataclass
class Batch:
    """Accepted rows."""

    accepted: pl.DataFrame


def batch(shapes: Sequence[Any], **columns: Any) -> Batch:
    """Rows as intake hands them over."""
    wkb = [None if s is None else s if isinstance(s, bytes) else shapely.to_wkb(s) for s in shapes]
    frame = pl.DataFrame({**columns, "geometry": pl.Series(wkb, dtype=pl.Binary)}, strict=False)
    return Batch(frame.with_row_index("__line", offset=2).with_columns(pl.col("__line").cast(pl.Int64)))


def load_level(conn: Any, level: str, shapes: Sequence[Any], **columns: Any) -> LoadResult:
    """Loads areas of one level."""
    return load(conn, Source("areas", f"{level}s", level), [batch(shapes, **columns)], 1)


@pytest.fixture
def conn(session: Session) -> Any:
    """The driver's connection, rolled back after the test."""
    made = raw_copy(session)
    repository.set_levels(made, LEVELS)
    return made


@pytest.fixture
def city(conn: Any) -> Any:
    """Two districts with two communities each, 0.02 x 0.02 degrees in all, near Shenzhen."""
    districts = [shapely.box(114.0, 22.5, 114.01, 22.52), shapely.box(114.01, 22.5, 114.02, 22.52)]
    load_level(
        conn,
        "district",
        districts,
        code=["440305000000", "440306000000"],
        name=["南山区", "宝安区"],
        name_en=["Nanshan", None],
    )
    communities = [shapely.box(x, y, x + 0.01, y + 0.01) for x in (114.0, 114.01) for y in (22.5, 22.51)]
    codes = ["440305001001", "440305001002", "440306001001", "440306001002"]
    load_level(conn, "community", communities, code=codes, name=["甲社区", "乙社区", "丙社区", "丁社区"])
    return conn

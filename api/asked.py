"""What routes are asked for, parsed and checked once: which places, which day, how it is drawn, which tile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends, Path, Query

from db.errors import HexwardError
from maps.classes import Scheme
from maps.figures import Geography
from maps.palettes import Theme
from maps.tilemath import Tile

Level = Annotated[int | None, Query(ge=0, le=20, description="Depth in the area tree, 0 = the city")]
Day = Annotated[date | None, Query(alias="date", description="YYYY-MM-DD; today's figures when left out")]


class BadBox(HexwardError):
    """A bounding box whose sides are the wrong way round, or not on the globe."""

    code = "request.box"


class BadPoint(HexwardError):
    """A point that is not lng,lat in degrees."""

    code = "request.point"


@dataclass(frozen=True)
class _Places:
    geography: Geography = "cell"
    resolution: Annotated[int | None, Query(ge=0, le=15, description="H3 resolution of cells")] = None
    level: Level = None
    day: Day = None


@dataclass(frozen=True)
class _Drawing:
    scheme: Scheme = "quantiles"
    classes: Annotated[int, Query(ge=2, le=9)] = 5
    theme: Theme = "light"


Places = Annotated[_Places, Depends()]
Drawing = Annotated[_Drawing, Depends()]
Bounds = tuple[float, float, float, float]


def box_of(
    bbox: Annotated[str | None, Query(max_length=200, description="west,south,east,north (WGS84)")] = None,
) -> Bounds | None:
    """Bounding box in degrees. Raises ``BadBox``.

    >>> box_of("113.8,22.5,114.1,22.7")
    (113.8, 22.5, 114.1, 22.7)
    """
    if bbox is None:
        return None
    try:
        west, south, east, north = (float(part) for part in bbox.split(","))
    except ValueError as problem:
        raise BadBox() from problem
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise BadBox()
    return west, south, east, north


Box = Annotated[Bounds | None, Depends(box_of)]


def tile_of(z: Annotated[int, Path(ge=0, le=24)], x: int, y: int) -> Tile:
    """The tile of the path. Raises ``maps.errors.TileOutOfRangeError``."""
    return Tile(z, x, y)


Asked = Annotated[Tile, Depends(tile_of)]


def point_of(
    near: Annotated[str | None, Query(max_length=60, description="lng,lat (WGS84)")] = None,
) -> tuple[float, float] | None:
    """A point in degrees. Raises ``BadPoint``.

    >>> point_of("113.8,22.5")
    (113.8, 22.5)
    """
    if near is None:
        return None
    try:
        lng, lat = (float(part) for part in near.split(","))
    except ValueError as problem:
        raise BadPoint() from problem
    if not (abs(lng) <= 180 and abs(lat) <= 90):
        raise BadPoint()
    return lng, lat


Point = Annotated[tuple[float, float] | None, Depends(point_of)]

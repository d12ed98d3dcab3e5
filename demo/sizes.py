"""The sizes a demo city comes in: one code path, only more districts and more blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from demo.errors import UnknownSizeError

#: Residents per km2 of built-up city the plan is laid out for (gross, with parks, river and factories).
GROSS_DENSITY_KM2 = 10_500.0


@dataclass(frozen=True)
class Size:
    """What a size stands for. People counts are targets; the result is within a few per cent.

    `quarter_m2` is the area a superblock is split into before land use is decided, `chunk_people` the
    number of residents generated and written at once, `files` the form the big tables are delivered in.
    """

    name: str
    people: int
    community_people: int
    street_people: int
    district_people: int
    quarter_m2: float
    chunk_people: int
    files: str

    @property
    def radius_m(self) -> float:
        """Radius in metres of the disc that holds the city at the gross density."""
        return math.sqrt(self.people / GROSS_DENSITY_KM2 / math.pi) * 1000.0


SIZES: dict[str, Size] = {
    size.name: size
    for size in (
        Size("town", 10_000, 900, 2_700, 5_200, 55_000.0, 250_000, "csv"),
        Size("district", 60_000, 2_300, 9_000, 19_500, 130_000.0, 250_000, "csv"),
        Size("city", 1_000_000, 3_600, 45_000, 230_000, 300_000.0, 250_000, "parquet"),
        Size("big", 5_000_000, 4_600, 65_000, 620_000, 340_000.0, 250_000, "parquet"),
        Size("metropolis", 20_000_000, 5_200, 85_000, 1_250_000, 380_000.0, 250_000, "parquet"),
    )
}


def size_named(name: str) -> Size:
    """The size of that name; raises `UnknownSizeError`, which lists the names there are.

    >>> size_named("town").people
    10000
    """
    try:
        return SIZES[name]
    except KeyError:
        raise UnknownSizeError(size=name, known=", ".join(SIZES)) from None

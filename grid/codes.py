"""Codes of areas and legal grids: the 12-digit statistics code and the 15-digit code of a unit grid.

A 12-digit code is read as 2+2+2+3+3 digits: province, city, district, street or township, community or village. A
unit grid's code is its community's code with a 3-digit sequence, counted west to east in rows from north to south.
Codes of other countries are taken as they are; a grid there is named ``<community>-001``.
Source: the statistics bureau's rules for area codes; GB/T 30428.1 for the unit grid.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from db.errors import HexwardError

LEVEL_LENGTHS = (2, 4, 6, 9, 12)
"""Digits that name a province, city, district, street, community."""

MOST_GRIDS = 999


class TooManyGridsError(HexwardError):
    """A community has more grids than a 3-digit sequence can number."""

    code = "grids.too_many"


def is_statistics_code(code: str) -> bool:
    """Whether `code` is a Chinese area code of one of the five levels, short or filled up with zeros to 12 digits.

    >>> is_statistics_code("440305007001"), is_statistics_code("440305"), is_statistics_code("MN0101")
    (True, True, False)
    """
    return code.isascii() and code.isdigit() and len(code) in LEVEL_LENGTHS and code[0] != "0"


def split(code: str) -> tuple[str, ...]:
    """Province, city, district, street, community parts of a statistics code, as far as it goes.

    >>> split("440305007001")
    ('44', '03', '05', '007', '001')
    >>> split("440305000000")
    ('44', '03', '05')
    """
    if not is_statistics_code(code):
        raise ValueError(f"not a statistics code: {code}")
    cuts = [0, *(n for n in LEVEL_LENGTHS if n <= len(code))]
    parts = [code[a:b] for a, b in pairwise(cuts)]
    while len(parts) > 1 and set(parts[-1]) == {"0"}:
        parts.pop()
    return tuple(parts)


def parent(code: str) -> str | None:
    """The code of the area one level up, of the same length as the parts require; None for a province.

    >>> parent("440305007001"), parent("440305000000"), parent("44")
    ('440305007', '4403', None)
    """
    parts = split(code)[:-1]
    return "".join(parts) or None


def grid_code(community: str, sequence: int) -> str:
    """Code of the `sequence`-th unit grid (from 1) of a community.

    >>> grid_code("440305007001", 7), grid_code("MN0101", 7)
    ('440305007001007', 'MN0101-007')
    """
    if not 1 <= sequence <= MOST_GRIDS:
        raise TooManyGridsError(community=community, most=MOST_GRIDS)
    joint = "" if is_statistics_code(community) and len(community) == 12 else "-"
    return f"{community}{joint}{sequence:03d}"


def reading_order(lng: npt.ArrayLike, lat: npt.ArrayLike, row_height: float) -> npt.NDArray[np.int64]:
    """Positions of points as grids are numbered: in rows of `row_height` degrees from the north, west to east.

    >>> reading_order([0.0, 1.0, 0.0, 1.0], [0.01, 0.0, 1.0, 1.02], 0.5).tolist()
    [2, 3, 0, 1]
    """
    x, y = np.asarray(lng, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if not x.size:
        return np.zeros(0, dtype=np.int64)
    row = np.floor((y.max() - y) / max(row_height, 1e-12) + 1e-9)
    return np.lexsort((-y, x, row))

"""English names of legal grids, which have Chinese names only: the community's English name and the grid's number."""

from __future__ import annotations

import re
from typing import Final

NUMBERED: Final = re.compile("第0*([0-9]+)网格")


def english(name: str | None, community: str | None, community_en: str | None) -> str | None:
    """A grid's name in English where it is its community's name and a number; else None.

    >>> english("杏阳社区第18网格", "杏阳社区", "Xingyang Community")
    'Xingyang Community grid 18'
    >>> english("车站网格", "杏阳社区", "Xingyang Community")
    """
    if not name or not community or not community_en or not name.startswith(community):
        return None
    number = NUMBERED.fullmatch(name[len(community) :])
    return None if number is None else f"{community_en} grid {number[1]}"


def english_sql(grid: str, area: str) -> str:
    """The same in SQL over the aliases of a grid and of its community; text or NULL."""
    rest = f"substr({grid}.name, length({area}.name) + 1)"
    return (
        f"CASE WHEN starts_with({grid}.name, {area}.name) AND {rest} ~ '^第[0-9]+网格$'"
        f" THEN {area}.name_en || ' grid ' || substring({rest} FROM '^第0*([0-9]+)网格$') END"
    )

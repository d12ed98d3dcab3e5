"""Where a table's header is, and one name a column out of it.

Real tables begin with a title ("XX区人口信息登记表"), spread the header over two or three rows (a merged "住房" above
"面积" and "间数"), or give the Chinese names first and the English ones below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Row = Sequence[str | None]

_LOOKS_LIKE_DATA = re.compile(r"[0-9０-９]{2,}|^[0-9.+-]+$")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*")
_CJK = re.compile(r"[\u3400-\u9fff]")
_HEADER_ROWS_AT_MOST = 4


@dataclass(frozen=True)
class Layout:
    """``titles`` rows to skip, then ``rows`` rows of header."""

    titles: int
    rows: int


def find_layout(first: Sequence[Row], merged: frozenset[tuple[int, int]] = frozenset()) -> Layout:
    """Layout of a table from its first rows (cells of merged ranges filled in; ``merged`` names those cells).

    >>> find_layout([["人口登记表", None, None], ["编号", "住房", None], [None, "面积", "间数"], ["1", "80", "3"]])
    Layout(titles=1, rows=2)
    >>> find_layout([["id", "name"], ["1", "x"]])
    Layout(titles=0, rows=1)
    """
    titles = 0
    while titles + 1 < len(first) and _is_title(first, titles, merged):
        titles += 1
    rows = 1
    while (
        rows < _HEADER_ROWS_AT_MOST
        and titles + rows + 1 < len(first)
        and _continues(first, titles, titles + rows, merged)
    ):
        rows += 1
    return Layout(titles, rows)


def _filled(row: Row) -> list[str]:
    return [cell.strip() for cell in row if cell is not None and cell.strip()]


def _is_title(first: Sequence[Row], number: int, merged: frozenset[tuple[int, int]]) -> bool:
    """One cell (or one merged across the row, or nothing) where the table below has several columns."""
    filled = [column for column, cell in enumerate(first[number]) if cell and cell.strip()]
    one = len(filled) <= 1 or (
        len(set(_filled(first[number]))) == 1 and all((number, column) in merged for column in filled)
    )
    return one and max(len(_filled(other)) for other in first[number + 1 :]) > 1


def _continues(first: Sequence[Row], top: int, number: int, merged: frozenset[tuple[int, int]]) -> bool:  # noqa: PLR0911 - a list of cases
    """Whether row ``number`` still belongs to the header that begins at ``top``."""
    above, here, below = first[number - 1], first[number], first[number + 1]
    filled = _filled(here)
    if not filled or any(_LOOKS_LIKE_DATA.search(cell) for cell in filled):
        return False
    if _filled(above) == filled:
        return True  # the header said twice
    joined = [
        _join([row[c] if c < len(row) else None for row in first[top : number + 1]]) for c in range(len(here))
    ]
    if len({name for name in joined if name}) < len([name for name in joined if name]):
        return False  # two columns would carry one name: these are data
    if any((number, c) in merged and here[c] is not None for c in range(len(here))):
        return True  # a header cell merged downwards reaches into this row
    if any((number - 1, c) in merged for c in range(len(above))):
        return True  # a header cell merged sideways covers several of these
    if _groups(above, here):
        return _differs_in_kind(here, below)
    gaps = sum(1 for c, cell in enumerate(here) if cell and (c >= len(above) or not above[c]))
    if gaps and all(cell or (c < len(above) and above[c]) for c, cell in enumerate(here)):
        return _differs_in_kind(here, below)
    named_twice = all(_IDENTIFIER.fullmatch(cell) for cell in filled) and len(filled) == len(_filled(above))
    return named_twice and all(_CJK.search(cell) for cell in _filled(above)) and _differs_in_kind(here, below)


def _groups(above: Row, here: Row) -> bool:
    """Whether ``above`` only says, several columns at a time, what the names of ``here`` have in common."""
    if not len(above) == len(here) == len(_filled(above)) == len(_filled(here)):
        return False
    beside = [("", *above[:-1]), (*above[1:], "")]
    groups = sum(above[c] in (beside[0][c], beside[1][c]) for c in range(len(above)))
    alone = [c for c in range(len(above)) if above[c] not in (beside[0][c], beside[1][c])]
    return groups > 1 and all(above[c] == here[c] for c in alone)


def _differs_in_kind(header: Row, data: Row) -> bool:
    """Whether the next row has values such as numbers where this one has words."""
    return any(_LOOKS_LIKE_DATA.search(cell) for cell in _filled(data))


def _join(parts: Sequence[str | None]) -> str:
    """``["住房", "面积"]`` -> ``住房/面积``; what is repeated or empty is said once."""
    said: list[str] = []
    for part in parts:
        plain = re.sub(r"\s+", " ", part).strip() if part else ""
        if plain and plain not in said:
            said.append(plain)
    return "/".join(said)


def name_columns(rows: Sequence[Row], width: int) -> tuple[list[str], list[tuple[str, str]]]:
    """One unique name a column from the header's ``rows``, and (header, name) of those that had to be renamed.

    >>> name_columns([["住房", None, "备注", "备注"], ["面积", "间数", None, None]], 4)
    (['住房/面积', '住房/间数', '备注', '备注 (2)'], [('备注', '备注 (2)')])
    >>> name_columns([["\\ufeffid", " name\\n", ""]], 3)
    (['id', 'name', 'column 3'], [('', 'column 3')])
    """
    spread = [_spread(row, width, last=number == len(rows) - 1) for number, row in enumerate(rows)]
    names: list[str] = []
    renamed: list[tuple[str, str]] = []
    for column in range(width):
        header = _join([row[column] for row in spread]).lstrip("\ufeff")
        name = header or f"column {column + 1}"
        number = 2
        while name in names or name.startswith("__"):
            name = f"{header.lstrip('_') or 'column'} ({number})"
            number += 1
        if name != header:
            renamed.append((header, name))
        names.append(name)
    return names, renamed


def _spread(row: Row, width: int, last: bool) -> list[str | None]:
    """Fill the gaps of an upper header row from the left: an exported merged cell has its text in the first only."""
    cells = [row[c] if c < len(row) else None for c in range(width)]
    if last:
        return cells
    for column in range(1, width):
        if not cells[column] and cells[column - 1]:
            cells[column] = cells[column - 1]
    return cells

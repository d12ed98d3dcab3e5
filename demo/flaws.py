"""The flaws that real data has, put in on request, with a list of every one: what was spoiled, where, and how it was.

Rates are per row. A spoiled row keeps its place in the file except for a duplicate, which follows the row it repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from demo.types import Ints

Change = Callable[[list[Any], np.random.Generator], list[Any]]


def _wrong_check(values: list[Any], rng: np.random.Generator) -> list[Any]:
    """The last character replaced by another digit."""
    return [
        value[:-1] + str((int(value[-1]) + 1 + int(rng.integers(0, 8))) % 10 if value[-1].isdigit() else 5)
        for value in values
    ]


def _impossible(values: list[Any], rng: np.random.Generator) -> list[Any]:
    wrong = ("{year}-02-30", "{year}-13-01", "{year}-00-10", "0000-00-00", "2106-07-15")
    return [wrong[int(rng.integers(0, len(wrong)))].format(year=str(value)[:4]) for value in values]


def _missing(values: list[Any], rng: np.random.Generator) -> list[Any]:
    return [None for _ in values]


def _unknown_word(values: list[Any], rng: np.random.Generator) -> list[Any]:
    return ["不详?" for _ in values]


def _read_wrongly(values: list[Any], rng: np.random.Generator) -> list[Any]:
    """UTF-8 once read as GBK and saved again: 张三 has become 寮犱笁."""
    return [value.encode().decode("gb18030", errors="replace") for value in values]


#: Table -> flaw, column, rate, how the value changes.
CHANGES: dict[str, tuple[tuple[str, str, float, Change], ...]] = {
    "people": (
        ("wrong_check_digit", "身份证号", 0.004, _wrong_check),
        ("impossible_date", "出生日期", 0.003, _impossible),
        ("missing_value", "房屋编号", 0.002, _missing),
        ("unknown_word", "性别", 0.002, _unknown_word),
        ("wrong_encoding", "姓名", 0.002, _read_wrongly),
    ),
    "dwellings": (("missing_value", "房屋编号", 0.001, _missing),),
    "employers": (
        ("wrong_check_digit", "统一社会信用代码", 0.006, _wrong_check),
        ("impossible_date", "成立日期", 0.004, _impossible),
    ),
    "employment": (
        ("impossible_date", "入职日期", 0.002, _impossible),
        ("missing_value", "单位编号", 0.001, _missing),
    ),
    "schooling": (("unknown_word", "学段", 0.003, _unknown_word),),
}
DUPLICATES = {"people": 0.003, "dwellings": 0.002, "employers": 0.004}
SWAPPED = {"employers": ("经度", "纬度", 0.006)}
_KEYS = {
    "people": "人员编号",
    "dwellings": "房屋编号",
    "employers": "单位编号",
    "employment": "人员编号",
    "schooling": "人员编号",
}


class Spoiler:
    """Spoils tables and keeps the list of what was done."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 88_888])
        self._truth: list[dict[str, Any]] = []

    def spoil(self, name: str, table: pl.DataFrame) -> pl.DataFrame:
        """The table with its flaws; each row gets at most one. Dates become text where one is impossible."""
        table = table.with_columns(pl.col(pl.Date).dt.to_string("%Y-%m-%d"))
        free = self._rng.permutation(len(table))
        for flaw, column, rate, change in CHANGES.get(name, ()):
            count = round(rate * len(table))
            rows, free = np.sort(free[:count]), free[count:]
            rows = rows[~table[column].is_null().to_numpy()[rows]]
            changed = change(table[column].gather(rows.tolist()).to_list(), self._rng)
            spoiled = table.with_columns(table[column].scatter(rows.tolist(), changed))
            self._note(name, flaw, column, table[rows], spoiled[rows])
            table = spoiled
        if name in SWAPPED:
            table, free = self._swap(name, table, free)
        repeated = np.sort(free[: round(DUPLICATES.get(name, 0.0) * len(table))])
        order = np.sort(np.concatenate([np.arange(len(table)), repeated]), kind="stable")
        self._note(name, "duplicate", _KEYS[name], table[repeated], table[repeated])
        return table[order]

    def _swap(self, name: str, table: pl.DataFrame, free: Ints) -> tuple[pl.DataFrame, Ints]:
        one, two, rate = SWAPPED[name]
        count = round(rate * len(table))
        rows, free = np.sort(free[:count]).tolist(), free[count:]
        first, second = table[one].gather(rows), table[two].gather(rows)
        swapped = table.with_columns(table[one].scatter(rows, second), table[two].scatter(rows, first))
        self._note(name, "swapped_coordinates", one, table[rows], swapped[rows])
        return swapped, free

    def _note(self, name: str, flaw: str, column: str, before: pl.DataFrame, after: pl.DataFrame) -> None:
        """Put the rows of a table, as they were and as they became, on the list."""
        values = zip(before[_KEYS[name]], before[column], after[column], strict=True)
        for key, old, new in values:
            was, became = (None if value is None else str(value) for value in (old, new))
            self._truth.append(
                {"table": name, "key": key, "flaw": flaw, "column": column, "was": was, "became": became}
            )

    def truth(self) -> pl.DataFrame:
        """Every flaw: table, key of the row, flaw, column, value before and after."""
        names = ("table", "key", "flaw", "column", "was", "became")
        return pl.DataFrame(self._truth, schema=dict.fromkeys(names, pl.String), orient="row")

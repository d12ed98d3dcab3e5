"""The few loops over the bytes of whole columns that decide how fast a load is, compiled."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


def text_buffers(values: pl.Series) -> tuple[Offsets, Bytes]:
    """Offsets (n + 1) into the UTF-8 bytes of a String series; null has length 0."""
    array: Any = values.to_arrow()
    if array.type != pa.large_string():
        array = array.cast(pa.large_string())
    _, offsets, data = array.buffers()
    n = len(array)
    found = (
        np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + n + 1]
        if n
        else np.zeros(1, np.int64)
    )
    return found, np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(
        1, np.uint8
    )


@numba.njit(cache=True, nogil=True)
def _untidy(offsets: Offsets, data: Bytes, nulls: int) -> bool:
    empty = 0
    for i in range(len(offsets) - 1):
        start, end = offsets[i], offsets[i + 1]
        if start == end:
            empty += 1
            continue
        first, last = data[start], data[end - 1]
        if first <= 32 or last <= 32 or (first == 92 and end - start == 2):
            return True
        if first == 0xC2 or first == 0xE3 or first == 0xEF or first == 0xE2:  # noqa: PLR1714 - compiled
            return True  # perhaps a no-break or full-width space
        if end - start >= 2 and last == 0xA0 and data[end - 2] == 0xC2:
            return True
        if end - start >= 3 and data[end - 2] == 0x80 and (data[end - 3] == 0xE3 or data[end - 3] == 0xE2):
            return True
    return empty > nulls


def untidy(values: pl.Series) -> bool:
    """Whether any of ``values`` may begin or end with white space or say "nothing" (a quick look, never too few)."""
    return bool(_untidy(*text_buffers(values), values.null_count()))


@numba.njit(cache=True, nogil=True)
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 (proleptic Gregorian), by the method of counting years from March."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@numba.njit(cache=True, nogil=True)
def _month_length(year: int, month: int) -> int:
    if month == 2:
        return 29 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 28
    return 30 if month in (4, 6, 9, 11) else 31


@numba.njit(cache=True, nogil=True)
def _number(data: Bytes, start: int, length: int) -> int:
    """The digits from ``start`` on as a number, -1 when there is anything else."""
    value = 0
    for i in range(start, start + length):
        digit = data[i] - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@numba.njit(cache=True, nogil=True)
def _dates(  # noqa: PLR0917 - compiled, so no keywords
    offsets: Offsets, data: Bytes, first_year: int, last_year: int, out: npt.NDArray[np.int32], found: Bytes
) -> None:
    for i in range(len(offsets) - 1):
        start = offsets[i]
        length = offsets[i + 1] - start
        if (
            length == 10
            and data[start + 4] == data[start + 7]
            and (data[start + 4] == 45 or data[start + 4] == 47)
        ):
            month_at, day_at = start + 5, start + 8
        elif length == 8:
            month_at, day_at = start + 4, start + 6
        else:
            continue
        year, month, day = _number(data, start, 4), _number(data, month_at, 2), _number(data, day_at, 2)
        if year < first_year or year > last_year or month < 1 or month > 12 or day < 1:
            continue
        if day <= _month_length(year, month):
            out[i] = _days(year, month, day)
            found[i] = 1


def usual_dates(values: pl.Series, first_year: int, last_year: int) -> pl.Series:
    """Dates written 2026-02-03, 2026/02/03 or 20260203 in a year between the two; null for anything else.

    >>> usual_dates(pl.Series(["2024-02-29", "2023-02-29", "19700101"]), 1850, 2200).to_list()
    [datetime.date(2024, 2, 29), None, datetime.date(1970, 1, 1)]
    """
    offsets, data = text_buffers(values)
    out = np.zeros(len(values), dtype=np.int32)
    found = np.zeros(len(values), dtype=np.uint8)
    _dates(offsets, data, first_year, last_year, out, found)
    days = pl.Series(out).cast(pl.Date)
    if found.all():
        return days
    return pl.select(pl.when(pl.Series(found).cast(pl.Boolean)).then(days)).to_series()


@numba.njit(cache=True, nogil=True)
def _ids(offsets: Offsets, data: Bytes, last_year: int, out: Bytes) -> None:
    for i in range(len(offsets) - 1):
        start = offsets[i]
        length = offsets[i + 1] - start
        digits = 0
        while digits < length and 48 <= data[start + digits] <= 57:
            digits += 1
        last = data[start + length - 1]
        if length == 15 and digits == 15:
            out[i] = 2
        elif length > 2 and data[start + 1] == 46 and (data[start + length - 4] | 32) == 101:
            out[i] = 4  # 4.40304E+17
        elif length != 18:
            out[i] = 1
        elif digits < 17 or (digits == 17 and (last | 32) != 120):
            out[i] = 3
        else:
            value = 0
            weight = 1
            for k in range(17):  # from the right: weight of place k is 2 ** (k + 1) mod 11
                weight = weight * 2 % 11
                value += (data[start + 16 - k] - 48) * weight
            wanted = (12 - value % 11) % 11
            stated = 10 if digits == 17 else last - 48
            year, month = _number(data, start + 6, 4), _number(data, start + 10, 2)
            day = _number(data, start + 12, 2)
            if wanted != stated:
                rounded = data[start + 15] == 48 and data[start + 16] == 48 and last == 48
                out[i] = 4 if rounded else 3
            elif (
                not 1 <= month <= 12
                or day < 1
                or day > _month_length(year, month)
                or not 1850 <= year <= last_year
            ):
                out[i] = 5


ID_PROBLEMS = ("", "id_wrong_length", "id_old_15", "id_wrong_check_digit", "id_rounded", "id_impossible_date")


def id_problems(values: pl.Series) -> npt.NDArray[np.uint8]:
    """For each resident ID number its index into ``ID_PROBLEMS``; 0 is right."""
    out = np.zeros(len(values), dtype=np.uint8)
    if len(values):
        _ids(*text_buffers(values), dt.date.today().year, out)
    return out


@numba.njit(cache=True, nogil=True)
def _births(offsets: Offsets, data: Bytes, out: npt.NDArray[np.int32], found: Bytes) -> None:
    for i in range(len(offsets) - 1):
        start = offsets[i]
        if offsets[i + 1] - start != 18 or _number(data, start, 17) < 0:
            continue
        last = data[start + 17]
        if not 48 <= last <= 57 and (last | 32) != 120:
            continue
        year, month, day = (
            _number(data, start + 6, 4),
            _number(data, start + 10, 2),
            _number(data, start + 12, 2),
        )
        if 1 <= month <= 12 and 1 <= day <= _month_length(year, month):
            out[i] = _days(year, month, day)
            found[i] = 1


def id_births(values: pl.Series) -> pl.Series:
    """The birth date (Date) inside each resident ID number; null for anything else, and for an impossible one."""
    out = np.zeros(len(values), dtype=np.int32)
    found = np.zeros(len(values), dtype=np.uint8)
    if len(values):
        _births(*text_buffers(values), out, found)
    days = pl.Series(out).cast(pl.Date)
    return pl.select(pl.when(pl.Series(found).cast(pl.Boolean)).then(days)).to_series()


@numba.njit(cache=True, nogil=True)
def order_by_part(part: Bytes, edges: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> None:
    """Counting sort: row numbers by ``part``, each part's rows in their order from ``edges[p]`` to ``edges[p + 1]``."""
    for p in part:
        edges[p + 1] += 1
    for p in range(len(edges) - 1):
        edges[p + 1] += edges[p]
    place = edges.copy()
    for i in range(len(part)):
        order[place[part[i]]] = i
        place[part[i]] += 1

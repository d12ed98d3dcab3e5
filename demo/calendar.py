"""The days of the demo city: when it is delivered, and the rhythm of arrivals and departures over the year.

Most people who come from elsewhere arrive in the weeks after the Spring Festival and leave in those before it;
a second, smaller wave of arrivals is the start of the school year.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np

from demo.types import Floats, Ints

EPOCH = dt.date(1970, 1, 1)


def day(year: int, month: int, number: int) -> int:
    """Days since 1970-01-01.

    >>> day(1970, 1, 2)
    1
    """
    return (dt.date(year, month, number) - EPOCH).days


#: The departments' extracts are of this day.
TODAY = day(2026, 11, 20)
#: Moves are recorded from this day on: three years back.
SINCE = day(2023, 11, 20)
_FIRST = day(2008, 1, 1)
_FESTIVALS = {
    2008: (2, 7), 2009: (1, 26), 2010: (2, 14), 2011: (2, 3), 2012: (1, 23), 2013: (2, 10), 2014: (1, 31),
    2015: (2, 19), 2016: (2, 8), 2017: (1, 28), 2018: (2, 16), 2019: (2, 5), 2020: (1, 25), 2021: (2, 12),
    2022: (2, 1), 2023: (1, 22), 2024: (2, 10), 2025: (1, 29), 2026: (2, 17),
}  # fmt: skip


@cache
def _arrival_weight() -> Floats:
    days = np.arange(_FIRST, TODAY + 1)
    weight = np.full(len(days), 0.75)
    for year, (month, number) in _FESTIVALS.items():
        after = days - day(year, month, number)
        weight += 2.1 * np.exp(-(((after - 19) / 11.0) ** 2))
        weight -= 0.62 * np.exp(-(((after + 8) / 14.0) ** 2))
        weight += 0.55 * np.exp(-(((days - day(year, 9, 1)) / 14.0) ** 2))
        weight += 0.25 * np.exp(-(((days - day(year, 7, 5)) / 18.0) ** 2))
    result: Floats = np.maximum(weight, 0.05)
    return result


@cache
def _departure_sum() -> Floats:
    days = np.arange(_FIRST, TODAY + 1)
    weight = np.full(len(days), 0.7)
    for year, (month, number) in _FESTIVALS.items():
        before = day(year, month, number) - days
        weight += 2.6 * np.exp(-(((before - 14) / 9.0) ** 2))
        weight += 0.35 * np.exp(-(((days - day(year, 6, 28)) / 14.0) ** 2))
    return np.cumsum(weight)


def arrivals(mean_years: float, count: int, rng: np.random.Generator) -> Ints:
    """Days on which people who are here now moved in, when they stay `mean_years` on average."""
    days = np.arange(_FIRST, TODAY + 1)
    cumulative = np.cumsum(_arrival_weight() * np.exp((days - TODAY) / (mean_years * 365.25)))
    found = np.searchsorted(cumulative, rng.random(count) * cumulative[-1])
    result: Ints = (_FIRST + np.minimum(found, len(days) - 1)).astype(np.int64)
    return result


def departures(latest: Ints, within_days: int, rng: np.random.Generator) -> Ints:
    """A day of leaving in the `within_days` before each `latest` day, by the season of departures."""
    total = _departure_sum()
    high = np.clip(latest - _FIRST, 1, len(total) - 1)
    low = np.clip(high - within_days, 0, None)
    draw = total[low] + rng.random(len(latest)) * (total[high] - total[low])
    result: Ints = (_FIRST + np.searchsorted(total, draw)).astype(np.int64)
    return result

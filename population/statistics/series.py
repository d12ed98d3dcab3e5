"""The months of every unit, from the episodes: states at each month's last day, and moves within it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from db.errors import HexwardError
from population.statistics.counted import NEVER, days_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from population.statistics.compute import Computed
    from population.statistics.readout import Columns
    from population.statistics.units import Units

DEFAULT_MONTHS: Final = 36


class OverlapError(HexwardError):
    """Residences of one person overlap in time; params: persons, example (a residence's id)."""

    code = "residence_overlap"


@dataclass(frozen=True)
class Months:
    """Months of the series: ``first`` days and ``days`` (since 2000-01-01) their states speak of."""

    first: list[date]
    days: NDArray[np.int32]

    @classmethod
    def between(cls, series_from: date, as_of: date) -> Months:
        """From the month of ``series_from`` to that of ``as_of``, whose state is that of ``as_of``.

        >>> Months.between(date(2026, 1, 1), date(2026, 3, 15)).first[-1]
        datetime.date(2026, 3, 1)
        """
        count = (as_of.year - series_from.year) * 12 + as_of.month - series_from.month + 1
        first = [_month(series_from, i) for i in range(count)]
        last = [min(_month(month, 1) - timedelta(days=1), as_of) for month in first]
        return cls(first, np.array([days_of(day) for day in last], np.int32))

    def index(self, days: NDArray[np.int32]) -> NDArray[np.int64]:
        """The month each day lies in, counted from 0; days before the first month give 0."""
        starts = np.array([days_of(month) for month in self.first], np.int32)
        return np.maximum(np.searchsorted(starts, days, side="right") - 1, 0)


def _month(first: date, later: int) -> date:
    month = first.year * 12 + first.month - 1 + later
    return date(month // 12, month % 12 + 1, 1)


def default_start(as_of: date) -> date:
    """First month of the series when nobody said otherwise."""
    return _month(as_of.replace(day=1), -DEFAULT_MONTHS)


@dataclass(frozen=True)
class Moves:
    """Changes of place since the series began, one a person and day: rows of person, days, places (-1 outside)."""

    person: NDArray[np.int64]
    moved_on: NDArray[np.int32]
    source: NDArray[np.int64]
    target: NDArray[np.int64]


def states(
    place: NDArray[np.int64],
    valid_from: NDArray[np.int32],
    ended: NDArray[np.int32],
    months: Months,
    places: int,
) -> NDArray[np.int64]:
    """How many periods cover each month's day, places x months."""
    width = len(months.days) + 1
    begins = np.searchsorted(months.days, valid_from)
    ends = np.searchsorted(months.days, ended)
    counted = (begins < ends) & (begins < width - 1)
    row = place[counted] * width
    change = np.bincount(row + begins[counted], minlength=places * width)
    change -= np.bincount(row + ends[counted], minlength=places * width)
    return np.cumsum(change.reshape(places, width), axis=1)[:, :-1]


def moves(register: dict[str, Columns], made: Computed, series_from: date) -> Moves:
    """Moves of all persons from their residences. Raises OverlapError where residences overlap."""
    stays = register["residence"]
    rows = np.flatnonzero(~stays["superseded"])
    person = made.resident[rows]
    _refuse_overlap(stays, rows, person)
    start = days_of(series_from)
    ended = made.ended["residence"]
    real = ended[rows] > stays["valid_from"][rows]
    rows, person = rows[real], person[real]
    recent = (stays["valid_from"][rows] >= start) | ((ended[rows] >= start) & (ended[rows] != NEVER))
    stirred = np.zeros(int(person.max(initial=-1)) + 1, np.bool_)
    stirred[person[recent]] = True
    rows, person = rows[stirred[person]], person[stirred[person]]
    order = np.lexsort((stays["valid_from"][rows], person))
    rows, person = rows[order], person[order]
    place, begins, ends = made.place["residence"][rows], stays["valid_from"][rows], ended[rows]
    same = np.zeros(len(rows), np.bool_)  # follows the row before it without a gap
    same[1:] = (person[1:] == person[:-1]) & (begins[1:] == ends[:-1])
    before = np.where(same, np.concatenate(([-1], place[:-1])) if len(place) else place, -1)
    followed = np.concatenate((same[1:], [False])) if len(same) else same
    leaves = ~followed & (ends != NEVER)
    found = Moves(
        np.concatenate((person, person[leaves])),
        np.concatenate((begins, ends[leaves])),
        np.concatenate((before, place[leaves])),
        np.concatenate((place, np.full(int(leaves.sum()), -1))),
    )
    kept = (found.moved_on >= start) & (found.source != found.target)
    return Moves(found.person[kept], found.moved_on[kept], found.source[kept], found.target[kept])


def _refuse_overlap(stays: Columns, rows: NDArray[np.int64], person: NDArray[np.int64]) -> None:
    times = np.bincount(person, minlength=1)
    several = times[person] > 1
    rows, person = rows[several], person[several]
    order = np.lexsort((stays["valid_from"][rows], person))
    rows, person = rows[order], person[order]
    over = (person[1:] == person[:-1]) & (stays["valid_from"][rows][1:] < stays["valid_to"][rows][:-1])
    if over.any():
        raise OverlapError(
            persons=len(np.unique(person[1:][over])), example=int(stays["id"][rows][1:][over][0])
        )


def unit_series(
    register: dict[str, Columns], made: Computed, units: Units, found: Moves, months: Months
) -> dict[str, NDArray[np.int64]]:
    """Units x months of each column of stats.unit_series."""
    stays, works = register["residence"], register["employment"]
    places = made.places.height
    place, begins, ended = made.place["residence"], stays["valid_from"], made.ended["residence"]
    floats = stays["floating"]
    residents = units.sums(states(place, begins, ended, months, places))
    floating = units.sums(states(place[floats], begins[floats], ended[floats], months, places))
    jobs = states(made.place["employment"], works["valid_from"], made.ended["employment"], months, places)
    moved_in, moved_out = _moved(units, found, months)
    return {
        "residents": residents,
        "registered": residents - floating,
        "floating": floating,
        "jobs": units.sums(jobs),
        "moved_in": moved_in,
        "moved_out": moved_out,
    }


def _moved(units: Units, found: Moves, months: Months) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A move counts in the units that hold one end of it but not the other."""
    width, height = len(months.days), units.table.height
    now = found.moved_on <= months.days[-1]
    month = months.index(found.moved_on[now])
    source, target = found.source[now], found.target[now]
    member = np.vstack((units.member, np.full((1, units.member.shape[1]), -1)))  # place -1: outside
    out = np.zeros(height * width, np.int64)
    came = np.zeros(height * width, np.int64)
    for way in range(units.member.shape[1]):
        left, entered = member[source, way], member[target, way]
        differ = left != entered
        for unit, tally in ((left, out), (entered, came)):
            kept = differ & (unit >= 0)
            np.add.at(tally, unit[kept] * width + month[kept], 1)
    return came.reshape(height, width), out.reshape(height, width)


def as_frame(units: Units, series: dict[str, NDArray[np.int64]]) -> pl.DataFrame:
    """Rows of stats.unit_series; units of which nothing is counted in any month are left out."""
    kept = np.zeros(units.table.height, np.bool_)
    for matrix in series.values():
        kept |= matrix.any(axis=1)
    columns = [
        pl.Series(name, matrix[kept].astype(np.int32), dtype=pl.Array(pl.Int32, matrix.shape[1]))
        for name, matrix in series.items()
    ]
    return units.table.filter(pl.Series(kept)).with_columns(columns)

"""What others read of the statistics: figures of a unit, its months, derived ratios, definitions, other days.

Every read goes through the session it is given, so row-level security decides what is there. For a cell that a viewer
may see only in part, ``visible_figures`` adds up the places that are visible instead of reading the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl
from sqlalchemy import text

from db.engine import raw_copy
from db.errors import HexwardError
from population.statistics import indicators
from population.statistics.compute import COLUMN, SCALE, Computed, compute
from population.statistics.counted import days_of
from population.statistics.indicators import AREA, FIGURES, NUMERIC_FIGURES, SERIES, Ratio, Words
from population.statistics.rebuild import rebuild
from population.statistics.register_columns import Unit, read_unit
from population.statistics.units import area_paths, units_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

UnitKind = Literal["area", "grid", "cell"]
Number = int | Decimal
LONGEST_STEP: Final = timedelta(days=31)
_KINDS: Final = ("area", "grid", "cell")


class UnknownUnitError(HexwardError):
    """A kind of unit that does not exist; params: kind."""

    code = "statistics.unknown_unit"


class EarlierDayError(HexwardError):
    """The statistics cannot advance to an earlier day; rebuild them for it. Params: as_of, day."""

    code = "statistics.earlier_day"


@dataclass(frozen=True)
class State:
    """The day the figures speak of, the first month of the series, and the version that grows with every change."""

    as_of: date
    series_from: date
    version: int


@dataclass(frozen=True)
class Series:
    """Months (first days) and a list of equal length for each column of SERIES."""

    months: list[date]
    values: dict[str, list[int]]


@dataclass(frozen=True)
class Definition:
    """What a figure is called and what it means."""

    id: str
    title: Words
    unit: Words
    definition: Words
    source: Words
    personal: bool


def state(session: Session) -> State:
    """Day, first month and version of the statistics."""
    row = session.execute(text("SELECT as_of, series_from, version FROM stats.state")).one()
    return State(row.as_of, row.series_from, row.version)


def figures(session: Session, kind: UnitKind, unit_id: int) -> dict[str, Number]:
    """All counted figures of a unit; zeros where nothing is counted or nothing is visible.

    Raises UnknownUnitError for a kind that is not area, grid or cell.
    """
    _check(kind)
    row = (
        session.execute(
            text(
                f"SELECT {', '.join(FIGURES)} FROM stats.unit_figures"  # noqa: S608
                " WHERE unit_kind = :kind AND unit_id = :id"
            ),
            {"kind": kind, "id": unit_id},
        )
        .mappings()
        .one_or_none()
    )
    return _whole(row)


def visible_figures(session: Session, kind: UnitKind, unit_id: int) -> dict[str, Number]:
    """Figures of a unit as the sum of the places in it that the session may see."""
    _check(kind)
    unit = Unit(kind, unit_id)
    condition = unit.condition("t").replace("%(", ":").replace(")s", "")
    sums = ", ".join(f"sum({name}) AS {name}" for name in FIGURES)
    row = (
        session.execute(
            text(f"SELECT {sums} FROM stats.place_figures t WHERE {condition}"),  # noqa: S608
            unit.params(_base_resolution(session)),
        )
        .mappings()
        .one()
    )
    return _whole(row)


def series(session: Session, kind: UnitKind, unit_id: int) -> Series:
    """The months of a unit: states at each month's last day (this month: today), moves within the month."""
    _check(kind)
    rows = session.execute(
        text(
            f"SELECT month, {', '.join(SERIES)} FROM stats.unit_month"  # noqa: S608
            " WHERE unit_kind = :kind AND unit_id = :id ORDER BY month"
        ),
        {"kind": kind, "id": unit_id},
    ).all()
    months = [row.month for row in rows] or _months(state(session))
    return Series(
        months, {name: [getattr(row, name) for row in rows] or [0] * len(months) for name in SERIES}
    )


def ratios(figures_of: Mapping[str, Number | None], area_km2: float | None = None) -> dict[str, float | None]:
    """All derived figures; null where a denominator is 0 or unknown, or a part is withheld (None).

    >>> found = ratios({"residents": 4, "floating": 1}, area_km2=2.0)
    >>> found["floating_share"], found["density"], found["insured_share"]
    (25.0, 2.0, None)
    """
    return {ratio.id: _ratio(ratio, figures_of, area_km2) for ratio in indicators.ratios()}


def _ratio(ratio: Ratio, values: Mapping[str, Number | None], area_km2: float | None) -> float | None:
    above = [values.get(name) for name in ratio.numerator]
    below = [area_km2 if name == AREA else values.get(name) for name in ratio.denominator]
    if any(value is None for value in (*above, *below)):
        return None
    total = sum(float(value) for value in below if value is not None)
    if total == 0:
        return None
    return ratio.factor * sum(float(value) for value in above if value is not None) / total


def definitions() -> dict[str, Definition]:
    """Every indicator's words, counted and derived, by id."""
    source = {group.id: group.source for group in indicators.groups()}
    return {
        name: Definition(name, found.title, found.unit, found.definition, source[found.group], found.personal)
        for name, found in indicators.by_id().items()
    }


@dataclass(frozen=True)
class Within:
    """A territory by the places it holds: ids of leaf areas and of legal grids."""

    communities: frozenset[int]
    grids: frozenset[int]


def figures_as_of(
    session: Session, kind: UnitKind, unit_id: int, day: date, within: Within | None = None
) -> dict[str, Number]:
    """Figures of one unit on any day, computed from the episodes that the session may see.

    Dwellings, sexes and birth dates are as they are known now; residence, work, school, households and buildings are
    as they were on the day. A viewer limited to a territory does not see jobs that residents hold outside it, so
    their ``employed`` is counted too low here: authorise the unit, then ask with the statistics builder's session.
    ``within`` counts only the places of a territory: a cell on its border gives its own part.
    """
    _check(kind)
    conn = raw_copy(session)
    register = read_unit(conn, Unit(kind, unit_id), _base_resolution(session))
    made = compute(register, days_of(day), strict=False)
    if not made.places.height:
        return _whole(None)
    if within is not None:
        own = pl.col("community").is_in(list(within.communities)) | pl.col("grid").is_in(list(within.grids))
        kept = made.places.select(own.arg_true()).to_series().to_numpy()
        made = Computed(made.places[kept], made.figures[kept])
    units = units_of(made.places, area_paths(conn))
    row = units.table.with_row_index("row").filter(unit_kind=kind, unit_id=unit_id)
    if not row.height:
        return _whole(None)
    sums = units.sums(made.figures)[row["row"][0]]
    return {
        name: Decimal(int(sums[COLUMN[name]])) / SCALE[name] if name in NUMERIC_FIGURES else int(sums[COLUMN[name]])
        for name in FIGURES
    }  # fmt: skip


def advance(session: Session, day: date) -> State:
    """Bring the statistics to a later day: episodes that begin and end, birthdays, permits that run out, months.

    Up to a month it is counted as changes; a longer gap, in which a good part of the city has a birthday, is a
    rebuild. Both give the same numbers. The session's role has to own the statistics.

    Raises EarlierDayError; a day in the past is a rebuild (``rebuild.rebuild``) or a question (``figures_as_of``).
    """
    now = state(session)
    if day < now.as_of:
        raise EarlierDayError(as_of=now.as_of.isoformat(), day=day.isoformat())
    if day - now.as_of > LONGEST_STEP:
        rebuild(raw_copy(session), day)
    else:
        session.execute(text("SELECT stats.advance(:day)"), {"day": day})
    return state(session)


def _check(kind: str) -> None:
    if kind not in _KINDS:
        raise UnknownUnitError(kind=kind)


def _whole(row: Mapping[Any, Any] | None) -> dict[str, Number]:
    return {name: (row[name] if row is not None else None) or 0 for name in FIGURES}


def _base_resolution(session: Session) -> int:
    """The city's base resolution, or that of any place counted."""
    found = session.execute(text("SELECT base_resolution FROM ops.city")).scalar()
    return int(found) if found is not None else 10


def _months(now: State) -> list[date]:
    count = (now.as_of.year - now.series_from.year) * 12 + now.as_of.month - now.series_from.month + 1
    first = now.series_from.year * 12 + now.series_from.month - 1
    return [date((first + i) // 12, (first + i) % 12 + 1, 1) for i in range(count)]

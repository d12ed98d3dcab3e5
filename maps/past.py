"""Figures of a unit on a past day: counted anew from the register for those on duty, kept month ends for the others.

The viewer's own session decides first whether the unit is theirs; then the statistics builder counts, who sees also the
jobs that residents hold elsewhere. Whoever has no duty gets published month ends only: rows of any two days, each with
its small figures withheld, would still give away what changed between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from maps.facts import Facts
from maps.memory import FIGURES_SECONDS, Memory
from maps.moment import Moment, month_end
from maps.territory import base_resolution, own_places
from maps.units import descendants
from population.statistics.indicators import SERIES
from population.statistics.service import Within, figures_as_of

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Engine

    from maps.moment import State
    from maps.units import Parent, Unit
    from maps.viewer import Viewer

MOST_RECORDS: Final = 300_000
"""Residents, jobs and buildings of a unit up to which a past day is counted while somebody waits."""
_kept: Final = Memory["dict[str, float | None]"](most=2_000, seconds=FIGURES_SECONDS)


@dataclass(frozen=True)
class Asked:
    """The day asked for, the kept month that answers otherwise, the statistics' state, and who counts."""

    day: date
    month: Moment
    stands: State
    builder: Engine | None


def facts(
    session: Session, viewer: Viewer, unit: Unit, asked: Asked
) -> tuple[Moment, tuple[Facts, Facts | None]]:
    """The moment that can be answered, and the figures of the unit and of its parent then."""
    own = _counted(session, viewer, unit, asked)
    if own is None:
        parent = None if unit.parent is None else _month(session, viewer, unit.parent, asked.month)
        return asked.month, (_month(session, viewer, unit, asked.month), parent)
    when = Moment(asked.day, asked.month.month)
    return when, (own, None if unit.parent is None else _parent(session, viewer, unit.parent, asked))


def _parent(session: Session, viewer: Viewer, parent: Parent, asked: Asked) -> Facts:
    counted = _counted(session, viewer, parent, asked)
    if counted is not None:
        return counted
    if asked.day == asked.month.as_of == month_end(asked.day):
        return _month(session, viewer, parent, asked.month)
    return Facts({}, parent.area_m2 / 1e6, viewer.exactness, known=False)


def _counted(session: Session, viewer: Viewer, unit: Unit | Parent, asked: Asked) -> Facts | None:
    """The unit's figures of the day, when it is the viewer's duty and not too large; else None."""
    if asked.builder is None or viewer.exactness != "duty":
        return None
    within = None
    if unit.kind == "cell" and not viewer.whole_city:
        within = _own_part(session, viewer, unit)
        if within is None:
            return None
    elif not own_places(session, viewer, unit.kind, np.array([unit.key], dtype=np.int64))[0]:
        return None
    builder = asked.builder
    key = (asked.stands.database, asked.stands.version, unit.kind, unit.key, asked.day, within)
    figures = _kept.get(key, lambda: _count(builder, unit, asked.day, within))
    return Facts(figures, unit.area_m2 / 1e6, "duty") if figures else None


def _own_part(session: Session, viewer: Viewer, unit: Unit | Parent) -> Within | None:
    """The viewer's leaf areas and grids in a cell; None where the cell touches none of them."""
    low, high = descendants(unit.key, base_resolution(session, viewer))
    found = []
    for kind, mine in (("area", "ops.my_communities()"), ("grid", "ops.my_grids()")):
        rows = session.scalars(
            text(
                f"SELECT DISTINCT {kind}_id FROM geo.{kind}_cell WHERE cell BETWEEN :low AND :high"  # noqa: S608
                f" AND {kind}_id IN (SELECT unnest({mine}))"
            ),
            {"low": low, "high": high},
        )
        found.append(frozenset(rows))
    return Within(*found) if any(found) else None


def _count(builder: Engine, unit: Unit | Parent, day: date, within: Within | None) -> dict[str, float | None]:
    """All figures of the day, from one state of the register; empty for a unit that is too large."""
    with Session(builder) as session, session.begin():
        session.connection(
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        records = session.scalar(
            text(
                "SELECT residents + jobs + buildings FROM stats.unit_figures"
                " WHERE unit_kind = :kind AND unit_id = :key"
            ),
            {"kind": unit.kind, "key": unit.key},
        )
        if (records or 0) > MOST_RECORDS:
            return {}
        found = figures_as_of(session, unit.kind, unit.key, day, within)
        return {name: float(value) for name, value in found.items()}


def _month(session: Session, viewer: Viewer, unit: Unit | Parent, when: Moment) -> Facts:
    area_km2 = unit.area_m2 / 1e6
    schemas = ("stats", "pub") if viewer.exactness == "duty" else ("pub",)
    for schema in schemas:
        row = session.execute(
            text(
                f"SELECT {', '.join(SERIES)} FROM {schema}.unit_month"  # noqa: S608
                " WHERE unit_kind = :kind AND unit_id = :key AND month = :month"
            ),
            {"kind": unit.kind, "key": unit.key, "month": when.month},
        ).one_or_none()
        if row is not None:
            return Facts(dict(row._mapping), area_km2, "duty" if schema == "stats" else "threshold")
    return Facts({}, area_km2, "threshold", known=False)

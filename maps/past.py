"""Figures of a unit on a past day, as far as they are kept: the states at month ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from maps.facts import Facts
from population.statistics.indicators import SERIES

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from maps.moment import Moment
    from maps.units import Parent, Unit
    from maps.viewer import Viewer


def facts(session: Session, viewer: Viewer, unit: Unit, when: Moment) -> tuple[Facts, Facts | None]:
    """Figures of the unit and of its parent at the end of the moment's month."""
    own = _month(session, viewer, unit, when)
    parent = None if unit.parent is None else _month(session, viewer, unit.parent, when)
    return own, parent


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
    return Facts({}, area_km2, viewer.exactness, known=False)

"""All figures of one unit: today's row, the row of what it is compared with, and its months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import text

from maps.figures import AREA
from maps.territory import base_resolution, own_places
from maps.units import Parent, Unit, descendants
from population.statistics.indicators import FIGURES, SERIES

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from maps.catalogue import Layer
    from maps.viewer import Exactness, Viewer

# one array instead of a hundred columns: the driver then describes and converts one value
FIGURE_ARRAY: Final = "ARRAY[" + ", ".join(f"{name}::float8" for name in FIGURES) + "]"
_SUMS: Final = "ARRAY[" + ", ".join(f"sum({name})::float8" for name in FIGURES) + "]"
_MONTH_COLUMNS: Final = ", ".join(("month", *SERIES))
MONTHS: Final = 36


@dataclass(frozen=True)
class Facts:
    """Figures of a unit by column; None = withheld. ``known`` is false when the database has no row to show."""

    figures: dict[str, float | None]
    area_km2: float
    exactness: Exactness
    known: bool = True

    def value(self, layer: Layer) -> float | None:
        """The layer's figure; None where withheld or undefined."""
        if layer.areal is not None:
            return None
        above = self._total(layer.above)
        if above is None:
            return None
        if not layer.below:
            return above * layer.factor
        below = self._total(layer.below)
        if not below or (self.exactness == "threshold" and AREA not in layer.below and below < 30):
            return None
        return layer.factor * above / below

    def withheld(self, layer: Layer) -> bool:
        """Whether the figure exists but is not published: a part of it is missing, or its base is too small."""
        if not self.known:
            return layer.personal
        if self.exactness != "threshold":
            return False
        if self._total(layer.above) is None or (layer.below and self._total(layer.below) is None):
            return True
        below = self._total(layer.below) if layer.below else None
        return below is not None and AREA not in layer.below and 0 < below < 30

    def _total(self, names: tuple[str, ...]) -> float | None:
        total = 0.0
        for name in names:
            part = self.area_km2 if name == AREA else self.figures.get(name)
            if part is None:
                return None
            total += part
        return total


def facts(session: Session, viewer: Viewer, unit: Unit | Parent) -> Facts:
    """Today's figures of a unit.

    A viewer on duty gets exact figures of the own territory; outside it, the published ones, and ``exactness`` says
    so. What is not published at all (a legal grid of somebody else) has no figures and counts as withheld.
    """
    area_km2 = unit.area_m2 / 1e6
    if viewer.exactness == "duty":
        exact = _exact(session, viewer, unit)
        if exact is not None:
            return Facts(exact, area_km2, "duty")
    published = _row(session, "pub", unit)
    return Facts(published or {}, area_km2, "threshold", known=published is not None)


def _exact(session: Session, viewer: Viewer, unit: Unit | Parent) -> dict[str, float | None] | None:
    if unit.kind != "cell" or viewer.whole_city:
        found = _row(session, "stats", unit)
        return found or (dict.fromkeys(FIGURES, 0.0) if _is_own(session, viewer, unit) else None)
    low, high = descendants(unit.key, base_resolution(session, viewer))
    inside = "WHERE cell BETWEEN :low AND :high HAVING count(*) > 0"
    query = text(f"SELECT {_SUMS} FROM stats.place_figures {inside}")  # noqa: S608
    sums = session.scalar(query, {"low": low, "high": high})
    return None if sums is None else dict(zip(FIGURES, sums, strict=True))


def _is_own(session: Session, viewer: Viewer, unit: Unit | Parent) -> bool:
    """Whether a place without a row lies in the viewer's territory: then nobody is there, and that is exact."""
    if viewer.whole_city:
        return True
    return bool(own_places(session, viewer, unit.kind, np.array([unit.key], dtype=np.int64))[0])


def _row(session: Session, schema: str, unit: Unit | Parent) -> dict[str, float | None] | None:
    # the kind stands in the statement itself, so that a plan made for any key is a good one
    where = f"unit_kind = '{unit.kind}' AND unit_id = :key"
    query = text(f"SELECT {FIGURE_ARRAY} FROM {schema}.unit_figures WHERE {where}")  # noqa: S608
    row = session.scalar(query, {"key": unit.key})
    return None if row is None else dict(zip(FIGURES, row, strict=True))


def reuse_plans(session: Session) -> None:
    """Let the transaction use one plan a statement whatever its parameters: planning costs more than reading here."""
    session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))


def months(
    session: Session, viewer: Viewer, unit: Unit, exactness: Exactness, until: date
) -> list[dict[str, Any]]:
    """The kept months up to ``until``, oldest first: month and the columns of ``SERIES``; None = withheld."""
    if unit.kind == "cell" and viewer.sums_visible and exactness == "duty":
        return []
    schema = "stats" if exactness == "duty" else "pub"
    rows = session.execute(
        text(
            f"SELECT {_MONTH_COLUMNS} FROM {schema}.unit_month"  # noqa: S608
            f" WHERE unit_kind = '{unit.kind}' AND unit_id = :key AND month <= :until"
            f" ORDER BY month DESC LIMIT {MONTHS}"
        ),
        {"key": unit.key, "until": until},
    )
    return [dict(row) for row in rows.mappings()][::-1]

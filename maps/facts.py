"""All figures of one unit: today's row, the row of what it is compared with, and its months."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from maps.figures import AREA
from maps.territory import base_resolution
from maps.units import Kind, Parent, Unit, descendants
from population.statistics.indicators import FIGURES, SERIES

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from maps.catalogue import Layer
    from maps.viewer import Exactness, Viewer

_COLUMNS: Final = ", ".join(
    f"{name}::float8" if name in {"dwellings", "est_residents"} else name for name in FIGURES
)
_SUMS: Final = ", ".join(f"sum({name})::float8 AS {name}" for name in FIGURES)
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
        if not self.known or self.exactness != "threshold":
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


_NOTHING: Final = Facts({}, 0.0, "duty", known=False)


def facts(session: Session, viewer: Viewer, unit: Unit | Parent) -> Facts:
    """Today's figures of a unit.

    A viewer on duty gets exact figures of the own territory; outside it, the published ones, and ``exactness`` says
    so.
    """
    area_km2 = unit.area_m2 / 1e6
    if viewer.exactness == "duty":
        exact = _exact(session, viewer, unit.kind, unit.key)
        if exact is not None:
            return Facts(exact, area_km2, "duty")
    published = _row(session, "pub", unit.kind, unit.key)
    if published is None:
        return replace(_NOTHING, area_km2=area_km2, exactness=viewer.exactness)
    return Facts(published, area_km2, "threshold")


def _exact(session: Session, viewer: Viewer, kind: Kind, key: int) -> dict[str, float | None] | None:
    if kind != "cell" or viewer.whole_city:
        found = _row(session, "stats", kind, key)
        return found or (dict.fromkeys(FIGURES, 0.0) if viewer.whole_city else None)
    low, high = descendants(key, base_resolution(session, viewer))
    row = session.execute(
        text(f"SELECT count(*) AS n, {_SUMS} FROM stats.place_figures WHERE cell BETWEEN :low AND :high"),  # noqa: S608
        {"low": low, "high": high},
    ).one()
    return {name: getattr(row, name) for name in FIGURES} if row.n else None


def _row(session: Session, schema: str, kind: Kind, key: int) -> dict[str, float | None] | None:
    row = session.execute(
        text(f"SELECT {_COLUMNS} FROM {schema}.unit_figures WHERE unit_kind = :kind AND unit_id = :key"),  # noqa: S608
        {"kind": kind, "key": key},
    ).one_or_none()
    return None if row is None else dict(zip(FIGURES, row, strict=True))


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
            " WHERE unit_kind = :kind AND unit_id = :key AND month <= :until ORDER BY month DESC LIMIT :most"
        ),
        {"kind": unit.kind, "key": unit.key, "until": until, "most": MONTHS},
    )
    return [dict(row) for row in rows.mappings()][::-1]

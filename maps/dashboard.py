"""The dashboard of one area, legal grid or cell: figures, structure, change, comparison, and how each is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from maps import past
from maps.catalogue import Layer, catalogue, indicator_layers
from maps.facts import Facts, facts, months, reuse_plans
from maps.moment import Moment, moment, state
from maps.territory import base_resolution
from maps.units import Unit, descendants, find
from population.statistics.indicators import SERIES, age_bands, band_label, industries

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

KEY_FIGURES: Final = ("residents", "floating_share", "households", "dwellings", "jobs", "insured_share")
KEY_FIGURES_COUNTED: Final = ("est_residents", "est_density", "dwellings", "buildings", "jobs", "employers")
COMPARED: Final = (
    "density", "floating_share", "mean_household_size", "aged_65_share", "child_share", "rent_share",
    "crowded_share", "occupied_share", "insured_share", "jobs_per_resident",
)  # fmt: skip
COMPARED_COUNTED: Final = ("est_density", "dwelling_density", "job_density")
REGISTRATION: Final = ("registered", "floating_permit", "floating_no_permit")
TENURE: Final = ("own", "rent", "dormitory", "public_housing", "other_tenure")
HOUSEHOLD_SIZE: Final = ("hh_1", "hh_2", "hh_3", "hh_4", "hh_5", "hh_6plus")
CROWDING_M2: Final = ("crowd_lt8", "crowd_8_15", "crowd_15_30", "crowd_30_50", "crowd_ge50", "crowd_unknown")
CROWDING_ROOMS: Final = ("ppr_le1", "ppr_1_2", "ppr_gt2", "ppr_unknown")


def dashboard(
    session: Session,
    viewer: Viewer,
    kind: str,
    unit_id: str,
    at: date | None = None,
    *,
    builder: Engine | None = None,
) -> dict[str, Any]:
    """The whole dashboard of a unit as the API states it.

    ``kind`` is "area", "grid" or "cell", ``unit_id`` the id in its address; ``at`` a day (None: today's state).
    ``builder`` counts a past day for a viewer on duty (``maps.past``); without it the kept months answer.
    Figures outside the viewer's territory are the published ones; ``exactness`` says which were used. Raises
    UnitNotFoundError, OutsideHistoryError.
    """
    reuse_plans(session)
    unit = find(session, viewer, kind, unit_id)
    stands = state(session, viewer)
    when = moment(stands, at)
    if at is None or when.month is None:
        found = (facts(session, viewer, unit), facts(session, viewer, unit.parent) if unit.parent else None)
    else:
        when, found = past.facts(session, viewer, unit, past.Asked(at, when, stands, builder))
    return _Dashboard(session, viewer, unit, found, when).as_json()


class _Dashboard:
    """Puts the blocks of one dashboard together."""

    def __init__(
        self, session: Session, viewer: Viewer, unit: Unit, found: tuple[Facts, Facts | None], when: Moment
    ) -> None:
        self.session, self.viewer, self.unit, self.when = session, viewer, unit, when
        self.own, self.parent = found
        self.layers = indicator_layers()
        self.used: dict[str, Layer] = {}
        self.counted_only = bool(self.own.figures.get("est_residents")) and not self.own.figures.get(
            "residents"
        )
        self.months = months(session, viewer, unit, self.own.exactness, when.month or when.as_of)

    def as_json(self) -> dict[str, Any]:
        """All blocks; a block with nothing in it is null."""
        blocks = {
            "unit": self.unit.as_json(),
            "as_of": self.when.as_of.isoformat(),
            "exactness": self.own.exactness,
            "basis": self.when.basis,
            "key_figures": self._key_figures(),
            "pyramid": self._pyramid(),
            "tenure": self._parts(TENURE),
            "crowding": self._crowding(),
            "household_size": self._parts(HOUSEHOLD_SIZE),
            "industries": self._industries(),
            "registration": self._parts(REGISTRATION),
            "series": self._series(),
            "comparison": self._comparison(),
            "areal": self._areal(),
        }
        blocks["definitions"] = self._definitions()
        return blocks

    def _layer(self, name: str) -> Layer:
        layer = self.layers[name]
        self.used[name] = layer
        return layer

    def _figure(self, name: str) -> dict[str, Any]:
        layer = self._layer(name)
        return {
            "id": name,
            "title": layer.title,
            "unit": layer.unit,
            "kind": layer.kind,
            "value": rounded(self.own.value(layer)),
            "withheld": self.own.withheld(layer),
            "parent_value": None if self.parent is None else rounded(self.parent.value(layer)),
        }

    def _key_figures(self) -> list[dict[str, Any]]:
        names = KEY_FIGURES_COUNTED if self.counted_only else KEY_FIGURES
        above = self.unit.parent
        title = None if above is None else {"zh": above.name, "en": above.name_en or above.name}
        return [
            {**self._figure(name), "change_month": self._change(name), "parent_title": title}
            for name in names
        ]

    def _change(self, name: str) -> float | None:
        """The figure less the one at the end of the month before."""
        layer = self.layers[name]
        this_month = self.when.as_of.replace(day=1)
        before = [m for m in self.months if m["month"] < this_month]
        if not before or not layer.has_history:
            return None
        then = Facts(dict(before[-1]), self.own.area_km2, self.own.exactness).value(layer)
        now = self.own.value(layer)
        return None if then is None or now is None else rounded(now - then)

    def _parts(self, names: tuple[str, ...]) -> list[dict[str, Any]] | None:
        """Parts of a whole; null when there is nothing of any."""
        if not any(self.own.figures.get(name) for name in names) and not self._any_withheld(names):
            return None
        found = []
        for name in names:
            layer = self._layer(name)
            value = rounded(self.own.figures.get(name))
            found.append(
                {"id": name, "title": layer.title, "value": value, "withheld": self.own.withheld(layer)}
            )
        return found

    def _any_withheld(self, names: tuple[str, ...]) -> bool:
        return self.own.exactness == "threshold" and any(
            name in self.own.figures and self.own.figures[name] is None for name in names
        )

    def _pyramid(self) -> dict[str, Any] | None:
        bands = age_bands()
        columns = {sex: tuple(f"{sex}_{band}" for band in bands) for sex in ("m", "f")}
        if not any(self.own.figures.get(name) for names in columns.values() for name in names):
            return None
        self._layer("male")
        self._layer("female")
        return {
            "bands": [band_label(band) for band in bands],
            "male": [rounded(self.own.figures.get(name)) for name in columns["m"]],
            "female": [rounded(self.own.figures.get(name)) for name in columns["f"]],
        }

    def _crowding(self) -> dict[str, Any] | None:
        by_area, by_rooms = self._parts(CROWDING_M2), self._parts(CROWDING_ROOMS)
        return (
            None if by_area is None and by_rooms is None else {"m2": by_area or [], "rooms": by_rooms or []}
        )

    def _industries(self) -> list[dict[str, Any]] | None:
        sections = industries()
        parts = self._parts(tuple(f"jobs_{code.lower()}" for code in sections))
        if parts is None:
            return None
        return [
            {**part, "id": code, "title": title}
            for part, (code, title) in zip(parts, sections.items(), strict=True)
        ]

    def _series(self) -> dict[str, Any] | None:
        if not self.months:
            return None
        series: dict[str, Any] = {"months": [f"{m['month']:%Y-%m}" for m in self.months]}
        return series | {name: [m[name] for m in self.months] for name in SERIES}

    def _comparison(self) -> list[dict[str, Any]]:
        names = COMPARED_COUNTED if self.counted_only else COMPARED
        found = [self._figure(name) for name in names if name in self.layers]
        return [f for f in found if f["value"] is not None or f["withheld"] or f["parent_value"] is not None]

    def _areal(self) -> list[dict[str, Any]] | None:
        if self.unit.kind == "grid" or self.when.month is not None:
            return None
        layers = [x for x in catalogue(self.session, self.viewer).layers.values() if x.areal is not None]
        if not layers:
            return None
        found = _areal_figures(self.session, self.viewer, self.unit)
        rows = []
        for layer in layers:
            if layer.areal is None or (key := (layer.areal.table_id, layer.areal.variable)) not in found:
                continue
            self.used[layer.id] = layer
            value, moe = found[key]
            told = {"variable": layer.id, "title": layer.title, "unit": layer.unit}
            rows.append(told | {"value": rounded(value), "moe": rounded(moe)})
        return rows or None

    def _definitions(self) -> dict[str, Any]:
        day = self.when.as_of.isoformat()
        return {
            name: {
                "title": layer.title,
                "definition": layer.definition,
                "unit": layer.unit,
                "source": layer.source,
                "date": day,
            }
            for name, layer in self.used.items()
        }


def _areal_figures(
    session: Session, viewer: Viewer, unit: Unit
) -> dict[tuple[int, str], tuple[float | None, float | None]]:
    """Figures of public tables for a unit: its own rows, or the sums over its cells."""
    stats = viewer.schema("stats")
    if unit.kind == "area":
        query = (
            f"SELECT table_id, variable, estimate::float8 AS value, moe::float8 AS moe FROM {stats}.areal_figure"  # noqa: S608
            " WHERE area_id = :key"
        )
        params: dict[str, Any] = {"key": unit.key}
    else:
        low, high = descendants(unit.key, base_resolution(session, viewer))
        query = (
            "SELECT table_id, variable, sum(value)::float8 AS value, sqrt(sum(moe ^ 2))::float8 AS moe"  # noqa: S608
            f" FROM {stats}.areal_cell WHERE cell BETWEEN :low AND :high GROUP BY 1, 2"
        )
        params = {"low": low, "high": high}
    rows = session.execute(text(query), params)
    return {(row.table_id, row.variable): (row.value, row.moe) for row in rows}


def rounded(value: float | None) -> float | int | None:
    """Whole figures as integers, others to four decimals.

    >>> rounded(3.0), rounded(2 / 3), rounded(None)
    (3, 0.6667, None)
    """
    if value is None:
        return None
    number = float(value)
    return int(number) if number.is_integer() else round(number, 4)

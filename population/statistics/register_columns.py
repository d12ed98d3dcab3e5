"""The register as columns: what the figures are computed from, and what the triggers have left on the rows.

Nulls become values: days NEVER, ids 0, numbers as noted. ``stored_*`` columns are what the row says now; the rebuild
compares them with what it computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from population.statistics.readout import read_columns

if TYPE_CHECKING:
    import psycopg

    from population.statistics.kept import Kept
    from population.statistics.readout import Columns

_PLACE: Final = {
    "community": ("i8", "coalesce(t.community_id, 0)"),
    "grid": ("i8", "coalesce(t.grid_id, 0)"),
    "cell": ("i8", "t.cell"),
}


def _day(column: str) -> tuple[str, str]:
    return "day", f"coalesce(t.{column}, 'infinity')"


_VALID: Final = {"valid_from": _day("valid_from"), "valid_to": _day("valid_to")}
_STORED: Final = {"stored_changes": _day("changes_on"), "stored_counted": ("i4", "t.counted")}
_EPISODE: Final = {
    **_PLACE,
    **_VALID,
    **_STORED,
    "stored_ended": _day("ended"),
    "superseded": ("i2", "(t.superseded_at IS NOT NULL)::integer"),
}
_SECTION: Final = ("i2", "CASE WHEN t.industry BETWEEN 'A' AND 'T' THEN ascii(t.industry) - 64 ELSE 0 END")

_TENURE: Final = (
    "i2",
    "CASE t.tenure WHEN 'own' THEN 1 WHEN 'rent' THEN 2 WHEN 'dormitory' THEN 3 WHEN 'public' THEN 4"
    " ELSE 5 END",
)

TABLES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "building": {
        "id": ("i8", "t.id"),
        **_PLACE,
        **_VALID,
        **_STORED,
        "dwellings_x100": ("i8", "coalesce(t.dwellings_count, 0) * 100"),
        "residents_x1m": ("i8", "coalesce(t.residents_estimate, 0) * 1000000"),
        "stored_dwellings": ("i8", "t.counted_dwellings * 100"),
        "stored_residents": ("i8", "t.counted_residents * 1000000"),
    },
    "dwelling": {
        "id": ("i8", "t.id"),
        "building": ("i8", "t.building_id"),
        **_PLACE,
        **_VALID,
        **_STORED,
        "area_m2": ("f4", "coalesce(t.area_m2, 'NaN')"),
        "rooms": ("i2", "coalesce(t.rooms, 0)"),
        "tenure": _TENURE,
    },
    "household": {
        "id": ("uuid", "t.id"),
        "dwelling": ("i8", "t.dwelling_id"),
        **_PLACE,
        **_VALID,
        "stored_changes": _day("changes_on"),
        "collective": ("i2", "(t.kind = 'collective')::integer"),
    },
    "person": {
        "id": ("uuid", "t.id"),
        "sex": ("i2", "t.sex"),
        "birth": _day("birth_date"),
        "gone": _day("valid_to"),
    },
    "residence": {
        "id": ("i8", "t.id"),
        "person": ("uuid", "t.person_id"),
        "household": ("uuid", "coalesce(t.household_id, '00000000-0000-0000-0000-000000000000')"),
        "dwelling": ("i8", "coalesce(t.dwelling_id, 0)"),
        **_EPISODE,
        "floating": ("i2", "(t.status = 'floating')::integer"),
        "permit": ("i2", "CASE t.permit WHEN 'none' THEN 0 WHEN 'valid' THEN 1 ELSE 2 END"),
        "permit_until": _day("permit_until"),
    },
    "employer": {
        "id": ("i8", "t.id"),
        **_PLACE,
        **_VALID,
        **_STORED,
        "section": _SECTION,
        "jobs": ("i4", "coalesce(t.jobs_count, 0)"),
    },
    "employment": {
        "id": ("i8", "t.id"),
        "person": ("uuid", "t.person_id"),
        "employer": ("i8", "t.employer_id"),
        **_EPISODE,
        "insured": ("i2", "t.insured::integer"),
    },
    "schooling": {
        "id": ("i8", "t.id"),
        "person": ("uuid", "t.person_id"),
        **_VALID,
        **_STORED,
        "superseded": ("i2", "(t.superseded_at IS NOT NULL)::integer"),
    },
}
_FLAGS: Final = ("superseded", "floating", "collective", "insured")


@dataclass(frozen=True)
class Unit:
    """One unit as a condition on place columns: an area with everything below it, a grid, or a cell of any size."""

    kind: str
    id: int

    def condition(self, alias: str) -> str:
        """SQL over the place columns of ``alias`` with parameters ``lo``, ``hi`` (cells) or ``unit``."""
        if self.kind == "cell":
            return f"{alias}.cell BETWEEN %(lo)s AND %(hi)s"
        if self.kind == "grid":
            return f"{alias}.grid_id = %(unit)s"
        below = "SELECT a.id FROM geo.area a WHERE a.path @> ARRAY[CAST(%(unit)s AS bigint)]"
        return f"{alias}.community_id = ANY (ARRAY({below}))"

    def params(self, base_resolution: int) -> dict[str, int]:
        """Values of the condition; base cells below an H3 cell are one range of numbers."""
        if self.kind != "cell":
            return {"unit": self.id}
        resolution = (self.id >> 52) & 15
        free = 3 * (base_resolution - resolution)
        shift = 3 * (15 - base_resolution)
        head = (self.id & ~(15 << 52)) | (base_resolution << 52)
        return {"lo": head & ~(((1 << free) - 1) << shift), "hi": head | (((1 << free) - 1) << shift)}


def read_register(conn: psycopg.Connection[Any], kept: Kept | None = None) -> dict[str, Columns]:
    """Every table of the register that is counted, whole; what ``kept`` still holds of it is not read."""
    register = {}
    for name, spec in TABLES.items():
        there = kept.take(conn, name) if kept else None
        register[name] = there or _flagged(read_columns(conn, f"register.{name}", spec))
    return register


def read_unit(conn: psycopg.Connection[Any], unit: Unit, base_resolution: int) -> dict[str, Columns]:
    """What one unit's figures need: its own rows, the members of its households, and the persons, dwellings, work and
    school of those who live there. Rows whose place hangs
    on one not read keep the place they say they have."""
    own = unit.condition("t")
    homes = f"(SELECT h.id FROM register.household h WHERE {unit.condition('h')})"  # noqa: S608
    stays = f"FROM register.residence r WHERE {unit.condition('r')} OR r.household_id IN {homes}"
    works = f"FROM register.employment e WHERE {unit.condition('e')}"
    where = dict.fromkeys(TABLES, own)
    where["residence"] = f"{own} OR t.household_id IN {homes}"
    where["person"] = f"t.id IN (SELECT r.person_id {stays}) OR t.id IN (SELECT e.person_id {works})"
    where["employment"] = f"{own} OR t.person_id IN (SELECT r.person_id {stays})"
    employers = (
        f"SELECT e.employer_id FROM register.employment e WHERE e.person_id IN (SELECT r.person_id {stays})"  # noqa: S608
    )
    where["employer"] = f"{own} OR t.id IN ({employers})"
    where["schooling"] = f"t.person_id IN (SELECT r.person_id {stays})"
    params = unit.params(base_resolution)
    return {
        name: _flagged(read_columns(conn, f"register.{name}", spec, where[name], params))
        for name, spec in TABLES.items()
    }


def _flagged(columns: Columns) -> Columns:
    for name in _FLAGS:
        if name in columns:
            columns[name] = columns[name].astype(np.bool_)
    return columns

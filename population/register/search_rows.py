"""The SQL of the search for people: everything here runs as the person who asks, under that person's policies of rows.

Conditions on ``register.person_search`` use equality and order only, which PostgreSQL knows to be leakproof: with
anything else (LIKE) the policies would have to be tried on every row first and no index would serve. ``Scope`` puts
the territory in front: the cost, the plan and the number of statements of a search depend on the own territory alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

CANDIDATES: Final = 80
"""Rows that one way of looking offers for ranking."""
LAST: Final = "\U0010ffff"
_ROW: Final = "s.person_id, s.name, s.folded, s.fuzzy, s.initials, s.phone_tail, s.phone_key"
_LIVES: Final = "(s.until IS NULL OR s.until > current_date)"


@dataclass(frozen=True)
class Scope:
    """Where the person may look: the whole city, whole communities, or single legal grids."""

    whole_city: bool
    communities: list[int]
    grids: list[int]
    has_single_grids: bool

    @property
    def condition(self) -> str:
        """The territory as a condition on ``s``; the policies of rows say the same once more."""
        if self.whole_city:
            return "true"
        if self.communities and not self.has_single_grids:
            return "s.community_id = ANY(:communities)"
        if self.communities:
            return "(s.community_id = ANY(:communities) OR s.grid_id = ANY(:grids))"
        return "s.grid_id = ANY(:grids)"

    @property
    def is_small(self) -> bool:
        """Single grids: so few people that each of them can be looked at."""
        return not self.whole_city and not self.communities

    @property
    def params(self) -> dict[str, Any]:
        """What ``condition`` needs."""
        return {"communities": self.communities, "grids": self.grids}


def scope_of(session: Session) -> Scope:
    """The territory of whoever acts in ``session``."""
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    row = session.execute(
        text(
            """SELECT ops.sees_city() AS city, ops.my_communities() AS communities, ops.my_grids() AS grids,
                 EXISTS (SELECT FROM ops.my_territory() WHERE grid_id IS NOT NULL) AS single"""
        )
    ).one()
    return Scope(row.city, list(row.communities), list(row.grids), row.single)


def look(
    session: Session, scope: Scope, ways: list[str], values: dict[str, Any], also: str = "true"
) -> list[Any]:
    """Candidates by each of ``ways`` (conditions on ``s``, fixed texts of this project), at most ``CANDIDATES`` each.

    ``also`` narrows every way: a telephone tail, some buildings.
    """
    parts = [
        f"(SELECT {number} AS way, {_ROW} FROM register.person_search s"
        f" WHERE {way} AND {also} AND {scope.condition} AND {_LIVES} LIMIT {CANDIDATES})"
        for number, way in enumerate(ways)
    ]
    return list(session.execute(text(" UNION ALL ".join(parts)), {**scope.params, **values}))


def buildings(session: Session, words: tuple[str, ...], number: int | None, most: int) -> list[Any]:
    """Buildings of the own territory whose name and address hold every one of ``words`` (% and _ as in LIKE)."""
    numbered = None if number is None else rf"(^|[^0-9]){number}(号楼|栋|幢|座|#|号)"
    found = session.execute(
        text("SELECT * FROM register.find_buildings(:words, :numbered, :most)"),
        {"words": list(words), "numbered": numbered, "most": most},
    )
    return list(found)


def at_door(
    session: Session, scope: Scope, building_ids: list[int], unit: str | None, room: str | None
) -> list[Any]:
    """Who lives in these buildings, behind the door as far as it was said."""
    door = []
    if unit is not None:
        door.append("regexp_replace(d.unit, '\\D', '', 'g') = :unit")
    if room is not None:
        door.append("ltrim(regexp_replace(d.room, '\\D', '', 'g'), '0') = ltrim(:room, '0')")
    where = " AND ".join(["s.building_id = ANY(:buildings)", *door])
    found = session.execute(
        text(
            f"""SELECT 0 AS way, {_ROW} FROM register.person_search s
                JOIN register.dwelling d ON d.id = s.dwelling_id
                WHERE {where} AND {scope.condition} AND {_LIVES}
                ORDER BY s.building_id, s.dwelling_id LIMIT {CANDIDATES}"""
        ),
        {**scope.params, "buildings": building_ids, "unit": unit, "room": room},
    )
    return list(found)


def of_hash(session: Session, id_hash: bytes | None, phone: int | None) -> list[Any]:
    """People of the own territory under a hash of their ID or telephone number."""
    found = session.execute(
        text(
            f"""SELECT 0 AS way, {_ROW} FROM register.person_search s
                WHERE s.person_id IN (SELECT * FROM register.people_of_hash(:id_hash, :phone))"""
        ),
        {"id_hash": id_hash, "phone": phone},
    )
    return list(found)


def described(session: Session, ids: list[UUID]) -> dict[UUID, Any]:
    """Everything a hit shows besides sealed numbers."""
    found = session.execute(
        text(
            """SELECT p.id, p.name, p.sex, p.birth_date, s.dwelling_id, s.building_id, s.grid_id, r.status,
                 b.name AS building, b.address, d.unit, d.floor, d.room, g.code AS grid_code, g.name AS grid_name
               FROM register.person_search s JOIN register.person p ON p.id = s.person_id
               LEFT JOIN register.residence r ON r.person_id = s.person_id AND r.superseded_at IS NULL
                 AND r.valid_from <= current_date AND (r.valid_to IS NULL OR r.valid_to > current_date)
               LEFT JOIN register.building b ON b.id = s.building_id
               LEFT JOIN register.dwelling d ON d.id = s.dwelling_id
               LEFT JOIN geo.grid g ON g.id = s.grid_id
               WHERE s.person_id = ANY(:ids)"""
        ),
        {"ids": ids},
    )
    return {row.id: row for row in found}


def sealed(session: Session, ids: list[UUID]) -> dict[UUID, Any]:
    """The sealed ID and telephone numbers of people of the own territory."""
    found = session.execute(text("SELECT * FROM register.sealed(:ids)"), {"ids": ids})
    return {row.person_id: row for row in found}


def birth_years(session: Session, ids: list[UUID]) -> dict[UUID, int | None]:
    """Years of birth of candidates."""
    found = session.execute(
        text(
            "SELECT id, extract(year FROM birth_date)::int AS year FROM register.person WHERE id = ANY(:ids)"
        ),
        {"ids": ids},
    )
    return {row.id: row.year for row in found}

"""Records of people and homes for a page: who they are, where they live, with whom; as of a day, as known on a day.

Every query runs as the person acting in the session: policies of rows keep what is outside the territory away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import polars as pl
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.errors import HexwardError
from grid.names import english_sql
from population.register.identity import IdentityKeyError, mask, vault


class RecordNotFound(HexwardError):
    """No such record in the territory of whoever asks (there may or may not be one elsewhere)."""

    code = "record.not_found"


@dataclass(frozen=True)
class Moment:
    """The day that is asked about and what had been recorded by then; None: today, and all that is known now."""

    as_of: date | None = None
    known_on: date | None = None

    @property
    def params(self) -> dict[str, Any]:
        return {"as_of": self.as_of, "known_on": self.known_on}


NOW: Final = Moment()
_DAY: Final = "coalesce(CAST(:as_of AS date), register.today())"
_UNTIL: Final = """(CAST(:known_on AS date) + 1)::timestamp AT TIME ZONE
  coalesce((SELECT zone FROM ops.city ORDER BY loaded_at DESC NULLS LAST LIMIT 1), 'UTC')"""


def believed(alias: str, moment: Moment) -> str:
    """The condition that a version of an episode was believed on ``known_on``."""
    if moment.known_on is None:
        return f"{alias}.superseded_at IS NULL"
    return f"{alias}.recorded_at < {_UNTIL} AND ({alias}.superseded_at IS NULL OR {alias}.superseded_at >= {_UNTIL})"


def holds(alias: str) -> str:
    """The condition that an episode holds on ``as_of``."""
    return f"{alias}.valid_from <= {_DAY} AND ({alias}.valid_to IS NULL OR {alias}.valid_to > {_DAY})"


_PERSON: Final = """p.id, p.name, p.sex, p.birth_date, p.origin_code, p.valid_to AS ended_on, p.end_reason,
  p.merged_into, p.confirmed_on, p.confirmed_source"""
_STAY: Final = """r.status, r.permit, r.permit_until, r.valid_from AS since, r.dwelling_id, r.household_id,
  r.id AS residence_id, r.confirmed_on AS stay_confirmed_on, r.confirmed_source AS stay_source"""
_RESIDENT: Final = (
    "id", "version", "name", "sex", "birth_date", "status", "permit", "permit_until", "since", "confirmed_on",
    "confirmed_source",
)  # fmt: skip
_DWELLING: Final = (
    "id", "building_id", "unit", "floor", "room", "area_m2", "rooms", "capacity", "tenure", "use", "confirmed_on",
    "confirmed_source",
)  # fmt: skip
CROWDED_BELOW_M2: Final = 8.0
"""Less room a person than this is crowded, as in the statistics' lowest class."""


def person(session: Session, person_id: UUID, moment: Moment = NOW) -> dict[str, Any]:
    """The page of one person. Raises ``RecordNotFound``."""
    row = session.execute(
        text(
            f"""SELECT {_PERSON}, {_STAY} FROM register.person p LEFT JOIN register.residence r
                ON r.person_id = p.id AND {believed("r", moment)} AND {holds("r")} WHERE p.id = :id"""
        ),
        {"id": person_id, **moment.params},
    ).mappings().first()  # fmt: skip
    if row is None:
        raise RecordNotFound()
    found = dict(row)
    if moment.known_on is not None:
        found |= _known(session, person_id, moment)
    found["version"] = _versions(session, [person_id]).get(person_id)
    home = None if found["dwelling_id"] is None else _home(session, found["dwelling_id"], moment)
    extra = ("origin_code", "ended_on", "end_reason", "merged_into", "residence_id")
    return {
        "person": {
            **_resident(found),
            **{name: found[name] for name in extra},
            **_masked(session, person_id),
        },
        "home": home,
        "household": _household_of(home, found["household_id"]),
        "episodes": {name: _episodes(session, name, person_id, moment) for name in EPISODES},
    }


def _known(session: Session, person_id: UUID, moment: Moment) -> dict[str, Any]:
    known = session.execute(
        text(f"SELECT register.person_known(:id, {_UNTIL})"), {"id": person_id, **moment.params}
    ).scalar_one()
    if known is None:
        raise RecordNotFound()
    own = {
        name: known.get(name)
        for name in ("name", "sex", "birth_date", "origin_code", "end_reason", "merged_into")
    }
    return {**own, "ended_on": known.get("valid_to")}


EPISODES: Final[dict[str, str]] = {
    "residence": "t.status, t.permit, t.permit_until, t.dwelling_id, t.household_id, t.grid_id, b.address AS address, "
    "d.unit, d.floor, d.room",
    "employment": "t.employer_id, t.occupation, t.insured, e.name AS employer, e.industry",
    "schooling": "t.school, t.stage",
    "insurance": "t.kind AS insurance, t.employer_id, e.name AS employer",
    "permit": "t.kind AS permit_kind, t.endorsed_on",
}

_EMPLOYER: Final = "LEFT JOIN register.employer e ON e.id = t.employer_id"
_JOINS: Final[dict[str, str]] = {
    "residence": "LEFT JOIN register.dwelling d ON d.id = t.dwelling_id"
    " LEFT JOIN register.building b ON b.id = d.building_id",
    "employment": _EMPLOYER,
    "insurance": _EMPLOYER,
}


def _episodes(session: Session, table: str, person_id: UUID, moment: Moment | None) -> list[dict[str, Any]]:
    """Episodes that hold at ``moment``; without one, every version that ever was."""
    join = _JOINS.get(table, "")
    when = "" if moment is None else f"AND {believed('t', moment)} AND {holds('t')}"
    rows = session.execute(
        text(
            f"""SELECT t.id, t.valid_from, t.valid_to, t.recorded_at, t.superseded_at, {EPISODES[table]}
                FROM register.{table} t {join} WHERE t.person_id = :id {when} ORDER BY t.valid_from, t.id"""
        ),
        {"id": person_id, **(moment or NOW).params},
    ).mappings()
    return [dict(row) for row in rows]


def timeline(
    session: Session, person_id: UUID, moment: Moment = NOW, *, every: bool = False
) -> dict[str, Any]:
    """All episodes of a person that are believed (``every``: also those that gave way), and the acts that touched it.

    Only what lies in the territory of whoever asks. Raises ``RecordNotFound``.
    """
    if (
        session.execute(text("SELECT 1 FROM register.person WHERE id = :id"), {"id": person_id}).scalar()
        is None
    ):
        raise RecordNotFound()
    made: list[dict[str, Any]] = []
    for table in EPISODES:
        for row in _episodes(session, table, person_id, None):
            if every or _believed(row, moment, session):
                made.append({"kind": table, **row, "id": str(row["id"])})
    acts = session.execute(
        text(
            """SELECT id, kind, at, role, from_grid_id, to_grid_id, undone_by, params FROM register.act
               WHERE person_ids @> ARRAY[CAST(:id AS uuid)] ORDER BY at"""
        ),
        {"id": person_id},
    ).mappings()
    return {
        "episodes": sorted(made, key=lambda row: (row["valid_from"], row["recorded_at"])),
        "acts": [dict(row) for row in acts],
    }


def _believed(row: dict[str, Any], moment: Moment, session: Session) -> bool:
    if moment.known_on is None:
        return row["superseded_at"] is None
    until: datetime = session.execute(text(f"SELECT {_UNTIL}"), moment.params).scalar_one()
    return row["recorded_at"] < until and (row["superseded_at"] is None or row["superseded_at"] >= until)


def household(session: Session, household_id: UUID, moment: Moment = NOW) -> dict[str, Any]:
    """A household, its people and its home. Raises ``RecordNotFound``."""
    row = session.execute(
        text("SELECT id, kind, dwelling_id FROM register.household WHERE id = :id"), {"id": household_id}
    ).first()
    if row is None:
        raise RecordNotFound()
    home = _home(session, row.dwelling_id, moment)
    return {
        "household": _household_of(home, row.id) or {"id": row.id, "kind": row.kind, "people": []},
        "dwelling": {name: value for name, value in home.items() if name != "building"},
        "building": home["building"],
        "tenancies": _tenancies(session, "household_id", row.id, moment),
    }


def dwelling(session: Session, dwelling_id: int, moment: Moment = NOW) -> dict[str, Any]:
    """A dwelling, its building and who lives there. Raises ``RecordNotFound``."""
    home = _home(session, dwelling_id, moment)
    return {
        "dwelling": {name: value for name, value in home.items() if name != "building"},
        "building": home["building"],
        "tenancies": _tenancies(session, "dwelling_id", dwelling_id, moment),
    }


def _tenancies(session: Session, column: str, key: int | UUID, moment: Moment) -> list[dict[str, Any]]:
    rows = session.execute(
        text(
            f"""SELECT t.id, t.dwelling_id, t.household_id, t.tenure, t.valid_from, t.valid_to FROM register.tenancy t
                WHERE t.{column} = :key AND {believed("t", moment)} ORDER BY t.valid_from"""
        ),
        {"key": key, **moment.params},
    ).mappings()
    return [dict(row) for row in rows]


def building(session: Session, building_id: int, moment: Moment = NOW) -> dict[str, Any]:
    """A building, floor by floor from the top: dwellings, households, people. Raises ``RecordNotFound``."""
    found = _building(session, building_id)
    homes = _homes(session, "d.building_id = :key", building_id, moment)
    floors: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for home in homes:
        floors[home["floor"]].append(home)
    order = sorted(floors, key=_height, reverse=True)
    return {"building": found, "floors": [{"floor": floor, "dwellings": floors[floor]} for floor in order]}


def _height(floor: str | None) -> float:
    digits = "".join(sign for sign in floor or "" if sign.isdigit())
    below = (floor or "").strip().upper().startswith(("B", "-", "地下", "负"))
    return -1e6 if not digits else -float(digits) if below else float(digits)


def people_of(page: dict[str, Any]) -> set[UUID]:
    """Everybody a page names, for its audit row."""
    homes: list[dict[str, Any]] = [home for floor in page.get("floors", []) for home in floor["dwellings"]]
    homes += [home for home in (page.get("home"), page.get("dwelling")) if home]
    named = {one["id"] for home in homes for part in home["households"] for one in part["people"]}
    return named | ({page["person"]["id"]} if "person" in page else set())


def buildings(
    session: Session, bounds: tuple[float, float, float, float] | None, cell: int | None
) -> list[dict[str, Any]]:
    """Buildings of the territory in a box (degrees) or in a cell of the base resolution, at most 500."""
    where = (
        "b.cell = :cell"
        if cell is not None
        else "b.lng BETWEEN :west AND :east AND b.lat BETWEEN :south AND :north"
    )
    west, south, east, north = bounds or (0.0, 0.0, 0.0, 0.0)
    rows = session.execute(
        text(
            f"""SELECT b.id, b.name, b.address, b.use, b.floors, b.lng, b.lat, b.grid_id,
                  (SELECT count(*) FROM register.dwelling d WHERE d.building_id = b.id) AS dwellings
                FROM register.building b WHERE {where} AND (b.valid_to IS NULL OR b.valid_to > register.today())
                ORDER BY b.id LIMIT 500"""
        ),
        {"cell": cell, "west": west, "south": south, "east": east, "north": north},
    ).mappings()
    return [dict(row) for row in rows]


def _building(session: Session, building_id: int) -> dict[str, Any]:
    row = session.execute(
        text(
            f"""SELECT b.id, b.name, b.address, b.use, b.floors, b.built_year, b.lng, b.lat, to_hex(b.cell) AS cell,
                  CASE WHEN a.id IS NOT NULL THEN jsonb_build_object('id', a.id, 'name', a.name, 'name_en', a.name_en)
                  END AS community,
                  CASE WHEN g.id IS NOT NULL THEN jsonb_build_object('id', g.id, 'code', g.code, 'name', g.name,
                    'name_en', {english_sql("g", "a")}) END AS grid
                FROM register.building b LEFT JOIN geo.area a ON a.id = b.community_id
                LEFT JOIN geo.grid g ON g.id = b.grid_id WHERE b.id = :id"""
        ),
        {"id": building_id},
    ).mappings().first()  # fmt: skip
    if row is None:
        raise RecordNotFound()
    return dict(row)


def _home(session: Session, dwelling_id: int, moment: Moment) -> dict[str, Any]:
    homes = _homes(session, "d.id = :key", dwelling_id, moment)
    if not homes:
        raise RecordNotFound()
    return {**homes[0], "building": _building(session, homes[0]["building_id"])}


def _homes(session: Session, where: str, key: int, moment: Moment) -> list[dict[str, Any]]:
    columns = ", ".join(f"d.{name}" for name in _DWELLING)
    rows = session.execute(
        text(
            f"SELECT {columns} FROM register.dwelling d WHERE {where} ORDER BY d.floor, d.unit, d.room, d.id"
        ),
        {"key": key},
    ).mappings()
    homes = {row["id"]: {**row, "households": [], "people": 0, "crowded": False} for row in rows}
    for row in _lodgers(session, list(homes), moment):
        home = homes[row["dwelling_id"]]
        part = _household_of(home, row["household_id"])
        if part is None:
            part = {"id": row["household_id"], "kind": row["household_kind"] or "family", "people": []}
            home["households"].append(part)
        part["people"].append(_resident(row))
        home["people"] += 1
    for home in homes.values():
        home["crowded"] = crowded(home["people"], home["area_m2"], home["capacity"])
    return list(homes.values())


def crowded(people: int, area_m2: float | None, capacity: int | None) -> bool:
    """More people than the room has place for, or less than 8 square metres a person.

    >>> crowded(40, 60.0, None), crowded(3, 60.0, 4), crowded(5, None, 4), crowded(0, 6.0, 0)
    (True, False, True, False)
    """
    if people == 0:
        return False
    return (capacity is not None and capacity > 0 and people > capacity) or (
        area_m2 is not None and area_m2 < CROWDED_BELOW_M2 * people
    )


def _lodgers(session: Session, dwellings: Sequence[int], moment: Moment) -> list[dict[str, Any]]:
    if not dwellings:
        return []
    rows = session.execute(
        text(
            f"""SELECT {_PERSON}, {_STAY}, h.kind AS household_kind FROM register.residence r
                JOIN register.person p ON p.id = r.person_id LEFT JOIN register.household h ON h.id = r.household_id
                WHERE r.dwelling_id = ANY (:dwellings) AND {believed("r", moment)} AND {holds("r")}
                  AND (p.valid_to IS NULL OR p.valid_to > {_DAY} OR CAST(:known_on AS date) IS NOT NULL)
                ORDER BY r.dwelling_id, r.household_id, p.birth_date NULLS LAST, p.id"""
        ),
        {"dwellings": list(dwellings), **moment.params},
    ).mappings()
    found = [dict(row) for row in rows]
    versions = _versions(session, [row["id"] for row in found])
    for row in found:
        row["version"] = versions.get(row["id"])
    return found


def _versions(session: Session, ids: Iterable[UUID]) -> dict[UUID, str]:
    rows = session.execute(text("SELECT id, version FROM register.versions(:ids)"), {"ids": list(ids)})
    return {row.id: row.version for row in rows}


def _resident(row: dict[str, Any]) -> dict[str, Any]:
    """A person as a line in a list; when it was last confirmed is the later of its own and its residence's."""
    own, stay = row["confirmed_on"], row["stay_confirmed_on"]
    if stay is not None and (own is None or stay > own):
        row = {**row, "confirmed_on": stay, "confirmed_source": row["stay_source"]}
    return {name: row.get(name) for name in _RESIDENT}


def _household_of(home: dict[str, Any] | None, household_id: UUID | None) -> dict[str, Any] | None:
    return next((part for part in (home or {}).get("households", []) if part["id"] == household_id), None)


def _masked(session: Session, person_id: UUID) -> dict[str, str | None]:
    row = session.execute(
        text("SELECT id_number_enc, phone_enc FROM register.sealed(:ids)"), {"ids": [person_id]}
    ).first()
    number, phone = (None, None) if row is None else (_open(row.id_number_enc), _open(row.phone_enc))
    return {
        "id_number": None if number is None else mask(number),
        "phone": None if phone is None else "*" * max(len(phone) - 4, 0) + phone[-4:],
    }


def _open(stored: bytes | None) -> str | None:
    """What another key has sealed, or nothing has, is not shown; the page is."""
    if stored is None:
        return None
    try:
        return str(vault().reveal(pl.Series([stored], dtype=pl.Binary))[0])
    except (IdentityKeyError, ValueError):
        return None

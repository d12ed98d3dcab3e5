"""What a person and a household can have now: facts from the register, put through the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import text

from db.errors import HexwardError
from population.entitlements.conditions import Value, completed_years
from population.entitlements.evaluate import evaluate
from population.entitlements.rules import rules

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

STABLE: Final = frozenset({"own", "rent", "dormitory", "public"})
_TODAY: Final = text("SELECT as_of FROM stats.state")
_MEMBERS: Final = text(
    "SELECT DISTINCT person_id FROM register.residence WHERE household_id = :household AND counted <> 0"
    " AND superseded_at IS NULL ORDER BY person_id"
)
_NAMES: Final = text("SELECT id, name FROM register.person WHERE id = ANY (:persons)")


class NobodyThereError(HexwardError):
    """No such person or household in the territory (or none at all: the answer is the same)."""

    code = "entitlements.not_found"


@dataclass(frozen=True)
class Services:
    """An answer and whom it names."""

    answer: dict[str, Any]
    persons: tuple[UUID, ...]


def for_person(session: Session, person: UUID, today: date | None = None) -> Services:
    """Services of a person who lives in the caller's territory. Raises NobodyThereError."""
    day = today or session.execute(_TODAY).scalar_one()
    found = _facts(session, [person], day)
    if not found:
        raise NobodyThereError()
    return Services(_person(found[0], _names(session, [person]), day) | {"on": day.isoformat()}, (person,))


def for_household(session: Session, household: UUID, today: date | None = None) -> Services:
    """Services of a household as a whole, and of each member. Raises NobodyThereError."""
    day = today or session.execute(_TODAY).scalar_one()
    members = [row[0] for row in session.execute(_MEMBERS, {"household": household})]
    found = _facts(session, members, day) if members else []
    if not found:
        raise NobodyThereError()
    names = _names(session, members)
    told = {
        "household_id": str(household),
        "on": day.isoformat(),
        "services": evaluate(rules(), household_facts(found), day, "household"),
        "members": [_person(row, names, day) for row in found],
    }
    return Services(told, tuple(row["person_id"] for row in found))


def person_facts(row: dict[str, Any], day: date) -> dict[str, Value]:
    """The facts of the rules from what the database tells of a person; None where it is not on record."""
    birth: date | None = row["birth_date"]
    stable = None if not row["in_dwelling"] or row["tenure"] is None else row["tenure"] in STABLE or None
    return {
        "status": row["status"],
        "resident_since": row["resident_since"],
        "birth_date": birth,
        "school_year_age": None if birth is None else completed_years(birth, school_year_start(day)),
        "permit": row["permit"],
        "permit_until": row["permit_until"],
        "employed": row["employed"],
        "in_school": row["in_school"],
        "pension_insured": row["pension_insured"],
        "medical_insured": row["medical_insured"],
        "stable_dwelling": stable,
        "tenure": row["tenure"],
        "m2_per_person": row["m2_per_person"],
    }


def household_facts(members: list[dict[str, Any]]) -> dict[str, Value]:
    """The facts of a household: its home's, the longest stay of a member, whether anybody works."""
    first = members[0]
    since = [row["resident_since"] for row in members if row["resident_since"] is not None]
    jobs = [row["employed"] for row in members]
    return {
        "tenure": first["tenure"],
        "m2_per_person": first["m2_per_person"],
        "household_since": min(since) if since else None,
        "any_employed": True if True in jobs else None if None in jobs else False,
    }


def school_year_start(day: date) -> date:
    """The 31 August by which a child has to be six for the school year that ``day`` lies in.

    >>> school_year_start(date(2026, 8, 31)), school_year_start(date(2026, 9, 1))
    (datetime.date(2025, 8, 31), datetime.date(2026, 8, 31))
    """
    return date(day.year if day.month >= 9 else day.year - 1, 8, 31)


def _facts(session: Session, persons: list[UUID], day: date) -> list[dict[str, Any]]:
    rows = session.execute(
        text(
            "SELECT * FROM ops.service_facts(CAST(:persons AS uuid[]), :day) ORDER BY birth_date, person_id"
        ),
        {"persons": persons, "day": day},
    ).mappings()
    return [dict(row) for row in rows]


def _names(session: Session, persons: list[UUID]) -> dict[UUID, str | None]:
    return {row.id: row.name for row in session.execute(_NAMES, {"persons": persons})}


def _person(row: dict[str, Any], names: dict[UUID, str | None], day: date) -> dict[str, Any]:
    person: UUID = row["person_id"]
    return {
        "person_id": str(person),
        "name": names.get(person),
        "services": evaluate(rules(), person_facts(row, day), day),
    }

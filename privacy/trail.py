"""Reading the audit trail: who looked at whom and why, for the auditor; and a resident's looks at the own record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Filter:
    """Which events; every part that is given must fit."""

    account: str | None = None
    person: UUID | None = None
    role: str | None = None
    purpose: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    territory: str | None = None


_WHERE = {
    "account": "e.account = :account",
    "person": "e.persons @> ARRAY[CAST(:person AS uuid)]",
    "role": "e.role = :role",
    "purpose": "e.purpose = :purpose",
    "action": "(e.action = :action OR e.resource = :action)",
    "since": "e.at >= :since",
    "until": "e.at < :until",
    "territory": "', ' || e.territory || ',' LIKE '%, ' || :territory || ',%'",
}


def events(session: Session, wanted: Filter, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Events that fit, newest first, older than the event ``before``. For the acting auditor."""
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    where = [_WHERE[name] for name in given]
    if before is not None:
        where.append("e.id < :before")
    rows = session.execute(
        text(
            f"""SELECT e.id, e.at, e.user_id, e.account, e.role, e.action, e.resource, e.purpose, e.territory,
                  audit.places(e.territory) AS places, e.params, coalesce(e.persons, '{{}}') AS persons
                FROM audit.event e {"WHERE " + " AND ".join(where) if where else ""}
                ORDER BY e.id DESC LIMIT :limit"""  # noqa: S608 - fixed words only
        ),
        {**given, "before": before, "limit": limit},
    ).mappings()
    return [dict(row) for row in rows]


def looks_at(session: Session, person: UUID, *, limit: int = 200) -> dict[str, Any]:
    """Looks at a person's record as the person may see them: role, unit, purpose and time, no account.

    An order that still runs delays the looks made since it was given; once it has ended, they and the order itself
    are shown. Reads as the owner, for a person who proved by the query code whose record it is.
    """
    rows = session.execute(
        text(
            """SELECT e.at, e.role, e.purpose, e.action, audit.places(e.territory) AS places,
                 e.territory = 'whole city' AS whole_city
               FROM audit.event e WHERE e.persons @> ARRAY[CAST(:person AS uuid)] AND NOT EXISTS (
                 SELECT 1 FROM audit.delay_order d WHERE d.person_id = :person AND d.made_at <= e.at
                   AND d.until > now())
               ORDER BY e.id DESC LIMIT :limit"""
        ),
        {"person": person, "limit": limit},
    ).mappings()
    orders = session.execute(
        text(
            """SELECT made_at, until, ordered_by, ground FROM audit.delay_order
               WHERE person_id = :person AND until <= now() ORDER BY made_at"""
        ),
        {"person": person},
    ).mappings()
    return {"looks": [dict(row) for row in rows], "delays": [dict(row) for row in orders]}


def delay(
    session: Session, *, person: UUID, ordered_by: str, ground: str, until: datetime, made_by: UUID
) -> UUID:
    """Record an order that delays what a resident sees; it cannot be changed afterwards, only run out."""
    return UUID(
        str(
            session.execute(
                text(
                    """INSERT INTO audit.delay_order (person_id, ordered_by, ground, until, made_by)
                       VALUES (:person, :ordered_by, :ground, :until, :made_by) RETURNING id"""
                ),
                {"person": person, "ordered_by": ordered_by, "ground": ground, "until": until, "made_by": made_by},
            ).scalar_one()
        )
    )  # fmt: skip


def note(session: Session, finding: int, *, by: UUID, account: str, verdict: str, said: str) -> bool:
    """Add to a finding that it was looked into; False when there is no such finding."""
    added = session.execute(
        text(
            """INSERT INTO audit.finding_note (finding_id, by_id, by_account, verdict, note)
               SELECT id, :by, :account, :verdict, :said FROM audit.finding WHERE id = :finding RETURNING id"""
        ),
        {"finding": finding, "by": by, "account": account, "verdict": verdict, "said": said},
    ).one_or_none()
    return added is not None


def name_of(session: Session, person: UUID) -> str | None:
    """The name behind an id, for the acting auditor."""
    found = session.execute(text("SELECT audit.person_name(:person)"), {"person": person}).scalar()
    return None if found is None else str(found)


def persons_of(session: Session, name: str | None, hashes: list[bytes]) -> list[UUID]:
    """Ids of those of that name or ID number (keyed hashes), at most fifty. For the acting auditor."""
    rows = session.execute(
        text("SELECT audit.persons_of(:name, CAST(:hashes AS bytea[]))"), {"name": name, "hashes": hashes}
    )
    return [UUID(str(found)) for (found,) in rows]

"""The inbox of what residents declared: read, compared with the register, decided; as the officer who acts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from db.errors import HexwardError
from population.register import search
from population.register.declared_acts import perform
from population.register.hall import ANSWERED, SEALED
from population.register.identity import mask, vault
from population.register.searchable import TAIL

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

Decision = Literal["confirm", "reject", "ask"]
_STATE: Final = {"confirm": "confirmed", "reject": "rejected", "ask": "asked"}
_LIST: Final = """SELECT d.id, d.kind, d.at, d.state, d.language, d.grid_id, d.building_id, d.dwelling_id, d.sealed,
    d.id_hash, d.phone_key, d.answer_sealed, d.replied_at, d.decided_at, d.person_id, d.act_id,
    b.name AS building, b.address, w.unit, w.room, g.name AS grid_name, g.code AS grid_code
  FROM register.declaration d LEFT JOIN register.building b ON b.id = d.building_id
  LEFT JOIN register.dwelling w ON w.id = d.dwelling_id LEFT JOIN geo.grid g ON g.id = d.grid_id"""


class DeclarationNotFound(HexwardError):
    """No such declaration in the own territory, or none that is still open."""

    code = "declaration.not_found"


class DeclarationIncomplete(HexwardError):
    """A confirmation without the person it is about, or a refusal or question without its words."""

    code = "declaration.incomplete"


def inbox(session: Session, state: str | None, page: int) -> list[dict[str, Any]]:
    """Declarations of the own territory: the open ones first, then the newest."""
    found = session.execute(
        text(
            f"""{_LIST} WHERE CAST(:state AS text) IS NULL OR d.state = :state
                ORDER BY d.state IN ('confirmed', 'rejected'), d.at DESC LIMIT 50 OFFSET :skip"""
        ),
        {"state": state, "skip": 50 * (page - 1)},
    )
    return [_summary(row, _fields(row)) for row in found]


def one(session: Session, which: UUID, today: date) -> dict[str, Any]:
    """A declaration with its fields (numbers masked) and the people of the own territory it may be about.

    Raises DeclarationNotFound.
    """
    row = session.execute(text(f"{_LIST} WHERE d.id = :id"), {"id": which}).one_or_none()
    if row is None:
        raise DeclarationNotFound()
    fields = _fields(row)
    same = session.execute(
        text("SELECT * FROM register.people_of_hash(:hash, :phone)"),
        {"hash": row.id_hash, "phone": row.phone_key},
    ).scalars()
    ids = list(same)
    candidates = search.describe(session, ids, "number", today)
    name = str(fields.get("name") or "")
    seen = {hit["id"] for hit in candidates}
    candidates += [hit for hit in search.search(session, name, 5, today).hits if hit["id"] not in seen]
    shown = {**fields, "id_number": _masked(fields.get("id_number")), "phone": _tail(fields.get("phone")),
             "parent_id_number": _masked(fields.get("parent_id_number"))}  # fmt: skip
    return {**_summary(row, fields), "fields": shown, "candidates": candidates}


@dataclass(frozen=True)
class Said:
    """An officer's decision: ``person`` whom it is about, or ``new`` for somebody not yet in the register; ``act`` what
    was done for it already (else it is done now); ``reason`` for the resident."""

    decision: Decision
    reason: str | None = None
    person: UUID | None = None
    act: UUID | None = None
    new: bool = False


def decide(session: Session, which: UUID, said: Said, purpose: str) -> UUID | None:
    """Decide, in one transaction with the act that a confirmation asks for; the resident sees it, and the reason.

    Returns the person it is about. Raises DeclarationNotFound, DeclarationIncomplete, ActRefused.
    """
    confirms = said.decision == "confirm"
    if (confirms and said.person is None and not said.new) or (not confirms and not said.reason):
        raise DeclarationIncomplete(decision=said.decision)
    row = session.execute(text(f"{_LIST} WHERE d.id = :id AND d.state IN ('new', 'asked')"), {"id": which})
    declared = row.one_or_none()
    if declared is None:
        raise DeclarationNotFound()
    person, act = said.person, said.act
    if confirms and act is None:
        person, act = perform(session, purpose, declared, _fields(declared), None if said.new else person)
    if confirms and person is None:
        raise DeclarationIncomplete(decision=said.decision)
    sealed = vault().seal(said.reason, ANSWERED) if said.reason else None
    done = session.execute(
        text("SELECT register.declaration_decide(:id, :said, :note, :person, :act)"),
        {"id": which, "said": _STATE[said.decision], "note": sealed, "person": person, "act": act},
    ).scalar_one()
    if not done:
        raise DeclarationNotFound()
    return person


def _fields(row: Any) -> dict[str, Any]:
    return dict(json.loads(vault().unseal(row.sealed, SEALED)))


def _summary(row: Any, fields: dict[str, Any]) -> dict[str, Any]:
    door = search.door_words(row.unit, row.room)
    return {
        "id": str(row.id),
        "kind": row.kind,
        "at": row.at,
        "state": row.state,
        "language": row.language,
        "name": fields.get("name"),
        "address": " ".join(part for part in (row.address or row.building, door) if part),
        "building_id": row.building_id,
        "dwelling_id": row.dwelling_id,
        "grid": None
        if row.grid_id is None
        else {"id": str(row.grid_id), "code": row.grid_code, "name": row.grid_name},
        "replied_at": row.replied_at,
        "decided_at": row.decided_at,
        "person_id": None if row.person_id is None else str(row.person_id),
        "act_id": None if row.act_id is None else str(row.act_id),
        "answer": vault().unseal(row.answer_sealed, ANSWERED) if row.answer_sealed else None,
    }


def _masked(number: Any) -> str | None:
    return mask(str(number)) if number else None


def _tail(phone: Any) -> str | None:
    return "*" * max(len(str(phone)) - TAIL, 0) + str(phone)[-TAIL:] if phone else None

"""Asking the other grid: a question that reaches whoever is in charge of a person, if anybody is.

The officer gives the full name and an ID or telephone number. The answer to the asking is the same whether such a
person lives in the city or not; the database keeps whom it went to from the asker (``register.person_ask_to``). A
question nobody answers looks like one that went to nobody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import polars as pl
from sqlalchemy import text

from db.errors import HexwardError
from population.register.identity import mask, vault
from population.register.names import Keys
from population.register.searchable import TAIL, Tails

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Answer = Literal["lives_here", "contact_me", "cannot_say"]
_ASK: Final = b"ask"
_REPLY: Final = b"ask reply"


class TooManyAsks(HexwardError):
    """The account has asked as often as it may within an hour; ``seconds`` to wait."""

    code = "ask.too_many"


class AskNotFound(HexwardError):
    """No such open question in the own territory."""

    code = "ask.not_found"


@dataclass(frozen=True)
class Question:
    """Who is asked for and why; one of the two numbers."""

    name: str
    reason: str
    purpose: str
    id_number: str | None = None
    phone: str | None = None


def send(session: Session, question: Question, most_an_hour: int) -> UUID:
    """Ask. Raises TooManyAsks."""
    safe = vault()
    by_id = question.id_number is not None
    hashed = safe.protect(pl.Series([question.id_number or "0"]))["hash"].to_list()[0]
    _, phone = Tails(safe).of(question.phone or "0")
    said = {
        "name": question.name,
        "reason": question.reason,
        "purpose": question.purpose,
        "number": mask((question.id_number or "").upper())
        if by_id
        else "*" * 7 + (question.phone or "")[-TAIL:],
    }
    new = session.execute(
        text("SELECT register.ask_send(:kind, :hash, :phone, :folded, :sealed, :most)"),
        {
            "kind": "id_number" if by_id else "phone",
            "hash": hashed if by_id else None,
            "phone": None if by_id else phone,
            "folded": Keys.of(question.name).folded,
            "sealed": safe.seal(json.dumps(said, ensure_ascii=False), _ASK),
            "most": most_an_hour,
        },
    ).scalar_one()
    if new is None:
        raise TooManyAsks(seconds=3600, most=most_an_hour)
    return UUID(str(new))


def mine(session: Session) -> list[dict[str, Any]]:
    """The questions of whoever acts, newest first."""
    found = session.execute(
        text("SELECT * FROM register.person_ask WHERE asked_by = ops.my_id() ORDER BY at DESC LIMIT 100")
    )
    return [
        {
            **_shown(row),
            "answer": row.answer,
            "note": vault().unseal(row.answer_sealed, _REPLY) if row.answer_sealed else None,
            "answered_at": row.answered_at,
        }
        for row in found
    ]


def to_me(session: Session) -> list[dict[str, Any]]:
    """Open questions about people of the own territory, oldest first."""
    found = session.execute(
        text(
            """SELECT a.*, t.person_id FROM register.person_ask_to t JOIN register.person_ask a ON a.id = t.ask_id
               WHERE t.answered_at IS NULL ORDER BY a.at LIMIT 100"""
        )
    )
    return [{**_shown(row), "asker": row.asker, "person_id": str(row.person_id)} for row in found]


def answer(session: Session, ask: UUID, said: Answer, note: str | None) -> None:
    """Answer a question about a person of the own territory. Raises AskNotFound."""
    sealed = vault().seal(note, _REPLY) if note else None
    done = session.execute(
        text("SELECT register.ask_answer(:ask, :said, :note)"), {"ask": ask, "said": said, "note": sealed}
    ).scalar_one()
    if not done:
        raise AskNotFound()


def _shown(row: Any) -> dict[str, Any]:
    said = json.loads(vault().unseal(row.sealed, _ASK))
    return {"id": str(row.id), "at": row.at, "kind": row.kind, **said}

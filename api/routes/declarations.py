"""The officer's inbox of what residents declared, and the questions from grid to grid."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.answers import json_answer
from api.scope import Access
from population.register import asks, declarations, searchable

router = APIRouter(prefix="/api", tags=["people"])


class Decided(BaseModel):
    """What the officer decides; `person_id` whom it is about, `new_person` when nobody in the register yet;
    `act_id` the act that was done for it already, else it is done now."""

    decision: Literal["confirm", "reject", "ask"]
    reason: str | None = Field(default=None, max_length=500)
    person_id: UUID | None = None
    act_id: UUID | None = None
    new_person: bool = False


class Answered(BaseModel):
    """What the asked grid says."""

    answer: Literal["lives_here", "contact_me", "cannot_say"]
    note: str | None = Field(default=None, max_length=500)


@router.get("/declarations")
def list_declarations(
    access: Access,
    state: Literal["new", "asked", "confirmed", "rejected"] | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """What residents of the own territory declared, the open ones first, 50 a page."""
    with access.audited("declaration", "view", state=state, page=page) as opened:
        found = declarations.inbox(opened.session, state, page)
        opened.note(shown=len(found))
        opened.concerns(*(UUID(one["person_id"]) for one in found if one["person_id"]))
    return json_answer({"declarations": found, "page": page})


@router.get("/declarations/{declaration_id}")
def show_declaration(access: Access, declaration_id: UUID) -> Response:
    """One declaration, and the people of the own territory it may be about."""
    with access.audited("declaration", "view", declaration=str(declaration_id)) as opened:
        found = declarations.one(opened.session, declaration_id, date.today())
        opened.concerns(*(UUID(hit["id"]) for hit in found["candidates"]))
    return json_answer(found)


@router.post("/declarations/{declaration_id}/decision")
def decide(access: Access, declaration_id: UUID, said: Decided) -> Response:
    """Confirm, reject or ask back; the resident sees it under the code."""
    with access.audited(
        "declaration", "change", declaration=str(declaration_id), decision=said.decision
    ) as opened:
        decided = declarations.Said(said.decision, said.reason, said.person_id, said.act_id, said.new_person)
        whom = declarations.decide(opened.session, declaration_id, decided, opened.decision.purpose)
        opened.concerns(*([whom] if whom else []))
        found = declarations.one(opened.session, declaration_id, date.today())
    searchable.catch_up_now(access.state.engines.owner)
    return json_answer(found)


@router.get("/asks")
def list_asks(access: Access) -> Response:
    """The own questions with their answers, and the open questions about people of the own territory."""
    with access.audited("person_ask", "view") as opened:
        mine, to_me = asks.mine(opened.session), asks.to_me(opened.session)
        opened.concerns(*(UUID(one["person_id"]) for one in to_me))
    return json_answer({"mine": mine, "to_me": to_me})


@router.post("/asks/{ask_id}/answer")
def answer(access: Access, ask_id: UUID, said: Answered) -> Response:
    """Answer a question about a person of the own territory."""
    with access.audited("person_ask", "change", ask=str(ask_id), answer=said.answer) as opened:
        asks.answer(opened.session, ask_id, said.answer, said.note)
    return json_answer({"id": str(ask_id), "answer": said.answer})

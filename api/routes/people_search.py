"""Find people of one's own territory by name, pinyin, telephone tail or address."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from api.answers import json_answer
from api.routes.hall import right_id
from api.scope import Access
from population.register import asks, search

router = APIRouter(prefix="/api/people", tags=["people"])


@router.get("/search")
def search_people(
    access: Access,
    q: Annotated[str, Query(max_length=200)],
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> Response:
    """People and buildings of the own territory that fit `q`, best first; `matched` says by what. Never a word about
    people elsewhere: whether there are any changes neither the answer nor the work done for it."""
    with access.audited("person_search", query=search.query_hash(q)) as opened:
        found = search.search(opened.session, q, limit, date.today())
        opened.note(kind=found.kind, hits=len(found.hits), more=found.more)
        opened.concerns(*(UUID(hit["id"]) for hit in found.hits))
    return json_answer(
        {"kind": found.kind, "results": found.hits, "more": found.more, "buildings": found.buildings}
    )


class Asked(BaseModel):
    """Whom an officer asks for: the full name with an ID number or a telephone number, and why."""

    name: str = Field(min_length=1, max_length=80)
    id_number: str | None = Field(default=None, max_length=20)
    phone: str | None = Field(default=None, max_length=20, pattern=r"^\+?[\d \-]{6,20}$")
    reason: str = Field(min_length=4, max_length=500)

    @model_validator(mode="after")
    def one_number(self) -> Asked:
        """One of the two numbers, and a right one."""
        if (self.id_number is None) == (self.phone is None):
            raise PydanticCustomError("one_number", "give id_number or phone")
        if self.id_number is not None:
            self.id_number = right_id(self.id_number)
        return self


@router.post("/ask", status_code=202)
def ask_other_grid(access: Access, said: Asked) -> Response:
    """Ask whichever grid the person lives in. The answer is the same whether there is such a person or not."""
    with access.audited("person_ask", "change", by="id_number" if said.id_number else "phone") as opened:
        question = asks.Question(said.name, said.reason, opened.decision.purpose, said.id_number, said.phone)
        sent = asks.send(opened.session, question, access.state.settings.asks_an_hour)
        opened.note(ask=str(sent))
    return json_answer({"id": str(sent), "state": "sent"}, 202)

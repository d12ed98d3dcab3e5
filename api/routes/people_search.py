"""Find people of one's own territory by name, pinyin, telephone tail or address."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.answers import json_answer
from api.scope import Access
from population.register import search

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

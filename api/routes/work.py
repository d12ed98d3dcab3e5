"""The list of visits, what they found, and how the work goes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.answers import json_answer, own_json
from api.asked import Point
from api.scope import Access
from db.engine import raw_copy, write_session
from population.currency import checks as cases
from population.currency import work
from population.statistics import service

router = APIRouter(prefix="/api/work", tags=["work"])


class Visit(BaseModel):
    """What a visit found; `until` is the day on which a snoozed item comes back."""

    outcome: work.Outcome
    until: date | None = None


@router.get("")
def list_work(
    *,
    access: Access,
    state: Literal["open", "snoozed"] = "open",
    check: Annotated[str | None, Query(max_length=40)] = None,
    grid: Annotated[int | None, Query(ge=1)] = None,
    overdue: bool = False,
    near: Point,
    limit: Annotated[int, Query(ge=1, le=200)] = 40,
    offset: Annotated[int, Query(ge=0, le=work.MOST)] = 0,
) -> Response:
    """Visits of the own territory in the order of the walk: urgent ones first, then by distance from `near`."""
    access.require("work", "view")
    _look_again(access)
    asked = work.Asked(state, check, grid, overdue, near, limit, offset)
    with access.audited("work", state=state, check=check, grid=grid) as opened:
        found, persons = work.work(opened.session, asked)
        opened.concerns(*persons)
    return json_answer(found)


@router.get("/summary")
def work_summary(request: Request, access: Access) -> Response:
    """Per grid: open, overdue, new arrivals, done this week, residents not confirmed for 90 days. Names nobody."""
    access.require("work", "view")
    _look_again(access)
    with access.read("work") as opened:
        found = work.summary(opened.session)
    return own_json(request, found)


@router.post("/{item}/outcome")
def note_outcome(access: Access, item: UUID, visit: Visit) -> Response:
    """Note what a visit found. `confirmed` also confirms who lives there, as one act that can be undone."""
    with access.audited("work", "change", item=str(item), outcome=visit.outcome) as opened:
        found, persons = work.settle(
            opened.session, item, visit.outcome, opened.decision.purpose, visit.until
        )
        opened.concerns(*persons)
    _look_again(access)
    return json_answer(found)


def _look_again(access: Access) -> None:
    """Let the checks look at whoever changed, so that the list is right when it is read."""
    with write_session(access.state.engines.owner) as session:
        conn = raw_copy(session)
        if cases.anything_changed(conn):
            cases.look_at_changed(conn, service.state(session).as_of)

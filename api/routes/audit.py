"""The auditor's view of the trail: events, unusual use, daily roots, orders of delay."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import polars as pl
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.answers import download, json_answer
from api.errors import language_of
from api.scope import Access
from api.words import say
from db.errors import HexwardError
from population.register.identity import matching
from privacy import roots, trail, unusual

router = APIRouter(prefix="/api/audit", tags=["audit"])
_EXPORT_MOST = 100_000


class FindingUnknown(HexwardError):
    """No such finding, person or root."""

    code = "audit.unknown"


def _filter(
    *,
    account: Annotated[str | None, Query(max_length=64)] = None,
    person: UUID | None = None,
    role: Annotated[str | None, Query(max_length=40)] = None,
    purpose: Annotated[str | None, Query(max_length=40)] = None,
    action: Annotated[str | None, Query(max_length=80)] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    territory: Annotated[str | None, Query(pattern=r"^(grid|area) \d{1,18}$|^whole city$")] = None,
) -> trail.Filter:
    return trail.Filter(account, person, role, purpose, action, since, until, territory)


Wanted = Annotated[trail.Filter, Depends(_filter)]


def _said(wanted: trail.Filter) -> dict[str, Any]:
    return {k: v for k, v in vars(wanted).items() if v is not None and k != "person"}


def _persons(wanted: trail.Filter) -> list[UUID]:
    return [] if wanted.person is None else [wanted.person]


@router.get("/events")
def events(
    access: Access,
    wanted: Wanted,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Who looked at whom, when and why; newest first. `next` is the `before` of the following page."""
    with access.audited("audit", "view", persons=_persons(wanted), filter=_said(wanted)) as opened:
        found = trail.events(opened.session, wanted, before=before, limit=limit)
    return json_answer({"events": found, "next": found[-1]["id"] if len(found) == limit else None})


@router.get("/events.csv")
def events_file(access: Access, wanted: Wanted) -> Response:
    """The same as a file, at most 100,000 events."""
    with access.audited("audit", "export", persons=_persons(wanted), filter=_said(wanted)) as opened:
        found = trail.events(opened.session, wanted, before=None, limit=_EXPORT_MOST)
    out = io.StringIO()
    names = ("id", "at", "account", "role", "action", "purpose", "territory", "params", "persons")
    writer = csv.writer(out)
    writer.writerow(names)
    for row in found:
        cells = [" ".join(map(str, row[n])) if n == "persons" else str(row[n] or "") for n in names]
        writer.writerow([f"'{cell}" if cell[:1] in "=+-@\t\r" else cell for cell in cells])
    return download(("\ufeff" + out.getvalue()).encode(), "audit-events.csv", "text/csv")


class Whom(BaseModel):
    """Whom the auditor asks about: a full name, or a full ID number."""

    name: str | None = Field(default=None, min_length=2, max_length=100)
    id_number: str | None = Field(default=None, min_length=6, max_length=30)


@router.post("/persons")
def persons(access: Access, whom: Whom) -> Response:
    """Ids of the persons of that full name or ID number (at most 50), to search the events by; no other data."""
    with access.audited("audit", "search", by="id_number" if whom.id_number else "name") as opened:
        hashes = matching(pl.Series([whom.id_number]))[0] if whom.id_number else []
        found = trail.persons_of(opened.session, whom.name, hashes)
        opened.concerns(*found)
        opened.note(hits=len(found))
    return json_answer({"persons": found})


class Reveal(BaseModel):
    """Why the auditor needs the name."""

    person: UUID
    reason: str = Field(min_length=5, max_length=200)


@router.post("/reveal")
def reveal(access: Access, form: Reveal) -> Response:
    """The name behind an id: a step of its own, with its reason, in the trail like every other look."""
    with access.audited("audit", "reveal", persons=[form.person], reason=form.reason) as opened:
        name = trail.name_of(opened.session, form.person)
    if name is None:
        raise FindingUnknown()
    return json_answer({"person": form.person, "name": name})


@router.get("/unusual")
def unusual_use(
    *,
    request: Request,
    access: Access,
    since: date | None = None,
    rule: Annotated[str | None, Query(max_length=40)] = None,
    open_only: Annotated[bool, Query(alias="open")] = False,
) -> Response:
    """Findings of unusual use, explained in words, with what was noted on each."""
    with access.audited("audit", "view", list="unusual") as opened:
        found = unusual.listed(opened.session, since=since, rule=rule, open_only=open_only)
    language = language_of(request)
    for one in found:
        one["title"] = say(language, f"unusual.{one['rule']}.title")
        one["words"] = say(language, f"unusual.{one['rule']}", **one["params"])
    return json_answer({"findings": found, "rules": sorted(unusual.rules().rules)})


class Note(BaseModel):
    """What came of looking into a finding."""

    verdict: Literal["in_order", "follow_up", "misuse"]
    note: str = Field(default="", max_length=1000)


@router.post("/unusual/{finding_id}/notes", status_code=201)
def add_note(access: Access, finding_id: int, form: Note) -> Response:
    """Mark a finding as looked into; notes are added, never changed."""
    with access.audited("audit", "change", finding=finding_id, verdict=form.verdict) as opened:
        acting = opened.acting
        if not trail.note(
            opened.session,
            finding_id,
            by=acting.id,
            account=acting.account,
            verdict=form.verdict,
            said=form.note,
        ):
            raise FindingUnknown()
    return json_answer({"finding": finding_id}, 201)


@router.get("/roots")
def daily_roots(access: Access) -> Response:
    """The signed root of each day, newest first, at most 400."""
    with access.audited("audit", "view", list="roots") as opened:
        found = roots.listed(opened.session)
    return json_answer({"roots": found})


@router.get("/roots/{day}.json")
def root_file(access: Access, day: date) -> Response:
    """A day's root as the file to hand to another body; `hexward audit verify --root FILE` holds the trail to it."""
    with access.audited("audit", "export", root=day) as opened:
        found = roots.exported(opened.session, day)
    if found is None:
        raise FindingUnknown()
    return download(found.encode(), f"audit-root-{day}.json", "application/json")


class Delay(BaseModel):
    """An order that a resident sees looks at the own record later: who ordered it, on what ground, until when."""

    person: UUID
    ordered_by: str = Field(min_length=2, max_length=200)
    ground: str = Field(min_length=5, max_length=500)
    until: datetime


class DelayTooLong(HexwardError):
    """An order must end, within a year, and not in the past."""

    code = "audit.delay"


@router.post("/delays", status_code=201)
def add_delay(access: Access, form: Delay) -> Response:
    """Record an order of delay. It ends by itself, cannot be changed, and is itself shown to the person afterwards."""
    now = datetime.now(form.until.tzinfo)
    if form.until.tzinfo is None or not 0 < (form.until - now).total_seconds() <= 366 * 86_400 - 60:
        raise DelayTooLong()
    with access.audited("audit", "change", persons=[form.person], until=form.until) as opened:
        made = trail.delay(
            opened.session,
            person=form.person,
            ordered_by=form.ordered_by,
            ground=form.ground,
            until=form.until,
            made_by=opened.acting.id,
        )
    return json_answer({"id": made}, 201)

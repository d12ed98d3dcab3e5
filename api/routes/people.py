"""Pages of the register: a person, a household, a dwelling, a building and who lives there; addresses to move to."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from api.answers import json_answer
from api.asked import Box
from api.scope import Access, Opened
from db.errors import HexwardError
from population.register import figures, notices, records
from population.register.records import Moment

router = APIRouter(prefix="/api", tags=["people"])

Key = Annotated[int, Path(ge=1, le=2**62)]


class BoxNeeded(HexwardError):
    """Buildings are asked for by a box or by a cell."""

    code = "request.box"


def moment_of(
    as_of: Annotated[date | None, Query(description="true on that day; today when left out")] = None,
    known_on: Annotated[
        date | None, Query(description="as the register knew it by the end of that day")
    ] = None,
) -> Moment:
    """The day asked about."""
    return Moment(as_of, known_on)


When = Annotated[Moment, Depends(moment_of)]


def _page(opened: Opened, page: dict[str, Any]) -> dict[str, Any]:
    opened.concerns(*sorted(records.people_of(page)))
    return page


@router.get("/people/{person_id}")
def person(access: Access, person_id: UUID, moment: When) -> Response:
    """A person with home, household and the episodes that hold; numbers masked; `version` goes back with an act."""
    with access.audited("person", person=person_id, **moment.params) as opened:
        found = _page(opened, records.person(opened.session, person_id, moment))
    allowed = {"act": access.may("act", "change") and moment == records.NOW, "reveal": False}
    return json_answer({**found, "allowed": allowed})


@router.get("/people/{person_id}/timeline")
def timeline(access: Access, person_id: UUID, moment: When, every: bool = False) -> Response:
    """All episodes inside the territory, and the acts; with `every=true` also versions that were corrected since."""
    with access.audited(
        "person", person=person_id, part="timeline", persons=[person_id], **moment.params
    ) as opened:
        found = records.timeline(opened.session, person_id, moment, every=every)
    return json_answer(found)


@router.get("/households/{household_id}")
def household(access: Access, household_id: UUID, moment: When) -> Response:
    """A household: its people, its dwelling, its building, its tenancies."""
    with access.audited("person", household=household_id, **moment.params) as opened:
        found = _page(opened, records.household(opened.session, household_id, moment))
    return json_answer(found)


@router.get("/dwellings/{dwelling_id}")
def dwelling(access: Access, dwelling_id: Key, moment: When) -> Response:
    """A dwelling, its building, and the households and people in it."""
    with access.audited("person", dwelling=dwelling_id, **moment.params) as opened:
        found = _page(opened, records.dwelling(opened.session, dwelling_id, moment))
    return json_answer(found)


@router.get("/buildings/{building_id}")
def building(access: Access, building_id: Key, moment: When) -> Response:
    """Who lives in this building: floors from the top, dwellings, households, people."""
    with access.audited("person", building=building_id, **moment.params) as opened:
        found = _page(opened, records.building(opened.session, building_id, moment))
    return json_answer(found)


@router.get("/buildings")
def buildings(
    access: Access, box: Box, cell: Annotated[str | None, Query(pattern="^[0-9a-f]{15}$")] = None
) -> Response:
    """Buildings of the territory in `bbox`, or in a `cell` of the base resolution; at most 500, nobody named."""
    if (box is None) == (cell is None):
        raise BoxNeeded()
    with access.read("person") as opened:
        found = records.buildings(opened.session, box, None if cell is None else int(cell, 16))
    return json_answer({"buildings": found})


@router.get("/addresses")
def addresses(
    access: Access,
    q: Annotated[str, Query(min_length=1, max_length=100)],
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> Response:
    """Buildings of the whole city by their address, to move somebody to; never who lives there."""
    with access.read("address") as opened:
        found = notices.addresses(opened.session, q, limit)
    return json_answer({"buildings": found})


@router.get("/addresses/{building_id}")
def doors(access: Access, building_id: Key) -> Response:
    """The dwellings of one building anywhere in the city; never who lives there."""
    with access.read("address") as opened:
        found = notices.doors(opened.session, building_id)
    return json_answer({"dwellings": found})


@router.get("/register/figures/{kind}/{unit_id}")
def counted(access: Access, kind: figures.Unit, unit_id: Key, moment: When) -> Response:
    """People of a unit as of a day and as known on a day, counted from the episodes inside the territory."""
    with access.audited("person", kind=kind, unit=unit_id, **moment.params) as opened:
        found = figures.counted(opened.session, kind, unit_id, moment)
    return json_answer(found)

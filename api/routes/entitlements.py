"""Which services a person or household can have now, and what is missing."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.answers import json_answer
from api.scope import Access
from population.entitlements import service

router = APIRouter(prefix="/api/entitlements", tags=["entitlements"])


@router.get("/person/{person}")
def of_person(access: Access, person: UUID) -> Response:
    """Every service for a person: available, something missing, unknown (with questions), or not for this person."""
    with access.audited("entitlement", person=str(person)) as opened:
        found = service.for_person(opened.session, person)
        opened.concerns(*found.persons)
    return json_answer(found.answer)


@router.get("/household/{household}")
def of_household(access: Access, household: UUID) -> Response:
    """The services of a household as a whole, and of each member."""
    with access.audited("entitlement", household=str(household)) as opened:
        found = service.for_household(opened.session, household)
        opened.concerns(*found.persons)
    return json_answer(found.answer)

"""A number in the clear, and a department's look at one client: each one at a time, with a reason, audited by the
database in the function that gives it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import polars as pl
from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import text
from starlette.responses import Response

from api.answers import json_answer
from api.scope import Access
from db.errors import HexwardError
from population.register.identity import vault
from privacy.access import AccessRefused

router = APIRouter(prefix="/api", tags=["people"])
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=200)]


class NoSuchNumber(HexwardError):
    """No person of the own territory, or no such number of the person; which of the two is not said."""

    code = "person_number.none"


class TooManyNumbers(HexwardError):
    """More numbers in the clear, or more clients looked up, than an hour allows."""

    code = "person_number.too_many"


class NotAClient(HexwardError):
    """No person with this number is a client of the department; whether there is such a person is not said."""

    code = "department_person.none"


class Reveal(BaseModel):
    """Which number, for which purpose of the policy, and why in this case."""

    field: Literal["id_number", "phone"]
    purpose: str = Field(max_length=40)
    reason: Reason


class Client(BaseModel):
    """The ID number that the client gave the department, and why it asks."""

    id_number: str = Field(min_length=6, max_length=40)
    reason: Reason


@router.post("/people/{person_id}/reveal")
def reveal(access: Access, person_id: UUID, form: Reveal) -> Response:
    """One ID or telephone number in the clear, for the role that must check it; audited with its purpose."""
    with access.recorded("person_number") as opened:
        row = opened.session.execute(
            text("SELECT outcome, sealed FROM register.reveal(:person, :number, :purpose, :reason)"),
            {"person": person_id, "number": form.field, "purpose": form.purpose, "reason": form.reason},
        ).one()
        role = opened.acting.role
    _pass(row.outcome, role, "person_number", form.purpose, NoSuchNumber())
    value = vault().reveal(pl.Series([bytes(row.sealed)])).item()
    return json_answer({"field": form.field, "value": value})


@router.post("/department/person")
def department_person(access: Access, form: Client) -> Response:
    """What the own department's purpose needs of one client, found by the ID number that the client gave."""
    hashed = vault().protect(pl.Series([form.id_number]))["hash"].item()
    with access.recorded("department_person") as opened:
        row = opened.session.execute(
            text("SELECT outcome, told FROM register.department_person(:hash, :reason)"),
            {"hash": hashed, "reason": form.reason},
        ).one()
        role = opened.acting.role
    _pass(row.outcome, role, "department_person", "department", NotAClient())
    told: dict[str, Any] = row.told
    return json_answer(told)


def _pass(outcome: str, role: str, resource: str, purpose: str, absent: HexwardError) -> None:
    """Raise what the database's word means; its audit row is committed by now."""
    if outcome == "refused":
        raise AccessRefused(role=role, resource=resource, action="view", purpose=purpose)
    if outcome == "limited":
        raise TooManyNumbers(seconds=3600)
    if outcome != "ok":
        raise absent

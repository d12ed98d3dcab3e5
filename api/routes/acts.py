"""Acts on the register, each undone as one; and notices to the officer of the other grid."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from api.answers import json_answer
from api.scope import Access
from population.register import notices
from population.register.acts import Kind, act
from population.register.searchable import catch_up_now

router = APIRouter(prefix="/api", tags=["acts"])

Status = Literal["registered", "floating"]
Permit = Literal["none", "valid", "expired"]
Tenure = Literal["own", "rent", "dormitory", "public", "other"]
Key = Annotated[int, Field(ge=1, le=2**62)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Form(BaseModel):
    """What is not declared is refused: an act with a misspelt field must not half succeed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Who(Form):
    """A person as it was seen: ``version`` from its page keeps two officers from changing it unseen by each other."""

    id: UUID
    version: str | None = Field(default=None, max_length=32)


class Fields(Form):
    """A person's own fields. Numbers are enciphered before they are stored."""

    name: Name | None = None
    sex: Literal[0, 1, 2, 9] = 0
    birth_date: date | None = None
    origin_code: str | None = Field(default=None, pattern=r"^\d{6}$")
    id_number: str | None = Field(default=None, max_length=40)
    phone: str | None = Field(default=None, pattern=r"^\+?[\d -]{5,20}$")


class Confirm(Form):
    """Exactly one of person, dwelling (all who live there), building (all who live there)."""

    person_id: UUID | None = None
    version: str | None = Field(default=None, max_length=32)
    dwelling_id: Key | None = None
    building_id: Key | None = None
    on: date | None = None

    @model_validator(mode="after")
    def one_target(self) -> Confirm:
        """One target."""
        if sum(x is not None for x in (self.person_id, self.dwelling_id, self.building_id)) != 1:
            raise ValueError("give person_id, dwelling_id or building_id")
        return self


class Stay(Form):
    """What can be corrected of where somebody lives."""

    status: Status | None = None
    permit: Permit | None = None
    permit_until: date | None = None
    valid_from: date | None = None


class Home(Form):
    """What can be corrected of a dwelling."""

    area_m2: float | None = Field(default=None, gt=0, le=100_000)
    rooms: int | None = Field(default=None, ge=1, le=1000)
    capacity: int | None = Field(default=None, ge=0, le=10_000)
    tenure: Tenure | None = None
    use: str | None = Field(default=None, max_length=60)
    unit: str | None = Field(default=None, max_length=20)
    floor: str | None = Field(default=None, max_length=20)
    room: str | None = Field(default=None, max_length=20)


class EpisodePatch(Form):
    """What can be corrected of a job or a time at school."""

    occupation: str | None = Field(default=None, max_length=100)
    insured: bool | None = None
    school: str | None = Field(default=None, max_length=200)
    stage: Literal["kindergarten", "primary", "junior", "senior", "higher"] | None = None
    valid_from: date | None = None
    valid_to: date | None = None


class Episode(Form):
    """One version of an episode and its better values; ``patch`` null: it never was."""

    id: Key
    patch: EpisodePatch | None = None


class Correct(Form):
    """A person (own fields, residence, jobs, schools) or a dwelling."""

    person_id: UUID | None = None
    version: str | None = Field(default=None, max_length=32)
    person: Fields | None = None
    residence: Stay | None = None
    employment: list[Episode] | None = Field(default=None, max_length=50)
    schooling: list[Episode] | None = Field(default=None, max_length=50)
    dwelling_id: Key | None = None
    dwelling: Home | None = None

    @model_validator(mode="after")
    def one_subject(self) -> Correct:
        """A person with what is wrong with it, or a dwelling with what is wrong with it."""
        own = self.person or self.residence or self.employment or self.schooling
        if not ((self.person_id and own and not self.dwelling_id) or
                (self.dwelling_id and self.dwelling and not self.person_id and not own)):  # fmt: skip
            raise ValueError("give person_id with what to correct, or dwelling_id with dwelling")
        return self


class People(Form):
    """Those whom an act is about."""

    people: list[Who] = Field(min_length=1, max_length=200)
    on: date | None = None


class Move(People):
    """To a dwelling anywhere in the city; ``together`` false: not even a whole household stays one."""

    dwelling_id: Key
    household_id: UUID | None = None
    together: bool = True
    status: Status | None = None
    permit: Permit | None = None
    permit_until: date | None = None
    tenure: Tenure | None = None


class Arrive(Form):
    """Somebody comes to live in a dwelling of the own territory."""

    dwelling_id: Key
    household_id: UUID | None = None
    on: date | None = None
    person: Fields
    status: Status = "floating"
    permit: Permit = "none"
    permit_until: date | None = None


class Born(Form):
    """A child, in the household of a parent."""

    parent_id: UUID
    person: Fields
    status: Status | None = None

    @model_validator(mode="after")
    def dated(self) -> Born:
        """A birth has a date."""
        if self.person.birth_date is None:
            raise ValueError("give person.birth_date")
        return self


class Merge(Form):
    """Two records that are one person: ``other_id`` becomes part of ``person_id``."""

    person_id: UUID
    version: str | None = Field(default=None, max_length=32)
    other_id: UUID
    other_version: str | None = Field(default=None, max_length=32)


class Split(Form):
    """Episodes that are another person's: of a record merged before (``other_id``), or of a new one."""

    person_id: UUID
    version: str | None = Field(default=None, max_length=32)
    other_id: UUID | None = None
    person: Fields | None = None
    residence: list[Key] = []
    employment: list[Key] = []
    schooling: list[Key] = []
    insurance: list[Key] = []
    permit: list[Key] = []


def _do(access: Access, kind: Kind, form: BaseModel) -> Response:
    with access.audited("act", "change", kind=kind) as opened:
        done = act(
            opened.session, kind, opened.decision.purpose, form.model_dump(mode="json", exclude_unset=True)
        )
        opened.note(act=done["act"])
        opened.concerns(*(UUID(one) for one in done["persons"]))
    if kind in ("arrive", "correct", "born"):
        catch_up_now(access.state.engines.owner)  # the search hashes telephone numbers with a key of its own
    return json_answer(done)


@router.post("/acts/confirm")
def confirm(access: Access, form: Confirm) -> Response:
    """Seen and right: one person, everybody of a dwelling, or everybody of a building."""
    return _do(access, "confirm", form)


@router.post("/acts/correct")
def correct(access: Access, form: Correct) -> Response:
    """What was wrong gives way to what is right; what was believed before stays known."""
    return _do(access, "correct", form)


@router.post("/acts/move")
def move(access: Access, form: Move) -> Response:
    """Ends here, begins there; the officer there is told. A household that moves whole stays one."""
    return _do(access, "move", form)


@router.post("/acts/arrive")
def arrive(access: Access, form: Arrive) -> Response:
    """Somebody new, or somebody known who lives nowhere, comes to live here."""
    return _do(access, "arrive", form)


@router.post("/acts/leave")
def leave(access: Access, form: People) -> Response:
    """Leaves the city: where they live, work, learn and are insured ends on that day."""
    return _do(access, "leave", form)


@router.post("/acts/born")
def born(access: Access, form: Born) -> Response:
    """A child is born into the household of a parent."""
    return _do(access, "born", form)


@router.post("/acts/died")
def died(access: Access, form: People) -> Response:
    """Died on that day."""
    return _do(access, "died", form)


@router.post("/acts/split_household")
def split_household(access: Access, form: People) -> Response:
    """Some of a dwelling become a household of their own."""
    return _do(access, "split_household", form)


@router.post("/acts/merge_person")
def merge_person(access: Access, form: Merge) -> Response:
    """Two records are one person."""
    return _do(access, "merge_person", form)


@router.post("/acts/split_person")
def split_person(access: Access, form: Split) -> Response:
    """One record is two persons."""
    return _do(access, "split_person", form)


@router.post("/acts/{act_id}/undo")
def undo(access: Access, act_id: UUID) -> Response:
    """Undo an act as one; 409 when something later builds on it, with what that was."""
    with access.audited("act", "change", kind="undo", undoes=act_id) as opened:
        done = act(opened.session, "undo", opened.decision.purpose, {"act_id": act_id})
        opened.note(act=done["act"])
        opened.concerns(*(UUID(one) for one in done["persons"]))
    return json_answer(done)


@router.get("/acts")
def acts(access: Access, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Response:
    """The last acts that begin or end in the territory, newest first."""
    with access.read("act") as opened:
        found = notices.acts(opened.session, limit)
    return json_answer({"acts": found})


@router.get("/acts/{act_id}")
def one_act(access: Access, act_id: UUID) -> Response:
    """One act that begins or ends in the territory."""
    with access.audited("act", act=act_id) as opened:
        found = notices.act(opened.session, act_id)
        opened.concerns(*(one["id"] for one in found["persons"]))
    return json_answer(found)


@router.get("/notices")
def all_notices(
    access: Access, unseen: bool = True, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Response:
    """What was done elsewhere and concerns this territory, newest first."""
    with access.audited("act", part="notices") as opened:
        found = notices.notices(opened.session, unseen=unseen, limit=limit)
        opened.concerns(*(UUID(one["id"]) for row in found for one in row["persons"]))
    return json_answer({"notices": found})


@router.post("/notices/{notice_id}/seen")
def seen(access: Access, notice_id: Annotated[int, Field(ge=1, le=2**62)]) -> Response:
    """The notice was seen."""
    with access.audited("act", part="notice seen", notice=notice_id) as opened:
        notices.see(opened.session, notice_id)
    return json_answer({"seen": True})

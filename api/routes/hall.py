"""The online hall, open to everybody: what a resident declares, and what became of it."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.answers import json_answer
from api.errors import language_of
from api.state import State, state_of
from api.words import say
from db.engine import write_session
from population.register import hall
from population.register.documents import born, find_document_problems, sex
from privacy import audit, trail
from privacy.access import policy

MOST_BYTES = 32_768
Code = Annotated[str, Path(max_length=40)]
_OLDEST = date(1900, 1, 1)


def small(request: Request) -> None:
    """A form of the hall is small; whatever is larger is refused unread."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MOST_BYTES:
        raise HTTPException(413)


router = APIRouter(prefix="/api/hall", tags=["hall"])


def right_id(number: str) -> str:
    """The number in its one form. Raises PydanticCustomError when its check digit or its form is wrong."""
    clean = re.sub(r"\s", "", number).upper()
    (problem,) = find_document_problems(pl.Series([clean], dtype=pl.String)).to_list()
    if problem:
        raise PydanticCustomError(problem, "not an ID number")
    when = pl.select(born(pl.lit(clean))).to_series()[0]
    if when is not None and when > date.today():
        raise PydanticCustomError("born_in_future", "born in the future")
    return clean


def _plain(words: str) -> str:
    """Words without control characters (line ends become blanks)."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+", " ", words).strip()


class Declaration(BaseModel):
    """What a resident declares. Only what the register needs and may hold."""

    kind: Literal["moved_in", "moved_out", "changed", "born"]
    name: str = Field(min_length=1, max_length=80)
    id_number: str | None = Field(default=None, max_length=20)
    phone: str = Field(max_length=20, pattern=r"^\+?[\d \-]{6,20}$")
    building_id: int = Field(ge=1, le=2**62)
    dwelling_id: int | None = Field(default=None, ge=1, le=2**62)
    room: str | None = Field(default=None, max_length=20)
    on: date
    tenure: Literal["own", "rent", "dormitory", "public", "other"] | None = None
    host: str | None = Field(default=None, max_length=80, description="landlord, or employer of a dormitory")
    with_family: int = Field(default=0, ge=0, le=20)
    child_name: str | None = Field(default=None, max_length=80)
    child_sex: Literal[1, 2] | None = None
    parent_id_number: str | None = Field(default=None, max_length=20)
    words: str | None = Field(default=None, max_length=500)
    consent: Literal[True]

    @field_validator("name", "room", "host", "child_name", "words")
    @classmethod
    def _words(cls, given: str | None) -> str | None:
        return None if given is None else _plain(given)

    @field_validator("id_number", "parent_id_number")
    @classmethod
    def _number(cls, given: str | None) -> str | None:
        return right_id(given) if given else None

    @field_validator("on")
    @classmethod
    def _day(cls, given: date) -> date:
        if given < _OLDEST:
            raise PydanticCustomError("too_long_ago", "too long ago")
        if given > date.today() + timedelta(days=90):
            raise PydanticCustomError("too_far_ahead", "too far ahead")
        return given

    @model_validator(mode="after")
    def _complete(self) -> Declaration:
        if not self.name:
            raise PydanticCustomError("name_missing", "the name is missing")
        if self.kind == "born":
            if not self.child_name or self.child_sex is None:
                raise PydanticCustomError("child_missing", "name and sex of the child are missing")
            if self.on > date.today():
                raise PydanticCustomError("born_in_future", "born in the future")
        elif self.id_number is None:
            raise PydanticCustomError("id_missing", "the ID number is missing")
        return self

    def fields(self) -> dict[str, object]:
        """What is sealed and kept."""
        kept = self.model_dump(
            mode="json", exclude={"consent", "building_id", "dwelling_id", "kind"}, exclude_none=True
        )
        if self.id_number:
            number = pl.lit(self.id_number)
            when, which = pl.select(born(number).alias("born"), sex(number).alias("sex")).row(0)
            kept |= {"birth_date": None if when is None else str(when), "sex": which}
        return kept


class Reply(BaseModel):
    """The resident's answer to the officer's question."""

    words: str = Field(min_length=1, max_length=500)


def _knock(request: Request, what: str, most: int, seconds: int) -> State:
    state = state_of(request)
    who = request.client.host if request.client else "unknown"
    with write_session(state.engines.owner) as session:
        hall.knock(session, what, who, most, seconds)
    return state


@router.get("/addresses")
def find_address(request: Request, q: Annotated[str, Query(max_length=100)]) -> Response:
    """Buildings by street, name or number; addresses only."""
    state = _knock(request, "address", state_of(request).settings.hall_finds_a_minute, 60)
    with write_session(state.engines.owner) as session:
        return json_answer({"addresses": hall.addresses(session, q, 12)})


@router.get("/addresses/{building_id}/doors")
def list_doors(request: Request, building_id: Annotated[int, Path(ge=1, le=2**62)]) -> Response:
    """The doors of a building; none for a number that is no building's."""
    state = _knock(request, "address", state_of(request).settings.hall_finds_a_minute, 60)
    with write_session(state.engines.owner) as session:
        return json_answer({"doors": hall.doors(session, building_id)})


@router.post("/declarations", status_code=201, dependencies=[Depends(small)])
def declare(request: Request, form: Declaration) -> Response:
    """Take a declaration; the code in the answer is shown once and stored nowhere."""
    state = _knock(request, "declare", state_of(request).settings.hall_declarations_an_hour, 3600)
    said = hall.Declared(form.kind, form.building_id, form.dwelling_id, form.fields(), language_of(request))
    with write_session(state.engines.owner) as session:
        code = hall.submit(session, said)
        audit.write(session, "hall.declared", resource="declaration", params={"kind": form.kind})
    return json_answer(
        {"code": code, "state": "new", "words": say(language_of(request), "hall.state.new")}, 201
    )


@router.get("/declarations/{code}")
def follow(request: Request, code: Code) -> Response:
    """State of a declaration in plain words, and the officer's answer; nothing of what was declared."""
    state = _knock(request, "code", state_of(request).settings.hall_looks_a_minute, 60)
    with write_session(state.engines.owner) as session:
        found = hall.look(session, code)
    words = say(language_of(request), f"hall.state.{found['state']}")
    return json_answer({**found, "words": words})


@router.post("/declarations/{code}/reply", dependencies=[Depends(small)])
def reply(request: Request, code: Code, said: Reply) -> Response:
    """Answer what the officer asked."""
    state = _knock(request, "code", state_of(request).settings.hall_looks_a_minute, 60)
    with write_session(state.engines.owner) as session:
        hall.reply(session, code, _plain(said.words))
        audit.write(session, "hall.replied", resource="declaration")
    return json_answer({"state": "new", "words": say(language_of(request), "hall.state.new")})


@router.get("/looks")
def looks(request: Request, code: Annotated[str, Query(max_length=40)]) -> Response:
    """Who looked at the record of the person whose confirmed code it is: role, unit, purpose and time, no names."""
    state = _knock(request, "code", state_of(request).settings.hall_looks_a_minute, 60)
    with write_session(state.engines.owner) as session:
        person = hall.person_of_code(session, code)
        if person is None:
            raise hall.UnknownCode()
        found = trail.looks_at(session, person)
    language = language_of(request)
    names, part = policy(), "zh" if language == "zh-CN" else "en"
    for one in found["looks"]:
        one["role_words"] = names.roles[one["role"]].name[part] if one["role"] in names.roles else one["role"]
        one["purpose_words"] = names.purposes.get(one["purpose"], {}).get(part, one["purpose"])
        kind = one["action"].rpartition(".")[2] or one["action"]
        one["words"] = say(
            language, f"looks.{kind}" if kind in ("view", "export", "reveal", "search") else "looks.other"
        )
    return json_answer(found)

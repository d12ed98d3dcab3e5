"""The mapping of a source's columns to fields, which a person may correct once and for all."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import text
from starlette.responses import Response

from api import runs
from api.answers import json_answer
from api.scope import Access
from db.engine import read_session, write_session
from db.errors import HexwardError
from intake.columns import remember_mapping
from privacy import audit

router = APIRouter(prefix="/api/sources", tags=["runs"])

Source = Annotated[str, Path(max_length=100)]


class UnknownSource(HexwardError):
    """Nothing was ever loaded under this name."""

    code = "source.unknown"


class Corrected(BaseModel):
    """Header in the file: field of the schema; an empty field leaves the column out."""

    columns: dict[Annotated[str, Field(max_length=500)], Annotated[str, Field(max_length=100)]] = Field(
        max_length=1000
    )


@router.get("/{source}/mapping")
def mapping(access: Access, source: Source) -> Response:
    """How the columns of a source were mapped last, and what a person corrected."""
    with access.read("mapping") as opened:
        found = runs.mapping(opened.session, source)
    if found["last_run"] is None and not found["corrected"]:
        raise UnknownSource(source=source)
    may = access.may("mapping", "change")
    return json_answer(found | {"fields": _fields(access, source), "allowed": {"change": may}})


def _fields(access: Access, source: str) -> list[dict[str, Any]]:
    """The fields to choose from; none where the city's file cannot be read any more."""
    with read_session(access.state.engines.owner) as session:
        try:
            return runs.field_names(runs.schema_of(session, source))
        except HexwardError:
            return []


@router.put("/{source}/mapping")
def correct_mapping(access: Access, source: Source, form: Corrected) -> Response:
    """Replace what a person corrected; the next load of the source uses it. 422: no such field, or twice."""
    with access.read("mapping", "change") as opened:
        actor = opened.acting
        purpose = opened.decision.purpose
    with write_session(access.state.engines.owner) as session:
        audit.write(
            session,
            "mapping.change",
            who=actor.id,
            account=actor.account,
            role=actor.role,
            resource="mapping",
            purpose=purpose,
            params={"source": source, "columns": len(form.columns)},
        )
        session.execute(
            text(
                """DELETE FROM ops.column_mapping
                   WHERE source = :source AND city_code = (SELECT code FROM ops.city)"""
            ),
            {"source": source},
        )
        code = session.execute(text("SELECT code FROM ops.city")).scalar_one()
        schema = runs.schema_of(session, source)
        remember_mapping(session, code, source, form.columns, set_by=actor.account, schema=schema)
    return mapping(access, source)

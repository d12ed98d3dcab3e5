"""Whether the server is well, and what Prometheus may count."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

import db.migrate
from api.answers import encode
from api.state import state_of

router = APIRouter(tags=["running"])


@router.head("/health", include_in_schema=False)
@router.get("/health")
def health(request: Request) -> Response:
    """Database, migrations, the day the figures are of. 200 when all is well, else 503."""
    found: dict[str, object] = {
        "status": "ok",
        "database": "ok",
        "migrations": None,
        "as_of": None,
        "city": None,
    }
    try:
        with state_of(request).engines.owner.connect() as connection:
            at = connection.execute(text("SELECT version_num FROM ops.alembic_version")).scalar()
            found["migrations"] = {
                "at": at,
                "newest": db.migrate.head(),
                "up_to_date": at == db.migrate.head(),
            }
            found["city"] = connection.execute(text("SELECT code FROM ops.city")).scalar()
            found["as_of"] = connection.execute(text("SELECT as_of FROM stats.state")).scalar()
            if at != db.migrate.head():
                found["status"] = "migrate"
    except SQLAlchemyError:
        found.update(status="down", database="unreachable or not migrated")
    status = 200 if found["status"] == "ok" else 503
    return Response(encode(found), status, {"Cache-Control": "no-store"}, media_type="application/json")


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Counts and times in Prometheus' text format."""
    state = state_of(request)
    body = state.metrics.expose(state.engines.by_role())
    return Response(
        body, 200, {"Cache-Control": "no-store"}, media_type="text/plain; version=0.0.4; charset=utf-8"
    )

"""From an error to an answer: one table of statuses, RFC 9457 problem details, words in the caller's language."""

from __future__ import annotations

from typing import Any

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.words import choose_language, say
from db.errors import HexwardError

# One row an error code, or the part of a code before a dot for a whole family. What is not here is a defect: 500.
STATUS: dict[str, int] = {
    "request.invalid": 422,
    "request.not_found": 404,
    "request.method": 405,
    "request.too_large": 413,
    "request.foreign_origin": 403,
    "request.unknown_host": 421,
    "request.failed": 400,
    "signin.needed": 401,
    "signin.refused": 401,
    "signin.locked": 429,
    "signin.no_demo": 403,
    "signin.code_needed": 401,
    "signin.code_wrong": 401,
    "signin.enrol_needed": 401,
    "signin.password_change_needed": 401,
    "signin_key": 500,
    "oidc.off": 404,
    "oidc.unreachable": 503,
    "oidc": 403,
    "account.no_session": 404,
    "person_number.none": 404,
    "person_number.too_many": 429,
    "department_person.none": 404,
    "access.refused": 403,
    "access": 500,
    "city.not_loaded": 409,
    "city": 422,
    "unknown_layer": 404,
    "unit_not_found": 404,
    "tile_out_of_range": 404,
    "map": 422,
    "bad_geography": 422,
    "bad_scheme": 422,
    "no_history": 422,
    "outside_history": 422,
    "export_format": 422,
    "map_too_large": 422,
    "leaflet_missing": 500,
    "run.not_found": 404,
    "run.unknown": 404,
    "run.database_gone": 503,
    "run": 409,
    "notebook_session": 409,
    "source.unknown": 404,
    "request.box": 422,
    "record.not_found": 404,
    "act.not_found": 404,
    "act.not_allowed": 403,
    "act.no_dwelling": 422,
    "act.date": 422,
    "act.impossible": 422,
    "act.id_number": 422,
    "act.same_dwelling": 422,
    "act.not_together": 422,
    "act.busy": 503,
    "act": 409,
    "request.point": 422,
    "work.not_found": 404,
    "work.bad_outcome": 422,
    "work.checks": 500,
    "entitlements.not_found": 404,
    "entitlements.rule": 500,
    # What a load can refuse: the source, its columns, its datum, the areas and grids it makes.
    "intake": 422,
    "load": 422,
    "corrected": 422,
    "source": 422,
    "columns": 422,
    "datum": 422,
    "areas": 422,
    "grids": 422,
    "cells": 422,
    "demo": 422,
    "register_orphans": 422,
    "residence_overlap": 422,
    "statistics": 422,
    "copy_type": 500,
    "identity_key": 500,
    "keys": 409,
    "retention": 500,
    "audit.unknown": 404,
    "audit.delay": 422,
    "audit.root_file": 422,
    "audit": 500,
    "basemap.none": 404,
    "basemap.unreadable": 500,
    "account": 422,
    "ask.too_many": 429,
    "ask.not_found": 404,
    "hall.busy": 429,
    "hall.unknown_code": 404,
    "hall.unknown_place": 422,
    "declaration.not_found": 404,
    "declaration.incomplete": 422,
    "database.unavailable": 503,
    "database.not_migrated": 503,
    "cluster": 503,
    "serve": 500,
    "internal": 500,
    "error": 500,
    "cli": 400,
}


def status_of(code: str) -> int | None:
    """Status of ``code``: its own row, else its family's; None when the table does not know it.

    >>> status_of("signin.locked"), status_of("cluster.disk_full"), status_of("no_such_code")
    (429, 503, None)
    """
    while code:
        if code in STATUS:
            return STATUS[code]
        code = code.rpartition(".")[0]
    return None


def language_of(request: Request) -> str:
    """The language to answer ``request`` in."""
    default = request.app.state.settings.language
    return choose_language(request.headers.get("accept-language"), request.query_params.get("lang"), default)


def problem(
    request: Request, code: str, params: dict[str, Any] | None = None, status: int | None = None
) -> Response:
    """A problem+json answer for ``code``; fields type, title, status, detail, code, params."""
    params = params or {}
    status = status or status_of(code) or 500
    language = language_of(request)
    body = {
        "type": f"/docs#error-{code}",
        "title": say(language, f"title.{status}"),
        "status": status,
        "detail": say(language, code, **params),
        "code": code,
        "params": params,
    }
    headers = {"Cache-Control": "no-store", "Content-Language": language}
    if status in (429, 503):
        headers["Retry-After"] = str(params.get("seconds", 5))
    return Response(orjson.dumps(body, default=str), status, headers, media_type="application/problem+json")


def _on_hexward(request: Request, error: Exception) -> Response:
    assert isinstance(error, HexwardError)
    return problem(request, error.code, error.params)


def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # The value itself stays out of the answer and of the log: it may be personal.
    where = [{"field": ".".join(str(x) for x in e["loc"][1:]), "problem": e["type"]} for e in error.errors()]
    fields = ", ".join(w["field"] for w in where)
    return problem(request, "request.invalid", {"fields": fields, "errors": where})


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "request.not_found", 405: "request.method", 413: "request.too_large"}.get(error.status_code)
    params = {"limit_mb": request.app.state.settings.max_body_mb} if error.status_code == 413 else {}
    answer = problem(request, code or "request.failed", params, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def _on_database(request: Request, error: Exception) -> Response:
    cause = getattr(error, "orig", None)
    gone = isinstance(error, (OperationalError, PoolTimeout, psycopg.OperationalError)) or isinstance(
        cause, (psycopg.OperationalError, psycopg.InterfaceError)
    )
    if gone:
        return problem(request, "database.unavailable")
    if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return problem(request, "database.not_migrated")
    raise error


def install(app: FastAPI) -> None:
    """Give ``app`` its error answers."""
    app.add_exception_handler(HexwardError, _on_hexward)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(PoolTimeout, _on_database)
    app.add_exception_handler(psycopg.OperationalError, _on_database)

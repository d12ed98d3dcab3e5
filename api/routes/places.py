"""Find a place by name or code, and say what lies at a point. Names and outlines only, no figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import own_json
from api.scope import Access
from maps import search as places

router = APIRouter(prefix="/api", tags=["places"])


@router.get("/search")
def search(
    request: Request,
    access: Access,
    q: Annotated[str, Query(max_length=100)],
    limit: Annotated[int, Query(ge=1, le=50)] = 12,
) -> Response:
    """Areas, legal grids and cells whose name or code fits, best first."""
    with access.read("search") as opened:
        found = places.search(opened.session, opened.viewer, q, limit)
    return own_json(request, found)


@router.get("/at")
def at(
    request: Request,
    access: Access,
    lng: Annotated[float, Query(ge=-180, le=180)],
    lat: Annotated[float, Query(ge=-90, le=90)],
) -> Response:
    """The cell, the legal grid and the areas at a point (degrees, WGS84)."""
    with access.read("search") as opened:
        found = places.at_point(opened.session, opened.viewer, lng, lat)
    return own_json(request, found)

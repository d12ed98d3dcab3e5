"""The city itself: what the sign-in page needs before anybody has signed in. No figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from sqlalchemy import text
from starlette.responses import Response

from api.answers import json_answer
from api.routes.basemap import file_of as basemap_file
from api.state import State, state_of
from db.errors import HexwardError
from maps import basemap

router = APIRouter(prefix="/api", tags=["city"])


class CityNotLoaded(HexwardError):
    """The database holds no city yet."""

    code = "city.not_loaded"


@router.get("/city")
def city(request: Request) -> Response:
    """The city's name, extent, area levels, day of the figures, base map and demo accounts."""
    return json_answer(describe_city(state_of(request)))


def describe_city(state: State) -> dict[str, Any]:
    """What ``GET /api/city`` tells. Raises ``CityNotLoaded``."""
    with state.engines.app.connect() as connection:
        row = connection.execute(text("SELECT * FROM ops.city")).mappings().one_or_none()
        if row is None:
            raise CityNotLoaded()
        bounds = connection.execute(
            text(
                """SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e)
                   FROM (SELECT ST_Extent(geom) AS e FROM geo.area WHERE parent_id IS NULL AND valid_to IS NULL) x"""
            )
        ).one()
        levels = connection.execute(
            text("SELECT level, key, name FROM geo.area_level ORDER BY level")
        ).mappings()
        as_of = connection.execute(text("SELECT as_of FROM stats.state")).scalar()
        shown = row["is_demo"] or state.settings.demo_accounts
        accounts = (
            connection.execute(text("SELECT account, role, name FROM ops.demo_accounts()")) if shown else None
        )
        return {
            "code": row["code"],
            "name": row["name"],
            "zone": row["zone"],
            "languages": row["languages"],
            "bounds": list(bounds),
            "base_resolution": row["base_resolution"],
            "levels": [dict(level) for level in levels],
            "is_demo": row["is_demo"],
            "demo_accounts": [] if accounts is None else [dict(a) for a in accounts.mappings()],
            "sso": state.settings.oidc_name if state.settings.oidc_issuer else None,
            "as_of": as_of,
            "today": datetime.now(ZoneInfo(row["zone"])).date(),
            "basemap": _basemap(row["config"]),
        }


def _basemap(config: dict[str, Any]) -> dict[str, Any] | None:
    """Where the base map's tiles are, None when the city has none or its file has gone."""
    file = basemap_file(config)
    if file is None or not file.is_file():
        return None
    facts = basemap.facts(file)
    return {"tiles": "/api/basemap/{z}/{x}/{y}.mvt", "minzoom": facts.minzoom, "maxzoom": facts.maxzoom}

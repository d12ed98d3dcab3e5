"""The city's own base map: streets, water, buildings, names. No figures, so no sign-in and a long cache."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import text
from starlette.responses import Response

from api.answers import MVT
from api.asked import Asked
from api.state import State, state_of
from db.errors import HexwardError
from maps import basemap

router = APIRouter(prefix="/api/basemap", tags=["tiles"])


class NoBasemap(HexwardError):
    """The city's file names no base map."""

    code = "basemap.none"


def file_of(config: dict[str, Any]) -> Path | None:
    """The base map's file that the city's file names, looked for where its other files are."""
    named: str | None = (config.get("basemap") or {}).get("pmtiles")
    return (Path(config.get("folder") or ".") / named).resolve() if named else None


def _file(state: State) -> Path:
    kept = state.recent.get("basemap")
    if isinstance(kept, Path):
        return kept
    with state.engines.app.connect() as connection:
        config = connection.execute(text("SELECT config FROM ops.city")).scalar()
    found = file_of(config or {})
    if found is None:
        raise NoBasemap()
    state.recent.put("basemap", found, 30)
    return found


@router.get("/{z}/{x}/{y}.mvt")
def basemap_tile(request: Request, tile: Asked) -> Response:
    """A tile with layers landuse, water, roads, buildings, labels; 204 where the map is empty."""
    path = _file(state_of(request))
    etag = f'"{path.stat().st_mtime_ns:x}-{tile.z}-{tile.x}-{tile.y}"' if path.is_file() else ""
    headers = {"Cache-Control": "public, max-age=3600", "Vary": "Accept-Encoding"} | (
        {"ETag": etag} if etag else {}
    )
    if etag and etag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    body = basemap.tile(path, tile.z, tile.x, tile.y)
    if body is None:
        return Response(None, 204, headers)
    if basemap.facts(path).gzip:
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
    return Response(body, 200, headers, media_type=MVT)

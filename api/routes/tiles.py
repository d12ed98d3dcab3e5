"""Vector tiles of cells, areas and grids, and their TileJSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.answers import MVT, own_json, own_view
from api.asked import Asked, Day, Level
from api.scope import Access
from maps import tiles
from maps.tilejson import TileKind, tilejson
from maps.tiles import CellShape

router = APIRouter(prefix="/api/tiles", tags=["tiles"])


def _tile(request: Request, body: bytes) -> Response:
    if not body:
        return Response(status_code=204, headers={"Cache-Control": "private, no-cache", "Vary": "Cookie"})
    return own_view(request, body, MVT)


@router.get("/cells/{layer_id}/{z}/{x}/{y}.mvt")
def cell_tile(
    *,
    request: Request,
    access: Access,
    layer_id: str,
    tile: Asked,
    day: Day = None,
    shape: CellShape = "outline",
) -> Response:
    """H3 cells of a layer; the zoom picks the resolution. 204 where there is nothing."""
    with access.look(layer_id, "cell") as opened:
        body = tiles.cell_tile(opened.session, opened.viewer, layer_id, tile, at=day, shape=shape)
    return _tile(request, body)


@router.get("/areas/{level}/{layer_id}/{z}/{x}/{y}.mvt")
def area_tile(
    *,
    request: Request,
    access: Access,
    level: Annotated[int, Path(ge=0, le=20)],
    layer_id: str,
    tile: Asked,
    day: Day = None,
) -> Response:
    """Areas of one level with the layer's figure and whether they are the caller's own."""
    with access.look(layer_id, "area") as opened:
        body = tiles.area_tile(opened.session, opened.viewer, layer_id, tile, level=level, at=day)
    return _tile(request, body)


@router.get("/grids/{layer_id}/{z}/{x}/{y}.mvt")
def grid_tile(*, request: Request, access: Access, layer_id: str, tile: Asked, day: Day = None) -> Response:
    """Legal grids with the layer's figure and whether they are the caller's own."""
    with access.look(layer_id, "grid") as opened:
        body = tiles.grid_tile(opened.session, opened.viewer, layer_id, tile, at=day)
    return _tile(request, body)


@router.get("/{kind}/{layer_id}.json")
def tile_json(
    *, request: Request, access: Access, kind: TileKind, layer_id: str, level: Level = None, day: Day = None
) -> Response:
    """TileJSON 3 of a layer, for any client that reads vector tiles."""
    base_url = str(request.base_url).rstrip("/")
    with access.read("map") as opened:
        found = tilejson(
            opened.session, opened.viewer, kind, layer_id, level=level, at=day, base_url=base_url
        )
    return own_json(request, found)

"""TileJSON of a layer's tiles: address, zooms, bounds, fields.

Source: TileJSON Specification 3.0.0 (mapbox/tilejson-spec).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

from h3 import average_hexagon_edge_length
from sqlalchemy import text

from maps.catalogue import catalogue
from maps.errors import BadGeographyError
from maps.territory import base_resolution
from maps.tiles import CELL_MIN_ZOOM, GRID_MIN_ZOOM
from maps.units import COARSER

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

TileKind = Literal["cells", "areas", "grids"]
MAX_ZOOM: Final = 14
METRES_A_DEGREE: Final = 111_320.0
_FIELDS: Final[dict[str, dict[str, str]]] = {
    "cells": {"id": "H3 index, 15 hexadecimal digits", "v": "figure", "w": "1: withheld"},
    "areas": {
        "id": "area", "code": "code", "name": "name", "name_en": "English name", "v": "figure", "w": "1: withheld",
        "mine": "1: own territory",
    },
    "grids": {
        "id": "grid", "code": "code", "name": "name", "v": "figure", "w": "1: withheld", "mine": "1: own territory",
    },
}  # fmt: skip


def bounds(session: Session, viewer: Viewer) -> list[float]:
    """West, south, east, north of the loaded city in degrees; the world when it has no outline."""
    row = session.execute(
        text(
            f"SELECT min(ST_XMin(geom)), min(ST_YMin(geom)), max(ST_XMax(geom)), max(ST_YMax(geom))"  # noqa: S608
            f" FROM {viewer.schema('geo')}.area WHERE level = 0 AND geom IS NOT NULL"
        )
    ).one()
    return [-180.0, -85.0, 180.0, 85.0] if row[0] is None else [round(float(v), 6) for v in row]


def cell_bounds(session: Session, viewer: Viewer) -> list[float]:
    """The city's bounds widened by its coarsest cells: a border cell reaches beyond the city, and so do its tiles."""
    west, south, east, north = bounds(session, viewer)
    edge_m = average_hexagon_edge_length(base_resolution(session, viewer) - COARSER, unit="m")
    high = 2 * edge_m / METRES_A_DEGREE
    wide = high / max(math.cos(math.radians(max(abs(south), abs(north)))), 0.05)
    padded = (
        max(west - wide, -180.0),
        max(south - high, -85.0),
        min(east + wide, 180.0),
        min(north + high, 85.0),
    )
    return [round(v, 6) for v in padded]


def address(kind: TileKind, layer_id: str, *, level: int | None = None, at: date | None = None) -> str:
    """Path of the tiles with {z}, {x}, {y} left open. Raises BadGeographyError for areas without a level."""
    date_part = "" if at is None else f"?date={at.isoformat()}"
    if kind == "areas":
        if level is None:
            raise BadGeographyError(geography="area", layer=layer_id)
        return f"/api/tiles/areas/{level}/{layer_id}/{{z}}/{{x}}/{{y}}.mvt{date_part}"
    return f"/api/tiles/{kind}/{layer_id}/{{z}}/{{x}}/{{y}}.mvt{date_part}"


def tilejson(
    session: Session,
    viewer: Viewer,
    kind: TileKind,
    layer_id: str,
    *,
    level: int | None = None,
    at: date | None = None,
    base_url: str = "",
) -> dict[str, Any]:
    """TileJSON 3 of a layer's cells, areas of a level, or grids. Raises UnknownLayerError, BadGeographyError."""
    layer = catalogue(session, viewer).layer(layer_id)
    return {
        "tilejson": "3.0.0",
        "name": layer.title["zh"],
        "description": layer.definition["zh"],
        "version": "1.0.0",
        "scheme": "xyz",
        "tiles": [base_url + address(kind, layer_id, level=level, at=at)],
        "minzoom": {"cells": CELL_MIN_ZOOM, "areas": 0, "grids": GRID_MIN_ZOOM}[kind],
        "maxzoom": MAX_ZOOM,
        "bounds": cell_bounds(session, viewer) if kind == "cells" else bounds(session, viewer),
        "vector_layers": [{"id": kind, "fields": _FIELDS[kind]}],
    }

"""TileJSON of a layer's tiles: address, zooms, bounds, fields.

Source: TileJSON Specification 3.0.0 (mapbox/tilejson-spec).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import text

from maps.catalogue import catalogue
from maps.errors import BadGeographyError
from maps.tiles import CELL_MIN_ZOOM, GRID_MIN_ZOOM

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

TileKind = Literal["cells", "areas", "grids"]
MAX_ZOOM: Final = 14
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
        "bounds": bounds(session, viewer),
        "vector_layers": [{"id": kind, "fields": _FIELDS[kind]}],
    }

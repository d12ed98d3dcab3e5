"""The catalogue of layers, and of each layer its legend, style, table and files."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.answers import download, own_json
from api.asked import Box, Drawing, Places
from api.errors import language_of
from api.scope import Access
from maps import catalogue as layers
from maps import exports
from maps.legend import legend as make_legend
from maps.styles import Look
from maps.styles import style as make_style

router = APIRouter(prefix="/api", tags=["layers"])


@router.get("/layers")
def list_layers(request: Request, access: Access) -> Response:
    """Groups and layers with title, unit, definition and source in both languages."""
    with access.read("map") as opened:
        found = layers.catalogue(opened.session, opened.viewer).as_json(opened.viewer)
    return own_json(request, found)


@router.get("/layers/{layer_id}/legend")
def legend(request: Request, access: Access, layer_id: str, places: Places, drawing: Drawing) -> Response:
    """Class breaks, colours, counts, unit and date of a layer."""
    with access.look(layer_id, places.geography) as opened:
        found = make_legend(
            opened.session,
            opened.viewer,
            layer_id,
            places.geography,
            resolution=places.resolution,
            level=places.level,
            at=places.day,
            scheme=drawing.scheme,
            classes=drawing.classes,
            theme=drawing.theme,
        )
    return own_json(request, found)


@router.get("/styles/{layer_id}.json")
def style(
    *,
    request: Request,
    access: Access,
    layer_id: str,
    places: Places,
    drawing: Drawing,
    heat: bool = False,
    basemap: bool = True,
) -> Response:
    """A complete MapLibre style of the layer: no glyphs, no sprites, nothing from outside."""
    look = Look(
        scheme=drawing.scheme,
        classes=drawing.classes,
        theme=drawing.theme,
        lang=language_of(request),
        heat=heat,
        basemap=basemap,
        base_url=str(request.base_url).rstrip("/"),
    )
    with access.look(layer_id, places.geography) as opened:
        found = make_style(
            opened.session,
            opened.viewer,
            layer_id,
            geography=places.geography,
            level=places.level,
            at=places.day,
            look=look,
        )
    return own_json(request, found)


@router.get("/layers/{layer_id}/table.{form}")
def table(
    *,
    request: Request,
    access: Access,
    layer_id: str,
    form: Literal["json", "csv", "xlsx"],
    places: Places,
    box: Box,
) -> Response:
    """The figures of a map as a table; CSV and Excel are safe against formulas in names."""
    action = "view" if form == "json" else "export"
    said: dict[str, Any] = {
        "layer": layer_id,
        "geography": places.geography,
        "form": form,
        "date": places.day,
    }
    with access.audited("table", action, **said) as opened:
        found = exports.layer_table(
            opened.session,
            opened.viewer,
            layer_id,
            places.geography,
            resolution=places.resolution,
            level=places.level,
            bbox=box,
            at=places.day,
            lang=language_of(request),
        )
        if form == "json":
            return own_json(request, found.json())
        body = found.csv() if form == "csv" else found.xlsx(language_of(request))
    return download(body, f"{layer_id}-{places.geography}.{form}", exports.MEDIA[form])


@router.get("/layers/{layer_id}/export.{form}")
def export(
    *, access: Access, layer_id: str, form: Literal["geojson", "gpkg", "parquet"], places: Places, box: Box
) -> Response:
    """The figures with their outlines, for QGIS and GDAL."""
    said: dict[str, Any] = {
        "layer": layer_id,
        "geography": places.geography,
        "form": form,
        "date": places.day,
    }
    with access.audited("table", "export", **said) as opened:
        body = exports.layer_file(
            opened.session,
            opened.viewer,
            layer_id,
            form,
            places.geography,
            resolution=places.resolution,
            level=places.level,
            bbox=box,
            at=places.day,
        )
    return download(body, f"{layer_id}-{places.geography}.{form}", exports.MEDIA[form])

"""A layer as a complete MapLibre style: quiet basemap, the layer's classes in colour, thin lines, hatch for withheld.

No glyphs and no sprite: MapLibre draws all text from fonts of the machine when a style names no ``glyphs``, and the
one image (the hatch) is in the style's metadata, ``hexward:images``, for the app to add before it draws.

Source: MapLibre Style Specification, version 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maps.catalogue import catalogue
from maps.figures import Geography, Places
from maps.hatch import hatch_image
from maps.legend import breaks_of, describe, places_for
from maps.palettes import GROUND, Theme, sequential
from maps.territory import base_resolution
from maps.tilejson import MAX_ZOOM, TileKind, address, bounds, cell_bounds
from maps.tilemath import resolution_at
from maps.tiles import CELL_MIN_ZOOM, GRID_MIN_ZOOM
from maps.values import LayerValues, layer_values

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

Expression = list[Any]
HATCH: Final = "hexward-hatch"
FONTS: Final = ["Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei", "sans-serif"]
_MIN_ZOOM: Final[dict[str, int]] = {"cells": CELL_MIN_ZOOM, "areas": 0, "grids": GRID_MIN_ZOOM}
_GREYS: Final[dict[str, dict[str, str]]] = {
    "light": {
        "water": "#dbe3e8", "green": "#e9ede6", "built": "#eceae7", "industrial": "#e8e6e6", "road": "#ffffff",
        "casing": "#dcdad6", "building": "#e1dfdb", "label": "#4a4a48", "halo": "#f7f7f5", "line": "#8c8c88",
        "own": "#1a1a1a", "withheld": "#9b9b97",
    },
    "dark": {
        "water": "#1b2730", "green": "#20261f", "built": "#24262a", "industrial": "#262628", "road": "#34373c",
        "casing": "#17191c", "building": "#2b2e33", "label": "#c9c9c4", "halo": "#16181b", "line": "#6f7378",
        "own": "#f5f5f0", "withheld": "#6b6d70",
    },
}  # fmt: skip

_ROAD_WIDTHS: Final[list[Any]] = [
    ["motorway", "trunk", "ring", "expressway"], 2.2, ["primary", "arterial"], 1.6, ["secondary"], 1.1,
]  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a style is drawn. ``basemap``: draw the city's basemap tiles below; ``base_url``: scheme and host."""

    scheme: str = "quantiles"
    classes: int = 5
    theme: Theme = "light"
    lang: str = "zh-CN"
    heat: bool = False
    basemap: bool = True
    base_url: str = ""
    opacity: float = 0.78


def style(
    session: Session,
    viewer: Viewer,
    layer_id: str,
    *,
    geography: Geography = "cell",
    level: int | None = None,
    at: date | None = None,
    look: Look | None = None,
) -> dict[str, Any]:
    """The style JSON of a layer by cells, areas of ``level`` or grids.

    Cells change resolution with the zoom, and each resolution has its own class breaks. Raises what ``legend`` raises.
    """
    look = look or Look()
    layer = catalogue(session, viewer).layer(layer_id)
    kind: TileKind = {"cell": "cells", "area": "areas", "grid": "grids"}[geography]  # type: ignore[assignment]
    zoomed = _by_zoom(session, viewer, geography, level)
    drawn: list[dict[str, Any]] = []
    legends: list[dict[str, Any]] = []
    for low, high, places in zoomed:
        found = layer_values(session, viewer, layer, places, at)
        classed = breaks_of(found, look.scheme, look.classes)
        legends.append({"minzoom": low, "maxzoom": high, **describe(found, classed, look.theme)})
        drawn += _data_layers(kind, found, legends[-1], look)
    tiles = look.base_url + address(kind, layer_id, level=level, at=at)
    if look.heat and kind == "cells":
        tiles += ("&" if "?" in tiles else "?") + "shape=point"
    limits = bounds(session, viewer)
    sources: dict[str, Any] = {
        "data": {
            "type": "vector", "tiles": [tiles], "minzoom": _MIN_ZOOM[kind], "maxzoom": MAX_ZOOM, "promoteId": "id",
            "bounds": cell_bounds(session, viewer) if kind == "cells" else limits,
        },
    }  # fmt: skip
    below, above = _basemap(look) if look.basemap else ([], [])
    if look.basemap:
        sources["basemap"] = {
            "type": "vector",
            "tiles": [f"{look.base_url}/api/basemap/{{z}}/{{x}}/{{y}}.mvt"],
        }
    ground = {"id": "ground", "type": "background", "paint": {"background-color": GROUND[look.theme]}}
    return {
        "version": 8,
        "name": layer.title["zh" if look.lang.startswith("zh") else "en"],
        "metadata": {
            "hexward:layer": layer_id,
            "hexward:legends": legends,
            "hexward:images": {HATCH: hatch_image(_GREYS[look.theme]["withheld"])},
        },
        "center": [(limits[0] + limits[2]) / 2, (limits[1] + limits[3]) / 2],
        "zoom": 10,
        "sources": sources,
        "layers": [ground, *below, *drawn, *_lines(kind, look), *above],
    }


def _by_zoom(
    session: Session, viewer: Viewer, geography: Geography, level: int | None
) -> list[tuple[int, int, Places]]:
    """First zoom, zoom after the last, and the places drawn between."""
    if geography != "cell":
        return [(0, 24, places_for(session, viewer, geography, None, level))]
    base = base_resolution(session, viewer)
    steps = [(CELL_MIN_ZOOM, 9), (9, 11), (11, 13), (13, 24)]
    return [(low, high, Places("cell", resolution=resolution_at(low, base))) for low, high in steps]


def colour_expression(upper: list[float], colours: list[str]) -> Expression | str:
    """MapLibre expression that colours ``v`` by inclusive upper bounds.

    >>> colour_expression([2, 5], ["#aaaaaa", "#bbbbbb"])
    ['case', ['<=', ['get', 'v'], 2], '#aaaaaa', '#bbbbbb']
    """
    if not colours:
        return "rgba(0,0,0,0)"
    if len(colours) == 1:
        return colours[0]
    cases: Expression = ["case"]
    for bound, colour in zip(upper[:-1], colours[:-1], strict=True):
        cases += [["<=", ["get", "v"], bound], colour]
    return [*cases, colours[-1]]


def _data_layers(
    kind: TileKind, found: LayerValues, legend: dict[str, Any], look: Look
) -> list[dict[str, Any]]:
    """Fill of one zoom range, the plain grey and the hatch of what is withheld."""
    zooms = {"minzoom": legend["minzoom"], "maxzoom": legend["maxzoom"]}
    name = f"{kind}-{legend['minzoom']}"
    common = {"source": "data", "source-layer": kind, **zooms}
    present: Expression = ["has", "v"]
    if found.layer.blank_zero:
        present = ["all", present, ["!=", ["get", "v"], 0]]
    if look.heat and kind == "cells":
        return [_heat(name, common, present, legend, look)]
    hover: Expression = ["case", ["boolean", ["feature-state", "hover"], False], 0.95, look.opacity]
    withheld: Expression = ["has", "w"]
    grey = _GREYS[look.theme]["withheld"]
    return [
        {
            "id": f"{name}-fill", "type": "fill", **common, "filter": present,
            "paint": {
                "fill-color": colour_expression(legend["breaks"], legend["colors"]),
                "fill-opacity": hover,
                "fill-antialias": False,
            },
        },
        {
            "id": f"{name}-withheld", "type": "fill", **common, "filter": withheld,
            "paint": {"fill-color": grey, "fill-opacity": 0.12},
        },
        {
            "id": f"{name}-hatch", "type": "fill", **common, "filter": withheld,
            "paint": {"fill-pattern": HATCH, "fill-opacity": 0.7},
        },
    ]  # fmt: skip


def _heat(
    name: str, common: dict[str, Any], present: Expression, legend: dict[str, Any], look: Look
) -> dict[str, Any]:
    """Heat map of the cells' middles, weighted by the figure up to the last but one class bound."""
    most = (legend["breaks"][-2:] or [1])[0] or 1
    colours = sequential(5, look.theme)
    ramp: Expression = ["interpolate", ["linear"], ["heatmap-density"], 0, "rgba(0,0,0,0)"]
    for i, colour in enumerate(colours):
        ramp += [0.12 + 0.88 * i / (len(colours) - 1), colour]
    return {
        "id": f"{name}-heat", "type": "heatmap", **common, "filter": present,
        "paint": {
            "heatmap-weight": ["min", 1, ["/", ["get", "v"], most]],
            "heatmap-radius": ["interpolate", ["exponential", 2], ["zoom"], 8, 14, 10, 18, 12, 26, 14, 48, 16, 160],
            "heatmap-intensity": 0.6,
            "heatmap-color": ramp,
            "heatmap-opacity": look.opacity,
        },
    }  # fmt: skip


def _lines(kind: TileKind, look: Look) -> list[dict[str, Any]]:
    """Thin outlines over the fill, and a strong one for the own territory."""
    if look.heat and kind == "cells":
        return []
    grey = _GREYS[look.theme]
    common = {"source": "data", "source-layer": kind}
    thin: Expression = ["interpolate", ["linear"], ["zoom"], 8, 0.1, 12, 0.3, 16, 0.9]
    colour = GROUND[look.theme] if kind == "cells" else grey["line"]
    layers: list[dict[str, Any]] = [
        {
            "id": f"{kind}-line", "type": "line", **common,
            "paint": {"line-color": colour, "line-width": thin, "line-opacity": 0.8},
        },
        {
            "id": f"{kind}-chosen", "type": "line", **common,
            "paint": {
                "line-color": grey["own"],
                "line-width": ["case", ["boolean", ["feature-state", "chosen"], False], 3, 0],
            },
        },
    ]  # fmt: skip
    if kind != "cells":
        own = {"line-color": grey["own"], "line-width": 1.2, "line-opacity": 0.7}
        layers.append(
            {
                "id": f"{kind}-own",
                "type": "line",
                **common,
                "filter": ["==", ["get", "mine"], 1],
                "paint": own,
            }
        )
    return layers


def _basemap(look: Look) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Layers below and above the data: ground in quiet greys, then labels."""
    grey = _GREYS[look.theme]
    base = {"source": "basemap"}
    use = [
        "match", ["get", "class"], ["green", "farmland"], grey["green"], ["industrial", "transport"],
        grey["industrial"], ["water"], grey["water"], ["residential", "commercial", "public"], grey["built"],
        "rgba(0,0,0,0)",
    ]  # fmt: skip
    wide: Expression = ["match", ["get", "class"], *_ROAD_WIDTHS, 0.6]
    width: Expression = ["interpolate", ["exponential", 1.6], ["zoom"]]
    width += [9, ["*", 0.35, wide], 13, wide, 17, ["*", 6, wide]]
    below: list[dict[str, Any]] = [
        {"id": "landuse", "type": "fill", **base, "source-layer": "landuse", "paint": {"fill-color": use}},
        {"id": "water", "type": "fill", **base, "source-layer": "water", "paint": {"fill-color": grey["water"]}},
        {
            "id": "buildings", "type": "fill", **base, "source-layer": "buildings", "minzoom": 13,
            "paint": {"fill-color": grey["building"]},
        },
        {
            "id": "roads-casing", "type": "line", **base, "source-layer": "roads", "minzoom": 12,
            "paint": {"line-color": grey["casing"], "line-width": width, "line-gap-width": 0.6},
        },
        {
            "id": "roads", "type": "line", **base, "source-layer": "roads",
            "paint": {"line-color": grey["road"], "line-width": width},
        },
    ]  # fmt: skip
    own, other = ("name", "name_en") if look.lang.startswith("zh") else ("name_en", "name")
    labels = {
        "id": "labels", "type": "symbol", **base, "source-layer": "labels",
        "layout": {
            "text-field": ["coalesce", ["get", own], ["get", other]],
            "text-font": FONTS,
            "text-size": ["interpolate", ["linear"], ["zoom"], 9, 11, 15, 15],
            "symbol-sort-key": ["coalesce", ["get", "rank"], 9],
            "text-max-width": 8,
        },
        "paint": {"text-color": grey["label"], "text-halo-color": grey["halo"], "text-halo-width": 1.4},
    }  # fmt: skip
    return below, [labels]

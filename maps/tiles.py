"""Vector tiles of a layer: H3 cells, areas of a level, legal grids, each with the viewer's own figures.

A tile is made from figures and outlines kept in columns; the outlines of a tile's cells never change, so their bytes
are kept and only attributes are encoded anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from maps import mvt
from maps.catalogue import catalogue
from maps.cells import CellShapes, feature_ids
from maps.figures import Places
from maps.memory import Memory
from maps.moment import state
from maps.outlines import Outlines, outlines
from maps.territory import base_resolution, own_places
from maps.tilemath import Tile, resolution_at
from maps.values import LayerValues, layer_values

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

CellShape = Literal["outline", "point"]
GRID_MIN_ZOOM: Final = 12
CELL_MIN_ZOOM: Final = 5
_shapes: Final = Memory[CellShapes](most=16)
_templates: Final = Memory["Template"](most=512)


@dataclass(frozen=True)
class Template:
    """What never changes of a tile of cells: which cells, their encoded outlines and names."""

    places: NDArray[np.int64]
    ids: NDArray[np.uint64]
    geometry: mvt.Shapes
    names: mvt.Column


def cell_tile(
    session: Session,
    viewer: Viewer,
    layer_id: str,
    tile: Tile,
    *,
    at: date | None = None,
    shape: CellShape = "outline",
) -> bytes:
    """Tile of H3 cells with layer "cells": id, v (the figure) or w (1: withheld); b"" when nothing is there.

    ``shape`` "point" gives the middles of the cells, for a heat map. The zoom picks the resolution
    (``tilemath.resolution_at``). Raises UnknownLayerError, TileOutOfRangeError and what
    ``layer_values`` raises.
    """
    if tile.z < CELL_MIN_ZOOM:
        return b""
    layer = catalogue(session, viewer).layer(layer_id)
    resolution = resolution_at(tile.z, base_resolution(session, viewer))
    found = layer_values(session, viewer, layer, Places("cell", resolution=resolution), at)
    return encode_cells(found, tile, shape)


def encode_cells(found: LayerValues, tile: Tile, shape: CellShape = "outline") -> bytes:
    """Tile of the cells of ``found``."""
    key = found.same_places
    cells = found.ids.view(np.uint64)
    shapes = _shapes.get(key, lambda: CellShapes.of(cells))
    made = _templates.get(None if key is None else (key, tile, shape), lambda: _template(shapes, tile, shape))
    if made.places.size == 0:
        return b""
    return _cells_layer(found, made)


def _template(shapes: CellShapes, tile: Tile, shape: CellShape) -> Template:
    places = shapes.touching(tile)
    drawn = shapes.cells[places]
    geometry = shapes.geometry(places, tile) if shape == "outline" else shapes.centres(places, tile)
    return Template(shapes.order[places], feature_ids(drawn), geometry, mvt.hex_texts("id", drawn))


def _cells_layer(found: LayerValues, made: Template) -> bytes:
    values, withheld = found.values[made.places], found.withheld[made.places]
    keep = ~found.blank[made.places] & (withheld | ~np.isnan(values))
    if not keep.any():
        return b""
    if keep.all():
        return mvt.layer("cells", made.geometry, made.ids, [made.names, *_figures(values, withheld)])
    names = mvt.hex_texts("id", found.ids[made.places][keep].view(np.uint64))
    columns = [names, *_figures(values[keep], withheld[keep])]
    return mvt.layer("cells", made.geometry.take(keep), made.ids[keep], columns)


def _figures(values: NDArray[np.float64], withheld: NDArray[np.bool_]) -> list[mvt.Column]:
    return [mvt.numbers("v", values, ~np.isnan(values) & ~withheld), mvt.flags("w", withheld)]


def area_tile(
    session: Session, viewer: Viewer, layer_id: str, tile: Tile, *, level: int, at: date | None = None
) -> bytes:
    """Tile of the areas of ``level`` with layer "areas": id, code, name, name_en, v, w, mine (1: own territory)."""
    layer = catalogue(session, viewer).layer(layer_id)
    stands = state(session, viewer)
    found = layer_values(session, viewer, layer, Places("area", level=level), at)
    shown = outlines(session, viewer, found.places, database=stands.database)
    return _polygon_layer(session, viewer, shown, found, tile)


def grid_tile(
    session: Session, viewer: Viewer, layer_id: str, tile: Tile, *, at: date | None = None
) -> bytes:
    """Tile of the legal grids with layer "grids": id, code, name, name_en, v, w, mine; b"" below zoom 12."""
    if tile.z < GRID_MIN_ZOOM:
        return b""
    layer = catalogue(session, viewer).layer(layer_id)
    found = layer_values(session, viewer, layer, Places("grid", bbox=tile.bounds_lnglat()), at)
    shown = outlines(session, viewer, found.places)
    return _polygon_layer(session, viewer, shown, found, tile)


def _polygon_layer(
    session: Session, viewer: Viewer, shown: Outlines, found: LayerValues, tile: Tile
) -> bytes:
    places, geometry = shown.in_tile(tile)
    if places.size == 0:
        return b""
    ids = shown.ids[places]
    values, withheld = _looked_up(found, ids)
    kind = found.places.geography
    columns = [
        mvt.numbers("id", ids.astype(np.float64), np.ones(ids.size, dtype=bool)),
        mvt.texts("code", [shown.codes[i] for i in places]),
        mvt.texts("name", [shown.names[i] for i in places]),
        mvt.texts("name_en", [shown.names_en[i] for i in places]),
        *_figures(values, withheld),
        mvt.flags("mine", own_places(session, viewer, kind, ids), zero=True),
    ]
    return mvt.layer(f"{kind}s", geometry, ids.astype(np.uint64), columns)


def _looked_up(found: LayerValues, ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values and withheld marks in the order of ``ids``; a place without figures has neither."""
    values = np.full(ids.size, np.nan)
    withheld = np.zeros(ids.size, dtype=bool)
    if found.ids.size == 0:
        return values, withheld
    order = np.argsort(found.ids)
    at = np.minimum(np.searchsorted(found.ids, ids, sorter=order), found.ids.size - 1)
    hit = found.ids[order[at]] == ids
    values[hit] = found.values[order[at[hit]]]
    withheld[hit] = found.withheld[order[at[hit]]]
    return values, withheld

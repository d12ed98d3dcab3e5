"""A layer as a GeoDataFrame: one row a place, with its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from sqlalchemy import text

from grid.cells import outlines
from grid.names import english_sql
from maps import cells
from maps.catalogue import catalogue
from maps.legend import places_for
from maps.values import LayerValues, layer_values

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.figures import Geography
    from maps.viewer import Viewer

CRS = "EPSG:4326"


def found_values(
    session: Session,
    viewer: Viewer,
    layer_id: str,
    geography: Geography,
    *,
    resolution: int | None = None,
    level: int | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    at: date | None = None,
) -> LayerValues:
    """Values of a layer by its id, within ``bbox`` (west, south, east, north; outlines' boxes touch it)."""
    layer = catalogue(session, viewer).layer(layer_id)
    places = places_for(session, viewer, geography, resolution, level)
    found = layer_values(session, viewer, layer, places, at)
    found = found.where(~found.blank & (found.withheld | ~np.isnan(found.values)))
    if bbox is None:
        return found
    inside = shapely.intersects(shapely.box(*bbox), _outlines(session, viewer, found))
    return found.where(np.asarray(inside))


def layer_frame(session: Session, viewer: Viewer, found: LayerValues) -> gpd.GeoDataFrame:
    """``found`` with outlines: value, withheld, and for areas and grids code, name and name_en; CRS EPSG:4326.

    Index: cell id (15 digits), named "cell"; else the area's or grid's number. ``attrs`` names layer, unit and day.
    """
    geography = found.places.geography
    columns: dict[str, Any] = {}
    if geography == "cell":
        index: pd.Index[Any] = pd.Index(cells.names(found.ids.view(np.uint64)), name="cell")
    else:
        index = pd.Index(found.ids, name=geography)
        names = _names(session, viewer, found)
        columns |= {key: [row[i] for row in names] for i, key in enumerate(("code", "name", "name_en"))}
    columns |= {"value": found.values, "withheld": found.withheld}
    if found.moe is not None:
        columns["moe"] = found.moe
    frame = gpd.GeoDataFrame(columns, index=index, geometry=_outlines(session, viewer, found), crs=CRS)
    frame.attrs = {
        "layer": found.layer.id,
        "unit": found.layer.unit,
        "as_of": found.as_of.isoformat(),
        "exactness": found.exactness,
    }
    return frame


def _outlines(session: Session, viewer: Viewer, found: LayerValues) -> NDArray[np.object_]:
    if found.places.geography == "cell":
        return outlines(found.ids.view(np.uint64))
    rows = session.execute(
        text(f"SELECT id, ST_AsBinary(geom) AS geom FROM {viewer.schema('geo')}.{found.places.geography}"  # noqa: S608
             " WHERE id = ANY(:ids)"),
        {"ids": found.ids.tolist()},
    )  # fmt: skip
    by_id = {row.id: None if row.geom is None else bytes(row.geom) for row in rows}
    out: NDArray[np.object_] = shapely.from_wkb(
        np.array([by_id.get(i) for i in found.ids.tolist()], dtype=object)
    )
    return out


def _names(session: Session, viewer: Viewer, found: LayerValues) -> list[tuple[str | None, ...]]:
    geo = viewer.schema("geo")
    area = found.places.geography == "area"
    names_en = "p.name_en" if area else english_sql("p", "a")
    above = "" if area else f" LEFT JOIN {geo}.area a ON a.id = p.area_id"
    rows = session.execute(
        text(
            f"SELECT p.id, p.code, p.name, {names_en} AS name_en"  # noqa: S608
            f" FROM {geo}.{found.places.geography} p{above} WHERE p.id = ANY(:ids)"
        ),
        {"ids": found.ids.tolist()},
    )
    by_id = {row.id: (row.code, row.name, row.name_en) for row in rows}
    return [by_id.get(i, (None, None, None)) for i in found.ids.tolist()]

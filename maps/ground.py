"""The city below the data of a one-file map: land use in quiet greys, borders and names of areas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from sqlalchemy import text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

DECIMALS: Final = 6
LAND: Final = {
    "farmland": "#eeefe6", "residential": "#ecebe7", "commercial": "#edeae6", "public": "#ebebea",
    "industrial": "#e6e4e4", "transport": "#e8e8e6", "green": "#e4ebe1", "water": "#d7e0e6",
}  # fmt: skip
ROADS: Final = {"motorway": 3.0, "trunk": 3.0, "primary": 2.5, "secondary": 1.8, "tertiary": 1.2}
_TOLERANCE_DEG: Final = 0.00008
_MOST_PARCELS: Final = 20_000
_MOST_ROADS: Final = 30_000
_MOST_NAMES: Final = 400


def ground(session: Session, viewer: Viewer, lang: str, basemap: Path | None = None) -> dict[str, Any]:
    """Fills by land use (water last), roads of the ``basemap`` file, borders of areas (lower levels thinner), names."""
    areas = session.execute(
        text(
            f"SELECT level, name, name_en, ST_AsBinary(ST_SimplifyPreserveTopology(geom, {_TOLERANCE_DEG})) AS geom,"  # noqa: S608
            " ST_Y(ST_PointOnSurface(geom)) AS lat, ST_X(ST_PointOnSurface(geom)) AS lng"
            f" FROM {viewer.schema('geo')}.area WHERE valid_to IS NULL ORDER BY level DESC, id"
        )
    ).all()
    deepest = max((row.level for row in areas), default=0)
    shapes = rings(shapely.from_wkb(np.array([bytes(row.geom) for row in areas], dtype=object)))
    named = [row for row in areas if row.level == deepest] if len(areas) <= _MOST_NAMES else []
    chinese = lang.startswith("zh")
    return {
        "fills": _fills(session, viewer),
        "roads": [] if basemap is None else roads(basemap),
        "borders": [
            {"weight": max(0.6, 2.2 - 0.5 * row.level), "rings": shape}
            for row, shape in zip(areas, shapes, strict=True)
        ],
        "names": [
            {"at": [row.lat, row.lng], "text": row.name if chinese else row.name_en or row.name}
            for row in named
        ],
    }


def _fills(session: Session, viewer: Viewer) -> list[dict[str, Any]]:
    rows = session.execute(
        text(
            f"SELECT class AS use, ST_AsBinary(ST_SimplifyPreserveTopology(geom, {_TOLERANCE_DEG})) AS geom"  # noqa: S608
            f" FROM {viewer.schema('geo')}.land_use ORDER BY ST_Area(geom) DESC, id LIMIT {_MOST_PARCELS}"
        )
    ).all()
    return [
        {"color": colour, "rings": [part for shape in _of(rows, use) for part in shape]}
        for use, colour in LAND.items()
    ]


def basemap_of(session: Session) -> Path | None:
    """The city's basemap file, where there is one; ``session`` is the owner's or the app's."""
    config = session.scalar(text("SELECT config FROM ops.city")) or {}
    named = (config.get("basemap") or {}).get("pmtiles")
    if not named:
        return None
    path = (Path(config.get("folder") or ".") / named).resolve()
    return path if path.is_file() else None


def roads(basemap: Path) -> list[dict[str, Any]]:
    """Roads of a PMTiles basemap: width in pixels and lines of [lat, lng]; the finest zoom that stays small."""
    for zoom in (12, 11, 10, 9):
        try:
            found = pyogrio.read_dataframe(basemap, layer="roads", columns=["class"], ZOOM_LEVEL=zoom)
        except (DataLayerError, DataSourceError):
            continue
        if len(found) <= _MOST_ROADS:
            break
    else:
        return []
    lines = found.to_crs("EPSG:4326")
    lines = lines[lines.geom_type.isin({"LineString", "MultiLineString"})].explode(index_parts=False)
    shapes = shapely.simplify(np.asarray(lines.geometry.values, dtype=object), _TOLERANCE_DEG)
    return [
        {"width": ROADS.get(use, 1.0), "line": np.round(shapely.get_coordinates(shape)[:, ::-1], 5).tolist()}
        for use, shape in zip(lines["class"], shapes, strict=True)
        if use != "rail"
    ]


def _of(rows: Any, use: str) -> list[list[Any]]:
    shapes = np.array([bytes(row.geom) for row in rows if row.use == use], dtype=object)
    return rings(shapely.from_wkb(shapes))


def rings(shapes: NDArray[np.object_]) -> list[list[Any]]:
    """Polygons as Leaflet takes them: parts of rings of [lat, lng], rounded to a hand's breadth."""
    out: list[list[Any]] = []
    for shape in shapes:
        parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and not p.is_empty]
        out.append([[_ring(r) for r in (p.exterior, *p.interiors)] for p in parts])
    return out


def _ring(ring: Any) -> list[list[float]]:
    points = np.round(shapely.get_coordinates(ring)[:-1, ::-1], DECIMALS)
    listed: list[list[float]] = points.tolist()
    return listed

"""Outlines of areas and legal grids as tiles need them: projected, simplified together, clipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from sqlalchemy import text

from grid.names import english_sql
from maps import mvt
from maps.memory import Memory
from maps.tilemath import Tile, to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.figures import Places
    from maps.viewer import Viewer

FINEST: Final = 14
_kept: Final = Memory["Outlines"](most=12, seconds=60)
_simplified: Final = Memory["NDArray[np.object_]"](most=40, seconds=60)


@dataclass(frozen=True)
class Outlines:
    """Areas or grids: identity and polygons in the unit square (y down). ``key`` names this very set."""

    ids: NDArray[np.int64]
    codes: list[str]
    names: list[str | None]
    names_en: list[str | None]
    shapes: NDArray[np.object_]
    tree: shapely.STRtree
    key: tuple[Any, ...]

    def at_zoom(self, zoom: int) -> NDArray[np.object_]:
        """Polygons simplified to a quarter of a screen pixel at ``zoom``; neighbours keep their common border."""
        if zoom >= FINEST or self.ids.size == 0:
            return self.shapes
        tolerance = (
            1 / 2**zoom / 512 / 4
        ) ** 2  # coverage_simplify measures by the area of a triangle's root
        return _simplified.get(
            (*self.key, zoom), lambda: shapely.coverage_simplify(self.shapes, tolerance**0.5)
        )

    def in_tile(self, tile: Tile) -> tuple[NDArray[np.int64], mvt.Shapes]:
        """Places of the polygons that touch the tile and its buffer, and their encoded geometry."""
        box = shapely.box(*tile.bounds())
        places = np.sort(self.tree.query(box, predicate="intersects"))
        return places, encode(self.at_zoom(tile.z)[places], tile)


def encode(shapes: NDArray[np.object_], tile: Tile) -> mvt.Shapes:
    """Geometry of polygons of the unit square, clipped to the tile and its buffer."""
    clipped = shapely.clip_by_rect(shapes, *tile.bounds())
    parts, owner = shapely.get_parts(clipped, return_index=True)
    polygon = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    parts, owner = parts[polygon], owner[polygon]
    # y runs down, so a ring that is counter-clockwise in the numbers is clockwise on the screen
    parts = shapely.orient_polygons(parts, exterior_cw=False)
    rings, part_of = shapely.get_rings(parts, return_index=True)
    points, ring_of = shapely.get_coordinates(rings, return_index=True)
    ends = np.cumsum(np.bincount(ring_of, minlength=rings.size))
    return mvt.polygons(tile.inside(points), ends, owner[part_of], shapes.size)


def outlines(
    session: Session,
    viewer: Viewer,
    places: Places,
    *,
    database: str = "",
) -> Outlines:
    """Areas of a level, or grids (within ``places.bbox``), as they are now.

    Areas are kept for a minute under ``database`` (empty: not kept); outlines are the same for every viewer.
    """
    key = (database, places)
    keep = key if database and places.geography == "area" else None
    return _kept.get(keep, lambda: _read(session, viewer, places, key))


def _read(session: Session, viewer: Viewer, places: Places, key: tuple[Any, ...]) -> Outlines:
    where = ["p.valid_to IS NULL", "p.geom IS NOT NULL"]
    params: dict[str, Any] = {}
    if places.geography == "area":
        where.append("p.level = :level")
        params["level"] = places.level
    if places.bbox is not None:
        where.append("p.geom && ST_MakeEnvelope(:w, :s, :e, :n, 4326)")
        params |= dict(zip(("w", "s", "e", "n"), places.bbox, strict=True))
    geo = viewer.schema("geo")
    area = places.geography == "area"
    names_en = "p.name_en" if area else english_sql("p", "a")
    above = "" if area else f" LEFT JOIN {geo}.area a ON a.id = p.area_id"
    rows = session.execute(
        text(
            f"SELECT p.id, p.code, p.name, {names_en} AS name_en, ST_AsBinary(p.geom) AS geom"  # noqa: S608
            f" FROM {geo}.{places.geography} p{above} WHERE {' AND '.join(where)} ORDER BY p.id"
        ),
        params,
    ).all()
    degrees = shapely.from_wkb(np.array([bytes(row.geom) for row in rows], dtype=object))
    shapes: NDArray[np.object_] = shapely.transform(degrees, to_unit) if rows else np.empty(0, dtype=object)
    return Outlines(
        np.array([row.id for row in rows], dtype=np.int64),
        [row.code for row in rows],
        [row.name for row in rows],
        [row.name_en for row in rows],
        shapes,
        shapely.STRtree(shapes),
        key,
    )

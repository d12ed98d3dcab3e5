"""Find a place by name, code or cell; and say what lies at a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from h3ronpy.vector import coordinates_to_cells
from sqlalchemy import text

from grid.cells import outlines, resolution_of
from grid.names import english_sql
from maps.errors import UnitNotFoundError
from maps.territory import base_resolution
from maps.units import cell_number

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

CELL_DIGITS: Final = 15
_BOX: Final = "ARRAY[ST_XMin(p.geom), ST_YMin(p.geom), ST_XMax(p.geom), ST_YMax(p.geom)] AS bbox"
_PATH: Final = (
    "(SELECT array_agg(up.name ORDER BY up.level) FROM {geo}.area up"
    " WHERE up.id = ANY({ids}) AND up.id <> {own})"
)


def search(session: Session, viewer: Viewer, q: str, limit: int = 12) -> dict[str, Any]:
    """Areas and grids whose name or code has ``q``, best first (whole, beginning, inside; higher levels first).

    A cell's 15 digits find the cell.
    """
    words = q.strip()
    if not words:
        return {"results": []}
    found = _cell(session, viewer, words)
    found += _areas(session, viewer, words, limit)
    found += _grids(session, viewer, words, limit)
    return {"results": found[:limit]}


def _like(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _areas(session: Session, viewer: Viewer, words: str, limit: int) -> list[dict[str, Any]]:
    geo = viewer.schema("geo")
    rows = session.execute(
        text(
            f"""SELECT p.id, p.code, p.name, p.name_en, p.level, {_BOX},
            {_PATH.format(geo=geo, ids="p.path", own="p.id")} AS path
            FROM {geo}.area p
            WHERE p.valid_to IS NULL AND (p.name || ' ' || coalesce(p.name_en, '') || ' ' || p.code) ILIKE :inside
            ORDER BY (lower(:words) IN (lower(p.name), lower(p.name_en), p.code)) DESC NULLS LAST,
                     (p.name ILIKE :begins OR p.name_en ILIKE :begins) DESC NULLS LAST, p.level, p.code
            LIMIT :most"""  # noqa: S608
        ),
        {"inside": f"%{_like(words)}%", "begins": f"{_like(words)}%", "words": words, "most": limit},
    )
    return [_result("area", row, row.name_en, row.level) for row in rows]


def _grids(session: Session, viewer: Viewer, words: str, limit: int) -> list[dict[str, Any]]:
    geo, english = viewer.schema("geo"), english_sql("p", "a")
    # only words with Latin letters are looked for in the derived names: all else is found by the index
    named = f" OR {english} ILIKE :inside" if any("a" <= c <= "z" for c in words.lower()) else ""
    rows = session.execute(
        text(
            f"""SELECT p.id, p.code, p.name, {english} AS name_en, {_BOX},
            {_PATH.format(geo=geo, ids="a.path", own="0")} AS path
            FROM {geo}.grid p LEFT JOIN {geo}.area a ON a.id = p.area_id
            WHERE p.valid_to IS NULL AND ((p.name || ' ' || p.code) ILIKE :inside{named})
            ORDER BY (p.code = :words OR lower({english}) = lower(:words)) DESC NULLS LAST, p.code LIMIT :most"""  # noqa: S608
        ),
        {"inside": f"%{_like(words)}%", "begins": f"{_like(words)}%", "words": words, "most": limit},
    )
    return [_result("grid", row, row.name_en, None) for row in rows]


def _cell(session: Session, viewer: Viewer, words: str) -> list[dict[str, Any]]:
    if len(words) != CELL_DIGITS:
        return []
    try:
        number = np.array([cell_number(words.lower())], dtype=np.uint64)
    except UnitNotFoundError:
        return []
    base = base_resolution(session, viewer)
    if not base - 3 <= int(resolution_of(number)[0]) <= base:
        return []
    bbox = [round(v, 6) for v in outlines(number)[0].bounds]
    name = words.lower()
    return [
        {
            "kind": "cell",
            "id": name,
            "code": name,
            "name": name,
            "name_en": None,
            "level": None,
            "path": [],
            "bbox": bbox,
        }
    ]


def _result(kind: str, row: Any, name_en: str | None, level: int | None) -> dict[str, Any]:
    box = row.bbox if row.bbox and None not in row.bbox else None
    return {
        "kind": kind,
        "id": str(row.id),
        "code": row.code,
        "name": row.name,
        "name_en": name_en,
        "level": level,
        "path": row.path or [],
        "bbox": None if box is None else [round(v, 6) for v in box],
    }


def at_point(session: Session, viewer: Viewer, lng: float, lat: float) -> dict[str, Any]:
    """The finest cell, the legal grid and the areas (root first) at a point in degrees (WGS84)."""
    geo = viewer.schema("geo")
    resolution = base_resolution(session, viewer)
    cell = np.asarray(coordinates_to_cells(np.array([lat]), np.array([lng]), resolution), dtype=np.uint64)
    point = {"lng": lng, "lat": lat}
    where = "WHERE p.valid_to IS NULL AND ST_Covers(p.geom, ST_SetSRID(ST_MakePoint(:lng, :lat), 4326))"
    grid = session.execute(
        text(
            f"SELECT p.id, p.code, p.name, {english_sql('p', 'a')} AS name_en FROM {geo}.grid p"  # noqa: S608
            f" LEFT JOIN {geo}.area a ON a.id = p.area_id {where} ORDER BY p.id LIMIT 1"
        ),
        point,
    ).one_or_none()
    columns = "DISTINCT ON (level) id, code, name, name_en, level"
    areas = session.execute(text(f"SELECT {columns} FROM {geo}.area p {where} ORDER BY level, id"), point)  # noqa: S608
    return {
        "cell": {"id": f"{int(cell[0]):x}", "resolution": resolution},
        "grid": None if grid is None else {**dict(grid._mapping), "id": str(grid.id)},
        "areas": [{**dict(row._mapping), "id": str(row.id)} for row in areas],
    }

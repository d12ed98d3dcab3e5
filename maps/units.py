"""One area, grid or cell: what it is called, where it lies, what it is part of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import orjson
import shapely
from h3ronpy import cells_area_m2, cells_valid
from sqlalchemy import text

from grid.cells import outlines, resolution_of
from grid.cells import parent as parent_cells
from grid.names import english_sql
from maps.errors import UnitNotFoundError
from maps.territory import base_resolution

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

Kind = Literal["area", "grid", "cell"]
COARSER: Final = 3

_UP: Final = """(SELECT coalesce(json_agg(json_build_object('id', up.id, 'name', up.name, 'name_en', up.name_en,
  'level', up.level, 'area_m2', up.area_m2) ORDER BY up.level), '[]') FROM {geo}.area up
  WHERE up.id = ANY({path}) AND up.id <> {own}) AS above"""
_SHAPE: Final = """ST_AsGeoJSON(CASE WHEN ST_NPoints(p.geom) > 2000
  THEN ST_SimplifyPreserveTopology(p.geom, sqrt(ST_Area(p.geom)) / 1000) ELSE p.geom END, 6) AS geometry,
  ARRAY[ST_XMin(p.geom), ST_YMin(p.geom), ST_XMax(p.geom), ST_YMax(p.geom)] AS bbox"""


@dataclass(frozen=True)
class Unit:
    """A place with a dashboard. ``key``: its id in the statistics; ``parent``: kind, key and names, or None."""

    kind: Kind
    key: int
    id: str
    code: str
    name: str | None
    name_en: str | None
    level: int | None
    resolution: int | None
    area_m2: float
    bbox: list[float] | None
    geometry: dict[str, Any] | None
    path: list[dict[str, Any]]
    parent: Parent | None

    def as_json(self) -> dict[str, Any]:
        """The unit as the API states it."""
        parent = self.parent
        return {
            "kind": self.kind, "id": self.id, "code": self.code, "name": self.name, "name_en": self.name_en,
            "level": self.level, "resolution": self.resolution, "area_m2": round(self.area_m2, 1), "bbox": self.bbox,
            "geometry": self.geometry, "path": self.path,
            "parent": None if parent is None else parent.as_json(),
        }  # fmt: skip


@dataclass(frozen=True)
class Parent:
    """What a unit is compared with."""

    kind: Kind
    key: int
    id: str
    name: str | None
    name_en: str | None
    level: int | None
    area_m2: float

    def as_json(self) -> dict[str, Any]:
        """The parent as the API states it."""
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "name_en": self.name_en,
            "level": self.level,
        }


def find(session: Session, viewer: Viewer, kind: str, unit_id: str) -> Unit:
    """The unit with the id of a URL: an area's or grid's number, a cell's 15 digits. Raises UnitNotFoundError."""
    if kind == "cell":
        return _cell(session, viewer, unit_id)
    if kind not in {"area", "grid"} or not unit_id.isdecimal() or len(unit_id) > 18:
        raise UnitNotFoundError(kind=kind, id=unit_id)
    return _area(session, viewer, int(unit_id)) if kind == "area" else _grid(session, viewer, int(unit_id))


def _area(session: Session, viewer: Viewer, area_id: int) -> Unit:
    geo = viewer.schema("geo")
    row = session.execute(
        text(
            f"SELECT p.id, p.code, p.name, p.name_en, p.level, p.area_m2, {_SHAPE},"  # noqa: S608
            f" {_UP.format(geo=geo, path='p.path', own='p.id')} FROM {geo}.area p WHERE p.id = :id"
        ),
        {"id": area_id},
    ).one_or_none()
    if row is None:
        raise UnitNotFoundError(kind="area", id=str(area_id))
    return Unit(
        "area", row.id, str(row.id), row.code, row.name, row.name_en, row.level, None, row.area_m2,
        _box(row.bbox), _shape(row.geometry), [_step(a) for a in row.above], _parent_area(row.above),
    )  # fmt: skip


def _grid(session: Session, viewer: Viewer, grid_id: int) -> Unit:
    geo = viewer.schema("geo")
    row = session.execute(
        text(
            f"SELECT p.id, p.code, p.name, {english_sql('p', 'a')} AS name_en, p.area_m2, {_SHAPE},"  # noqa: S608
            f" {_UP.format(geo=geo, path='a.path', own='0')}"
            f" FROM {geo}.grid p JOIN {geo}.area a ON a.id = p.area_id WHERE p.id = :id"
        ),
        {"id": grid_id},
    ).one_or_none()
    if row is None:
        raise UnitNotFoundError(kind="grid", id=str(grid_id))
    return Unit(
        "grid", row.id, str(row.id), row.code, row.name, row.name_en, None, None, row.area_m2,
        _box(row.bbox), _shape(row.geometry), [_step(a) for a in row.above], _parent_area(row.above),
    )  # fmt: skip


def cell_number(unit_id: str) -> int:
    """The signed 64-bit number of a cell's text. Raises UnitNotFoundError for what is not a cell.

    >>> cell_number("8a40cc9a3aeffff")
    622636708658085887
    """
    try:
        number = int(unit_id, 16)
        valid = len(unit_id) == 15 and bool(np.asarray(cells_valid(np.array([number], dtype=np.uint64)))[0])
    except (ValueError, OverflowError):
        valid = False
        number = 0
    if not valid:
        raise UnitNotFoundError(kind="cell", id=unit_id[:40])
    return number


def _cell(session: Session, viewer: Viewer, unit_id: str) -> Unit:
    key = cell_number(unit_id.lower())
    as_array = np.array([key], dtype=np.uint64)
    resolution = int(resolution_of(as_array)[0])
    base = base_resolution(session, viewer)
    low, high = descendants(key, base)
    if not base - COARSER <= resolution <= base:
        raise UnitNotFoundError(kind="cell", id=unit_id)
    geo = viewer.schema("geo")
    above = session.execute(
        text(
            f"SELECT {_UP.format(geo=geo, path='o.path', own='0')} FROM (SELECT a.path"  # noqa: S608
            f" FROM {geo}.area_cell x JOIN {geo}.area a ON a.id = x.area_id WHERE x.cell BETWEEN :low AND :high"
            f" AND a.level = (SELECT max(level) FROM {geo}.area WHERE valid_to IS NULL)"
            " GROUP BY a.id, a.path ORDER BY sum(x.overlap_m2) DESC LIMIT 1) o"
        ),
        {"low": low, "high": high},
    ).scalar_one_or_none()
    if above is None:
        raise UnitNotFoundError(kind="cell", id=unit_id)
    outline = outlines(as_array)[0]
    parent = _parent_cell(key, resolution - 1) if resolution > base - COARSER else _parent_area(above[:1])
    return Unit(
        "cell", key, f"{key:x}", f"{key:x}", None, None, None, resolution,
        float(np.asarray(cells_area_m2(as_array))[0]),
        [round(v, 6) for v in outline.bounds], orjson.loads(shapely.to_geojson(shapely.set_precision(outline, 1e-6))),
        [_step(a) for a in above], parent,
    )  # fmt: skip


def descendants(cell: int, resolution: int) -> tuple[int, int]:
    """First and last cell of ``resolution`` inside ``cell``, as numbers: all that lie between are inside too.

    >>> low, high = descendants(0x8940cc9a3afffff, 10)
    >>> f"{low:x} {high:x}"
    '8a40cc9a3ac7fff 8a40cc9a3af7fff'
    """
    own = (cell >> 52) & 0xF
    unused = (1 << 3 * (15 - resolution)) - 1
    opened = ((1 << 3 * (15 - own)) - 1) & ~unused
    low = (cell & ~(0xF << 52) & ~opened) | resolution << 52
    sixes = int("6" * 15, 8) & opened
    return low, low | sixes


def _parent_cell(key: int, resolution: int) -> Parent:
    parent = parent_cells(np.array([key], dtype=np.uint64), resolution)
    name = f"{int(parent[0]):x}"
    return Parent("cell", int(parent[0]), name, name, name, None, float(np.asarray(cells_area_m2(parent))[0]))


def _step(up: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "area",
        "id": str(up["id"]),
        "name": up["name"],
        "name_en": up["name_en"],
        "level": up["level"],
    }


def _parent_area(above: list[dict[str, Any]]) -> Parent | None:
    if not above:
        return None
    up = above[-1]
    return Parent("area", up["id"], str(up["id"]), up["name"], up["name_en"], up["level"], up["area_m2"])


def _box(bbox: list[float | None] | None) -> list[float] | None:
    return [round(v, 6) for v in bbox if v is not None] if bbox and None not in bbox else None


def _shape(geometry: str | None) -> dict[str, Any] | None:
    return None if geometry is None else orjson.loads(geometry)

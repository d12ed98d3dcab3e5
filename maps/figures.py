"""Raw figures of many places at once, as the viewer may see them: one row a place, one column a figure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from h3ronpy import cells_area_km2

from grid.cells import parent as parents
from maps import currency
from maps.columns import read_columns
from maps.errors import BadGeographyError, NoHistoryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.moment import Moment
    from maps.viewer import Viewer

Geography = Literal["cell", "grid", "area"]
GEOGRAPHIES: Final = frozenset({"cell", "grid", "area"})
AREA: Final = "area_km2"
MONTHLY: Final = frozenset({"residents", "registered", "floating", "jobs", "moved_in", "moved_out"})


@dataclass(frozen=True)
class Places:
    """Which places: all cells of ``resolution``, all areas of ``level``, or grids; within ``bbox`` when given.

    ``bbox``: west, south, east, north in degrees (WGS84).
    """

    geography: Geography
    resolution: int | None = None
    level: int | None = None
    bbox: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Figures:
    """``ids`` (n,) of places, ``matrix`` (n, k) of the ``columns``; NaN = withheld. ``structural`` zeros or None."""

    ids: NDArray[np.int64]
    columns: tuple[str, ...]
    matrix: NDArray[np.float64]
    structural: NDArray[np.bool_] | None = None

    def column(self, name: str) -> NDArray[np.float64]:
        """One figure of every place."""
        return self.matrix[:, self.columns.index(name)]

    def total(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Sum of several figures of every place; NaN when one of them is withheld."""
        out: NDArray[np.float64] = np.sum([self.column(name) for name in names], axis=0)
        return out


def figures(
    session: Session, viewer: Viewer, places: Places, columns: Sequence[str], when: Moment
) -> Figures:
    """Figures of ``places`` at a moment.

    ``columns`` are columns of the figures, or ``area_km2``. Raises BadGeographyError, NoHistoryError (a column that
    is not kept by month, or cells of a limited territory in the past).
    """
    stored = tuple(c for c in columns if c != AREA)
    if any(c in currency.COLUMNS for c in columns):
        if when.month is not None or viewer.exactness != "duty":
            raise NoHistoryError(layer=", ".join(columns), date=when.as_of)
        ids, matrix = currency.read(session, viewer, places)
        return Figures(
            ids, columns := tuple(columns), matrix[:, [currency.COLUMNS.index(c) for c in columns]]
        )
    if when.month is not None:
        missing = [c for c in stored if c not in MONTHLY]
        if missing or (viewer.sums_visible and places.geography == "cell"):
            raise NoHistoryError(layer=", ".join(missing) or places.geography, date=when.as_of)
    if places.geography == "cell":
        found = _cells(session, viewer, places, stored, when.month)
        return _with_area(found, cells_area_km2(found.ids.view(np.uint64))) if AREA in columns else found
    return _polygons(session, viewer, places, tuple(columns), when)


def _with_area(found: Figures, area_km2: Any) -> Figures:
    matrix = np.column_stack([found.matrix, np.asarray(area_km2, dtype=np.float64)])
    return replace(found, columns=(*found.columns, AREA), matrix=matrix)


def _cells(
    session: Session, viewer: Viewer, places: Places, columns: tuple[str, ...], month: date | None
) -> Figures:
    if places.resolution is None:
        raise BadGeographyError(geography="cell", layer="resolution")
    if viewer.sums_visible:
        return _visible_cells(session, places.resolution, columns)
    schema = viewer.schema("stats")
    if month is None:
        source = f"FROM {schema}.unit_figures WHERE unit_kind = 'cell' AND resolution = %(resolution)s"
    else:
        source = (
            f"FROM {schema}.unit_month WHERE unit_kind = 'cell' AND month = %(month)s"
            " AND (unit_id >> 52) & 15 = %(resolution)s"
        )
    published = viewer.exactness != "duty"
    asked = (*columns, "structural::int") if published else columns
    ids, matrix = read_columns(
        session, "unit_id", asked, source, {"month": month, "resolution": places.resolution}
    )
    structural = matrix[:, -1] > 0 if published else None
    return Figures(ids, columns, matrix[:, : len(columns)], structural)


def _visible_cells(session: Session, resolution: int, columns: tuple[str, ...]) -> Figures:
    """Sums of the atoms that row-level security lets through: a border cell counts only the own people."""
    cells, matrix = read_columns(session, "cell", columns, "FROM stats.place_figures")
    into = parents(cells.view(np.uint64), resolution)
    ids, inverse = np.unique(into, return_inverse=True)
    sums = np.zeros((ids.size, len(columns)))
    np.add.at(sums, inverse, matrix)
    return Figures(ids.view(np.int64), columns, sums)


def _polygons(
    session: Session, viewer: Viewer, places: Places, columns: tuple[str, ...], when: Moment
) -> Figures:
    """Figures of areas of a level, or of legal grids, that are valid at the moment."""
    stats, geo = viewer.schema("stats"), viewer.schema("geo")
    # the row without an end keeps the id that figures are kept under, whatever the boundary was before
    conditions = ["p.valid_to IS NULL"]
    params: dict[str, Any] = {"kind": places.geography, "month": when.month}
    if places.geography == "area":
        if places.level is None:
            raise BadGeographyError(geography="area", layer="level")
        conditions.append("p.level = %(level)s")
        params["level"] = places.level
    if places.bbox is not None:
        conditions.append("p.geom && ST_MakeEnvelope(%(w)s, %(s)s, %(e)s, %(n)s, 4326)")
        params |= dict(zip(("w", "s", "e", "n"), places.bbox, strict=True))
    table = "unit_figures" if when.month is None else "unit_month"
    if when.month is not None:
        conditions.append("f.month = %(month)s")
    ids, matrix = read_columns(
        session,
        "p.id",
        ["p.area_m2 / 1e6" if c == AREA else f"f.{c}" for c in columns],
        f"FROM {geo}.{places.geography} p JOIN {stats}.{table} f ON f.unit_kind = %(kind)s AND f.unit_id = p.id"
        f" WHERE {' AND '.join(conditions)}",
        params,
    )
    return Figures(ids, columns, matrix)

"""Values of a public table of counts by area, at cells and at areas of any level, margins of error carried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grid.cells import parent as parents
from maps.columns import read_columns
from maps.errors import BadGeographyError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.figures import Places
    from maps.viewer import Viewer


@dataclass(frozen=True)
class ArealVariable:
    """One variable of one loaded table; ``level``: the area level its figures came for."""

    table_id: int
    variable: str
    level: int


def values(
    session: Session, viewer: Viewer, variable: ArealVariable, places: Places
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places and (value, margin of error) of each; the margin is NaN where the table has none.

    Cells and areas above the table's level are sums, with margins by the root of the sum of squares; areas below it
    take each cell's value by their share of the cell. Raises BadGeographyError for grids.
    """
    stats, geo = viewer.schema("stats"), viewer.schema("geo")
    params = {"table": variable.table_id, "variable": variable.variable, "level": places.level}
    own = "f.table_id = %(table)s AND f.variable = %(variable)s"
    if places.geography == "cell" and places.resolution is not None:
        cells, matrix = read_columns(
            session, "f.cell", ["f.value", "f.moe"], f"FROM {stats}.areal_cell f WHERE {own}", params
        )
        return _rolled_up(cells, matrix, places.resolution)
    if places.geography != "area" or places.level is None:
        raise BadGeographyError(geography=places.geography, layer=f"areal:{variable.variable}")
    if places.level == variable.level:
        source = f"FROM {stats}.areal_figure f JOIN {geo}.area a ON a.id = f.area_id WHERE {own}"
        return read_columns(session, "f.area_id", ["f.estimate", "f.moe"], source, params)
    if places.level < variable.level:
        source = (
            f"FROM {stats}.areal_figure f JOIN {geo}.area a ON a.id = f.area_id"
            f" JOIN {geo}.area up ON up.id = ANY(a.path) AND up.level = %(level)s WHERE {own} GROUP BY up.id"
        )
        return read_columns(session, "up.id", ["sum(f.estimate)", "sqrt(sum(f.moe ^ 2))"], source, params)
    source = (
        f"FROM {stats}.areal_cell f JOIN {geo}.area_cell x USING (cell) JOIN {geo}.area a ON a.id = x.area_id"
        f" WHERE {own} AND a.level = %(level)s GROUP BY a.id"
    )
    return read_columns(
        session,
        "a.id",
        ["sum(f.value * x.share_of_cell)", "sqrt(sum((f.moe * x.share_of_cell) ^ 2))"],
        source,
        params,
    )


def _rolled_up(
    cells: NDArray[np.int64], matrix: NDArray[np.float64], resolution: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    into = parents(cells.view(np.uint64), resolution)
    ids, inverse = np.unique(into, return_inverse=True)
    out = np.zeros((ids.size, 2))
    np.add.at(out, inverse, np.column_stack([matrix[:, 0], matrix[:, 1] ** 2]))
    out[:, 1] = np.sqrt(out[:, 1])
    return ids.view(np.int64), out

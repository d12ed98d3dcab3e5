"""Points to areas, exactly: who holds each point, among a thousand areas or a hundred thousand.

`AreaJoin.build` lays the areas on a fine raster once. A point in a raster cell that no border crosses is answered by
that cell's owner; in the others the few edges inside the cell decide, by exact arithmetic. The answer is the one
``geopandas.sjoin(..., predicate="intersects")`` gives, made unique:

* a point on a border, or where areas overlap, belongs to the area with the smallest code;
* a point in no area, or that is not a number, gets -1.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from grid import raster

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NOWHERE = -1
_FEWEST_CELLS, _MOST_CELLS, _CELLS_AN_EDGE = 1_000_000, 16_000_000, 16


@dataclass(frozen=True)
class AreaJoin:
    """The prepared tables; build them with `build`, keep them with `save`.

    >>> halves = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> join = AreaJoin.build(halves, ["b", "a"])
    >>> join.locate([0.5, 1.5, 1.0, 3.0], [0.5, 0.5, 0.5, 0.5]).tolist()  # the border goes to "a"
    [0, 1, 1, -1]
    """

    order: npt.NDArray[np.int32]
    frame: Floats
    table: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    more: npt.NDArray[np.bool_]
    ref: Floats
    holders: npt.NDArray[np.uint64]
    cand_start: Ints
    cand: npt.NDArray[np.int32]
    local_start: Ints
    local: Floats
    bounds_of: npt.NDArray[np.uint64]

    @classmethod
    def build(
        cls,
        shapes: Sequence[BaseGeometry] | npt.NDArray[np.object_],
        codes: Sequence[str] | Sequence[int] | npt.NDArray[np.generic],
        raster_cells: int | None = None,
    ) -> AreaJoin:
        """Prepares valid polygons or multipolygons (WGS84 degrees, or any plane); codes rank them, smallest first.

        `raster_cells` sets how fine the raster is (default: by the number of edges); it changes speed, never answers.
        """
        geometries = np.asarray(shapes, dtype=object)
        if geometries.size != len(codes):
            raise ValueError(f"{geometries.size} shapes but {len(codes)} codes")
        kinds = shapely.get_type_id(geometries)
        if not np.isin(kinds, (-1, 3, 6)).all():
            raise ValueError("areas must be polygons or multipolygons")
        order = np.argsort(np.asarray(codes), kind="stable").astype(np.int32)
        edges, edge_start, edge_ranks = _edges(geometries[order])
        frame = _frame(edges, raster_cells)
        row_y = _row_lines(edges, frame)
        number, cell_start, listed = raster.edges_by_cell(edges, frame)
        crossing = raster.crossings_by_row(edges, row_y, frame)
        table, *refs = raster.owners(
            edges, edge_start, edge_ranks, number, crossing, row_y, frame, geometries.size
        )
        cells = (np.flatnonzero(number >= 0), cell_start, listed)
        made = raster.records(edges, edge_start, edge_ranks, cells, tuple(refs), int(frame[4]), row_y)
        return cls(order, frame, table, *made)

    def locate(self, lng: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Position of each point's area in the `shapes` given to `build`, `NOWHERE` (-1) where there is none."""
        x = np.ascontiguousarray(lng, dtype=np.float64)
        y = np.ascontiguousarray(lat, dtype=np.float64)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(f"lng and lat must be arrays of one length, not {x.shape} and {y.shape}")
        ranks = np.empty(x.size, dtype=np.int32)
        raster.locate(x, y, *(getattr(self, f.name) for f in fields(self) if f.name != "order"), ranks)  # type: ignore[call-arg]
        if not self.order.size:
            return ranks
        found = self.order[ranks]
        found[ranks < 0] = NOWHERE
        return found

    @property
    def border_cell_share(self) -> float:
        """Share of raster cells that a border crosses."""
        return self.first.size / self.table.size

    def save(self, file: Path) -> None:
        """Writes the tables to `file` in one step."""
        scratch = file.with_suffix(f".{os.getpid()}.part")
        with scratch.open("wb") as out:
            np.savez(out, **{f.name: getattr(self, f.name) for f in fields(self)})
        scratch.replace(file)

    @classmethod
    def load(cls, file: Path) -> AreaJoin:
        """Reads what `save` wrote."""
        with np.load(file, allow_pickle=False) as kept:
            return cls(**{f.name: kept[f.name] for f in fields(cls)})


def _edges(geometries: npt.NDArray[np.object_]) -> tuple[Floats, Ints, npt.NDArray[np.int32]]:
    """Edges (n x 4), each stretch shared by several areas once, with offsets into the ranks of the areas it bounds."""
    parts, of_area = shapely.get_parts(geometries, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    points, of_ring = shapely.get_coordinates(rings, return_index=True)
    follows = of_ring[1:] == of_ring[:-1]
    ends = np.hstack([points[:-1], points[1:]])[follows]
    ranks = of_area[of_part[of_ring[:-1][follows]]].astype(np.int32)
    real = (ends[:, 0] != ends[:, 2]) | (ends[:, 1] != ends[:, 3])
    ends, ranks = (
        ends[real] + 0.0,
        ranks[real],
    )  # + 0.0 turns -0.0 into 0.0, so that equal edges have equal bits
    backward = (ends[:, 0] > ends[:, 2]) | ((ends[:, 0] == ends[:, 2]) & (ends[:, 1] > ends[:, 3]))
    ends[backward] = ends[backward][:, [2, 3, 0, 1]]
    mixed = np.zeros(ranks.size, dtype=np.uint64)
    for k, odd in enumerate((0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)):
        mixed = (mixed ^ np.ascontiguousarray(ends[:, k]).view(np.uint64)) * np.uint64(odd)
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed, kind="stable")
    ends, ranks = ends[order], ranks[order]
    starts = np.ones(ranks.size, dtype=np.bool_)
    starts[1:] = (ends[1:] != ends[:-1]).any(axis=1)
    offsets = np.append(np.flatnonzero(starts), ranks.size).astype(np.int64)
    return np.ascontiguousarray(ends[starts]), offsets, ranks


def _frame(edges: Floats, raster_cells: int | None) -> Floats:
    """Raster as (west, south, columns a degree, rows a degree, columns, rows); cells about square on the ground."""
    if not len(edges):
        return np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    wanted = raster_cells or int(np.clip(len(edges) * _CELLS_AN_EDGE, _FEWEST_CELLS, _MOST_CELLS))
    west, east = edges[:, [0, 2]].min(), edges[:, [0, 2]].max()
    south, north = edges[:, [1, 3]].min(), edges[:, [1, 3]].max()
    flat = max(0.05, float(np.cos(np.deg2rad(min(89.0, abs(south + north) / 2)))))
    tiny = max(abs(west), abs(east), abs(south), abs(north), 1.0) * 1e-12
    width, height = max(east - west, tiny) * flat, max(north - south, tiny)
    step = np.sqrt(width * height / wanted)
    n_x = int(np.clip(np.ceil(width / step), 1, wanted))
    n_y = int(np.clip(np.ceil(height / step), 1, wanted))
    # A hundredth of a cell on every side keeps the outermost borders inside the raster.
    wide, high = width / flat / n_x * 1.02, height / n_y * 1.02
    return np.array([west - 0.01 * wide, south - 0.01 * high, 1 / wide, 1 / high, n_x, n_y], dtype=np.float64)


def _row_lines(edges: Floats, frame: Floats) -> Floats:
    """A reference line in each raster row that passes through no corner of any area."""
    corners = np.unique(edges[:, [1, 3]])
    share = np.full(int(frame[5]), 0.5)
    while True:
        lines: Floats = frame[1] + (np.arange(share.size) + share) / frame[3]
        hit = np.isin(lines, corners)
        if not hit.any():
            return lines
        share[hit] = 0.25 + 0.5 * ((share[hit] * 7.0 + 0.137) % 1.0)

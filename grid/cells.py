"""H3 cells of many points at once, their parents, their shapes, and the cells an area covers.

`CellIndexer` prepares one city: where the city lies on one icosahedron face, a dense table over that face's hexagon
lattice answers a point in about ten nanoseconds; where it does not, the library does, and `CellIndexer.method` says so.
The answers are the h3 library's own, bit for bit: it fills the table, and it decides every point near a cell's edge.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import h3.api.basic_int as h3_int
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
import structlog
from h3ronpy import ContainmentMode
from h3ronpy import vector as h3_vector
from shapely.geometry.base import BaseGeometry

from db.errors import HexwardError
from grid import lattice

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.uint64]
Bounds = tuple[float, float, float, float]

NO_CELL = np.uint64(0)
"""What a point without a place gets: not a number, or outside -180..180, -90..90."""

_RESOLUTION_SHIFT = np.uint64(52)
_MAX_SLOTS = 40_000_000
_MAX_HALF_SPAN_DEG = 5.7  # 0.1 radians: as far as the kernel's Taylor sums are exact
_log = structlog.get_logger(__name__)


class ResolutionError(HexwardError):
    """A cell resolution that does not exist or does not fit the cells at hand."""

    code = "cells.resolution"


@dataclass
class CellIndexer:
    """Points to cells of one resolution, prepared for a rectangle in WGS84 degrees (west, south, east, north).

    Points outside the rectangle are answered too, by the library. Build it with `for_bounds` and keep it: filling
    the table takes about 0.7 microseconds a cell.

    >>> indexer = CellIndexer.for_bounds((113.9, 22.5, 114.1, 22.6))
    >>> indexer.method
    'lattice'
    >>> [f"{c:x}" for c in indexer.cells([114.05, float("nan")], [22.54, 22.54])]
    ['8a411caa008ffff', '0']
    """

    bounds: Bounds
    resolution: int
    method: Literal["lattice", "library"]
    reason: str | None = None
    _terms: Floats = field(default_factory=lambda: np.zeros(13), repr=False)
    _origin: tuple[int, int, int] = (0, 0, 0)
    _table: Cells = field(default_factory=lambda: np.zeros(0, np.uint64), repr=False)

    @classmethod
    def for_bounds(cls, bounds: Bounds, resolution: int = 10) -> CellIndexer:
        """Prepares a rectangle; falls back to the library, says so in the log and in `reason`, where it must."""
        if not 0 <= resolution <= 15:
            raise ResolutionError(resolution=resolution)
        west, south, east, north = bounds
        if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
            raise ValueError(f"not a rectangle in degrees: {bounds}")
        face = lattice.only_face(bounds)
        if face is None:
            return cls._by_library(bounds, resolution, "the area lies on two icosahedron faces")
        if max(east - west, north - south) > 2 * _MAX_HALF_SPAN_DEG:
            return cls._by_library(bounds, resolution, "the area is too wide for one table")
        flat = lattice.Lattice.on_face(face, resolution)
        if not flat.is_sound_for(bounds):
            return cls._by_library(bounds, resolution, "the area holds the centre of its icosahedron face")
        return cls._by_lattice(bounds, resolution, flat)

    @classmethod
    def _by_library(cls, bounds: Bounds, resolution: int, reason: str) -> CellIndexer:
        _log.warning("cells.library_fallback", reason=reason, bounds=bounds, resolution=resolution)
        return cls(bounds, resolution, "library", reason)

    @classmethod
    def _by_lattice(cls, bounds: Bounds, resolution: int, flat: lattice.Lattice) -> CellIndexer:
        q_low, q_high, r_low, r_high = _axial_span(bounds, flat)
        n_q, n_r = q_high - q_low + 1, r_high - r_low + 1
        if n_q * n_r > _MAX_SLOTS:
            return cls._by_library(bounds, resolution, f"{n_q * n_r} cells are too many for one table")
        table = np.zeros(n_q * n_r, dtype=np.uint64)
        for start, lng, lat in _slot_centres(flat, (q_low, q_high, r_low, r_high), bounds):
            near = np.flatnonzero(np.isfinite(lng))
            table[start + near] = by_library(lng[near], lat[near], resolution)
        west, south, east, north = bounds
        terms = flat.kernel_terms((west + east) / 2, (south + north) / 2)
        made = cls(bounds, resolution, "lattice", None, terms, (q_low, r_low, n_q), table)
        return (
            made
            if made._agrees_with_library()
            else cls._by_library(bounds, resolution, "the lattice disagrees")
        )

    def _agrees_with_library(self) -> bool:
        west, south, east, north = self.bounds
        across, up = np.meshgrid(np.linspace(west, east, 40), np.linspace(south, north, 40))
        ours = self.cells(across.ravel(), up.ravel())
        return bool((ours == by_library(across.ravel(), up.ravel(), self.resolution)).all())

    def cells(self, lng: npt.ArrayLike, lat: npt.ArrayLike) -> Cells:
        """The cell of each point (WGS84 degrees, arrays of one length), as uint64; `NO_CELL` where there is none."""
        x = np.ascontiguousarray(lng, dtype=np.float64)
        y = np.ascontiguousarray(lat, dtype=np.float64)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(f"lng and lat must be arrays of one length, not {x.shape} and {y.shape}")
        if self.method == "library":
            return by_library(x, y, self.resolution)
        out = np.zeros(x.size, dtype=np.uint64)
        undecided = np.empty(x.size, dtype=np.int64)
        q_low, r_low, n_q = self._origin
        box = np.array(self.bounds)
        count = lattice.look_up(x, y, box, self._terms, q_low, r_low, n_q, self._table, out, undecided)
        if count:
            self._decide(x, y, undecided[:count], out)
        return out

    def _decide(self, x: Floats, y: Floats, rows: npt.NDArray[np.int64], out: Cells) -> None:
        west, south, east, north = self.bounds
        px, py = x[rows], y[rows]
        within = (px >= west) & (px <= east) & (py >= south) & (py <= north)
        out[rows[~within]] = by_library(px[~within], py[~within], self.resolution)
        for row in rows[within].tolist():  # a few in a million: the reference library has the last word
            out[row] = h3_int.latlng_to_cell(float(y[row]), float(x[row]), self.resolution)

    def save(self, file: Path) -> None:
        """Writes the prepared table to `file` in one step (a half-written one is never seen)."""
        scratch = file.with_suffix(f".{os.getpid()}.part")
        with scratch.open("wb") as out:
            np.savez(
                out,
                bounds=np.array(self.bounds),
                resolution=self.resolution,
                reason=self.reason or "",
                terms=self._terms,
                origin=np.array(self._origin),
                table=self._table,
            )
        scratch.replace(file)

    @classmethod
    def load(cls, file: Path) -> CellIndexer:
        """Reads what `save` wrote."""
        with np.load(file, allow_pickle=False) as kept:
            west, south, east, north = (float(v) for v in kept["bounds"])
            q_low, r_low, n_q = (int(v) for v in kept["origin"])
            reason = str(kept["reason"]) or None
            method: Literal["lattice", "library"] = "library" if reason else "lattice"
            terms, table = kept["terms"], kept["table"]
            bounds = (west, south, east, north)
            return cls(bounds, int(kept["resolution"]), method, reason, terms, (q_low, r_low, n_q), table)


def _axial_span(bounds: Bounds, flat: lattice.Lattice) -> tuple[int, int, int, int]:
    west, south, east, north = bounds
    along = np.linspace(0.0, 1.0, 33)
    lng, lat = west + along * (east - west), south + along * (north - south)
    ends = np.ones(33)
    q, r = flat.axial(
        np.concatenate([lng, lng, west * ends, east * ends]),
        np.concatenate([south * ends, north * ends, lat, lat]),
    )
    # A parallel bows between samples, by less than a thousandth of its length squared here.
    slack_q, slack_r = 3 + 0.002 * np.ptp(q), 3 + 0.002 * np.ptp(r)
    spans = (q.min() - slack_q, q.max() + slack_q, r.min() - slack_r, r.max() + slack_r)
    return int(np.floor(spans[0])), int(np.ceil(spans[1])), int(np.floor(spans[2])), int(np.ceil(spans[3]))


def _slot_centres(
    flat: lattice.Lattice, span: tuple[int, int, int, int], bounds: Bounds
) -> Iterator[tuple[int, Floats, Floats]]:
    """Start slot and centres of runs of lattice rows; centres far from the rectangle are NaN (no point falls there)."""
    west, south, east, north = bounds
    q_low, q_high, r_low, r_high = span
    n_q = q_high - q_low + 1
    step = float(np.linalg.norm(flat.step_q))
    pad_y = float(np.rad2deg(2.5 * step))
    pad_x = pad_y / max(0.01, float(np.cos(np.deg2rad(max(abs(south), abs(north))))))
    rows = max(1, 500_000 // n_q)
    for first in range(r_low, r_high + 1, rows):
        r = np.repeat(np.arange(first, min(first + rows, r_high + 1)), n_q).astype(np.float64)
        q = np.tile(np.arange(q_low, q_high + 1), r.size // n_q).astype(np.float64)
        lng, lat = flat.degrees(q, r)
        near = (lng >= west - pad_x) & (lng <= east + pad_x) & (lat >= south - pad_y) & (lat <= north + pad_y)
        yield (first - r_low) * n_q, np.where(near, lng, np.nan), np.where(near, lat, np.nan)


def by_library(lng: Floats, lat: Floats, resolution: int) -> Cells:
    """The library's batch call (h3ronpy), with `NO_CELL` for points that are not on the globe.

    On a point that lies exactly on a cell's edge it may round to the other side than the C library does.
    """
    good = (np.abs(lng) <= 180.0) & (np.abs(lat) <= 90.0)
    out = np.zeros(lng.size, dtype=np.uint64)
    if good.all():
        return _cells_array(h3_vector.coordinates_to_cells(lat, lng, resolution)) if lng.size else out
    out[good] = by_library(lng[good], lat[good], resolution)
    return out


def _cells_array(found: object) -> Cells:
    return np.asarray(found).astype(np.uint64)


def resolution_of(cells: Cells) -> npt.NDArray[np.int64]:
    """Resolution of each cell."""
    return ((cells >> _RESOLUTION_SHIFT) & np.uint64(15)).astype(np.int64)


def parent(cells: npt.ArrayLike, resolution: int) -> Cells:
    """The parent of each cell by bit mask; `NO_CELL` stays. Raises `ResolutionError` when a cell is coarser.

    >>> [f"{c:x}" for c in parent([0x8A411CAA008FFFF, 0], 7)]
    ['87411caa0ffffff', '0']
    """
    if not 0 <= resolution <= 15:
        raise ResolutionError(resolution=resolution)
    own = np.atleast_1d(np.asarray(cells, dtype=np.uint64))
    some = own[own != NO_CELL]
    if some.size and int(resolution_of(some).min()) < resolution:
        raise ResolutionError(resolution=resolution, of_cells=int(resolution_of(some).min()))
    unused = np.uint64((1 << (3 * (15 - resolution))) - 1)
    keep = ~(np.uint64(15) << _RESOLUTION_SHIFT)
    made = (own & keep) | (np.uint64(resolution) << _RESOLUTION_SHIFT) | unused
    return np.where(own == NO_CELL, NO_CELL, made)


def roll_up(
    cells: Cells, values: npt.NDArray[np.generic], resolution: int
) -> tuple[Cells, npt.NDArray[np.generic]]:
    """Parents at `resolution` and the sums of `values` (n or n x k) over their children; `cells` sorted ascending.

    >>> parents, sums = roll_up(np.array([0x8A411CAA0087FFF, 0x8A411CAA008FFFF], np.uint64), np.array([2, 3]), 9)
    >>> [f"{c:x}" for c in parents], sums.tolist()
    (['89411caa00bffff'], [5])
    """
    if cells.size == 0:
        return cells, values
    own = parent(cells, resolution)
    if (own[1:] < own[:-1]).any():
        raise ValueError("cells must be sorted")
    starts = np.flatnonzero(np.concatenate([[True], own[1:] != own[:-1]]))
    return own[starts], np.add.reduceat(values, starts, axis=0)


def cover(
    shapes: Sequence[BaseGeometry] | npt.NDArray[np.object_], resolution: int
) -> tuple[npt.NDArray[np.int64], Cells]:
    """Every cell that touches each polygon: (row of the polygon, cell), one pair a touch, sorted."""
    wkb = shapely.to_wkb(np.asarray(shapes, dtype=object))
    found = h3_vector.wkb_to_cells(wkb, resolution, ContainmentMode.Covers, flatten=False)
    lists = pa.array(found)
    rows = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy())
    cells = lists.flatten().to_numpy().astype(np.uint64)
    order = np.lexsort((cells, rows))
    return rows[order], cells[order]


def centres(cells: Cells) -> tuple[Floats, Floats]:
    """(lng, lat) of cell centres, WGS84 degrees."""
    batch = pa.record_batch(h3_vector.cells_to_coordinates(cells))
    return batch.column("lng").to_numpy(), batch.column("lat").to_numpy()


def outlines(cells: Cells) -> npt.NDArray[np.object_]:
    """Cell outlines as shapely polygons, WGS84 degrees."""
    wkb = pa.array(h3_vector.cells_to_wkb_polygons(cells)).to_numpy(zero_copy_only=False)
    made: npt.NDArray[np.object_] = shapely.from_wkb(wkb)
    return made

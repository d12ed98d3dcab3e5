"""Bend the ideal plan into a grown city.

One smooth displacement of the plane is applied to every vertex after a canonical densification, so
that streets curve and no two sectors look alike, while shared borders stay shared to the last bit:
each segment is densified in one direction whichever polygon it is met in.
"""

from __future__ import annotations

import numpy as np
import shapely

from demo.types import Floats, Ints, Shapes, shapes_of

STEP_M = 18.0


class Warp:
    """A displacement field: waves of the size of the city, of a district, of a quarter, and the old town's."""

    def __init__(self, radius: float, old_town: float, rng: np.random.Generator) -> None:
        waves = [(radius * 1.5, radius * 0.035), (radius * 0.8, radius * 0.016)]
        waves += [(1500.0, 24.0), (620.0, 9.0), (300.0, 3.5)]
        self._global = [_Wave(length, height, rng) for length, height in waves for _ in range(2)]
        self._local = [
            _Wave(length, height, rng) for length, height in ((170.0, 5.0), (95.0, 1.8)) for _ in range(2)
        ]
        self._old_town = old_town

    def move(self, xy: Floats) -> Floats:
        """New places (n, 2) of the points (n, 2); millimetres, so that equal points stay equal."""
        shift = np.zeros_like(xy)
        for wave in self._global:
            shift += wave.shift(xy)
        near = np.exp(-((np.hypot(xy[:, 0], xy[:, 1]) / self._old_town) ** 4))[:, None]
        for wave in self._local:
            shift += near * wave.shift(xy)
        moved: Floats = np.round(xy + shift, 3)
        return moved

    def lines(self, lines: Shapes) -> Shapes:
        """LineStrings, densified and moved."""
        xy, index = shapely.get_coordinates(lines, return_index=True)
        dense, ring = _densify(xy, index)
        return shapes_of(shapely.linestrings(self.move(dense), indices=ring))

    def polygons(self, polygons: Shapes) -> Shapes:
        """Polygons (holes allowed), densified and moved."""
        rings, owner = shapely.get_rings(polygons, return_index=True)
        xy, index = shapely.get_coordinates(rings, return_index=True)
        dense, ring = _densify(xy, index)
        moved = shapes_of(shapely.linearrings(self.move(dense), indices=ring))
        return shapes_of(shapely.polygons(moved, indices=owner))


class _Wave:
    def __init__(self, length: float, height: float, rng: np.random.Generator) -> None:
        along = rng.uniform(0, 2 * np.pi)
        self._k = 2 * np.pi / (length * rng.uniform(0.8, 1.25)) * np.array([np.cos(along), np.sin(along)])
        self._phase = rng.uniform(0, 2 * np.pi)
        across = along + np.pi / 2 + rng.uniform(-0.5, 0.5)
        self._way = height * np.array([np.cos(across), np.sin(across)])

    def shift(self, xy: Floats) -> Floats:
        moved: Floats = np.sin(xy @ self._k + self._phase)[:, None] * self._way
        return moved


def _densify(xy: Floats, index: Ints) -> tuple[Floats, Ints]:
    """Vertices of the same lines with extra points every `STEP_M`, identical in both directions."""
    start, end = xy[:-1], xy[1:]
    inside = index[:-1] == index[1:]
    flip = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    low = np.where(flip[:, None], end, start)
    high = np.where(flip[:, None], start, end)
    pieces = np.maximum(1, np.ceil(np.hypot(*(high - low).T) / STEP_M)).astype(np.int64)
    pieces[~inside] = 1
    first = np.concatenate([[0], np.cumsum(pieces)])
    segment = np.repeat(np.arange(len(pieces)), pieces)
    step = np.arange(first[-1]) - first[segment]
    turned = np.where(flip[segment], pieces[segment] - step, step)
    share = (turned / pieces[segment])[:, None]
    dense = low[segment] + (high - low)[segment] * share
    exact = step == 0
    dense[exact] = start[segment[exact]]
    dense = np.vstack([dense, xy[-1:]])
    return dense, np.append(index[segment], index[-1])

"""Split polygons again and again, all at once: superblocks into quarters, quarters into blocks, blocks into plots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from demo.types import Floats, Ints, Shapes, shapes_of

#: A cut runs this far past the border it ends on, so that noding always finds the crossing.
OVERSHOOT_M = 0.25


@dataclass
class Split:
    """`pieces` with the index of the polygon each came from, and the cuts (lines) with theirs."""

    pieces: Shapes
    source: Ints
    cuts: Shapes
    cut_source: Ints


def split(
    polygons: Shapes, target_m2: Floats, jitter: Floats, rng: np.random.Generator, rounds: int = 24
) -> Split:
    """Halve every polygon across its longer side until it is near its target.

    `target_m2` and `jitter` (0 = straight and even, 1 = as an old town) are per polygon.
    """
    live, live_source = np.asarray(polygons, dtype=object), np.arange(len(polygons))
    done: list[Shapes] = []
    done_source: list[Ints] = []
    cuts: list[Shapes] = []
    cut_source: list[Ints] = []
    for _ in range(rounds):
        aim = target_m2[live_source] * rng.uniform(1.15, 1.9, len(live))
        more = shapely.area(live) > aim
        done.append(live[~more])
        done_source.append(live_source[~more])
        live, live_source = live[more], live_source[more]
        if not len(live):
            break
        blade, left, right = _blades(live, jitter[live_source], rng)
        cut, owner = _inside(blade, live)
        cuts.append(cut)
        cut_source.append(live_source[owner])
        halves, origin = shapely.get_parts(
            np.concatenate([shapely.intersection(live, left), shapely.intersection(live, right)]),
            return_index=True,
        )
        solid = (shapely.get_type_id(halves) == 3) & (shapely.area(halves) > 1.0)
        halves, origin = halves[solid], origin[solid] % len(live)
        order = np.argsort(origin, kind="stable")
        live, live_source = halves[order], live_source[origin[order]]
    done.append(live)
    done_source.append(live_source)
    source = np.concatenate(done_source)
    order = np.argsort(source, kind="stable")
    return Split(
        np.concatenate(done)[order],
        source[order],
        np.concatenate([*cuts, np.array([], dtype=object)]),
        np.concatenate([*cut_source, np.array([], dtype=np.int64)]),
    )


def _blades(live: Shapes, jitter: Floats, rng: np.random.Generator) -> tuple[Shapes, Shapes, Shapes]:
    """A line through each polygon, and the half-planes left and right of it."""
    box = shapely.get_coordinates(shapely.oriented_envelope(live)).reshape(len(live), 5, 2)
    one, two = box[:, 1] - box[:, 0], box[:, 2] - box[:, 1]
    length_one, length_two = np.hypot(*one.T), np.hypot(*two.T)
    longer = length_one >= length_two
    along = np.where(longer[:, None], one, two)
    length = np.maximum(length_one, length_two)
    unit = along / length[:, None]
    shift = rng.uniform(-1, 1, len(live)) * (0.06 + 0.10 * jitter) * length
    middle = shapely.get_coordinates(shapely.centroid(live)) + unit * shift[:, None]
    turn = rng.normal(0, 1, len(live)) * (0.015 + 0.16 * jitter)
    cos, sin = np.cos(turn), np.sin(turn)
    across = np.column_stack([-unit[:, 1] * cos - unit[:, 0] * sin, unit[:, 0] * cos - unit[:, 1] * sin])
    away = np.column_stack([across[:, 1], -across[:, 0]])
    reach = 3 * length[:, None]
    a, b = middle - across * reach, middle + across * reach
    blade = shapes_of(shapely.linestrings(np.stack([a, b], axis=1)))
    left = shapes_of(shapely.polygons(np.stack([a, b, b + away * reach, a + away * reach], axis=1)))
    right = shapes_of(shapely.polygons(np.stack([a, b, b - away * reach, a - away * reach], axis=1)))
    return blade, left, right


def _inside(blade: Shapes, live: Shapes) -> tuple[Shapes, Ints]:
    parts, owner = shapely.get_parts(shapely.intersection(blade, live), return_index=True)
    line = shapely.get_type_id(parts) == 1
    parts, owner = parts[line], owner[line]
    start = shapely.get_coordinates(shapely.get_point(parts, 0))
    end = shapely.get_coordinates(shapely.get_point(parts, -1))
    unit = (end - start) / np.maximum(np.hypot(*(end - start).T), 1e-9)[:, None]
    longer = np.stack([start - unit * OVERSHOOT_M, end + unit * OVERSHOOT_M], axis=1)
    return shapes_of(shapely.linestrings(longer)), owner

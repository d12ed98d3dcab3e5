"""Parcels: what is left of each plot when the streets around it have taken their width."""

from __future__ import annotations

import numpy as np
import shapely

from demo.grouping import rank_within
from demo.types import Floats, Ints, Shapes, Texts, shapes_of

#: Half the width of a street in metres, pavement included.
HALF_WIDTH_M: dict[str, float] = {
    "motorway": 22.0, "primary": 16.0, "secondary": 11.0, "tertiary": 7.0, "residential": 3.2, "path": 1.6,
    "rail": 11.0,
}  # fmt: skip
_PIECE = 14


def parcels(plots: Shapes, roads: Shapes, road_kind: Texts) -> Shapes:
    """The plots without the ground of the streets; a plot that streets swallow whole becomes empty."""
    wide = np.isin(road_kind, ("motorway", "primary", "secondary", "tertiary", "rail"))
    lines, line = chopped(roads[wide])
    kind = road_kind[wide][line]
    strips = shapely.buffer(lines, [HALF_WIDTH_M[name] for name in kind], quad_segs=2)
    rest = shapely.buffer(plots, -1.9, join_style="mitre")
    tree = shapely.STRtree(strips)
    plot, strip = tree.query(rest, predicate="intersects")
    for plot_now, strip_now in _rounds(plot, strip):
        rest[plot_now] = shapely.difference(rest[plot_now], strips[strip_now])
    return _largest_part(rest)


def chopped(lines: Shapes) -> tuple[Shapes, Ints]:
    """The lines in pieces of a few segments, in their order, so that what is near meets only what is near; and the
    line each piece is of."""
    xy, owner = shapely.get_coordinates(lines, return_index=True)
    place = np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")
    segment = np.flatnonzero(owner[:-1] == owner[1:])
    group = np.unique(owner[segment] * 1_000_000 + place[segment] // _PIECE, return_inverse=True)[1]
    starts = np.append(True, group[1:] != group[:-1])
    # every segment gives its end, the first one of a piece its start as well
    vertex = np.repeat(segment, 1 + starts.astype(np.int64)) + 1
    piece = np.repeat(group, 1 + starts.astype(np.int64))
    vertex[np.append(True, piece[1:] != piece[:-1])] -= 1
    return shapes_of(shapely.linestrings(xy[vertex], indices=piece)), owner[segment[starts]]


def _rounds(one: Ints, many: Ints) -> list[tuple[Ints, Ints]]:
    """Pairs in rounds in which each `one` comes up at most once."""
    turn = rank_within(one)
    return [(one[turn == number], many[turn == number]) for number in range(int(turn.max(initial=-1)) + 1)]


def _largest_part(shapes: Shapes) -> Shapes:
    result = shapes.copy()
    broken = np.flatnonzero(shapely.get_type_id(shapes) != 3)
    for number in broken:
        parts = shapely.get_parts(shapes[number])
        solid = parts[shapely.get_type_id(parts) == 3]
        result[number] = solid[np.argmax(shapely.area(solid))] if len(solid) else shapely.Polygon()
    return result


def turned_boxes(shapes: Shapes, angle: Floats) -> tuple[Floats, Floats]:
    """Lower left and upper right corner (n, 2) of each shape in a frame turned by its angle; empty shapes give 0."""
    xy, index = shapely.get_coordinates(shapes, return_index=True)
    cos, sin = np.cos(angle[index]), np.sin(angle[index])
    turned = np.column_stack([xy[:, 0] * cos + xy[:, 1] * sin, -xy[:, 0] * sin + xy[:, 1] * cos])
    low, high = np.zeros((len(shapes), 2)), np.zeros((len(shapes), 2))
    if len(index):
        present, start = np.unique(index, return_index=True)
        low[present] = np.minimum.reduceat(turned, start)
        high[present] = np.maximum.reduceat(turned, start)
    return low, high


def facing_south(shapes: Shapes) -> Floats:
    """For each shape the direction (radians) of the side of its box that runs nearest to east-west."""
    angle = np.zeros(len(shapes))
    solid = (~shapely.is_empty(shapes)) & (shapely.area(shapes) > 1.0)
    corners = shapely.get_coordinates(shapely.oriented_envelope(shapes[solid])).reshape(-1, 5, 2)
    side = corners[:, 1] - corners[:, 0]
    raw = np.arctan2(side[:, 1], side[:, 0])
    angle[solid] = (raw + np.pi / 4) % (np.pi / 2) - np.pi / 4
    return angle

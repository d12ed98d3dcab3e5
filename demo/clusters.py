"""Neighbouring pieces grown together into areas of a wanted size."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import shapely

from demo.grouping import totals
from demo.types import Floats, Ints, Shapes


@dataclass
class Borders:
    """Pairs of neighbours (`one` < `two`) and the length of the border they share, in metres."""

    one: Ints
    two: Ints
    length: Floats


def shared_borders(plots: Shapes) -> Borders:
    """Neighbours in a coverage whose vertices coincide."""
    rings, owner = shapely.get_rings(plots, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inside = ring[:-1] == ring[1:]
    start, end = xy[:-1][inside], xy[1:][inside]
    face = owner[ring[:-1][inside]]
    flip = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    key = np.where(flip[:, None], np.hstack([end, start]), np.hstack([start, end]))
    order = np.lexsort(key.T[::-1])
    key, face = key[order], face[order]
    same = np.flatnonzero((key[:-1] == key[1:]).all(axis=1))
    length = np.hypot(key[same, 2] - key[same, 0], key[same, 3] - key[same, 1])
    return regroup(Borders(face[same], face[same + 1], length), np.arange(len(plots)))


def regroup(borders: Borders, group: Ints) -> Borders:
    """The borders between the groups that the pieces belong to."""
    one, two = group[borders.one], group[borders.two]
    apart = one != two
    low, high = np.minimum(one, two)[apart], np.maximum(one, two)[apart]
    pair, inverse = np.unique(np.column_stack([low, high]), axis=0, return_inverse=True)
    length = totals(inverse.ravel(), borders.length[apart], len(pair))
    return Borders(pair[:, 0], pair[:, 1], length)


def grow(weight: Floats, borders: Borders, target: float, *, inside: Ints, together: Ints) -> Ints:
    """Merge pieces until each cluster weighs about `target`; returns the cluster number of each piece.

    Pieces merge only with the same `inside` value (a cluster never crosses a district) and prefer those with the
    same `together` value (the same superblock), so that borders come to lie on the larger streets. The lightest
    cluster always moves first, to the neighbour it shares most border with.
    """
    heavy = 1.45 * target
    parent = np.arange(len(weight))
    total = weight.astype(float).copy()
    near: list[dict[int, float]] = [{} for _ in range(len(weight))]
    for one, two, length in zip(
        borders.one.tolist(), borders.two.tolist(), borders.length.tolist(), strict=True
    ):
        if inside[one] == inside[two]:
            value = length * (4.0 if together[one] == together[two] else 1.0)
            near[one][two] = near[two][one] = value
    queue = [(float(value), number) for number, value in enumerate(total)]
    heapq.heapify(queue)
    while queue:
        value, number = heapq.heappop(queue)
        if parent[number] != number or value != total[number] or value >= 0.62 * target:
            continue
        limit = heavy if value > 0.12 * target else 1e18
        fits = [(length, -other) for other, length in near[number].items() if total[other] + value <= limit]
        if not fits:
            continue
        other = -max(fits)[1]
        _absorb(near, parent, number, other)
        total[other] += value
        heapq.heappush(queue, (float(total[other]), other))
    return _roots(parent)


def _absorb(near: list[dict[int, float]], parent: Ints, number: int, other: int) -> None:
    """`number` becomes part of `other`: its borders are the other's now."""
    parent[number] = other
    del near[other][number]
    for third, length in near[number].items():
        if third == other:
            continue
        del near[third][number]
        near[third][other] = near[third].get(other, 0.0) + length
        near[other][third] = near[other].get(third, 0.0) + length
    near[number] = {}


def _roots(parent: Ints) -> Ints:
    root = parent.copy()
    while True:
        higher = root[root]
        if (higher == root).all():
            break
        root = higher
    numbers: Ints = np.unique(root, return_inverse=True)[1]
    return numbers


def mend(group: Ints, borders: Borders, weight: Floats) -> Ints:
    """Every group in one piece: what is cut off from its main part joins the neighbour with the longest border."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    group = group.copy()
    for _ in range(6):
        same = group[borders.one] == group[borders.two]
        matrix = coo_matrix((np.ones(same.sum()), (borders.one[same], borders.two[same])), (len(group),) * 2)
        part = connected_components(matrix, directed=False)[1]
        heaviness = totals(part, weight + 1e-6)
        first = np.unique(part, return_index=True)[1]
        main: dict[int, int] = {}
        for number in np.argsort(-heaviness, kind="stable"):
            main.setdefault(int(group[first[number]]), int(number))
        lost = ~np.isin(part, list(main.values()))
        if not lost.any():
            break
        edges = np.concatenate(
            [np.column_stack([borders.one, borders.two]), np.column_stack([borders.two, borders.one])]
        )
        length = np.concatenate([borders.length, borders.length])
        out = lost[edges[:, 0]] & ~lost[edges[:, 1]]
        best: dict[tuple[int, int], float] = {}
        for (one, two), metres in zip(edges[out].tolist(), length[out].tolist(), strict=True):
            key = (int(part[one]), int(group[two]))
            best[key] = best.get(key, 0.0) + metres
        for (piece, goal), _ in sorted(best.items(), key=lambda item: item[1]):
            group[part == piece] = goal
    numbers: Ints = np.unique(group, return_inverse=True)[1]
    return numbers

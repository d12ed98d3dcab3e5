"""Legal grids proposed inside communities: about 10,000 m2 each, along streets and land use where they are known.

A community is cut along the lines it is given (street middles, edges of land use). Blocks that are still too large are
halved across their longer side until they are about the target; pieces that are too small join the neighbour with the
longest common border. Where buildings are known, the cut with the least building in it is taken near the middle.

All pieces of a community come out of one network of lines, so neighbours share their corners exactly and together are
the community: nothing overlaps and nothing is left over. The same input gives the same grids.

A 3-digit sequence numbers 999 grids at most, so a community too large for that gets a proportionally larger target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from grid.codes import MOST_GRIDS, grid_code, reading_order
from grid.measure import area_m2, local_plane, only_polygons

Shapes = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]

TARGET_M2 = 10_000.0
_SPLIT_OVER = 1.5  # a block is halved while it is larger than this many targets
_JOIN_UNDER = 0.35  # a piece smaller than this joins a neighbour
_OVERSHOOT_M = 0.02
_BEYOND_M = 1.0
_SHIFTS = (0.0, -0.06, 0.06, -0.12, 0.12)
_MOST_ROUNDS = 40


@dataclass(frozen=True)
class Proposal:
    """Proposed grids of several communities, in order of code; `of` is each grid's community (position given)."""

    shapes: Shapes
    codes: list[str]
    of: npt.NDArray[np.int64]


def propose(
    communities: Sequence[BaseGeometry] | Shapes,
    codes: Sequence[str],
    *,
    lines: Sequence[BaseGeometry] | Shapes | None = None,
    buildings: Sequence[BaseGeometry] | Shapes | None = None,
    target_m2: float = TARGET_M2,
) -> Proposal:
    """Proposes grids for each community (WGS84 polygons, with their codes).

    `lines` are streets (lines) or land use (polygons, whose edges count); `buildings` polygons that cuts should spare.

    >>> made = propose([shapely.box(114.0, 22.5, 114.004, 22.502)], ["440305007001"])
    >>> len(made.codes), made.codes[0]
    (9, '440305007001001')
    """
    given = np.asarray(communities, dtype=object)
    plane = _Plane.about(given)
    homes = plane.flat(given)
    targets = np.maximum(target_m2, shapely.area(homes) / (MOST_GRIDS * 0.7))
    cuts = _edges_of(plane, lines)
    houses = (
        plane.flat(np.asarray(buildings, dtype=object)) if buildings is not None and len(buildings) else None
    )
    pieces, of = _blocks(homes, cuts)
    drawn, of_drawn = _halve(pieces, of, targets, houses)
    shapes: list[BaseGeometry] = []
    names: list[str] = []
    owners: list[int] = []
    near = _lines_by_home(homes, cuts)
    for k in range(given.size):
        network = [*near[k], *drawn[of_drawn == k]]
        faces = _faces(given[k], homes[k], plane, network, float(targets[k]))
        middle = shapely.get_coordinates(shapely.centroid(faces))
        height = float(np.sqrt(targets[k])) / plane.metres_lat
        for place in reading_order(middle[:, 0], middle[:, 1], height).tolist():
            shapes.append(faces[place])
            owners.append(k)
        names += [grid_code(codes[k], n) for n in range(1, len(faces) + 1)]
    return Proposal(
        only_polygons(np.array([*shapes, None], dtype=object)[:-1]), names, np.array(owners, dtype=np.int64)
    )


@dataclass(frozen=True)
class _Plane:
    """Degrees to metres about one place and back: enough to choose cuts by; areas are measured elsewhere."""

    lng0: float
    lat0: float
    metres_lng: float
    metres_lat: float

    @classmethod
    def about(cls, shapes: Shapes) -> _Plane:
        west, south, east, north = shapely.total_bounds(shapes) if shapes.size else (0.0, 0.0, 0.0, 0.0)
        lng0, lat0 = float(west + east) / 2, float(south + north) / 2
        return cls(lng0, lat0, *local_plane(lng0, lat0))

    def flat(self, shapes: Shapes) -> Shapes:
        scale, origin = np.array([self.metres_lng, self.metres_lat]), np.array([self.lng0, self.lat0])
        return np.atleast_1d(shapely.transform(shapes, lambda c: (c - origin) * scale))

    def degrees(self, shapes: Shapes) -> Shapes:
        scale, origin = np.array([self.metres_lng, self.metres_lat]), np.array([self.lng0, self.lat0])
        return np.atleast_1d(shapely.transform(shapes, lambda c: c / scale + origin))


def _edges_of(plane: _Plane, lines: Sequence[BaseGeometry] | Shapes | None) -> Shapes:
    if lines is None or not len(lines):
        return np.zeros(0, dtype=object)
    flat = plane.flat(np.asarray(lines, dtype=object))
    areal = shapely.get_dimensions(flat) == 2
    flat[areal] = shapely.boundary(flat[areal])
    return shapely.get_parts(flat[shapely.get_dimensions(flat) == 1])


def _lines_by_home(homes: Shapes, cuts: Shapes) -> list[Shapes]:
    if not cuts.size:
        return [np.zeros(0, dtype=object)] * homes.size
    home, line = shapely.STRtree(cuts).query(homes, predicate="intersects")
    # Cut off a little outside: an end that rounding leaves just short of the outline would not divide anything.
    inside = shapely.intersection(cuts[line], shapely.buffer(homes, _BEYOND_M, quad_segs=2)[home])
    found: list[Shapes] = []
    for k in range(homes.size):
        parts = shapely.get_parts(inside[home == k])
        found.append(shapely.get_parts(parts[shapely.get_dimensions(parts) == 1]))
    return found


def _blocks(homes: Shapes, cuts: Shapes) -> tuple[Shapes, npt.NDArray[np.int64]]:
    """Each community divided by its lines, and whose each block is."""
    blocks, owners = [], []
    for k, inside in enumerate(_lines_by_home(homes, cuts)):
        if not inside.size:
            parts = shapely.get_parts(homes[k])
        else:
            network = shapely.union_all(np.append(inside, shapely.boundary(homes[k])))
            parts = shapely.get_parts(shapely.polygonize([network]))
            parts = parts[shapely.contains(homes[k], shapely.point_on_surface(parts))]
        blocks.append(parts)
        owners.append(np.full(len(parts), k, dtype=np.int64))
    if not blocks:
        return np.zeros(0, dtype=object), np.zeros(0, dtype=np.int64)
    return np.concatenate(blocks), np.concatenate(owners)


def _halve(
    pieces: Shapes, of: npt.NDArray[np.int64], targets: Floats, houses: Shapes | None
) -> tuple[Shapes, npt.NDArray[np.int64]]:
    """Cut lines, all pieces of all communities a round at a time, until no piece is too large; and whose each is."""
    drawn: list[Shapes] = []
    owners: list[npt.NDArray[np.int64]] = []
    tree = shapely.STRtree(houses) if houses is not None else None
    for _ in range(_MOST_ROUNDS):
        large = shapely.area(pieces) > _SPLIT_OVER * targets[of]
        pieces, of = pieces[large], of[large]
        if not pieces.size:
            break
        along, centre, length = _long_axis(pieces)
        count = np.maximum(2, np.round(shapely.area(pieces) / targets[of]))
        share = np.floor(count / 2) / count
        at = _quantile(pieces, along, centre, length, share)
        if tree is not None and houses is not None:
            at = _spare(pieces, along, centre, at, length, tree=tree, houses=houses)
        line = _across(pieces, along, centre, at)
        low = shapely.intersection(pieces, _half(along, centre, at, length, upper=False))
        high = shapely.intersection(pieces, _half(along, centre, at, length, upper=True))
        inside, whose = shapely.get_parts(shapely.intersection(line, pieces), return_index=True)
        straight = shapely.get_dimensions(inside) == 1
        drawn.append(_longer(inside[straight]))
        owners.append(of[whose[straight]])
        parts, whose = shapely.get_parts(np.concatenate([low, high]), return_index=True)
        flat = shapely.get_dimensions(parts) == 2
        pieces, of = parts[flat], np.concatenate([of, of])[whose[flat]]
    if not drawn:
        return np.zeros(0, dtype=object), np.zeros(0, dtype=np.int64)
    return np.concatenate(drawn), np.concatenate(owners)


def _long_axis(pieces: Shapes) -> tuple[Floats, Floats, Floats]:
    """Unit vector along each piece's smallest rectangle's longer side, its middle, and the side's length."""
    rectangles = shapely.oriented_envelope(pieces)
    corners = shapely.get_coordinates(rectangles).reshape(-1, 5, 2)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    long_first = np.hypot(*first.T) >= np.hypot(*second.T)
    side = np.where(long_first[:, None], first, second)
    length = np.hypot(*side.T)
    along = side / length[:, None]
    along *= np.where((along[:, 0] < 0) | ((along[:, 0] == 0) & (along[:, 1] < 0)), -1.0, 1.0)[:, None]
    return along, corners[:, :4].mean(axis=1), length


def _half(along: Floats, centre: Floats, at: Floats, length: Floats, *, upper: bool) -> Shapes:
    """The half plane (as a large rectangle) below or above the cut at distance `at` from the middle."""
    normal = np.column_stack([-along[:, 1], along[:, 0]])
    foot = centre + along * at[:, None]
    reach = (length * 2)[:, None]
    far = along * (reach if upper else -reach)
    ring = np.stack(
        [
            foot - normal * reach,
            foot + normal * reach,
            foot + normal * reach + far,
            foot - normal * reach + far,
        ],
        1,
    )
    return np.asarray(shapely.polygons(ring))


def _across(pieces: Shapes, along: Floats, centre: Floats, at: Floats) -> Shapes:
    normal = np.column_stack([-along[:, 1], along[:, 0]])
    foot = centre + along * at[:, None]
    bounds = shapely.bounds(pieces)
    reach = np.hypot(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])[:, None]
    return np.asarray(shapely.linestrings(np.stack([foot - normal * reach, foot + normal * reach], 1)))


def _quantile(pieces: Shapes, along: Floats, centre: Floats, length: Floats, share: Floats) -> Floats:
    """Where the cut leaves `share` of the piece below it, by three steps of false position."""
    whole = shapely.area(pieces)
    low, high = -length / 2, length / 2
    f_low, f_high = -share, 1 - share
    at = low + (high - low) * share
    for _ in range(3):
        below = shapely.area(shapely.intersection(pieces, _half(along, centre, at, length, upper=False)))
        f = below / whole - share
        up = f > 0
        high, f_high = np.where(up, at, high), np.where(up, f, f_high)
        low, f_low = np.where(up, low, at), np.where(up, f_low, f)
        at = low + (high - low) * np.clip(-f_low / np.maximum(f_high - f_low, 1e-9), 0.05, 0.95)
    return at


def _spare(
    pieces: Shapes,
    along: Floats,
    centre: Floats,
    at: Floats,
    length: Floats,
    *,
    tree: shapely.STRtree,
    houses: Shapes,
) -> Floats:
    """Of the cuts near `at` the one that runs through the least building."""
    best, best_cost = at.copy(), np.full(at.size, np.inf)
    for shift in _SHIFTS:
        tried = at + shift * length
        line = shapely.intersection(_across(pieces, along, centre, tried), pieces)
        own, house = tree.query(line, predicate="intersects")
        cost = np.zeros(at.size)
        np.add.at(cost, own, shapely.length(shapely.intersection(line[own], houses[house])))
        cost += np.where(shapely.length(line) > 0, 0.0, np.inf)
        better = cost < best_cost - 1e-6
        best, best_cost = np.where(better, tried, best), np.where(better, cost, best_cost)
    return best


def _longer(lines: Shapes) -> Shapes:
    """Lines drawn on by two centimetres at both ends, so that each surely meets what it ends at."""
    ends = shapely.get_coordinates(lines[shapely.get_num_coordinates(lines) == 2]).reshape(-1, 2, 2)
    run = ends[:, 1] - ends[:, 0]
    run /= np.maximum(np.hypot(*run.T), 1e-12)[:, None]
    straight = shapely.linestrings(
        np.stack([ends[:, 0] - run * _OVERSHOOT_M, ends[:, 1] + run * _OVERSHOOT_M], 1)
    )
    out = lines.copy()
    out[shapely.get_num_coordinates(lines) == 2] = straight
    return out


def _faces(
    home: BaseGeometry, flat: BaseGeometry, plane: _Plane, network: list[BaseGeometry], target: float
) -> Shapes:
    """The faces of a community's outline and its lines, small ones joined to a neighbour, in degrees."""
    if not network:
        return shapely.get_parts(home)
    inner = plane.degrees(np.array([*network, None], dtype=object)[:-1])
    noded = shapely.union_all(np.array([*inner, shapely.boundary(home)], dtype=object))
    faces = shapely.get_parts(shapely.polygonize([noded]))
    faces = faces[shapely.contains(home, shapely.point_on_surface(faces))]
    return _joined(faces, target)


def _joined(faces: Shapes, target: float) -> Shapes:
    """Joins pieces that are too small, smallest first, to the neighbour with the longest common border."""
    ground = area_m2(faces)
    if faces.size < 2 or ground.min() >= _JOIN_UNDER * target:
        return faces
    group = np.arange(faces.size)
    left, right = shapely.STRtree(faces).query(faces, predicate="touches")
    once = left < right
    left, right = left[once], right[once]
    border = shapely.length(
        shapely.intersection(shapely.boundary(faces[left]), shapely.boundary(faces[right]))
    )
    left, right, border = left[border > 0], right[border > 0], border[border > 0]
    while True:
        size = np.bincount(group, weights=ground, minlength=faces.size)
        a, b = group[left], group[right]
        apart = a != b
        small = np.flatnonzero((size > 0) & (size < _JOIN_UNDER * target))
        small = small[np.isin(small, np.concatenate([a[apart], b[apart]]))]
        if not small.size:
            break
        least = small[np.argmin(size[small])]
        mine = apart & ((a == least) | (b == least))
        other = np.where(a[mine] == least, b[mine], a[mine])
        common = np.bincount(other, weights=border[mine], minlength=faces.size)
        group[group == least] = int(np.argmax(common))
    return np.array([shapely.coverage_union_all(faces[group == g]) for g in np.unique(group)], dtype=object)

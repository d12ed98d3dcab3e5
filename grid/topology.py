"""Whether a layer of areas is sound: each fault named, located, and repaired only when asked to.

Kinds of finding: ``invalid`` (a shape that crosses itself), ``overlap`` (ground held by two areas), ``gap`` (ground
between two or more areas that none holds, or that the area above holds and none of its parts does), ``hole`` (ground
inside one area that nobody holds), ``outside`` (ground of an area outside the area above).

Overlaps, gaps and holes below `Tolerance.ignore_m2` are rounding, not faults. Repairs, each recorded in its finding:
an invalid shape is rebuilt from its rings; an overlap stays with the smaller code (the rule points on borders follow);
a hole up to `Tolerance.fill_m2` is filled by the area around it, a gap by the neighbour with the longest common border;
what lies outside is left, since cutting ground off is not a repair.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from grid.measure import area_m2, only_polygons

Shapes = npt.NDArray[np.object_]
Kind = Literal["invalid", "overlap", "gap", "hole", "outside"]

_PLACE = re.compile(r"\[(\S+) (\S+)\]")


@dataclass(frozen=True)
class Tolerance:
    """Square metres below which a fault is rounding, and up to which a gap or hole is filled when repairing."""

    ignore_m2: float = 1.0
    fill_m2: float = 50_000.0


@dataclass(frozen=True)
class Finding:
    """One fault: where (WGS84), how large, whose (one code, or two); `repair` says what was done, None if nothing."""

    kind: Kind
    code: str | None
    other_code: str | None
    lng: float
    lat: float
    area_m2: float
    detail: str = ""
    repair: str | None = None


@dataclass(frozen=True)
class Checked:
    """The shapes after the check (repaired ones where asked) and what was found."""

    shapes: Shapes
    findings: list[Finding]


def check(
    shapes: Sequence[BaseGeometry] | Shapes,
    codes: Sequence[str],
    *,
    within: BaseGeometry | None = None,
    repair: bool = False,
    tolerance: Tolerance | None = None,
) -> Checked:
    """Checks polygons of one layer against each other, and against `within` (the area above) if given.

    Returns multipolygons in the same order. Without `repair` shapes come back as they were; invalid ones then take part
    in the search for overlaps and gaps in their rebuilt form, so one fault does not hide another.

    >>> found = check([shapely.box(0, 0, 1e-3, 1e-3), shapely.box(9e-4, 0, 2e-3, 1e-3)], ["a", "b"]).findings
    >>> [(f.kind, f.code, f.other_code, round(f.area_m2)) for f in found]
    [('overlap', 'a', 'b', 1231)]
    """
    limits = tolerance or Tolerance()
    given = np.asarray(shapes, dtype=object)
    names = [str(code) for code in codes]
    sound, findings = _rebuild(given, names, repair)
    sound, found = _overlaps(sound, names, repair, limits)
    findings += found
    sound, found = _gaps(sound, names, within, repair, limits)
    findings += found
    if within is not None:
        findings += _outside(sound, names, within, limits)
    return Checked(only_polygons(sound) if repair else given, findings)


def _rebuild(shapes: Shapes, codes: list[str], repair: bool) -> tuple[Shapes, list[Finding]]:
    bad = np.flatnonzero(~shapely.is_valid(shapes) & ~shapely.is_missing(shapes))
    sound = shapes.copy()
    findings = []
    for k in bad.tolist():
        reason = str(shapely.is_valid_reason(shapes[k]))
        rebuilt = only_polygons(shapely.make_valid(shapes[[k]], method="structure", keep_collapsed=False))[0]
        sound[k] = rebuilt
        before, after = float(shapely.area(shapes[k])), float(area_m2(rebuilt)[0])
        place = _PLACE.search(reason)
        middle = shapely.get_coordinates(shapes[k])[0]
        lng, lat = (float(place[1]), float(place[2])) if place else (float(middle[0]), float(middle[1]))
        done = f"rebuilt from its rings, {after:.1f} m2" if repair else None
        detail = reason.split("[", maxsplit=1)[0]
        findings.append(Finding("invalid", codes[k], None, lng, lat, after if before else 0.0, detail, done))
    return sound, findings


def _overlaps(
    shapes: Shapes, codes: list[str], repair: bool, limits: Tolerance
) -> tuple[Shapes, list[Finding]]:
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    apart = shapely.touches(shapes[left], shapes[right])
    left, right = left[~apart], right[~apart]
    shared = shapely.intersection(shapes[left], shapes[right])
    ground = area_m2(shared)
    shapes = shapes.copy()
    findings = []
    for k in np.flatnonzero(ground > limits.ignore_m2).tolist():
        keeps, loses = sorted((int(left[k]), int(right[k])), key=lambda n: codes[n])
        at = _inside(shared[k])
        done = None
        if repair:
            shapes[loses] = shapely.difference(shapes[loses], shapes[keeps])
            done = f"left with {codes[keeps]}, taken from {codes[loses]}"
        findings.append(Finding("overlap", codes[keeps], codes[loses], *at, float(ground[k]), "", done))
    return shapes, findings


def _inside(shape: BaseGeometry) -> tuple[float, float]:
    point = shapely.point_on_surface(only_polygons(np.array([shape], dtype=object))[0])
    return float(point.x), float(point.y)


def _gaps(
    shapes: Shapes, codes: list[str], within: BaseGeometry | None, repair: bool, limits: Tolerance
) -> tuple[Shapes, list[Finding]]:
    whole = shapely.union_all(shapes)
    rings, of_part = shapely.get_rings(shapely.get_parts(whole), return_index=True)
    holes = shapely.polygons(
        rings[1:][of_part[1:] == of_part[:-1]]
    )  # the first ring of a part is its outline
    if within is not None:
        holes = shapely.get_parts(only_polygons(np.array([shapely.difference(within, whole)], dtype=object)))
    empty = np.asarray(holes, dtype=object)
    ground = area_m2(empty) if empty.size else np.zeros(0)
    tree = shapely.STRtree(shapes)
    shapes = shapes.copy()
    findings = []
    for k in np.flatnonzero(ground > limits.ignore_m2).tolist():
        near = np.unique(tree.query(empty[k], predicate="intersects"))
        border = shapely.length(
            shapely.intersection(shapely.boundary(shapes[near]), shapely.boundary(empty[k]))
        )
        order = np.lexsort(([codes[n] for n in near], -border))
        around = [int(near[n]) for n in order if border[n] > 0]
        first = codes[around[0]] if around else None
        other = codes[around[1]] if len(around) > 1 else None
        alone = len(around) == 1 and within is None
        done, detail = None, ""
        if repair and around and ground[k] <= limits.fill_m2:
            shapes[around[0]] = shapely.union(shapes[around[0]], empty[k])
            done = f"given to {first}"
        elif repair and around:
            detail = f"larger than {limits.fill_m2:.0f} m2, left as it is"
        at = _inside(empty[k])
        findings.append(
            Finding("hole" if alone else "gap", first, other, *at, float(ground[k]), detail, done)
        )
    return shapes, findings


def _outside(shapes: Shapes, codes: list[str], within: BaseGeometry, limits: Tolerance) -> list[Finding]:
    beyond = shapely.difference(shapes, within)
    ground = area_m2(beyond)
    return [
        Finding("outside", codes[k], None, *_inside(beyond[k]), float(ground[k]))
        for k in np.flatnonzero(ground > limits.ignore_m2).tolist()
    ]


def largest_first(findings: Sequence[Finding], most: int) -> list[Finding]:
    """The `most` findings worth showing first: invalid shapes, then by size."""
    return sorted(findings, key=lambda f: (f.kind != "invalid", -f.area_m2))[:most]

"""The skeleton of the city: outline, river, ring roads, radial roads and the railway.

Everything here lies in ideal space, metres around the centre, before `warp` bends it. Ring roads are
rounded squares, as in most Chinese cities; the main axes cross in the centre, further radials start
at the inner rings; the river sweeps past the centre, the railway crosses on the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely import LineString, MultiLineString, Polygon

from demo.sizes import Size
from demo.types import Floats


@dataclass(frozen=True)
class Line:
    """A line of the network: `kind` is a road class, `bank`, `rail` or `edge`."""

    kind: str
    name: str
    geom: LineString | MultiLineString


@dataclass
class Plan:
    """The skeleton in ideal space, and the angle `tilt` by which its axes are turned."""

    radius: float
    tilt: float
    rings: list[float]
    outline: Polygon
    water: Polygon
    river: LineString
    river_width: float
    rail: LineString
    station: tuple[float, float]
    lines: list[Line] = field(default_factory=list)

    def relative_radius(self, xy: Floats) -> Floats:
        """Distance from the centre in the metric of the ring roads; 1 near the outline."""
        return self._ring_distance(xy) / self.radius

    def _ring_distance(self, xy: Floats) -> Floats:
        angle = np.arctan2(xy[:, 1], xy[:, 0]) - self.tilt
        distance: Floats = np.hypot(xy[:, 0], xy[:, 1]) / _squareness(angle)
        return distance


def _squareness(angle: Floats, power: float = 3.0) -> Floats:
    """Radius of a rounded square of half-width 1 in the direction `angle`, its mean about 1.06."""
    shape: Floats = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    return shape * 0.95


def _ring(radius: float, tilt: float, wobble: Floats) -> Floats:
    count = max(48, int(2 * np.pi * radius / 90))
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    distance = radius * _squareness(angle - tilt)
    for order, (size, phase) in enumerate(wobble, start=1):
        distance = distance * (1 + size * np.cos(order * angle + phase))
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle)])


def _wobble(rng: np.random.Generator, sizes: tuple[float, ...]) -> Floats:
    return np.column_stack(
        [np.array(sizes) * rng.uniform(0.6, 1.2, len(sizes)), rng.uniform(0, 2 * np.pi, len(sizes))]
    )


def draw_plan(size: Size, rng: np.random.Generator) -> Plan:
    """The skeleton of a city of that size."""
    radius = size.radius_m
    tilt = float(rng.uniform(-0.16, 0.16))
    rings = _ring_radii(radius)
    outline = Polygon(_ring(radius, tilt, _wobble(rng, (0.03, 0.06, 0.04, 0.02))))
    river, width = _river(radius, rng)
    water = river.buffer(width / 2, cap_style="flat", quad_segs=4)
    rail, station = _rail(radius, tilt, rng)
    plan = Plan(radius, tilt, rings, outline, water, river, width, rail, station)
    plan.lines += _ring_lines(plan, rng)
    plan.lines += _radial_lines(plan, rng)
    plan.lines += _river_lines(plan)
    plan.lines.append(Line("rail", "铁路", rail))
    plan.lines.append(Line("edge", "", LineString(np.vstack([outline.exterior.coords]))))
    return plan


def _ring_radii(radius: float) -> list[float]:
    count = int(np.clip(round(1.45 * np.log(radius / 380.0)), 1, 6))
    return [float(radius * ((k + 1) / (count + 0.5)) ** 1.3) for k in range(count)]


def _river(radius: float, rng: np.random.Generator) -> tuple[LineString, float]:
    width = float(np.clip(0.055 * radius, 38.0, 420.0))
    t = np.linspace(-1.75, 1.75, 141)
    offset = -rng.uniform(0.36, 0.46)
    bend = 0.13 * np.sin(2 * np.pi * t / rng.uniform(2.0, 2.5) + rng.uniform(0, 2 * np.pi))
    bend += 0.05 * np.sin(2 * np.pi * t / rng.uniform(0.85, 1.1) + rng.uniform(0, 2 * np.pi))
    xy = np.column_stack([t, offset + bend]) * radius
    return LineString(_turned(xy, float(rng.uniform(-0.45, 0.45)))), width


def _rail(radius: float, tilt: float, rng: np.random.Generator) -> tuple[LineString, tuple[float, float]]:
    t = np.linspace(-1.75, 1.75, 61)
    offset = rng.uniform(0.50, 0.58)
    xy = np.column_stack([t, offset + 0.10 * t**2 * rng.choice([-1.0, 1.0]) + 0.05 * np.sin(2 * t)]) * radius
    turned = _turned(xy, tilt + float(rng.uniform(-0.2, 0.2)))
    line = LineString(turned)
    station = line.interpolate(
        line.project(shapely.Point(_turned(np.array([[0.04, offset]]) * radius, tilt)[0]))
    )
    return line, (station.x, station.y)


def _turned(xy: Floats, angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Floats = xy @ np.array([[cos, sin], [-sin, cos]])
    return turned


RING_NAMES = ("环城路", "内环路", "中环路", "外环路", "绕城大道", "环都大道")


def _ring_lines(plan: Plan, rng: np.random.Generator) -> list[Line]:
    lines = []
    for number, radius in enumerate(plan.rings):
        xy = _ring(radius, plan.tilt, _wobble(rng, (0.03, 0.035, 0.02)))
        kind = "motorway" if plan.radius > 4000 and number >= len(plan.rings) - 2 else "primary"
        lines.append(Line(kind, RING_NAMES[number], LineString(np.vstack([xy, xy[:1]]))))
    return lines


AXIS_NAMES = ("人民东路", "中山北路", "人民西路", "中山南路")


def _radial_lines(plan: Plan, rng: np.random.Generator) -> list[Line]:
    """Four axes from the centre, diagonals from the first ring, and again more from the third ring."""
    far = plan.radius * 1.7
    lines = []
    for number in range(4):
        angle = plan.tilt + number * np.pi / 2 + rng.uniform(-0.06, 0.06)
        lines.append(Line("primary", AXIS_NAMES[number], _spoke(0.0, far, angle, rng)))
    for ring, per_quarter in ((0, 1), (2, 2), (4, 4)):
        if ring >= len(plan.rings) or (ring == 0 and len(plan.rings) < 2):
            continue
        spokes = 4 * per_quarter
        for number in range(spokes):
            base = plan.tilt + (number + 0.5) * 2 * np.pi / spokes
            start = plan.rings[ring] * float(_squareness(np.array([base - plan.tilt]))[0])
            angle = base + rng.uniform(-0.2, 0.2) / per_quarter
            if rng.random() < 0.12 and per_quarter == 1:
                continue
            lines.append(
                Line("primary" if ring == 0 else "secondary", "", _spoke(start * 0.985, far, angle, rng))
            )
    return lines


def _spoke(start: float, end: float, angle: float, rng: np.random.Generator) -> LineString:
    t = np.linspace(start, end, max(6, int((end - start) / 300)))
    drift = rng.uniform(-0.12, 0.12) * ((t - start) / end) ** 2 + rng.uniform(-0.03, 0.03) * np.sin(
        t / end * 6
    )
    return LineString(np.column_stack([t * np.cos(angle + drift), t * np.sin(angle + drift)]))


def _river_lines(plan: Plan) -> list[Line]:
    strip = plan.river_width / 2 + np.clip(plan.river_width * 0.45, 26.0, 110.0)
    lines = [Line("middle", "", plan.river)]
    for side, name in ((1, "江北滨河路"), (-1, "江南滨河路")):
        lines.append(Line("bank", "", plan.river.offset_curve(side * plan.river_width / 2)))
        lines.append(Line("secondary", name, plan.river.offset_curve(side * strip)))
    return lines

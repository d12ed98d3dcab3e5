"""What each quarter of the city is: old town, work-unit compounds, new estates, urban villages, factories ...

A quarter gets its kind by quota: for each kind, quarters are ranked by how well their place suits it
(distance from the centre, river, railway, the industrial side) and the best take it until its share
of the land is reached. So every size has each kind at least once, and none is scattered at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from demo.grouping import rank_within
from demo.plan import Plan
from demo.types import Flags, Floats, Ints, Shapes, Texts


@dataclass(frozen=True)
class Kind:
    """A kind of quarter or block: its land-use class, the size of its blocks and plots, how irregular it is."""

    land_use: str
    block_m2: float
    plot_m2: float
    jitter: float


KINDS: dict[str, Kind] = {
    "oldtown": Kind("residential", 8_500, 6_000, 0.9),
    "danwei": Kind("residential", 26_000, 11_500, 0.25),
    "estate": Kind("residential", 46_000, 14_500, 0.2),
    "village": Kind("residential", 12_500, 7_500, 0.75),
    "dormitory": Kind("residential", 20_000, 10_500, 0.15),
    "campus": Kind("public", 52_000, 17_000, 0.25),
    "commercial": Kind("commercial", 17_000, 12_000, 0.2),
    "industrial": Kind("industrial", 42_000, 19_000, 0.15),
    "school": Kind("public", 24_000, 14_000, 0.2),
    "kindergarten": Kind("public", 9_000, 9_000, 0.2),
    "hospital": Kind("public", 30_000, 16_000, 0.2),
    "government": Kind("public", 24_000, 24_000, 0.2),
    "market": Kind("commercial", 14_000, 14_000, 0.2),
    "station": Kind("transport", 40_000, 40_000, 0.2),
    "square": Kind("green", 20_000, 20_000, 0.2),
    "stadium": Kind("public", 60_000, 60_000, 0.2),
    "park": Kind("green", 90_000, 24_000, 0.6),
    "riverside": Kind("green", 40_000, 18_000, 0.3),
    "verge": Kind("green", 60_000, 30_000, 0.3),
    "farmland": Kind("farmland", 110_000, 38_000, 0.5),
    "water": Kind("water", 60_000, 30_000, 0.1),
}


@dataclass
class Suits:
    """What is known of a quarter when its kind is chosen; arrays with one value a quarter."""

    area_m2: Floats
    ring: Floats
    angle: Floats
    river: Floats
    rail: Floats
    station: Floats
    noise: Floats


def look_at(quarters: Shapes, plan: Plan, rng: np.random.Generator) -> Suits:
    """Measure the quarters: lengths relative to the radius of the city."""
    middle = shapely.centroid(quarters)
    xy = shapely.get_coordinates(middle)
    return Suits(
        area_m2=shapely.area(quarters),
        ring=plan.relative_radius(xy),
        angle=np.arctan2(xy[:, 1], xy[:, 0]),
        river=shapely.distance(middle, plan.river) / plan.radius,
        rail=shapely.distance(middle, plan.rail) / plan.radius,
        station=np.hypot(xy[:, 0] - plan.station[0], xy[:, 1] - plan.station[1]) / plan.radius,
        noise=rng.random(len(quarters)),
    )


def quarter_kinds(quarters: Shapes, plan: Plan, people: int, rng: np.random.Generator) -> Texts:
    """The kind of every land quarter. Larger cities have several industrial sides, campuses and new centres."""
    suits = look_at(quarters, plan, rng)
    kinds = np.full(len(quarters), "", dtype="U12")
    downstream = float(np.arctan2(plan.river.coords[-1][1], plan.river.coords[-1][0]))
    poles = 1 + sum(people >= size for size in (400_000, 2_000_000, 6_000_000, 15_000_000))
    factories = _towards(suits.angle, downstream + rng.uniform(-0.5, 0.25), poles, rng)
    learning = _towards(suits.angle, downstream + np.pi + rng.uniform(-0.6, 0.6), poles, rng)
    centre = np.abs(suits.ring - plan.rings[0] / plan.radius * 1.15)
    centre += 0.08 * _towards(suits.angle, float(rng.uniform(0, 2 * np.pi)), 1, rng)
    if poles > 1:
        new_centres = _towards(suits.angle, float(rng.uniform(0, 2 * np.pi)), 2 * poles - 2, rng)
        centre = np.minimum(centre + 0.05, 0.5 * new_centres + 1.5 * np.abs(suits.ring - 0.5))
    old = 0.085 * min(1.0, 60_000 / people) ** 0.22
    wanted: list[tuple[str, float, Floats, float]] = [
        ("oldtown", old, suits.ring, 0.06 if poles > 1 else 0.0),
        ("commercial", 0.02, centre, 0.10),
        ("industrial", 0.15, factories + 1.2 * np.abs(suits.ring - 0.78), 0.25),
        ("farmland", 0.07, -suits.ring, 0.16),
        ("campus", 0.030, learning + 1.2 * np.abs(suits.ring - 0.7), 0.12),
        ("park", 0.045, np.abs(suits.ring - 0.5) * 0.2, 0.55),
        ("village", 0.042, 0.35 * factories + np.abs(suits.ring - 0.62), 0.75),
    ]
    for kind, share, score, chance in wanted:
        _take(kinds, kind, share, score + chance * suits.noise, suits.area_m2)
    rest = kinds == ""
    newness = suits.ring + 0.30 * (suits.noise - 0.5)
    kinds[rest] = np.where(newness[rest] > 0.52, "estate", "danwei")
    return kinds


def _towards(angle: Floats, first: float, count: int, rng: np.random.Generator) -> Floats:
    """How far (radians) each angle is from the nearest of `count` directions spread from the first on."""
    turns = first + (np.arange(count) + rng.uniform(-0.2, 0.2, count) * (count > 1)) * 2 * np.pi / count
    apart: Floats = np.abs((angle[:, None] - turns + np.pi) % (2 * np.pi) - np.pi).min(axis=1)
    return apart * max(1.0, count * 0.6)


def _take(kinds: Texts, kind: str, share: float, score: Floats, area_m2: Floats) -> None:
    """Give `kind` to the free quarters with the lowest score, at least one, until the share is reached."""
    free = np.flatnonzero(kinds == "")
    ranked = free[np.argsort(score[free], kind="stable")]
    reach = np.cumsum(area_m2[ranked])
    count = max(1, int(np.searchsorted(reach, share * float(area_m2.sum()) * 1.02, side="right")))
    kinds[ranked[:count]] = kind


def block_kinds(
    blocks: Shapes, quarter_kind: Texts, quarter: Ints, plan: Plan, *, people: int, rng: np.random.Generator
) -> Texts:
    """The kind of every block: its quarter's, but for the large places a city needs one of here and there."""
    kinds = quarter_kind.copy()
    xy = shapely.get_coordinates(shapely.centroid(blocks))
    area = shapely.area(blocks)
    ring = plan.relative_radius(xy)
    # the station lies on the town's side of the tracks, and its square before it
    towards = 1.0 - np.array([70.0, 200.0]) / np.hypot(*plan.station)
    station, square = (
        np.hypot(xy[:, 0] - plan.station[0] * t, xy[:, 1] - plan.station[1] * t) for t in towards
    )
    lived = np.isin(quarter_kind, ("danwei", "estate"))
    _one(kinds, "station", ~np.isin(quarter_kind, ("water", "riverside")) & (area > 5_000), station)
    _one(kinds, "square", (kinds != "station") & (area > 4_000) & (kinds != "water"), square)
    _some(
        kinds,
        "dormitory",
        quarter_kind == "industrial",
        max(1, round(people / 21_000)),
        quarter=quarter,
        rng=rng,
    )
    _one(kinds, "government", np.isin(kinds, ("danwei", "commercial", "estate")) & (area > 8_000), ring)
    _some(kinds, "stadium", lived & (area > 24_000), max(1, people // 700_000), quarter=quarter, rng=rng)
    _some(
        kinds,
        "hospital",
        lived & (area > 12_000) & (area < 45_000),
        max(1, people // 70_000),
        quarter=quarter,
        rng=rng,
    )
    return kinds


#: Small facilities: on which kinds of ground, one for so many residents, largest plot in m2.
FACILITIES: tuple[tuple[str, tuple[str, ...], int, float], ...] = (
    ("school", ("danwei", "estate"), 4_600, 22_000.0),
    ("market", ("oldtown", "danwei", "village"), 21_000, 12_000.0),
    ("kindergarten", ("danwei", "estate", "oldtown"), 6_500, 9_500.0),
    ("park", ("danwei", "estate", "oldtown"), 8_000, 14_000.0),
    ("commercial", ("danwei", "estate", "oldtown"), 4_500, 13_000.0),
)


def plot_kinds(plots: Shapes, kind: Texts, quarter: Ints, people: int, rng: np.random.Generator) -> Texts:
    """The kind of every plot: its block's, but for schools, markets, small parks and shopping streets."""
    kinds = kind.copy()
    area = shapely.area(plots)
    for facility, ground, share, largest in FACILITIES:
        allowed = np.isin(kinds, ground) & (area < largest) & (area > 2_500)
        _some(kinds, facility, allowed, max(1, round(people / share)), quarter=quarter, rng=rng)
    return kinds


def _one(kinds: Texts, kind: str, allowed: Flags, score: Floats) -> None:
    free = np.flatnonzero(allowed)
    if len(free):
        kinds[free[np.argmin(score[free])]] = kind


def _some(
    kinds: Texts, kind: str, allowed: Flags, count: int, *, quarter: Ints, rng: np.random.Generator
) -> None:
    """Give `kind` to `count` blocks, spread: no quarter gets a second one before all have had one."""
    free = rng.permutation(np.flatnonzero(allowed))
    if not len(free):
        return
    turn = rank_within(quarter[free])
    kinds[free[np.argsort(turn, kind="stable")[:count]]] = kind

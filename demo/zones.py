"""What each quarter of the city is: old town, work-unit compounds, new estates, urban villages, factories ...

A quarter gets its kind by quota: for each kind, quarters are ranked by how well their place suits it
(distance from the centre, river, railway, the industrial side) and the best take it until its share
of the land is reached. So every size has each kind at least once, and none is scattered at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from demo.plan import Plan
from demo.types import Floats, Ints, Shapes, Texts


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


def quarter_kinds(quarters: Shapes, plan: Plan, rng: np.random.Generator) -> Texts:
    """The kind of every land quarter."""
    suits = look_at(quarters, plan, rng)
    kinds = np.full(len(quarters), "", dtype="U12")
    downstream = float(np.arctan2(plan.river.coords[-1][1], plan.river.coords[-1][0]))
    factories = np.abs(_turn(suits.angle - downstream - rng.uniform(-0.25, 0.5)))
    learning = np.abs(_turn(suits.angle - downstream - np.pi + rng.uniform(-0.6, 0.6)))
    new_centre = np.abs(_turn(suits.angle - float(rng.uniform(0, 2 * np.pi))))
    inner = plan.rings[0] / plan.radius
    wanted: list[tuple[str, float, Floats, float]] = [
        ("oldtown", 0.085, suits.ring, 0.0),
        ("commercial", 0.02, np.abs(suits.ring - inner * 1.15) + 0.08 * new_centre, 0.10),
        ("industrial", 0.15, factories + 1.2 * np.abs(suits.ring - 0.78), 0.25),
        ("farmland", 0.07, -suits.ring, 0.10),
        ("campus", 0.030, learning + 1.2 * np.abs(suits.ring - 0.7), 0.10),
        ("park", 0.04, np.abs(suits.ring - 0.5) * 0.2, 0.55),
        ("village", 0.042, 0.35 * factories + np.abs(suits.ring - 0.62), 0.75),
    ]
    for kind, share, score, chance in wanted:
        _take(kinds, kind, share, score + chance * suits.noise, suits.area_m2)
    rest = kinds == ""
    newness = suits.ring + 0.22 * (suits.noise - 0.5)
    kinds[rest] = np.where(newness[rest] > 0.52, "estate", "danwei")
    return kinds


def _take(kinds: Texts, kind: str, share: float, score: Floats, area_m2: Floats) -> None:
    """Give `kind` to the free quarters with the lowest score, at least one, until the share is reached."""
    free = np.flatnonzero(kinds == "")
    ranked = free[np.argsort(score[free], kind="stable")]
    reach = np.cumsum(area_m2[ranked])
    count = max(1, int(np.searchsorted(reach, share * float(area_m2.sum()) * 1.02, side="right")))
    kinds[ranked[:count]] = kind


def _turn(angle: Floats) -> Floats:
    turned: Floats = (angle + np.pi) % (2 * np.pi) - np.pi
    return turned


def block_kinds(blocks: Shapes, quarter_kind: Texts, quarter: Ints, plan: Plan, people: int,
                rng: np.random.Generator) -> Texts:
    """The kind of every block: its quarter's, but for the large places a city needs one of here and there."""
    kinds = quarter_kind.copy()
    xy = shapely.get_coordinates(shapely.centroid(blocks))
    area = shapely.area(blocks)
    ring = plan.relative_radius(xy)
    station = np.hypot(xy[:, 0] - plan.station[0], xy[:, 1] - plan.station[1])
    lived = np.isin(quarter_kind, ("danwei", "estate"))
    _one(kinds, "station", ~np.isin(quarter_kind, ("water", "riverside")) & (area > 5_000), station)
    away = station + 0.25 * ring * plan.radius
    _one(kinds, "square", (kinds != "station") & (area > 4_000) & (kinds != "water"), away)
    _some(kinds, "dormitory", quarter_kind == "industrial", max(1, round(people / 21_000)), rng, quarter)
    _one(kinds, "government", np.isin(kinds, ("danwei", "commercial", "estate")) & (area > 8_000), ring)
    _some(kinds, "stadium", lived & (area > 24_000), max(1, people // 700_000), rng, quarter)
    _some(kinds, "hospital", lived & (area > 12_000) & (area < 45_000), max(1, people // 70_000), rng, quarter)
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
        _some(kinds, facility, allowed, max(1, round(people / share)), rng, quarter)
    return kinds


def _one(kinds: Texts, kind: str, allowed: np.ndarray, score: Floats) -> None:  # type: ignore[type-arg]
    free = np.flatnonzero(allowed)
    if len(free):
        kinds[free[np.argmin(score[free])]] = kind


def _some(kinds: Texts, kind: str, allowed: np.ndarray, count: int, rng: np.random.Generator,  # type: ignore[type-arg]
          quarter: Ints) -> None:
    """Give `kind` to `count` blocks, spread: no quarter gets a second one before all have had one."""
    free = rng.permutation(np.flatnonzero(allowed))
    if not len(free):
        return
    order = np.argsort(quarter[free], kind="stable")
    grouped = quarter[free][order]
    first = np.searchsorted(grouped, grouped, side="left")
    turn = np.empty(len(free), dtype=np.int64)
    turn[order] = np.arange(len(free)) - first
    kinds[free[np.argsort(turn, kind="stable")[:count]]] = kind

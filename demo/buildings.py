"""Building footprints: each parcel filled the way its kind of neighbourhood is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from demo.grouping import spread_out
from demo.network import Network
from demo.parcels import facing_south, parcels, turned_boxes
from demo.types import Floats, Ints, Shapes, Texts, shapes_of


@dataclass(frozen=True)
class Style:
    """How one kind of parcel is built.

    Lengths in metres: footprint `long` x `deep`, gaps beside and behind; `floors` low to high; `keep` the share of
    places that are built on; `jitter` the disorder; `use` as in the register of buildings; `flat_m2` the mean size
    of a dwelling (0: none); `people` the residents of an occupied dwelling; `occupied` the usual share occupied.
    """

    long: float
    deep: float
    beside: float
    behind: float
    floors: tuple[int, int]
    keep: float
    jitter: float
    use: str
    flat_m2: float = 0.0
    people: float = 0.0
    occupied: float = 0.0


STYLES: dict[str, tuple[Style, ...]] = {
    "oldtown": (Style(13, 9, 1.6, 4.0, (1, 3), 0.88, 0.35, "residential", 46, 2.35, 0.90),
                Style(22, 9, 1.5, 5.0, (2, 3), 0.85, 0.25, "residential", 48, 2.35, 0.90)),
    "danwei": (Style(46, 11.5, 7, 15, (5, 7), 0.93, 0.06, "residential", 74, 2.5, 0.90),
               Style(38, 11, 8, 13, (4, 6), 0.9, 0.08, "residential", 66, 2.4, 0.90)),
    "estate": (Style(27, 16, 20, 33, (15, 26), 0.9, 0.05, "residential", 98, 2.85, 0.84),
               Style(50, 12.5, 12, 23, (8, 11), 0.93, 0.04, "residential", 104, 2.9, 0.86),
               Style(44, 12, 10, 19, (6, 7), 0.93, 0.05, "residential", 94, 2.8, 0.88)),
    "village": (Style(10.5, 10, 1.7, 2.2, (4, 7), 0.93, 0.2, "residential", 24, 1.75, 0.92),),
    "dormitory": (Style(52, 13, 12, 16, (5, 6), 0.95, 0.02, "dormitory", 30, 4.6, 0.92),),
    "campus": (Style(50, 14, 14, 18, (5, 6), 0.9, 0.06, "dormitory", 26, 4.0, 0.97),
               Style(56, 18, 20, 28, (4, 6), 0.85, 0.12, "public"),
               Style(46, 22, 22, 30, (3, 6), 0.8, 0.15, "public")),
    "commercial": (Style(29, 24, 12, 14, (9, 24), 0.92, 0.06, "office"),
                   Style(42, 22, 8, 10, (3, 6), 0.95, 0.06, "shop")),
    "industrial": (Style(64, 30, 10, 12, (1, 2), 0.95, 0.04, "factory"),
                   Style(48, 22, 9, 10, (1, 3), 0.95, 0.05, "factory"),
                   Style(38, 18, 9, 11, (3, 5), 0.93, 0.05, "factory")),
    "school": (Style(56, 13, 16, 32, (3, 5), 0.62, 0.08, "public"),),
    "kindergarten": (Style(30, 15, 14, 20, (2, 3), 0.6, 0.08, "public"),),
    "hospital": (Style(54, 20, 16, 24, (5, 14), 0.85, 0.05, "public"),),
    "government": (Style(62, 20, 18, 26, (5, 12), 0.85, 0.03, "public"),),
    "market": (Style(50, 24, 5, 7, (1, 3), 1.0, 0.03, "shop"),),
    "station": (Style(120, 38, 400, 400, (2, 3), 1.0, 0.02, "public"),),
    "farmland": (Style(11, 9, 12, 10, (1, 3), 0.05, 0.5, "residential", 118, 2.6, 0.9),),
    "park": (Style(14, 9, 70, 80, (1, 2), 0.3, 0.9, "public"),),
}  # fmt: skip

#: Kinds of ground people live on, with the share of all residents each should hold.
POPULATION_SHARE: dict[str, float] = {
    "oldtown": 0.11, "danwei": 0.16, "village": 0.145, "dormitory": 0.085, "campus": 0.03, "farmland": 0.005,
    "estate": 0.465,
}  # fmt: skip


@dataclass
class Buildings:
    """One entry a building: footprint (plane metres), plot, kind of its ground, use, floors, dwellings a floor ...

    `dwellings` is the number of dwellings, `residents` the number of people expected in them, `occupied` the share
    of dwellings that will be taken.
    """

    shape: Shapes
    x: Floats
    y: Floats
    plot: Ints
    kind: Texts
    use: Texts
    floors: Ints
    per_floor: Ints
    flat_m2: Floats
    occupied: Floats
    residents: Floats
    built_year: Ints

    def __len__(self) -> int:
        return len(self.x)

    @property
    def dwellings(self) -> Ints:
        """Dwellings of each building."""
        return self.floors * self.per_floor

    @property
    def floor_area_m2(self) -> Floats:
        """Footprint times floors, whole m2."""
        area: Floats = np.round(shapely.area(self.shape) * self.floors)
        return area


def build(network: Network, people: int, rng: np.random.Generator) -> tuple[Buildings, Shapes]:
    """All buildings, sized so that about `people` will live in them; and the parcels they stand on."""
    ground = parcels(network.plots, network.roads, network.road_kind)
    style_of, styles = _choose_styles(network, rng)
    shape, plot = _footprints(ground, style_of, styles, rng)
    arena, arena_plot = _stadiums(ground, network.plot_kind)
    table = _Table(styles)
    style = np.concatenate([style_of[plot], np.full(len(arena), table.arena)])
    shape, plot = np.concatenate([shape, arena]), np.concatenate([plot, arena_plot])
    low, high = table.low[style], table.high[style]
    block_mood = rng.random(len(network.block_kind))[network.plot_block[plot]]
    wish = low + (high - low) * np.clip(0.7 * block_mood + 0.3 * rng.random(len(shape)), 0, 1)
    area = shapely.area(shape)
    flat = table.flat[style]
    per_floor = np.where(flat > 0, np.maximum(1, np.round(area * 0.80 / np.maximum(flat, 1))), 0)
    kind = network.plot_kind[plot]
    floors, occupied = _fit(
        kind, wish, per_floor, per_home=table.people[style], occupied=table.occupied[style], people=people
    )
    xy = shapely.get_coordinates(shapely.centroid(shape))
    buildings = Buildings(
        shape,
        xy[:, 0],
        xy[:, 1],
        plot,
        kind,
        table.use[style],
        floors,
        per_floor.astype(np.int64),
        table.flat[style],
        occupied,
        floors * per_floor * table.people[style] * occupied,
        _built(kind, plot, network, rng),
    )
    return buildings, ground


class _Table:
    """The styles as columns, with one more for stadiums."""

    def __init__(self, styles: list[Style]) -> None:
        rows = [*styles, Style(200, 150, 0, 0, (2, 3), 1, 0, "public")]
        self.arena = len(styles)
        self.low = np.array([row.floors[0] for row in rows], dtype=float)
        self.high = np.array([row.floors[1] for row in rows], dtype=float)
        self.flat = np.array([row.flat_m2 for row in rows])
        self.people = np.array([row.people for row in rows])
        self.occupied = np.array([row.occupied for row in rows])
        self.use = np.array([row.use for row in rows])


def _choose_styles(network: Network, rng: np.random.Generator) -> tuple[Ints, list[Style]]:
    """A style for each plot, the same over a block where the block is one estate; -1 where nothing is built."""
    styles: list[Style] = []
    chosen = np.full(len(network.plots), -1, dtype=np.int64)
    block_mood = rng.random(len(network.block_kind))[network.plot_block]
    plot_mood = rng.random(len(network.plots))
    for kind, options in STYLES.items():
        here = network.plot_kind == kind
        mood = plot_mood if kind == "oldtown" else block_mood
        pick = (mood[here] * len(options)).astype(np.int64)
        if kind in ("campus", "commercial"):
            # a college has its dormitories and halls, a centre its towers and shops: in turn, not by chance
            pick = np.arange(int(here.sum())) % len(options)
        chosen[here] = len(styles) + pick
        styles += options
    return chosen, styles


def _footprints(
    ground: Shapes, style_of: Ints, styles: list[Style], rng: np.random.Generator
) -> tuple[Shapes, Ints]:
    """Rectangles in rows over each parcel, kept where they lie wholly inside it."""
    plots = np.flatnonzero((style_of >= 0) & (shapely.area(ground) > 60.0))
    style = style_of[plots]
    long, deep, beside, behind, keep, jitter = (
        np.array([getattr(row, name) for row in styles])[style]
        for name in ("long", "deep", "beside", "behind", "keep", "jitter")
    )
    parcel = shapely.buffer(ground[plots], -np.minimum(4.0, 0.6 + 0.08 * behind), join_style="mitre")
    angle = facing_south(ground[plots]) + rng.normal(0, 0.03, len(plots)) * jitter
    low, high = turned_boxes(parcel, angle)
    width, height = (high - low).T
    long = np.where(width < long * 1.1, np.maximum(width * 0.72, np.minimum(8.0, long)), long)
    deep = np.where(height < deep * 1.1, np.maximum(height * 0.72, np.minimum(7.0, deep)), deep)
    columns = np.floor((width + beside) / (long + beside)).astype(np.int64)
    rows = np.floor((height + behind) / (deep + behind)).astype(np.int64)
    count = np.maximum(columns, 0) * np.maximum(rows, 0)
    at, place = spread_out(count)
    column, row = place % columns[at], place // columns[at]
    slack_x = (width + beside - columns * (long + beside))[at]
    slack_y = (height + behind - rows * (deep + behind))[at]
    shake = rng.uniform(-0.5, 0.5, (4, len(at))) * jitter[at]
    x = low[at, 0] + slack_x / 2 + long[at] / 2 + column * (long + beside)[at] + shake[0] * beside[at]
    y = low[at, 1] + slack_y / 2 + deep[at] / 2 + row * (deep + behind)[at] + shake[1] * behind[at]
    wide, thick = long[at] * (1 - np.abs(shake[2]) * 0.7), deep[at] * (1 - np.abs(shake[3]) * 0.5)
    shape = _rectangles(x, y, wide, thick, angle[at])
    shapely.prepare(parcel)
    good = shapely.contains(parcel[at], shape) & (rng.random(len(at)) < keep[at])
    return shape[good], plots[at[good]]


def _rectangles(x: Floats, y: Floats, wide: Floats, thick: Floats, angle: Floats) -> Shapes:
    dx = np.stack([-wide, wide, wide, -wide], axis=1) / 2 + x[:, None]
    dy = np.stack([-thick, -thick, thick, thick], axis=1) / 2 + y[:, None]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    corners = np.stack([dx * cos - dy * sin, dx * sin + dy * cos], axis=2)
    return shapes_of(shapely.polygons(np.round(corners, 2)))


def _stadiums(ground: Shapes, kind: Texts) -> tuple[Shapes, Ints]:
    """An oval stand around a pitch on the largest plot of each stadium ground."""
    plots = np.flatnonzero((kind == "stadium") & (shapely.area(ground) > 4_000))
    ovals = []
    for plot in plots:
        room = shapely.maximum_inscribed_circle(ground[plot])
        radius = min(float(shapely.length(room)) * 0.86, 105.0)
        centre = shapely.get_coordinates(room)[0]
        turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        oval = np.column_stack([np.cos(turn), 0.82 * np.sin(turn)])
        ovals.append(shapely.Polygon(centre + oval * radius, [centre + oval * radius * 0.55]))
    return np.array(ovals, dtype=object), plots


def _fit(
    kind: Texts, wish: Floats, per_floor: Floats, *, per_home: Floats, occupied: Floats, people: int
) -> tuple[Ints, Floats]:
    """Floors and occupancy with which each kind of ground holds its share of the residents."""
    floors = np.maximum(1, np.round(wish)).astype(np.int64)
    share = occupied.copy()
    missing = float(people)
    for name in ("oldtown", "danwei", "village", "dormitory", "campus", "farmland", "estate"):
        here = (kind == name) & (per_floor > 0)
        if not here.any():
            continue
        wanted = missing if name == "estate" else POPULATION_SHARE[name] * people
        holds = float((wish * per_floor * per_home * occupied)[here].sum())
        low, high = (0.35, 2.2) if name == "estate" else (0.6, 1.5)
        stretch = float(np.clip(wanted / holds, low, high))
        floors[here] = np.maximum(1, np.round(wish[here] * stretch))
        holds = float((floors * per_floor * per_home * occupied)[here].sum())
        share[here] = np.clip(occupied[here] * wanted / holds, 0.5, 0.985)
        missing -= float((floors * per_floor * per_home * share)[here].sum())
    return floors, share


_BUILT: dict[str, tuple[int, int]] = {
    "oldtown": (1952, 1995), "danwei": (1976, 2001), "village": (1994, 2017), "dormitory": (1998, 2020),
    "estate": (2002, 2024), "campus": (1985, 2015), "industrial": (1994, 2021),
}  # fmt: skip


def _built(kind: Texts, plot: Ints, network: Network, rng: np.random.Generator) -> Ints:
    """Year of completion: a block is built at one time, give or take."""
    mood = rng.random(len(network.block_kind))[network.plot_block[plot]]
    low, high = np.full(len(plot), 1985.0), np.full(len(plot), 2022.0)
    for name, (first, last) in _BUILT.items():
        low[kind == name], high[kind == name] = first, last
    spread = np.where(np.isin(kind, ("oldtown", "village")), 8.0, 1.2)
    year = low + (high - low) * mood + rng.normal(0, 1, len(plot)) * spread
    result: Ints = np.clip(np.round(year), low - 6, 2025).astype(np.int64)
    return result

"""Streets and what lies between them: superblocks, quarters, blocks and plots, with closed topology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from demo.plan import Plan, draw_plan
from demo.sizes import Size
from demo.splitting import Split, split
from demo.types import Flags, Floats, Ints, Shapes, Texts
from demo.warp import Warp
from demo.zones import KINDS, block_kinds, plot_kinds, quarter_kinds


@dataclass
class Network:
    """The city's ground, in plane metres after bending.

    `plots` cover the city without gap or overlap; neighbours share every vertex. A plot lies in a block,
    a block in a quarter, a quarter in a superblock (index arrays). `roads` are centre lines with class and
    name, from `motorway` to `path`, and `rail`.
    """

    plan: Plan
    warp: Warp
    plots: Shapes
    plot_block: Ints
    plot_kind: Texts
    block_kind: Texts
    block_quarter: Ints
    quarter_kind: Texts
    quarter_superblock: Ints
    north_bank: Flags
    roads: Shapes
    road_kind: Texts
    road_name: Texts


def lay_out(size: Size, rng: np.random.Generator) -> Network:
    """Draw the plan, split it down to plots, node all lines once, and bend the result."""
    plan = draw_plan(size, rng)
    superblocks, north, ground = _superblocks(plan)
    aim = np.where(ground == "land", size.quarter_m2, 1e9)
    quarters = split(superblocks, aim, np.full(len(superblocks), 0.35), rng)
    kind = ground[quarters.source].astype("U12")
    land = kind == "land"
    kind[land] = quarter_kinds(quarters.pieces[land], plan, size.people, rng)
    blocks = split(quarters.pieces, _size_of(kind, "block_m2"), _size_of(kind, "jitter"), rng)
    block_kind = block_kinds(
        blocks.pieces, kind[blocks.source], blocks.source, plan, people=size.people, rng=rng
    )
    thin = shapely.area(blocks.pieces) < 900.0
    block_kind[thin & (block_kind != "water")] = "verge"
    plots = split(blocks.pieces, _size_of(block_kind, "plot_m2"), _size_of(block_kind, "jitter"), rng)
    warp = Warp(plan.radius, plan.rings[0], rng)
    plot_kind = plot_kinds(
        plots.pieces, block_kind[plots.source], blocks.source[plots.source], size.people, rng
    )
    faces, leaf = _faces(plan, (quarters, blocks, plots), plots.pieces)
    roads, road_kind, road_name = _roads(plan, (quarters, blocks, plots), kind, block_kind)
    return Network(
        plan,
        warp,
        warp.polygons(faces),
        plots.source[leaf],
        plot_kind[leaf],
        block_kind,
        blocks.source,
        kind,
        quarters.source,
        north[quarters.source],
        warp.lines(roads),
        road_kind,
        road_name,
    )


def _size_of(kinds: Texts, what: str) -> Floats:
    names, inverse = np.unique(kinds, return_inverse=True)
    return np.array([getattr(KINDS[name], what) for name in names], dtype=float)[inverse]


def _superblocks(plan: Plan) -> tuple[Shapes, Flags, Texts]:
    """Faces of the skeleton inside the outline, whether on the north bank, and whether land, water or riverside."""
    inside = shapely.intersection(np.array([line.geom for line in plan.lines], dtype=object), plan.outline)
    faces = _polygonized(np.concatenate([inside, [shapely.boundary(plan.outline)]]))
    point = shapely.point_on_surface(faces)
    faces = faces[shapely.contains(plan.outline, point)]
    point = shapely.point_on_surface(faces)
    xy = shapely.get_coordinates(point)
    ground = np.full(len(faces), "land", dtype="U12")
    ground[shapely.area(faces) < 1500.0] = "verge"
    strip = plan.river_width / 2 + float(np.clip(plan.river_width * 0.45, 26.0, 110.0))
    away = shapely.distance(point, plan.river)
    ground[away < strip] = "riverside"
    ground[away < plan.river_width / 2] = "water"
    course = shapely.get_coordinates(plan.river)
    far = np.vstack([course, [course[-1] + [0, 1e6], course[0] + [0, 1e6]]])
    north: Flags = np.asarray(shapely.contains(shapely.Polygon(far), shapely.points(xy)))
    return faces, north, ground


def _polygonized(lines: Shapes) -> Shapes:
    noded = shapely.union_all(lines, grid_size=0.001)
    faces: Shapes = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    return faces


def _faces(plan: Plan, splits: tuple[Split, ...], leaves: Shapes) -> tuple[Shapes, Ints]:
    """All lines noded together and made into faces; each face with the leaf polygon it fills."""
    skeleton = shapely.intersection(np.array([line.geom for line in plan.lines], dtype=object), plan.outline)
    lines = np.concatenate([skeleton, [shapely.boundary(plan.outline)], *[part.cuts for part in splits]])
    faces = _polygonized(lines)
    point = shapely.point_on_surface(faces)
    tree = shapely.STRtree(leaves)
    found, leaf = tree.query(point, predicate="within")
    _, first = np.unique(found, return_index=True)
    return faces[found[first]], leaf[first]


def _roads(
    plan: Plan, splits: tuple[Split, Split, Split], kind: Texts, block_kind: Texts
) -> tuple[Shapes, Texts, Texts]:
    """Centre lines with class: the skeleton, then the cuts, each class by what was cut."""
    quarters, blocks, plots = splits
    skeleton = [line for line in plan.lines if line.kind not in ("bank", "middle", "edge")]
    block_class = np.full(len(kind), "tertiary", dtype="U12")
    block_class[np.isin(kind, ("oldtown", "village", "campus"))] = "residential"
    block_class[np.isin(kind, ("park", "riverside", "verge", "farmland"))] = "path"
    block_class[kind == "water"] = ""
    plot_class = np.full(len(block_kind), "path", dtype="U12")
    plot_class[np.isin(block_kind, ("oldtown", "village"))] = "residential"
    plot_class[np.isin(block_kind, ("water", "farmland", "riverside", "park", "verge"))] = ""
    cuts = [quarters.cuts, blocks.cuts, plots.cuts]
    classes = [
        np.full(len(quarters.cuts), "secondary", dtype="U12"),
        block_class[blocks.cut_source],
        plot_class[plots.cut_source],
    ]
    lines = np.concatenate([np.array([line.geom for line in skeleton], dtype=object), *cuts])
    road_kind = np.concatenate([np.array([line.kind for line in skeleton], dtype="U12"), *classes])
    road_name = np.concatenate(
        [
            np.array([line.name for line in skeleton], dtype="U16"),
            np.full(len(lines) - len(skeleton), "", dtype="U16"),
        ]
    )
    keep = road_kind != ""
    return lines[keep], road_kind[keep], road_name[keep]

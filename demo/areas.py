"""The area tree: city, districts, streets and communities, grown from plots so that borders follow streets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from demo.clusters import Borders, grow, mend, regroup, shared_borders
from demo.errors import CityTooLargeError
from demo.grouping import first_of, rank_within, totals
from demo.network import Network
from demo.sizes import Size
from demo.types import Flags, Floats, Ints, Shapes, Texts
from demo.words import Namer

#: 88 is no province in GB/T 2260: codes and ID numbers made with it cannot be anyone's.
CITY_CODE = "880100000000"
CITY_NAME = "云泽市"
CITY_NAME_EN = "Yunze"
LEVELS = ("city", "district", "street", "community")


@dataclass
class Level:
    """The areas of one level: 12-digit code, names, parent's index in the level above, urban-rural class, shape."""

    key: str
    code: Texts
    name: Texts
    name_en: Texts
    parent: Ints
    urban_rural: Ints
    shape: Shapes
    people: Floats


@dataclass
class Areas:
    """The four levels, the community of each plot, and the legal grids (each a plot of land, coded)."""

    levels: list[Level]
    plot_community: Ints
    community_street: Ints
    grid_code: Texts
    borders: Borders

    @property
    def communities(self) -> Level:
        """The deepest level."""
        return self.levels[3]

    @property
    def streets(self) -> Level:
        """Streets (街道)."""
        return self.levels[2]

    @property
    def districts(self) -> Level:
        """Districts."""
        return self.levels[1]


def divide(network: Network, plot_people: Floats, size: Size, namer: Namer) -> Areas:
    """Grow communities, streets and districts, and name and code them."""
    borders = shared_borders(network.plots)
    area = shapely.area(network.plots)
    weight = plot_people + 0.22 * area * plot_people.sum() / area.sum()
    weight *= plot_people.sum() / weight.sum()
    quarter = network.block_quarter[network.plot_block]
    superblock = network.quarter_superblock[quarter]
    district = mend(_districts(network, weight, size), borders, weight)
    blocks = np.unique(network.plot_block + 1_000_000 * district, return_inverse=True)[1]
    community = blocks[:]
    for target, together in ((size.community_people * 0.45, quarter), (size.community_people, superblock)):
        community = _grown(community, weight, borders, target, inside=district, together=together)
    community = mend(community, borders, weight)
    community_district = first_of(community, district)
    street = _grown(community, weight, borders, size.street_people, inside=district, together=superblock)
    street = mend(street, borders, weight)
    community_street = first_of(community, street)
    return _named(network, plot_people, borders, (community, community_street, community_district), namer)


def _grown(
    group: Ints, weight: Floats, borders: Borders, target: float, *, inside: Ints, together: Ints
) -> Ints:
    """Grow groups of plots into larger ones; returns the new group of each plot."""
    heavy = totals(group, weight)
    number = grow(
        heavy,
        regroup(borders, group),
        target,
        inside=first_of(group, inside),
        together=first_of(group, together),
    )
    return number[group]


def _districts(network: Network, weight: Floats, size: Size) -> Ints:
    """Whole superblocks to districts: the old centre, and sectors around it on each bank of the river."""
    superblock = network.quarter_superblock[network.block_quarter[network.plot_block]]
    north = network.north_bank[network.block_quarter[network.plot_block]]
    count = max(2, round(weight.sum() / size.district_people))
    number = np.unique(superblock, return_inverse=True)[1]
    heavy = totals(number, weight)
    xy = shapely.get_coordinates(shapely.centroid(network.plots))
    area = shapely.area(network.plots)
    middle = np.column_stack([totals(number, xy[:, axis] * area) for axis in (0, 1)])
    middle /= totals(number, area)[:, None]
    bank = first_of(number, north.astype(np.int64))
    district = np.full(len(heavy), -1, dtype=np.int64)
    used = 0
    if count >= 4:
        reach = np.hypot(*middle.T)
        order = np.argsort(reach, kind="stable")
        order = order[bank[order] == 1]
        core = order[: max(1, int(np.searchsorted(np.cumsum(heavy[order]), 0.8 * weight.sum() / count)))]
        district[core] = 0
        used = 1
    south_share = heavy[bank == 0].sum() / heavy.sum()
    south = int(np.clip(round(south_share * count), 1, count - used - 1)) if count > used + 1 else 0
    for side, sectors in ((1, count - used - south), (0, south)):
        here = np.flatnonzero((bank == side) & (district < 0))
        angle = np.arctan2(middle[here, 1], middle[here, 0])
        widest = _largest_gap(angle, heavy[here])
        order = here[np.argsort((angle - widest) % (2 * np.pi), kind="stable")]
        middle_mass = np.cumsum(heavy[order]) - heavy[order] / 2
        district[order] = used + np.minimum(
            (middle_mass / heavy[order].sum() * max(sectors, 1)).astype(np.int64), max(sectors, 1) - 1
        )
        used += max(sectors, 1)
    return district[number]


def _largest_gap(angle: Floats, heavy: Floats) -> float:
    """Direction in which the least people live: where a bank's sectors begin."""
    bins = np.linspace(-np.pi, np.pi, 25)
    lived = totals(np.clip(np.digitize(angle, bins) - 1, 0, 23), heavy, 24)
    return float(bins[int(np.argmin(lived + np.roll(lived, 1)))])


def _named(
    network: Network, plot_people: Floats, borders: Borders, groups: tuple[Ints, Ints, Ints], namer: Namer
) -> Areas:
    """Numbers and names, north to south and west to east within the parent."""
    community, community_street, community_district = groups
    shapes = merged(network.plots, community)
    people = totals(community, plot_people, len(shapes))
    kinds = network.plot_kind
    district_of_street = first_of(community_street, community_district)
    d_order = _reading_order(
        _centres(shapes, community_district), np.zeros(community_district.max() + 1, np.int64)
    )
    s_order = _reading_order(_centres(shapes, community_street), d_order[district_of_street])
    district_code = np.char.add("8801", np.char.zfill((d_order + 2).astype(str), 2))
    s_within = _within(s_order, district_of_street)
    street_code = np.char.add(district_code[district_of_street], np.char.zfill((s_within + 1).astype(str), 3))
    c_order = _reading_order(_centres(shapes, np.arange(len(shapes))), s_order[community_street])
    c_within = _within(c_order, community_street)
    code = np.char.add(street_code[community_street], np.char.zfill((c_within + 1).astype(str), 3))
    if d_order.max() > 97 or max(s_within.max(), c_within.max()) > 998:
        raise CityTooLargeError(districts=int(d_order.max() + 1))
    rural = _share(kinds == "farmland", network, community) > 0.5
    village = _share(kinds == "village", network, community) > 0.3
    c_names = namer.communities(len(shapes), village | rural)
    s_names, d_names = namer.streets(len(street_code)), namer.districts(len(district_code))
    levels = [
        Level(
            "city",
            np.array([CITY_CODE]),
            np.array([CITY_NAME]),
            np.array([CITY_NAME_EN]),
            np.array([-1]),
            np.array([111]),
            np.array([shapely.coverage_union_all(shapes)], dtype=object),
            np.array([people.sum()]),
        ),
        Level(
            "district",
            np.char.add(district_code, "000000"),
            *d_names,
            np.zeros(len(district_code), np.int64),
            np.full(len(district_code), 111),
            merged(shapes, community_district),
            totals(community_district, people),
        ),
        Level(
            "street",
            np.char.add(street_code, "000"),
            *s_names,
            district_of_street,
            np.full(len(street_code), 111),
            merged(shapes, community_street),
            totals(community_street, people),
        ),
        Level("community", code, *c_names, community_street, np.where(rural, 112, 111), shapes, people),
    ]
    return Areas(levels, community, community_street, _grid_codes(network, community, code), borders)


def merged(shapes: Shapes, group: Ints) -> Shapes:
    """One polygon a group, borders between its members gone."""
    order = np.argsort(group, kind="stable")
    start = np.unique(group[order], return_index=True)[1]
    parts = np.split(shapes[order], start[1:])
    return np.array([shapely.coverage_union_all(part) for part in parts], dtype=object)


def _centres(shapes: Shapes, group: Ints) -> Floats:
    xy = shapely.get_coordinates(shapely.centroid(shapes))
    area = shapely.area(shapes)
    return np.column_stack([totals(group, xy[:, axis] * area) / totals(group, area) for axis in (0, 1)])


def _reading_order(centre: Floats, within: Ints) -> Ints:
    """Rank of each centre: by `within`, then in bands from north to south, west to east in each."""
    spread = max(float(np.ptp(centre[:, 1])), 1.0)
    band = np.floor((centre[:, 1].max() - centre[:, 1]) / spread * max(1.0, np.sqrt(len(centre)) * 0.7))
    rank = np.empty(len(centre), dtype=np.int64)
    rank[np.lexsort([centre[:, 0], band, within])] = np.arange(len(centre))
    return rank


def _within(order: Ints, parent: Ints) -> Ints:
    """Rank of each among those with the same parent."""
    result = np.empty(len(order), dtype=np.int64)
    by = np.argsort(order, kind="stable")
    result[by] = rank_within(parent[by])
    return result


def _share(flag: Flags, network: Network, group: Ints) -> Floats:
    area = shapely.area(network.plots)
    return totals(group, area * flag) / totals(group, area)


def _grid_codes(network: Network, community: Ints, code: Texts) -> Texts:
    """15-digit codes of the legal grids: a grid is a plot, numbered in its community west to east, north to south."""
    order = _reading_order(_centres(network.plots, np.arange(len(network.plots))), community)
    number = _within(order, community) + 1
    if number.max() > 999:
        raise CityTooLargeError(grids=int(number.max()))
    return np.char.add(code[community], np.char.zfill(number.astype(str), 3))

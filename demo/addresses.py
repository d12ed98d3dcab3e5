"""Street names, house numbers, estates, and the address and name of every building."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely

from demo.areas import CITY_NAME, Areas
from demo.buildings import Buildings
from demo.grouping import rank_within
from demo.network import Network
from demo.parcels import chopped
from demo.types import Ints, Texts
from demo.words import Namer

_SUFFIX = {"motorway": "大道", "primary": "大道", "secondary": "路", "tertiary": "路", "residential": "巷"}
_SUFFIX_EN = {
    "motorway": "Avenue",
    "primary": "Avenue",
    "secondary": "Road",
    "tertiary": "Road",
    "residential": "Lane",
}
_PLACE_NAMES = {
    "school": ("小学", "Primary School"), "kindergarten": ("幼儿园", "Kindergarten"),
    "hospital": ("医院", "Hospital"),
    "government": ("市民中心", "Civic Centre"), "market": ("农贸市场", "Market"),
    "station": ("火车站", "Railway Station"),
    "stadium": ("体育场", "Stadium"), "campus": ("职业技术学院", "Vocational College"),
    "industrial": ("工业园", "Industrial Park"),
    "commercial": ("商业中心", "Shopping Centre"), "park": ("公园", "Park"), "square": ("站前广场", "Station Square"),
}  # fmt: skip


@dataclass
class Addresses:
    """Names of roads (zh, en), of the place each block or plot is, and address and name of each building."""

    road_name: Texts
    road_name_en: Texts
    plot_place: Texts
    plot_place_en: Texts
    address: Texts
    name: Texts


def address(network: Network, buildings: Buildings, areas: Areas, namer: Namer) -> Addresses:
    """Name roads and places, and give every building its address."""
    road, road_en = _road_names(network, namer)
    place, place_en = _place_names(network, areas, namer)
    street, number = _numbers(network, buildings, road)
    block = network.plot_block[buildings.plot]
    in_block = rank_within(block)
    community = areas.plot_community[buildings.plot]
    street_area = areas.community_street[community]
    district = areas.streets.parent[street_area]
    lived = buildings.per_floor > 0
    own = place[buildings.plot]
    frame = pl.DataFrame(
        {
            "head": areas.districts.name[district],
            "street": areas.streets.name[street_area],
            "road": road[street],
            "number": number.astype(str),
            "place": own,
            "rank": (in_block + 1).astype(str),
            "lived": lived,
        }
    )
    tail = (
        pl.when(pl.col("lived") & (pl.col("place") != ""))
        .then(pl.concat_str("place", "rank", pl.lit("号楼")))
        .otherwise(pl.lit(""))
    )
    text = frame.select(
        pl.concat_str(pl.lit(CITY_NAME), "head", "street", "road", "number", pl.lit("号"), tail).alias(
            "address"
        ),
        pl.when(pl.col("place") == "")
        .then(pl.concat_str("road", "number", pl.lit("号")))
        .otherwise(pl.concat_str("place", "rank", pl.lit("号楼")))
        .alias("name"),
    )
    return Addresses(
        road,
        road_en,
        place,
        place_en,
        text["address"].to_numpy().astype(str),
        text["name"].to_numpy().astype(str),
    )


def _road_names(network: Network, namer: Namer) -> tuple[Texts, Texts]:
    zh, en = network.road_name.astype("U24"), np.full(len(network.roads), "", dtype="U48")
    for kind, suffix in _SUFFIX.items():
        here = np.flatnonzero((network.road_kind == kind) & (network.road_name == ""))
        names, names_en = namer.roads(len(here)) if kind != "residential" else _plain(namer, len(here))
        zh[here] = np.char.add(names, suffix) if len(here) else names
        en[here] = np.char.add(names_en, f" {_SUFFIX_EN[kind]}") if len(here) else names_en
    known = network.road_name != ""
    en[known] = [_KNOWN_EN.get(name, "") for name in network.road_name[known]]
    return zh, en


_KNOWN_EN = {
    "环城路": "Huancheng Road", "内环路": "Inner Ring Road", "中环路": "Middle Ring Road", "外环路": "Outer Ring Road",
    "绕城大道": "Raocheng Avenue", "环都大道": "Huandu Avenue", "人民东路": "Renmin East Road",
    "人民西路": "Renmin West Road", "中山北路": "Zhongshan North Road", "中山南路": "Zhongshan South Road",
    "江北滨河路": "Jiangbei Riverside Road", "江南滨河路": "Jiangnan Riverside Road", "铁路": "Railway",
}  # fmt: skip


def _plain(namer: Namer, count: int) -> tuple[Texts, Texts]:
    roots = namer.roots(count)
    return np.array([zh for zh, _ in roots], dtype="U8"), np.array([en for _, en in roots], dtype="U24")


def _place_names(network: Network, areas: Areas, namer: Namer) -> tuple[Texts, Texts]:
    """Estates and compounds by block, facilities by plot with the root of their community's or street's name."""
    blocks = np.flatnonzero(np.isin(network.block_kind, ("estate", "danwei")))
    block_zh, block_en = (
        np.full(len(network.block_kind), "", "U16"),
        np.full(len(network.block_kind), "", "U40"),
    )
    block_zh[blocks], block_en[blocks] = namer.estates(len(blocks))
    zh, en = block_zh[network.plot_block], block_en[network.plot_block]
    community = areas.plot_community
    root, root_en = _root(areas.communities.name, areas.communities.name_en, community)
    for kind, (suffix, suffix_en) in _PLACE_NAMES.items():
        here = network.plot_kind == kind
        zh[here] = np.char.add(root[here], suffix) if here.any() else ""
        en[here] = np.char.add(root_en[here], f" {suffix_en}") if here.any() else ""
    for kind, (name, name_en) in (
        ("station", ("云泽站", "Yunze Railway Station")),
        ("square", ("站前广场", "Station Square")),
        ("government", ("云泽市人民政府", "Yunze City Government")),
    ):
        zh[network.plot_kind == kind], en[network.plot_kind == kind] = name, name_en
    town = np.isin(network.plot_kind, ("oldtown", "village", "farmland"))
    zh[town], en[town] = "", ""
    return zh, en


def _root(name: Texts, name_en: Texts, index: Ints) -> tuple[Texts, Texts]:
    short = np.char.replace(np.char.replace(name, "社区", ""), "村", "")
    short_en = np.char.replace(np.char.replace(name_en, " Community", ""), " Village", "")
    return short[index], short_en[index]


def _numbers(network: Network, buildings: Buildings, road: Texts) -> tuple[Ints, Ints]:
    """The named road nearest to each building, and its number there: metres along it, even on one side."""
    named = np.flatnonzero((road != "") & (network.road_kind != "rail"))
    pieces, line = chopped(network.roads[named])
    length = shapely.length(pieces)
    before = np.cumsum(length) - length
    before -= before[np.searchsorted(line, line, side="left")]
    points = shapely.points(buildings.x, buildings.y)
    piece = shapely.STRtree(pieces).nearest(points)
    along = shapely.line_locate_point(pieces[piece], points)
    foot = shapely.get_coordinates(shapely.line_interpolate_point(pieces[piece], along))
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(pieces[piece], along + 1.0))
    nearest, along = named[line[piece]], along + before[piece]
    way, off = ahead - foot, np.column_stack([buildings.x, buildings.y]) - foot
    left = way[:, 0] * off[:, 1] - way[:, 1] * off[:, 0] > 0
    return nearest, (np.floor(along / 9.0) * 2 + np.where(left, 1, 2)).astype(np.int64)

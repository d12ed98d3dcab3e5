"""Layers as departments deliver them: areas as GeoJSON; grids, land use, roads and buildings as GeoPackage."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyogrio
import shapely

from demo.areas import Areas, Level
from demo.city import Ground
from demo.grouping import totals
from demo.plane import ZONE_CRS, shapes_to_lnglat, shapes_to_zone
from demo.types import Floats, Ints, Shapes, Texts
from demo.zones import KINDS

#: Words of the land-use classes, as planning departments write them.
LAND_USE_WORDS = {
    "residential": "居住用地", "commercial": "商业用地", "industrial": "工业用地", "public": "公共用地",
    "green": "绿地", "water": "水域", "transport": "道路交通用地", "farmland": "农用地",
}  # fmt: skip
USE_WORDS = {
    "residential": "住宅",
    "dormitory": "宿舍",
    "office": "办公",
    "factory": "厂房",
    "shop": "商业",
    "public": "公共设施",
}
_PATCH_HOMES = 300.0


def write_layers(ground: Ground, folder: Path) -> None:
    """All layers of shapes into `folder`."""
    for number, level in enumerate(ground.areas.levels):
        parents = ground.areas.levels[number - 1].code if number else np.array([""])
        (folder / f"areas-{level.key}.geojson").write_bytes(_area_collection(level, parents))
    _write_grids(ground, folder / "grids.gpkg")
    _write_land_use(ground, folder / "land_use.gpkg")
    _write_roads(ground, folder / "roads.gpkg")
    _write_buildings(ground, folder / "buildings.gpkg")


def _area_collection(level: Level, parents: Texts) -> bytes:
    """A level as GeoJSON in CGCS2000 (geographic), which agrees with WGS84 to better than a metre."""
    shapes = shapely.to_geojson(shapes_to_lnglat(shapely.normalize(level.shape)))
    features = []
    for number, shape in enumerate(shapes):
        facts = {
            "区划代码": level.code[number],
            "名称": level.name[number],
            "英文名称": level.name_en[number],
            "城乡分类": int(level.urban_rural[number]),
        }
        if level.parent[number] >= 0:
            facts["上级代码"] = parents[level.parent[number]]
        facts = {key: value if isinstance(value, int) else str(value) for key, value in facts.items()}
        features.append(
            b'{"type":"Feature","properties":%b,"geometry":%b}' % (orjson.dumps(facts), shape.encode())
        )
    name = orjson.dumps(f"areas-{level.key}")
    return b'{"type":"FeatureCollection","name":%b,"crs":%b,"features":[\n%b\n]}\n' % (
        name,
        orjson.dumps({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}),
        b",\n".join(features),
    )


def _write(path: Path, shapes: Shapes, columns: dict[str, npt.NDArray[Any]], geometry: str, crs: str) -> None:
    """One layer, named as the file, into a GeoPackage whose bytes depend on nothing but its content."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2026-11-20T00:00:00.000Z"})
    fields = [
        np.asarray(values, dtype=object) if np.asarray(values).dtype.kind == "U" else np.asarray(values)
        for values in columns.values()
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        pyogrio.raw.write(
            path,
            shapely.to_wkb(shapes),
            fields,
            list(columns),
            layer=path.stem,
            driver="GPKG",
            geometry_type=geometry,
            crs=crs,
            dataset_options={"VERSION": "1.2"},
        )
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _write_grids(ground: Ground, path: Path) -> None:
    areas = ground.areas
    order = np.argsort(areas.grid_code, kind="stable")
    homes = totals(ground.buildings.plot, ground.buildings.dwellings, len(order))
    community = areas.plot_community[order]
    name = np.char.add(
        areas.communities.name[community],
        np.char.add(
            np.char.add(
                "第",
                np.char.lstrip(
                    areas.grid_code[order]
                    .astype("U15")
                    .view("U1")
                    .reshape(-1, 15)[:, 12:]
                    .copy()
                    .view("U3")
                    .ravel(),
                    "0",
                ),
            ),
            "网格",
        ),
    )
    columns = {
        "网格编码": areas.grid_code[order],
        "网格名称": name,
        "责任网格": _patches(homes[order], community, areas),
    }
    _write(path, shapes_to_lnglat(ground.network.plots[order]), columns, "Polygon", "EPSG:4490")


def _patches(homes: Floats, community: Ints, areas: Areas) -> Texts:
    """Officers' patches: grids of a community in order of code, cut whenever about 300 dwellings are reached."""
    before = np.cumsum(homes) - homes
    first = np.unique(community, return_index=True)[1]
    start = np.zeros(len(areas.communities.code))
    start[community[first]] = before[first]
    part = ((before - start[community] + homes / 2) // _PATCH_HOMES).astype(np.int64)
    key = community * 1000 + part
    _, first = np.unique(key, return_index=True)
    number = np.unique(key, return_inverse=True)[1]
    lowest = np.full(len(areas.communities.code), np.iinfo(np.int64).max)
    np.minimum.at(lowest, community[first], number[first])
    rank = number - lowest[community] + 1
    return np.char.add(
        areas.communities.code[community], np.char.add("R", np.char.zfill(rank.astype(str), 2))
    )


def _write_land_use(ground: Ground, path: Path) -> None:
    """Parcels by class, and the ground of the streets, in the planning department's own zone (EPSG:4547)."""
    shapes, kinds, names = land_use(ground)
    words = np.array([LAND_USE_WORDS[kind] for kind in kinds])
    _write(path, shapes_to_zone(shapes), {"用地性质": words, "名称": names}, "MultiPolygon", ZONE_CRS)


def land_use(ground: Ground) -> tuple[Shapes, Texts, Texts]:
    """Shapes (plane metres), class and name of all ground: parcels, then the streets between them."""
    network, parcels = ground.network, ground.parcels.copy()
    water = network.plot_kind == "water"
    parcels[water] = network.plots[water]
    streets = shapely.difference(network.plots, parcels)
    use = np.array([KINDS[kind].land_use for kind in network.plot_kind])
    here = ~shapely.is_empty(parcels)
    road = ~shapely.is_empty(streets) & (shapely.area(streets) > 0.5) & ~water
    shapes = np.concatenate([parcels[here], streets[road]])
    kinds = np.concatenate([use[here], np.full(int(road.sum()), "transport")])
    names = np.concatenate([ground.addresses.plot_place[here], np.full(int(road.sum()), "", dtype="U1")])
    return (
        np.array(
            [
                shape if shape.geom_type == "MultiPolygon" else shapely.MultiPolygon([shape])
                for shape in shapes
            ],
            dtype=object,
        ),
        kinds,
        names,
    )


def _write_roads(ground: Ground, path: Path) -> None:
    columns = {
        "道路名称": ground.addresses.road_name,
        "道路英文名": ground.addresses.road_name_en,
        "道路等级": ground.network.road_kind,
    }
    _write(path, shapes_to_lnglat(ground.network.roads), columns, "LineString", "EPSG:4326")


def _write_buildings(ground: Ground, path: Path) -> None:
    buildings = ground.buildings
    columns = {
        "楼栋编号": np.char.add("B", np.char.zfill((np.arange(len(buildings)) + 1).astype(str), 7)),
        "楼栋名称": ground.addresses.name, "地址": ground.addresses.address,
        "用途": np.array([USE_WORDS[use] for use in buildings.use]),
        "层数": buildings.floors, "建成年份": buildings.built_year, "建筑面积": buildings.floor_area_m2,
    }  # fmt: skip
    _write(path, shapes_to_lnglat(buildings.shape), columns, "Polygon", "EPSG:4326")

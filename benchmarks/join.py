"""Points -> areas, exactly: prepared tables against geopandas.sjoin and SedonaDB on a generated city.

About 1,000 areas with winding borders share a city of 50 x 40 km; people stand in clusters. `differences` counts
points whose area is not the one ``geopandas.sjoin`` gives (the smallest code, where it gives several). Making
geometries of the points is not counted against geopandas; SedonaDB makes them in its query. Both may be run on a part
of the points; their times are then scaled to all of them, and `compared` says on how many they ran.
"""

from __future__ import annotations

import time
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import sedonadb
import shapely

from grid.join import AreaJoin

Floats = npt.NDArray[np.float64]

WEST, SOUTH, EAST, NORTH = 113.75, 22.45, 114.25, 22.81


def city_areas(count: int = 1_000, seed: int = 7) -> npt.NDArray[np.object_]:
    """A partition of the city into `count` areas with winding, shared borders."""
    rng = np.random.default_rng(seed)
    whole = shapely.box(WEST, SOUTH, EAST, NORTH)
    seeds = np.column_stack([rng.uniform(WEST, EAST, count), rng.uniform(SOUTH, NORTH, count)])
    plain = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=whole))
    plain = shapely.intersection(plain, whole)
    network = shapely.segmentize(shapely.union_all(shapely.boundary(plain)), 0.0012)
    corners = shapely.get_coordinates(network)

    def wind(at: Floats) -> Floats:  # one function of place bends both sides of a border alike
        x, y = at[:, 0], at[:, 1]
        dx = 2.5e-4 * np.sin(y * 9000.0) + 3e-4 * np.sin(y * 2300.0 + x * 900.0)
        dy = 2.5e-4 * np.cos(x * 8500.0) + 3e-4 * np.cos(x * 2100.0 - y * 1100.0)
        return np.column_stack([x + dx, y + dy])

    bent = shapely.set_coordinates(network, wind(corners))
    faces = shapely.get_parts(shapely.polygonize([shapely.node(bent)]))
    return np.asarray(faces[shapely.area(faces) > 1e-9], dtype=object)


def city_points(count: int, seed: int = 8) -> tuple[Floats, Floats]:
    """People in clusters of several sizes, some outside the city."""
    rng = np.random.default_rng(seed)
    clusters = 400
    middle_x, middle_y = rng.uniform(WEST, EAST, clusters), rng.uniform(SOUTH, NORTH, clusters)
    spread = rng.lognormal(np.log(0.004), 0.7, clusters)
    of = rng.choice(clusters, count, p=rng.dirichlet(np.full(clusters, 0.6)))
    return rng.normal(middle_x[of], spread[of]), rng.normal(middle_y[of], spread[of])


def _by_geopandas(
    areas: npt.NDArray[np.object_], x: Floats, y: Floats
) -> tuple[float, npt.NDArray[np.int64]]:
    polygons = gpd.GeoDataFrame({"code": np.arange(areas.size)}, geometry=areas, crs=4326)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=4326)
    began = time.perf_counter()
    pairs = gpd.sjoin(points, polygons, predicate="intersects")
    elapsed = time.perf_counter() - began
    found = np.full(x.size, areas.size, dtype=np.int64)
    np.minimum.at(found, pairs.index.to_numpy(), pairs["code"].to_numpy())
    return elapsed, np.where(found == areas.size, -1, found)


def _by_sedonadb(areas: npt.NDArray[np.object_], x: Floats, y: Floats) -> tuple[float, int]:
    session = sedonadb.connect()
    polygons = gpd.GeoDataFrame({"code": np.arange(areas.size)}, geometry=areas, crs=4326)
    session.create_data_frame(polygons).to_view("areas")
    session.create_data_frame(pd.DataFrame({"x": x, "y": y})).to_view("points")
    began = time.perf_counter()
    query = session.sql(
        "SELECT x, code FROM points JOIN areas ON ST_Intersects(geometry, ST_SetSRID(ST_Point(x, y), 4326))"
    )
    rows = sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(query))
    return time.perf_counter() - began, rows


def run(points: int = 10_000_000, areas: int = 1_000, compare: int | None = None) -> dict[str, Any]:
    """Measures; the result's required keys are x_geopandas, x_sedonadb, x_sedonadb_one_shot and differences."""
    shapes = city_areas(areas)
    lng, lat = city_points(points)
    compared = min(points, compare or points)
    scale = points / compared
    codes = np.arange(shapes.size)
    AreaJoin.build(shapes[:2], codes[:2]).locate(lng[:10], lat[:10])  # compiled code is read here
    began = time.perf_counter()
    prepared = AreaJoin.build(shapes, codes)
    prepare_s = time.perf_counter() - began
    times = []
    for _ in range(3):
        began = time.perf_counter()
        ours = prepared.locate(lng, lat)
        times.append(time.perf_counter() - began)
    ours_s = min(times)
    sedonadb_s, sedonadb_rows = _by_sedonadb(shapes, lng[:compared], lat[:compared])
    geopandas_s, theirs = _by_geopandas(shapes, lng[:compared], lat[:compared])
    return {
        "points": points,
        "areas": int(shapes.size),
        "corners": int(shapely.get_num_coordinates(shapes).sum()),
        "compared": compared,
        "prepare_s": round(prepare_s, 3),
        "ours_s": round(ours_s, 3),
        "geopandas_s": round(geopandas_s * scale, 2),
        "sedonadb_s": round(sedonadb_s * scale, 2),
        "sedonadb_rows": sedonadb_rows,
        "located": int((ours[:compared] >= 0).sum()),
        "x_geopandas": round(geopandas_s * scale / ours_s, 1),
        "x_sedonadb": round(sedonadb_s * scale / ours_s, 1),
        "x_sedonadb_one_shot": round(sedonadb_s * scale / (ours_s + prepare_s), 1),
        "differences": int((ours[:compared] != theirs).sum()),
    }

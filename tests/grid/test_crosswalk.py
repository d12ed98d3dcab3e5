"""Overlaps of areas and cells: exact, complete, and kept in the database with their dwelling weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from grid import cells as h3
from grid import repository
from grid.crosswalk import overlaps, rebuild, weigh_dwellings
from grid.loaders import load
from grid.measure import area_m2
from tests.grid.conftest import Source, batch, load_level


def test_overlaps_are_those_of_plain_intersection() -> None:
    rng = np.random.default_rng(1)
    rings = [shapely.Point(114 + x, 22.5 + y).buffer(r, 64) for x, y, r in rng.uniform(0.001, 0.02, (6, 3))]
    shapes = np.array(
        [*rings, shapely.union_all(rings), rings[0].difference(rings[0].centroid.buffer(1e-4))], dtype=object
    )
    found, ground = overlaps(shapes, 10)
    for row in range(shapes.size):
        mine = found.rows == row
        plain = area_m2(shapely.intersection(ground.outlines, shapes[row]))
        assert (np.diff(found.cells[mine].astype(np.int64)) > 0).all()
        np.testing.assert_allclose(found.m2[mine], plain[ground.at(found.cells[mine])], atol=1e-3)
        assert plain.sum() == pytest.approx(found.m2[mine].sum(), rel=1e-9)
        assert found.m2[mine].sum() == pytest.approx(area_m2(shapes[row])[0], rel=1e-9)


def test_a_city_s_cells_and_shares(city: Any) -> None:
    made = rebuild(city)
    ids = {
        a["code"]: a["id"]
        for a in (
            dict(zip(("id", "code"), r, strict=True)) for r in city.execute("SELECT id, code FROM geo.area")
        )
    }
    assert made["cells"] == city.execute("SELECT count(*) FROM geo.cell").fetchone()[0]
    whole = shapely.box(114.0, 22.5, 114.02, 22.52)
    _, touching = h3.cover([whole], 10)
    assert sorted(c for (c,) in city.execute("SELECT cell FROM geo.cell")) == sorted(
        touching.astype(np.int64).tolist()
    )
    sums = city.execute(
        "SELECT a.code, sum(overlap_m2) / a.area_m2, sum(share_of_area), max(share_of_cell) FROM geo.area_cell"
        " JOIN geo.area a ON a.id = area_id GROUP BY a.id ORDER BY 1"
    ).fetchall()
    assert [row[0] for row in sums] == sorted(ids)
    np.testing.assert_allclose([row[1:] for row in sums], 1.0, rtol=1e-9)
    parents = city.execute("SELECT cell, r9, r8, r7 FROM geo.cell").fetchall()
    cells = np.array([p[0] for p in parents], dtype=np.int64).astype(np.uint64)
    for column, resolution in ((1, 9), (2, 8), (3, 7)):
        assert [p[column] for p in parents] == h3.parent(cells, resolution).astype(np.int64).tolist()
    land = city.execute("SELECT sum(land_m2), bool_and(land_m2 <= area_m2 + 1e-6) FROM geo.cell").fetchone()
    assert land[0] == pytest.approx(area_m2(whole)[0], rel=1e-9)
    assert land[1]


def test_land_use_makes_land_and_residential_ground(city: Any) -> None:
    lake, homes = shapely.box(114.002, 22.502, 114.006, 22.506), shapely.box(114.01, 22.51, 114.015, 22.515)
    load(
        city, Source("land_use", "parcels"), [batch([lake, homes], **{"class": ["water", "residential"]})], 1
    )
    rebuild(city)
    land, lived = city.execute("SELECT sum(land_m2), sum(residential_m2) FROM geo.cell").fetchone()
    whole = area_m2(shapely.box(114.0, 22.5, 114.02, 22.52))[0]
    assert land == pytest.approx(whole - area_m2(lake)[0], rel=1e-9)
    assert lived == pytest.approx(area_m2(homes)[0], rel=1e-9)


def test_legal_grids_are_crossed_too(city: Any) -> None:
    grids = [shapely.box(114.0, 22.5, 114.001, 22.501), shapely.box(114.001, 22.5, 114.002, 22.501)]
    load(city, Source("grids", "grids"), [batch(grids)], 1)
    rebuild(city)
    rows = city.execute(
        "SELECT sum(overlap_m2), sum(share_of_grid), max(g.area_m2) FROM geo.grid_cell"
        " JOIN geo.grid g ON g.id = grid_id GROUP BY g.id"
    ).fetchall()
    assert len(rows) == 2
    for overlap, share, ground in rows:
        assert overlap == pytest.approx(ground, rel=1e-9)
        assert share == pytest.approx(1.0)


def add_building(conn: Any, key: str, lng: float, lat: float, stated: float | None, dwellings: int) -> None:
    from grid.place import Placer

    leaf = repository.areas(conn, repository.leaf_level(conn))
    placer = Placer.from_areas(leaf.shapes, leaf.codes, leaf.ids, repository.grids(conn))
    cell, community, grid = (v[0].item() for v in placer.place([lng], [lat]))
    number = conn.execute(
        "INSERT INTO register.building (key, lng, lat, cell, community_id, grid_id, dwellings_count)"
        " VALUES (%s, %s, %s, %s, nullif(%s, 0), nullif(%s, 0), %s) RETURNING id",
        (key, lng, lat, cell, community, grid, stated),
    ).fetchone()[0]
    for k in range(dwellings):
        conn.execute(
            "INSERT INTO register.dwelling (key, building_id, cell, community_id) VALUES (%s, %s, %s, nullif(%s, 0))",
            (f"{key}-{k}", number, cell, community),
        )


def test_dwelling_weights_follow_the_buildings(city: Any) -> None:
    load(city, Source("grids", "grids"), [batch([shapely.box(114.0, 22.5, 114.001, 22.501)])], 1)
    rebuild(city)
    add_building(city, "a", 114.0005, 22.5005, 30, 0)
    add_building(city, "b", 114.009, 22.509, 99, 10)  # its ten dwellings count, not the number it states
    add_building(city, "c", 114.015, 22.515, 7, 0)
    add_building(city, "outside", 114.5, 22.9, 50, 0)
    weigh_dwellings(city)
    rows = city.execute(
        "SELECT a.code, sum(dwellings), sum(dwelling_share_of_area), max(dwelling_share_of_area) FROM geo.area_cell"
        " JOIN geo.area a ON a.id = area_id GROUP BY a.code HAVING sum(dwellings) > 0 ORDER BY 1"
    ).fetchall()
    assert [(r[0], r[1], round(r[2], 9), round(r[3], 6)) for r in rows] == [
        ("440305000000", 40.0, 1.0, 0.75),
        ("440305001001", 40.0, 1.0, 0.75),
        ("440306000000", 7.0, 1.0, 1.0),
        ("440306001002", 7.0, 1.0, 1.0),
    ]
    assert city.execute("SELECT sum(dwellings) FROM geo.grid_cell").fetchone() == (30.0,)
    city.execute("DELETE FROM register.building WHERE key = 'a'")
    weigh_dwellings(city)
    assert city.execute("SELECT sum(dwellings) FROM geo.area_cell").fetchone() == (34.0,)
    assert city.execute("SELECT sum(dwellings) FROM geo.grid_cell").fetchone() == (0.0,)


def test_no_city_at_all(conn: Any) -> None:
    assert rebuild(conn) == {"cells": 0, "area_cells": 0, "grid_cells": 0}


@pytest.mark.acceptance
def test_new_york_in_seconds(conn: Any, shared_data: Path) -> None:
    boroughs = gpd.read_file(shared_data / "nyc/boundary/borough.geojson")
    areas = gpd.read_file(shared_data / "nyc/boundary/neighborhood_tabulation_area.geojson")
    load_level(
        conn,
        "district",
        list(boroughs.geometry),
        code=boroughs["borough"].tolist(),
        name=boroughs["name"].tolist(),
    )
    load_level(
        conn, "community", list(areas.geometry), code=areas["nta2020"].tolist(), name=areas["name"].tolist()
    )
    began = time.process_time()
    made = rebuild(conn)
    assert time.process_time() - began < 30
    assert made["cells"] > 50_000
    worst = conn.execute(
        "SELECT max(abs(s / area_m2 - 1)) FROM geo.area a JOIN"
        " (SELECT area_id, sum(overlap_m2) AS s FROM geo.area_cell GROUP BY 1) x ON x.area_id = a.id"
    ).fetchone()
    assert worst[0] < 1e-8

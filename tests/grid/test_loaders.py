"""Layers into a real database: the tree, versions, faults, legal grids, land use, and the real layers of two cities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.engine import raw_copy
from grid import repository, tree
from grid.datum import to_wgs84
from grid.loaders import LoadResult, load
from tests.grid.conftest import Source, batch

DAY = date(2026, 11, 23)
LEVELS = [
    ("city", {"zh": "市", "en": "City"}),
    ("district", {"zh": "区", "en": "District"}),
    ("street", {"zh": "街道", "en": "Street"}),
]


@pytest.fixture
def conn(session: Session) -> Any:
    made = raw_copy(session)
    repository.set_levels(made, LEVELS)
    return made


def square(west: float, south: float, size: float = 0.01) -> shapely.Polygon:
    return shapely.box(west, south, west + size, south + size)


def load_level(
    conn: Any, level: str, shapes: Sequence[Any], *, day: date = DAY, repair: bool = False, **columns: Any
) -> LoadResult:
    return load(
        conn, Source("areas", f"{level}s", level), [batch(shapes, **columns)], 1, on=day, repair=repair
    )


def shown(conn: Any) -> list[tuple[Any, ...]]:
    return conn.execute(
        "SELECT a.code, a.level, p.code, a.valid_from, a.valid_to"
        " FROM geo.area a LEFT JOIN geo.area p ON p.id = a.parent_id ORDER BY a.code, a.valid_from"
    ).fetchall()


ALWAYS = date(1900, 1, 1)


def test_the_tree_by_stated_code_by_digits_and_by_ground(conn: Any) -> None:
    load_level(
        conn,
        "district",
        [square(114, 22), square(114.01, 22)],
        code=["440305", "440306"],
        name=["南山", "宝安"],
    )
    result = load_level(
        conn,
        "street",
        [
            square(114.001, 22.001, 0.001),
            square(114.0, 22.0, 0.001),
            square(114.0099, 22.003, 0.001),
            square(120, 30),
        ],
        code=["x1", "440306001", "x3", "x4"],
        name=["甲", "乙", None, "丁"],
        parent_code=["440306", None, None, None],
    )
    assert [row[:3] for row in shown(conn)] == [
        ("440305", 1, None),
        ("440306", 1, None),
        ("440306001", 2, "440306"),  # its digits say so, though its ground lies in 440305
        ("x1", 2, "440306"),
        ("x3", 2, "440306"),  # nine tenths of its ground
    ]
    assert result.accepted == 4
    refused = result.rejected_df.to_dicts()
    assert [(r["line"], r["field"], r["reason"], r["params"]) for r in refused] == [
        (5, "parent_code", "unknown_parent", '{"parent":"-"}')
    ]
    name = conn.execute("SELECT name FROM geo.area WHERE code = 'x3'").fetchone()
    assert name == ("x3",)


def test_an_unknown_stated_parent_is_refused(conn: Any) -> None:
    load_level(conn, "district", [square(114, 22)], code=["440305"], name=["南山"])
    result = load_level(conn, "street", [square(114, 22, 0.001)], code=["a"], name=["a"], parent_code=["999"])
    assert result.rejected_df["reason"].to_list() == ["unknown_parent"]
    assert result.inserted == 0


def test_levels_out_of_order_and_the_root_that_no_layer_gives(conn: Any) -> None:
    load_level(conn, "street", [square(114, 22), square(114.01, 22)], code=["s1", "s2"], name=["1", "2"])
    load_level(conn, "district", [shapely.box(114, 22, 114.02, 22.01)], code=["d"], name=["d"])
    tree.ensure_root(conn, "4403", "深圳市", "Shenzhen")
    paths = conn.execute(
        "SELECT a.code, (SELECT string_agg(p.code, '/' ORDER BY n) FROM unnest(a.path) WITH ORDINALITY u(i, n)"
        " JOIN geo.area p ON p.id = u.i) FROM geo.area a ORDER BY 1"
    ).fetchall()
    assert paths == [("4403", "4403"), ("d", "4403/d"), ("s1", "4403/d/s1"), ("s2", "4403/d/s2")]
    before = conn.execute("SELECT id, area_m2 FROM geo.area WHERE code = '4403'").fetchone()
    tree.ensure_root(conn, "4403", "深圳市", "Shenzhen")
    load_level(conn, "district", [shapely.box(114, 22, 114.03, 22.01)], code=["d"], name=["d"])
    tree.ensure_root(conn, "4403", "深圳市", "Shenzhen")
    after = conn.execute("SELECT id, area_m2 FROM geo.area WHERE code = '4403'").fetchone()
    assert after[0] == before[0]
    assert after[1] == pytest.approx(before[1] * 1.5, rel=1e-6)


def test_the_same_layer_again_changes_nothing(conn: Any) -> None:
    shapes = [square(114, 22), square(114.01, 22)]
    first = load_level(conn, "district", shapes, code=["a", "b"], name=["甲", "乙"])
    assert (first.inserted, first.unchanged, first.places_changed) == (2, 0, True)
    rows = conn.execute("SELECT xmin::text, * FROM geo.area ORDER BY id").fetchall()
    again = load_level(conn, "district", shapes, code=["a", "b"], name=["甲", "乙"], day=date(2027, 1, 1))
    assert (again.inserted, again.updated, again.unchanged, again.places_changed) == (0, 0, 2, False)
    assert conn.execute("SELECT xmin::text, * FROM geo.area ORDER BY id").fetchall() == rows


def test_a_changed_boundary_closes_the_old_version_and_keeps_the_id(conn: Any) -> None:
    load_level(conn, "district", [square(114, 22)], code=["a"], name=["甲"])
    load_level(conn, "street", [square(114, 22, 0.001)], code=["s"], name=["s"])
    number = conn.execute("SELECT id FROM geo.area WHERE code = 'a'").fetchone()
    result = load_level(conn, "district", [square(114, 22, 0.02)], code=["a"], name=["甲区"])
    assert (result.updated, result.inserted, result.places_changed) == (1, 0, True)
    versions = conn.execute(
        "SELECT id = %s, name, valid_from, valid_to, round(ST_XMax(geom)::numeric, 3)::float, path = ARRAY[id]"
        " FROM geo.area WHERE code = 'a' ORDER BY valid_from",
        number,
    ).fetchall()
    assert versions == [(False, "甲", ALWAYS, DAY, 114.01, True), (True, "甲区", DAY, None, 114.02, True)]
    assert shown(conn)[-1][:3] == ("s", 2, "a")
    # a correction on the same day replaces the day's version; a later one is a version of its own
    load_level(conn, "district", [square(114, 22, 0.03)], code=["a"], name=["甲区"])
    load_level(conn, "district", [square(114, 22, 0.04)], code=["a"], name=["甲区"], day=date(2027, 1, 1))
    spans = [(row[3], row[4]) for row in shown(conn) if row[0] == "a"]
    assert spans == [(ALWAYS, DAY), (DAY, date(2027, 1, 1)), (date(2027, 1, 1), None)]


def test_new_words_are_written_in_place(conn: Any) -> None:
    load_level(conn, "district", [square(114, 22)], code=["a"], name=["甲"])
    result = load_level(conn, "district", [square(114, 22)], code=["a"], name=["甲区"])
    assert (result.updated, result.places_changed) == (1, False)
    assert conn.execute("SELECT name, valid_from FROM geo.area").fetchall() == [("甲区", ALWAYS)]


def test_features_of_one_code_become_one_area(conn: Any) -> None:
    result = load_level(
        conn,
        "district",
        [square(114, 22), square(114.01, 22), square(114.5, 22)],
        code=["a", "a", "b"],
        name=["甲", "x", "乙"],
    )
    assert result.warnings == [{"code": "dissolved", "codes": ["a"], "count": 1, "rows": 3}]
    rows = conn.execute(
        "SELECT code, name, ST_NumGeometries(geom), ST_XMax(geom) - ST_XMin(geom) FROM geo.area ORDER BY 1"
    ).fetchall()
    assert rows[0][:3] == ("a", "甲", 1)
    assert rows[0][3] == pytest.approx(0.02)


BOW = shapely.Polygon([(114, 22), (114.01, 22.01), (114.01, 22), (114, 22.01)])


def test_an_invalid_shape_is_refused_with_its_place_or_repaired_and_recorded(conn: Any) -> None:
    shapes = [BOW, square(114.02, 22)]
    result = load_level(conn, "district", shapes, code=["bow", "ok"], name=["a", "b"])
    refused = result.rejected_df.to_dicts()
    assert [(r["line"], r["field"], r["reason"]) for r in refused] == [(2, "geometry", "geometry_invalid")]
    assert '"detail": "Self-intersection", "lng": 114.005' in refused[0]["params"]
    assert [row[0] for row in shown(conn)] == ["ok"]
    result = load_level(conn, "district", shapes, code=["bow", "ok"], name=["a", "b"], repair=True)
    assert result.rejected_df.height == 0
    assert result.warnings[0]["counts"] == {"invalid": 1}
    found = conn.execute("SELECT kind, code, repair FROM geo.topology_finding ORDER BY id").fetchall()
    assert found[0] == ("invalid", "bow", None)
    assert found[1][2].startswith("rebuilt from its rings")
    assert conn.execute("SELECT ST_IsValid(geom) FROM geo.area WHERE code = 'bow'").fetchone() == (True,)


def test_overlaps_and_gaps_are_told_and_repaired_only_when_asked(conn: Any) -> None:
    shapes = [
        shapely.box(114, 22, 114.011, 22.01),
        square(114.01, 22),
        shapely.box(114, 22.0101, 114.02, 22.02),
        shapely.box(113.99, 22, 114, 22.02),
        shapely.box(114.02, 22, 114.03, 22.02),
    ]
    columns = {"code": list("abcde"), "name": list("abcde")}
    result = load_level(conn, "district", shapes, **columns)
    assert result.inserted == 5
    assert result.warnings[0]["counts"] == {"overlap": 1, "gap": 1}
    assert {(f["code"], f["repair"]["code"]) for f in result.warnings[0]["largest"]} == {
        ("topology.overlap", "repair.none"),
        ("topology.gap", "repair.none"),
    }
    result = load_level(conn, "district", shapes, repair=True, day=date(2027, 1, 1), **columns)
    assert result.warnings[0]["repaired"] == 2
    whole = conn.execute(
        "SELECT ST_Area(ST_Union(geom)), sum(ST_Area(geom)) FROM geo.area WHERE valid_to IS NULL"
    ).fetchone()
    assert whole[0] == pytest.approx(0.04 * 0.02, rel=1e-9)
    assert whole[1] == pytest.approx(whole[0], rel=1e-9)
    found = conn.execute(
        "SELECT code, other_code, repair FROM geo.topology_finding WHERE kind = 'overlap' AND repair IS NOT NULL"
    ).fetchone()
    assert found == ("a", "b", "left with a, taken from b")


def test_rows_without_ground_are_refused(conn: Any) -> None:
    shapes = [
        None,
        b"nonsense",
        shapely.Polygon(),
        shapely.Point(114, 22),
        shapely.box(114, 22, float("inf"), 23),
        square(114, 22),
    ]
    result = load_level(conn, "district", shapes, code=list("abcdef"), name=list("abcdef"))
    assert sorted((r["line"], r["reason"]) for r in result.rejected_df.to_dicts()) == [
        (2, "geometry_missing"),
        (3, "geometry_missing"),
        (4, "geometry_missing"),
        (5, "not_an_area"),
        (6, "coordinates_impossible"),
    ]
    assert result.inserted == 1


def test_an_undeclared_level_is_an_error(conn: Any) -> None:
    with pytest.raises(tree.UnknownLevelError, match="village"):
        load_level(conn, "village", [square(114, 22)], code=["a"], name=["a"])
    with pytest.raises(KeyError):
        load(conn, Source("persons"), [], 1)


def test_legal_grids_are_numbered_west_to_east_from_the_north(conn: Any) -> None:
    load_level(
        conn,
        "street",
        [square(114, 22), square(114.01, 22)],
        code=["440305001001", "foreign"],
        name=["a", "b"],
    )
    cells = [square(114 + x, 22 + y, 0.001) for y in (0.002, 0.001) for x in (0.001, 0.002)]
    abroad = [square(114.011, 22.001, 0.001)]
    mixed = [cells[2], cells[1], *abroad, cells[0], cells[3]]
    source = Source("grids", "grids")
    result = load(conn, source, [batch(mixed)], 1, on=DAY)
    assert result.inserted == 5
    placed = dict(conn.execute("SELECT code, ST_AsText(ST_Centroid(geom)) FROM geo.grid").fetchall())
    for number, cell in enumerate(cells, 1):
        middle = shapely.from_wkt(placed[f"440305001001{number:03d}"])
        assert cell.contains(middle)
    assert "foreign-001" in placed
    again = load(conn, source, [batch(mixed)], 1, on=date(2027, 1, 1))
    assert (again.inserted, again.unchanged) == (0, 5)
    more = load(
        conn,
        source,
        [batch([square(114.003, 22.005, 0.001)], code=["440305001001777"], name=["东门"])],
        1,
        on=DAY,
    )
    assert more.inserted == 1
    owner = conn.execute(
        "SELECT g.name, g.origin, a.code FROM geo.grid g JOIN geo.area a ON a.id = g.area_id WHERE g.code LIKE '%777'"
    ).fetchone()
    assert owner == ("东门", "uploaded", "440305001001")
    lost = load(conn, source, [batch([square(10, 10)])], 1, on=DAY)
    assert lost.rejected_df["reason"].to_list() == ["unknown_parent"]


def test_land_use_is_replaced_only_when_it_differs(conn: Any) -> None:
    source = Source("land_use", "parcels")
    rows = batch(
        [square(114, 22), square(114.01, 22), square(114.02, 22)],
        **{"class": ["residential", "water", None], "name": ["甲", None, None]},
    )
    first = load(conn, source, [rows], 1)
    assert (first.inserted, first.rejected_df["reason"].to_list()) == (2, ["required_missing"])
    assert load(conn, source, [rows], 2).unchanged == 2
    changed = batch([square(114, 22)], **{"class": ["green"], "name": ["甲"]})
    load(conn, Source("land_use", "other"), [rows], 3)
    load(conn, source, [changed], 3)
    assert conn.execute("SELECT source, class FROM geo.land_use ORDER BY 1, 2").fetchall() == [
        ("other", "residential"),
        ("other", "water"),
        ("parcels", "green"),
    ]


@pytest.mark.acceptance
def test_new_york_s_tree(conn: Any, shared_data: Path) -> None:
    repository.set_levels(conn, [(k, {"zh": k, "en": k}) for k in ("city", "borough", "nta")])
    boroughs = gpd.read_file(shared_data / "nyc/boundary/borough.geojson")
    areas = gpd.read_file(shared_data / "nyc/boundary/neighborhood_tabulation_area.geojson")
    for level, layer, code in (("borough", boroughs, "borough"), ("nta", areas, "nta2020")):
        stated = layer["borough"].tolist() if level == "nta" else None
        result = load_level(
            conn,
            level,
            list(layer.geometry),
            code=layer[code].tolist(),
            name=layer["name"].tolist(),
            parent_code=stated,
        )
        assert result.rejected_df.height == 0
        assert result.inserted == len(layer)
    tree.ensure_root(conn, "NYC", "纽约", "New York")
    assert conn.execute(
        "SELECT count(*) FROM geo.area WHERE array_length(path, 1) <> level + 1"
    ).fetchone() == (0,)
    found = conn.execute(
        "SELECT a.code, p.code FROM geo.area a JOIN geo.area p ON p.id = a.parent_id WHERE a.level = 2"
    ).fetchall()
    reach = next(w for w in result.warnings if w["code"] == "areas_reach_out")
    assert "BX0802" in {one["area"] for one in reach["largest"]}  # over the river into Manhattan
    assert dict(found) == dict(zip(areas["nta2020"], areas["borough"], strict=True))


def test_a_code_of_another_level_is_refused(conn: Any) -> None:
    load_level(conn, "district", [square(114, 22)], code=["a"], name=["a"])
    result = load_level(conn, "street", [square(114, 22, 0.001)], code=["a"], name=["a"])
    assert result.rejected_df["reason"].to_list() == ["code_of_another_level"]
    assert [row[:2] for row in shown(conn)] == [("a", 1)]


@pytest.mark.acceptance
def test_shenzhen_s_streets_lie_in_their_districts(conn: Any, shared_data: Path) -> None:
    districts = gpd.read_file(shared_data / "shenzhen/sz_districts_transbigdata_wgs84.json")
    streets = gpd.read_file(shared_data / "shenzhen/深圳街道.geojson")

    def moved(shape: Any) -> Any:
        return shapely.transform(shape, lambda c: np.column_stack(to_wgs84(c[:, 0], c[:, 1], "GCJ-02")))

    load_level(
        conn,
        "district",
        list(districts.geometry),
        code=districts["qh"].tolist(),
        name=districts["qh"].tolist(),
    )
    codes = streets["BLOCK_ID"].astype(str).tolist()
    load_level(
        conn, "street", [moved(s) for s in streets.geometry], code=codes, name=streets["NAME"].tolist()
    )
    parents = dict(
        conn.execute(
            "SELECT a.code, p.name FROM geo.area a JOIN geo.area p ON p.id = a.parent_id WHERE a.level = 2"
        ).fetchall()
    )
    assert len(parents) == 74
    agree = sum(
        district.startswith(parents[code][:2])
        for code, district in zip(codes, streets["DISTRICT"], strict=True)
    )
    assert agree >= 72  # 坪山 and 龙岗 drew their border anew after one of the layers was made


def test_models_match_the_tables(session: Session) -> None:
    from grid.tables import Base

    for table in Base.metadata.sorted_tables:
        present = {
            name: nullable == "YES"
            for name, nullable in session.execute(
                text(
                    "SELECT column_name, is_nullable FROM information_schema.columns"
                    " WHERE table_schema = 'geo' AND table_name = :t"
                ),
                {"t": table.name},
            )
        }
        assert {c.name: bool(c.nullable) for c in table.columns} == present, table.name

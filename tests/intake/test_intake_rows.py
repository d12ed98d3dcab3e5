"""From headers and raw rows to typed rows, and rejected rows with reasons a person can act on."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.datum import from_wgs84
from intake.checks import RESIDENT_ID
from intake.city import Source
from intake.columns import match_columns, normalise
from intake.errors import DatumMissing, MappingError
from intake.pipeline import Reading, read_validated
from intake.reader import open_source
from intake.schema import Field, RowCheck, Schema
from intake.seen import SeenKeys
from intake.words import describe

PEOPLE = Schema(
    "persons",
    (
        Field("key", required=True, synonyms=("人员编号", "person id")),
        Field("id_number", synonyms=("身份证号",), check=RESIDENT_ID, sensitive=True),
        Field("sex", "code", synonyms=("性别",), codes={"男": 1, "女": 2}),
        Field("born", "date", synonyms=("出生日期",)),
        Field("rooms", "int", synonyms=("间数",)),
        Field("from", "date", synonyms=("开始日期",)),
        Field("to", "date", synonyms=("结束日期",)),
        Field("note", synonyms=("备注",)),
    ),
    key=("key",),
    checks=(RowCheck("ends_before_it_begins", "to", lambda rows: rows["to"] >= rows["from"]),),
)
PLACES = Schema(
    "buildings",
    (
        Field("key", required=True),
        Field("lng", "lng", synonyms=("经度",)),
        Field("lat", "lat", synonyms=("纬度",)),
    ),
    key=("key",),
)
AREAS = Schema(
    "areas", (Field("name", required=True, synonyms=("名称",)), Field("geometry", "geometry", required=True))
)
HEAD = "人员编号,身份证号,性别,出生日期,间数,开始日期,结束日期,备注\n"
SHENZHEN = (113.7, 22.4, 114.7, 22.9)


def source(**more: Any) -> Source:
    return Source(**{"name": "s", "kind": "persons", "file": "x.csv", **more})


def reading(
    path: Path, text: str | bytes, schema: Schema = PEOPLE, rows: int = 200_000, **more: Any
) -> Reading:
    bounds = more.pop("bounds", None)
    remembered = more.pop("remembered", None)
    path = path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_validated(open_source(path), schema, source(**more), remembered, bounds=bounds, rows=rows)


def both(found: Reading) -> tuple[pl.DataFrame, pl.DataFrame]:
    batches = list(found)
    return pl.concat([b.accepted for b in batches]), pl.concat([b.rejected for b in batches])


def test_every_wrong_row_is_kept_with_line_field_reason_and_value(tmp_path: Path) -> None:
    text = HEAD + (
        "1,11010519491231002X,男,1949-12-31,3,2020-01-01,,\n"
        "2,110105194912310021,男,1949-12-31,3,2020-01-01,,\n"
        "3,,x,2026-02-30,3.5,2020-01-01,,\n"
        ",,男,,,,,no key\n"
        "5,,男,,,2020-01-01,2019-01-01,\n"
        "1,,女,,,,,again\n"
        "7,,女,,,,\n"
        "8,,女,1990-01-01,,,,=1+1\n"
    )
    found = reading(tmp_path, text)
    accepted, rejected = both(found)
    assert accepted["key"].to_list() == ["1", "8"]
    assert accepted.schema == {**PEOPLE.polars, "__line": pl.Int64}
    assert accepted.row(0, named=True)["born"] == dt.date(1949, 12, 31)
    assert rejected.select("line", "field", "reason", "value").rows() == [
        (3, "id_number", "id_wrong_check_digit", "110105194912310021"),
        (4, "sex", "unknown_code", "x"),
        (5, "key", "required_missing", None),
        (6, "to", "ends_before_it_begins", "2019-01-01"),
        (7, "key", "duplicate_key", "1"),
        (8, None, "too_few_fields", None),
    ]
    more = json.loads(rejected["params"][1])["more"]
    assert [(m["field"], m["reason"], m["value"]) for m in more] == [
        ("born", "impossible_date", "2026-02-30"), ("rooms", "not_an_integer", "3.5"),
    ]  # fmt: skip
    assert json.loads(rejected["params"][4]) == {"first_line": 2}
    assert json.loads(rejected["row"][3]) == {
        "人员编号": "5", "身份证号": None, "性别": "男", "出生日期": None, "间数": None, "开始日期": "2020-01-01",
        "结束日期": "2019-01-01", "备注": None,
    }  # fmt: skip
    assert (found.rows_read, found.rows_accepted, found.rows_rejected) == (8, 2, 6)
    assert found.mapping.sensitive == ["身份证号"]
    for row in rejected.iter_rows(named=True):
        for language in ("zh-CN", "en"):
            said = describe(row["reason"], json.loads(row["params"]), language)
            assert "?" not in said
            assert "11010519" not in said


@settings(max_examples=60, deadline=None)
@given(keys=st.lists(st.integers(0, 40), min_size=1, max_size=120), rows=st.integers(1, 30))
def test_duplicates_are_found_across_batches_with_the_first_line(
    tmp_path_factory: Any, keys: list[int], rows: int
) -> None:
    path = tmp_path_factory.mktemp("d")
    accepted, rejected = both(reading(path, "key\n" + "".join(f"k{k}\n" for k in keys) + "z\n", PLACES, rows))
    first: dict[int, int] = {}
    expected = []
    for line, key in enumerate(keys, start=2):
        if first.setdefault(key, line) != line:
            expected.append((line, first[key]))
    found = zip(rejected["line"].to_list(), map(json.loads, rejected["params"].to_list()), strict=True)
    assert [(line, params["first_line"]) for line, params in found] == expected
    assert accepted.height == len(first) + 1


def test_a_key_of_two_fields_and_unique_fields(tmp_path: Path) -> None:
    fields = (Field("key", required=True), Field("from", "date"), Field("id"))
    schema = Schema("persons", fields, key=("key", "from"), unique=("id",))
    text = "key,from,id\na,2020-01-01,1\na,2021-01-01,\na,2020-01-01,\nb,,\nb,,\nc,,1\n"
    _, rejected = both(reading(tmp_path, text, schema))
    assert rejected.select("line", "field", "reason").rows() == [
        (4, "key", "duplicate_key"), (6, "key", "duplicate_key"), (7, "id", "duplicate_value"),
    ]  # fmt: skip
    accepted, _ = both(reading(tmp_path, text, schema, repeated="keep"))
    assert accepted.height == 5


def test_a_file_without_a_header_is_said_without_showing_its_data(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as caught:
        reading(tmp_path, "P1,11010519491231002X,王芳\nP2,110105194912310020,李伟\n")
    assert caught.value.params["problems"][0]["code"] == "columns.no_header"
    for said in (str(caught.value), repr(caught.value.params)):
        assert "1949" not in said
        assert "王芳" not in said


def test_seen_keys_grow_and_stay_exact() -> None:
    seen = SeenKeys()
    for start in range(0, 400_000, 50_000):
        keys = pl.DataFrame({"k": pl.int_range(start, start + 50_000, eager=True).cast(pl.String)})
        assert seen.add(keys, pl.int_range(start + 1, start + 50_001, eager=True)).max() == 0
    again = seen.add(pl.DataFrame({"k": ["399999", "x", "0"]}), pl.Series([9, 9, 9]))
    assert again.to_list() == [400_000, 0, 1]
    assert len(seen) == 400_001
    held = sum(p.table.nbytes + p.second.nbytes + p.first_line.nbytes for p in seen._parts)
    assert held / len(seen) < 60


@pytest.mark.parametrize("by", [1, -1])
def test_shifted_columns_are_called_shifted(tmp_path: Path, by: int) -> None:
    right = "k{},11010519491231002X,男,1949-12-31,3,2020-01-01,2021-01-01,"
    moved = (
        "m{},unquoted,11010519491231002X,男,1949-12-31,3,2020-01-01,2021-01-01"
        if by == 1
        else "m{},男,1949-12-31,3,2020-01-01,2021-01-01,,"
    )
    lines = [right.format(i) for i in range(20)] + [moved.format(i) for i in range(12)]
    lines.append("w,11010519491231002X,?,1949-13-31,x,2020-01-01,2021-01-01,")
    found = reading(tmp_path, HEAD + "\n".join(lines) + "\n")
    accepted, rejected = both(found)
    assert accepted.height == 20
    shifted = rejected.filter(pl.col("reason") == "columns_shifted")
    assert shifted.height == 12
    assert json.loads(shifted["params"][0]) == {"from_column": "身份证号", "by": by}
    assert rejected["reason"][-1] == "unknown_code"  # wrong in three fields, but not shifted
    assert {"code": "many_rows_shifted", "rows": 12} in found.warnings


def test_swapped_zero_outside_and_missing_coordinates(tmp_path: Path) -> None:
    text = (
        "key,经度,纬度\n1,114.06,22.54\n2,22.54,114.06\n3,0,0\n4,116.4,39.9\n5,114.06,\n6,,\n7,500000,2500000\n8,x,22.54\n"
        "9,114.06,0\n"
    )
    found = reading(tmp_path, text, PLACES, datum="WGS84", bounds=SHENZHEN)
    accepted, rejected = both(found)
    assert accepted.select("key", "lng", "lat").rows() == [("1", 114.06, 22.54), ("6", None, None)]
    assert dict(rejected.select("line", "reason").rows()) == {
        3: "coordinates_swapped", 4: "coordinates_zero", 5: "outside_city", 6: "coordinates_missing",
        8: "coordinates_impossible", 9: "not_a_number", 10: "coordinates_zero",
    }  # fmt: skip
    assert rejected.filter(pl.col("line") == 3)["value"][0] == "22.54 114.06"
    assert "swapped" in describe("coordinates_swapped", {}, "en")


@pytest.mark.parametrize("datum", ["WGS84", "CGCS2000", "GCJ-02", "BD-09", "EPSG:4547"])
def test_places_come_out_in_wgs84(tmp_path: Path, datum: str) -> None:
    lng, lat = np.array([114.06, 113.95]), np.array([22.54, 22.61])
    x, y = from_wgs84(lng, lat, datum)
    text = "key,lng,lat\n" + "".join(f"{i},{x[i]:.9f},{y[i]:.9f}\n" for i in range(2))
    accepted, _ = both(reading(tmp_path, text, PLACES, datum=datum, bounds=SHENZHEN))
    assert accepted["lng"].to_list() == pytest.approx(lng.tolist(), abs=1e-8)
    assert accepted["lat"].to_list() == pytest.approx(lat.tolist(), abs=1e-8)


def test_a_source_with_coordinates_must_name_its_datum(tmp_path: Path) -> None:
    with pytest.raises(DatumMissing) as caught:
        reading(tmp_path, "key,lng,lat\n1,114,22\n", PLACES)
    assert "WGS84, CGCS2000, GCJ-02, BD-09" in str(caught.value)
    accepted, _ = both(reading(tmp_path, "key\n1\n", PLACES))
    assert accepted["lng"].null_count() == 1


def test_layers_are_placed_too_and_points_of_layers_are_coordinates(tmp_path: Path) -> None:
    square = shapely.box(114.0, 22.5, 114.1, 22.6)
    frame = gpd.GeoDataFrame(
        {"名称": ["a", "b", "c"]}, geometry=[square, None, shapely.box(0, 0, 1, 1)], crs=4326
    )
    frame.to_file(tmp_path / "t.gpkg", driver="GPKG", engine="pyogrio")
    with pytest.raises(DatumMissing) as caught:
        read_validated(open_source(tmp_path / "t.gpkg"), AREAS, source())
    assert caught.value.params["declared"] == "EPSG:4326"
    found = read_validated(open_source(tmp_path / "t.gpkg"), AREAS, source(datum="GCJ-02"), bounds=SHENZHEN)
    accepted, rejected = both(found)
    moved = shapely.from_wkb(accepted["geometry"][0])
    x, y = from_wgs84(*shapely.get_coordinates(moved).T, "GCJ-02")
    assert np.column_stack([x, y]) == pytest.approx(shapely.get_coordinates(square), abs=1e-8)
    assert rejected.select("line", "reason").rows() == [(2, "required_missing"), (3, "outside_city")]
    assert {"code": "crs_disagrees", "declared": "EPSG:4326", "datum": "GCJ-02"} in found.warnings
    points = gpd.GeoDataFrame({"key": ["p", "q"]}, geometry=[shapely.Point(114.05, 22.55), square], crs=4326)
    points.to_crs(4547).to_file(tmp_path / "p.gpkg", driver="GPKG", engine="pyogrio")
    accepted, _ = both(read_validated(open_source(tmp_path / "p.gpkg"), PLACES, source(datum="CGCS2000")))
    assert accepted["lng"].to_list() == pytest.approx([114.05, 114.05], abs=1e-6)


def test_constants_codes_and_orders_of_the_city_file(tmp_path: Path) -> None:
    text = "人员编号,性别,出生日期\n1,M,02/03/2026\n2,F,13/03/2026\n"
    more = {
        "codes": {"sex": {"M": 1, "F": 2}},
        "constants": {"rooms": 3, "from": "2020-01-01"},
        "date_order": "dmy",
    }
    accepted, _ = both(reading(tmp_path, text, **more))
    assert accepted.select("sex", "born", "rooms", "from").rows() == [
        (1, dt.date(2026, 3, 2), 3, dt.date(2020, 1, 1)), (2, dt.date(2026, 3, 13), 3, dt.date(2020, 1, 1)),
    ]  # fmt: skip
    with pytest.raises(MappingError) as caught:
        reading(tmp_path, text, constants={"rooms": "many"})
    assert "rooms" in str(caught.value)


def test_several_files_name_the_file_of_each_rejected_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("key,lng,lat\n1,114,22.5\n")
    (tmp_path / "b.csv").write_text("key,lng,lat\n1,114,22.5\n2,x,22.5\n")
    opened = open_source([tmp_path / "a.csv", tmp_path / "b.csv"])
    accepted, rejected = both(read_validated(opened, PLACES, source(datum="WGS84")))
    assert accepted.select("key", "__file").rows() == [("1", "a.csv")]
    found = [json.loads(p) for p in rejected["params"].to_list()]
    assert found == [{"first_line": 2, "file": "b.csv"}, {"file": "b.csv"}]


def test_rows_refused_by_a_domain_get_back_what_the_file_said(tmp_path: Path) -> None:
    found = reading(tmp_path, HEAD + "1,,男,1949/12/31,3,,,x\n2,,女,,,,,y\n")
    accepted, _ = both(found)
    refused = accepted.select(
        line=pl.col("__line"), field=pl.lit("sex"), reason=pl.lit("unknown_reference"), params=pl.lit("{}"),
        value=pl.col("sex").cast(pl.String), row=pl.lit("{}"),
    )  # fmt: skip
    again = found.as_read(refused)
    assert again["value"].to_list() == ["男", "女"]
    assert json.loads(again["row"][0])["出生日期"] == "1949/12/31"


# Columns


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["人员编号", "性别", "出生日期"], {"key": "人员编号", "sex": "性别", "born": "出生日期"}),
        ([" 人员 编号*", "性別（必填）", "出生日期[YYYY-MM-DD]"], {"key": " 人员 编号*", "sex": "性別（必填）",
                                                          "born": "出生日期[YYYY-MM-DD]"}),
        (["PERSON_ID", "Sex", "ｂｏｒｎ"], {"key": "PERSON_ID", "sex": "Sex", "born": "ｂｏｒｎ"}),
        (["基本信息/人员编号", "基本信息/性别", "性别说明"], {"key": "基本信息/人员编号", "sex": "基本信息/性别"}),
        (["人员编号 person id", "間數（间）"], {"key": "人员编号 person id", "rooms": "間數（间）"}),
    ],
)  # fmt: skip
def test_headers_in_either_language_find_their_fields(headers: list[str], expected: dict[str, str]) -> None:
    assert match_columns(headers, PEOPLE, source()).columns == expected


def test_missing_and_ambiguous_columns_list_their_candidates() -> None:
    with pytest.raises(MappingError) as caught:
        match_columns(["人员编码", "性别", "性 别"], PEOPLE, source())
    problems = {p["field"]: p for p in caught.value.params["problems"]}
    assert problems["key"]["code"] == "columns.required_missing"
    assert problems["key"]["candidates"] == ["人员编码"]
    assert problems["sex"]["candidates"] == ["性别", "性 别"]
    assert "人员编码" in describe(caught.value.code, caught.value.params, "zh-CN")


def test_the_city_file_wins_over_memory_and_memory_over_names() -> None:
    headers = ["人员编号", "性别", "sex", "x"]
    found = match_columns(
        headers, PEOPLE, source(columns={"key": "x"}), {"sex": "sex", "性别": "note", "人员编号": "key"}
    )
    assert found.columns == {"key": "x", "sex": "sex", "note": "性别"}
    assert found.how == {"key": "explicit", "sex": "remembered", "note": "remembered"}
    left_out = match_columns(["人员编号", "性别", "sex"], PEOPLE, source(), {"sex": ""})
    assert left_out.columns == {"key": "人员编号", "sex": "性别"}
    for wrong, code in (({"key": "nope"}, "columns.no_such_header"), ({"kex": "x"}, "columns.no_such_field")):
        with pytest.raises(MappingError) as caught:
            match_columns(headers, PEOPLE, source(columns=wrong))
        assert caught.value.params["problems"][0]["code"] == code


def test_names_are_compared_in_one_form() -> None:
    assert normalise("戶籍地 代碼") == normalise("户籍地代码")
    assert normalise("Ｐerson-ID：") == "personid"

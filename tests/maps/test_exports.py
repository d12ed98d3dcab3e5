"""Files to take away, read back by other programs' libraries."""

from __future__ import annotations

import csv
import io

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest

from maps.errors import ExportFormatError
from maps.exports import disarmed, layer_file, layer_table
from maps.search import at_point, search
from tests.maps.town import MALICIOUS


def test_csv_opens_in_excel_and_runs_nothing(as_role, town):
    session, viewer = as_role("steward")
    made = layer_table(session, viewer, "residents", "area", level=2, lang="zh-CN").csv()
    assert made.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(made.decode("utf-8-sig"))))
    assert rows[0] == ["区域编号", "代码", "名称", "英文名称", "常住居民 (人)", "不予公布"]
    values = [int(row[4]) for row in rows[1:]]
    assert values == sorted(values, reverse=True)
    assert sum(values) == sum(town.total("residents", community=c) for c in (4, 5, 6, 7))
    names = [row[2] for row in rows[1:]]
    assert f"'{MALICIOUS}" in names
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_excel_has_no_formula_and_says_what_it_is(as_role):
    session, viewer = as_role("steward")
    made = layer_table(session, viewer, "residents", "area", level=2, lang="en").xlsx("en")
    book = openpyxl.load_workbook(io.BytesIO(made))
    sheet = book.worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "b"}
    assert MALICIOUS in [cell.value for cell in sheet["C"]]
    about = {row[0].value: row[1].value for row in book.worksheets[1].iter_rows()}
    assert about["Date"] == "2026-11-23"
    assert about["Unit"] == "people"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_would_run(text):
    assert disarmed(text) == f"'{text}"


@pytest.mark.parametrize("file_format", ["geojson", "gpkg"])
@pytest.mark.parametrize("geography", ["cell", "area", "grid"])
def test_gdal_reads_it(as_role, town, tmp_path, file_format, geography):
    session, viewer = as_role("steward")
    made = layer_file(session, viewer, "residents", file_format, geography, resolution=10, level=2)
    path = tmp_path / f"x.{file_format}"
    path.write_bytes(made)
    told = pyogrio.read_info(path)
    assert told["driver"] in {"GPKG", "GeoJSON"}
    frame = gpd.read_file(path)
    assert frame.crs.to_epsg() == 4326
    assert frame.geometry.is_valid.all()
    total = sum(f["residents"] for f in town.atoms.values())
    assert frame["value"].sum() == total
    assert frame["as_of"].astype(str).str.startswith("2026-11-23").all()


def test_geoparquet(as_role, town):
    session, viewer = as_role("steward")
    made = layer_file(session, viewer, "floating_share", "parquet", "cell", resolution=9)
    frame = gpd.read_parquet(io.BytesIO(made))
    assert frame.crs.to_epsg() == 4326
    assert frame["cell"].str.len().eq(15).all()
    assert frame["value"].between(0, 100).all()


def test_only_what_touches_the_box(as_role):
    session, viewer = as_role("steward")
    west = (114.30, 30.60, 114.304, 30.62)
    made = pd.read_csv(
        io.BytesIO(layer_table(session, viewer, "residents", "grid", bbox=west, lang="en").csv())
    )
    assert set(made["Grid"]) == {1, 5, 9, 13}


def test_analyst_table_has_no_small_figure(as_role):
    session, viewer = as_role("analyst")
    made = pd.read_csv(
        io.BytesIO(layer_table(session, viewer, "floating", "cell", resolution=10, lang="en").csv())
    )
    shown = made["Floating residents (people)"].dropna()
    assert shown.min() >= 13
    assert made["Withheld"].sum() == made["Floating residents (people)"].isna().sum()


def test_unknown_format(as_role):
    session, viewer = as_role("steward")
    with pytest.raises(ExportFormatError):
        layer_file(session, viewer, "residents", "shp")


def test_search_by_name_code_and_cell(as_role, town):
    session, viewer = as_role("analyst")
    found = search(session, viewer, "和平")["results"]
    assert [(r["kind"], r["id"], r["path"]) for r in found] == [("area", "4", ["小镇", "东区"])]
    assert search(session, viewer, "EAST")["results"][0]["name"] == "东区"
    assert search(session, viewer, "420101001001003")["results"][0]["kind"] == "grid"
    cell = f"{int(town.cells[0]):x}"
    assert search(session, viewer, cell)["results"][0]["id"] == cell
    assert search(session, viewer, "100%")["results"] == []
    assert search(session, viewer, "  ")["results"] == []
    assert len(search(session, viewer, "网格", limit=5)["results"]) == 5


def test_what_lies_at_a_point(as_role):
    session, viewer = as_role("officer")
    found = at_point(session, viewer, 114.3025, 30.6025)
    assert found["grid"]["id"] == "1"
    assert [a["level"] for a in found["areas"]] == [0, 1, 2]
    assert len(found["cell"]["id"]) == 15
    outside = at_point(session, viewer, 100.0, 20.0)
    assert outside["grid"] is None
    assert outside["areas"] == []

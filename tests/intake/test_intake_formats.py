"""Workbooks, layers and Parquet: rows with their numbers, and what is refused before it is believed."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import polars as pl
import pytest
import shapely

from intake.errors import EncodingError, SourceError
from intake.reader import FAULT, LINE, WKB, ReaderOptions, open_source, with_limits
from tests.intake.peak import PEAK


def read(path: Path, options: ReaderOptions | None = None, rows: int = 200_000) -> pl.DataFrame:
    with open_source(path, options) as reader:
        return pl.concat(list(reader.batches(rows)))


def refused(path: Path, options: ReaderOptions | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(path, options)
    return caught.value


def workbook(path: Path, **sheets: list[list[object]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def layer() -> gpd.GeoDataFrame:
    names = ["福田区华强北街道", "罗湖区东门街道", "南山区粤海街道"]
    squares = [shapely.box(114.0 + i / 10, 22.5, 114.1 + i / 10, 22.6) for i in range(3)]
    return gpd.GeoDataFrame(
        {"代码": [440304001, 440303002, 440305003], "名称": names}, geometry=squares, crs=4326
    )


# Excel


def test_a_form_with_title_two_header_rows_and_merged_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["XX区房屋登记表", None, None, None], ["街道", "编号", "住房", None], [None, None, "面积", "间数"],
        ["华强北", "0012", 80.5, 3], [None, "0013", 60, 2], [None, None, None, None], ["东门", "0014", 1e3, "=1+1"],
    ):  # fmt: skip
        sheet.append(row)
    for cells in ("A1:D1", "A2:A3", "B2:B3", "C2:D2", "A4:A5"):
        sheet.merge_cells(cells)
    book.save(tmp_path / "t.xlsx")
    with open_source(tmp_path / "t.xlsx") as reader:
        assert reader.headers == ["街道", "编号", "住房/面积", "住房/间数"]
        frame = pl.concat(list(reader.batches(2)))
        codes = {warning["code"] for warning in reader.warnings}
    assert frame.drop(FAULT, "__rest").rows() == [
        ("华强北", "0012", "80.5", "3", 4), ("华强北", "0013", "60", "2", 5), ("东门", "0014", "1000", None, 7),
    ]  # fmt: skip
    assert codes == {"title_rows_skipped", "header_rows_joined", "merged_cells_filled"}


def test_cells_become_the_text_a_person_would_type(tmp_path: Path) -> None:
    workbook(
        tmp_path / "t.xlsx",
        s=[
            ["a", "b", "c", "d", "e"],
            [dt.datetime(2026, 2, 3), dt.datetime(2026, 2, 3, 8, 30), True, 440304199001011234, 440304001.0],
        ],
    )
    assert read(tmp_path / "t.xlsx").row(0)[:5] == (
        "2026-02-03", "2026-02-03T08:30:00", "true", "440304199001011000", "440304001",
    )  # fmt: skip


def test_the_sheet_is_chosen_or_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    workbook(path, one=[["id"], [1]], two=[["id"], [2]], empty=[])
    problem = refused(path)
    assert (problem.code, problem.params["allowed"]) == ("source.choose_sheet", ["one", "two"])
    assert read(path, ReaderOptions(sheet="two"))["id"][0] == "2"
    assert read(path, ReaderOptions(sheet=1))["id"][0] == "1"
    assert refused(path, ReaderOptions(sheet="three")).code == "source.no_such_sheet"
    workbook(path, one=[["id"], [1]], empty=[])
    assert read(path)["id"][0] == "1"


def test_values_beside_the_header_are_not_dropped(tmp_path: Path) -> None:
    rows = [["id", "name"], *([i, "x"] for i in range(30)), [31, "x", "lost?"]]
    workbook(tmp_path / "t.xlsx", s=rows)
    frame = read(tmp_path / "t.xlsx")
    assert frame.filter(pl.col(FAULT).is_not_null()).select(LINE, FAULT).rows() == [(32, "too_many_fields")]


def test_a_zip_bomb_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    workbook(path, s=[["id"], [1]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as out:
            for _ in range(3 * 1024):
                out.write(b" " * 2**20)
    assert path.stat().st_size < 8 * 2**20
    code = (
        PEAK + "import sys; from intake.reader import open_source; from intake.errors import SourceError\n"
        "try:\n    open_source(sys.argv[1])\n"
        "except SourceError as e:\n    print(e.code, peak_mib())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    found, peak_mib = done.stdout.split()
    assert found == "source.archive_bomb"
    assert int(peak_mib) < 500


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "liar.xlsx"
    workbook(path, s=[["id"], [1]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/big.bin", b"\0" * 40_000_000)
    data = bytearray(path.read_bytes())
    real = (40_000_000).to_bytes(4, "little")
    assert data.count(real) == 2
    path.write_bytes(bytes(data).replace(real, (1000).to_bytes(4, "little")))
    assert refused(path).code in ("source.archive_bomb", "source.unreadable")


def test_one_cell_in_the_last_corner_does_not_cost_the_whole_sheet(tmp_path: Path) -> None:
    path = tmp_path / "far.xlsx"
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = "id", 1
    book.active["XFD1048576"] = "x"
    book.save(path)
    problem = refused(path)
    assert problem.code == "source.sheet_too_large"
    assert (problem.params["rows"], problem.params["columns"]) == (1_048_576, 16_384)
    book.active["XFD1048576"] = None
    book.active["XFD1048576"].font = openpyxl.styles.Font(bold=True)  # a format alone costs nothing
    book.save(path)
    assert read(path)["id"].to_list() == ["1"]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 not a zip", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600]
)
def test_broken_workbooks_are_refused_with_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.xlsx").write_bytes(content)
    problem = refused(tmp_path / "t.xlsx")
    assert problem.code == "source.unreadable"
    assert "t.xlsx" in str(problem)


def test_header_only_and_empty_workbooks(tmp_path: Path) -> None:
    workbook(tmp_path / "h.xlsx", s=[["id", "name"]])
    workbook(tmp_path / "e.xlsx", s=[])
    assert refused(tmp_path / "h.xlsx").code == "source.header_only"
    assert refused(tmp_path / "e.xlsx").code == "source.empty"


# Layers


@pytest.mark.parametrize(
    ("name", "driver"), [("t.gpkg", "GPKG"), ("t.geojson", "GeoJSON"), ("t.shp", "ESRI Shapefile")]
)
def test_layers_give_text_geometry_and_feature_numbers(tmp_path: Path, name: str, driver: str) -> None:
    layer().to_file(tmp_path / name, driver=driver, encoding="UTF-8", engine="pyogrio")
    with open_source(tmp_path / name) as reader:
        frame = pl.concat(list(reader.batches(2)))
        assert reader.crs == (None if driver == "GeoJSON" else "EPSG:4326")  # GeoJSON says nothing of its own
        assert reader.has_geometry
    assert frame.select("代码", "名称", LINE).rows()[2] == ("440305003", "南山区粤海街道", 3)
    assert shapely.from_wkb(frame[WKB][1]).symmetric_difference(layer().geometry[1]).area < 1e-8


@pytest.mark.parametrize("with_cpg", [True, False])
def test_a_shapefile_in_gbk_with_and_without_its_cpg_and_in_a_zip(tmp_path: Path, with_cpg: bool) -> None:
    layer().to_file(tmp_path / "t.shp", encoding="GBK", engine="pyogrio")
    if not with_cpg:
        (tmp_path / "t.cpg").unlink()
    assert read(tmp_path / "t.shp")["名称"].to_list() == layer()["名称"].to_list()
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for part in tmp_path.glob("t.*"):
            if part.suffix != ".zip":
                archive.write(part, f"folder/{part.name}")
    with open_source(tmp_path / "t.zip") as reader:
        assert pl.concat(list(reader.batches()))["名称"].to_list() == layer()["名称"].to_list()
        assert reader.encoding == "GB18030"


def test_a_wrong_declared_encoding_of_a_shapefile_is_said(tmp_path: Path) -> None:
    layer().to_file(tmp_path / "t.shp", encoding="GBK", engine="pyogrio")
    with pytest.raises(EncodingError) as caught:
        open_source(tmp_path / "t.shp", ReaderOptions(encoding="UTF-8"))
    assert caught.value.params["looks_like"] == "GB18030"


def test_a_shapefile_without_its_table_is_refused(tmp_path: Path) -> None:
    layer().to_file(tmp_path / "t.shp", engine="pyogrio")
    (tmp_path / "t.dbf").unlink()
    problem = refused(tmp_path / "t.shp")
    assert (problem.code, problem.params["missing"]) == ("source.shapefile_part_missing", [".dbf"])


def test_geojson_with_trailing_members_topojson_truncated_and_gbk(tmp_path: Path) -> None:
    made = json.loads(layer().to_json(ensure_ascii=False))
    made = {"name": "x", **made, "metadata": {"source": "somewhere", "features": 3}, "extra": [1, 2]}
    path = tmp_path / "t.json"
    path.write_text(json.dumps(made, ensure_ascii=False))
    assert read(path).height == 3
    path.write_text(path.read_text()[:-300])
    assert refused(path).code in ("source.unreadable", "source.broken_after")
    path.write_bytes(json.dumps(made, ensure_ascii=False).encode("gbk"))
    assert refused(path).params["looks_like"] == "GB18030"
    path.write_text('{"type": "Topology", "objects": {}, "arcs": []}')
    assert refused(path).code == "source.topojson"


def test_a_geopackage_with_two_layers_asks(tmp_path: Path) -> None:
    path = tmp_path / "t.gpkg"
    for name in ("a", "b"):
        layer().to_file(path, layer=name, driver="GPKG", engine="pyogrio")
    assert refused(path).code == "source.choose_layer"
    assert read(path, ReaderOptions(layer="b")).height == 3
    assert refused(path, ReaderOptions(layer="c")).params["allowed"] == ["a", "b"]


def test_real_layers(shared_data: Path) -> None:
    assert read(shared_data / "shenzhen/深圳街道.geojson").height == 74
    assert read(shared_data / "shenzhen/sz_districts_transbigdata_wgs84.json")["qh"].len() == 10
    assert read(shared_data / "nyc/boundary/census_tract.geojson").height == 2325


# Parquet and archives


def test_parquet_and_geoparquet(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"id": [1, 2], "born": [dt.date(1990, 1, 1), None], "m2": [80.0, 1.5], "tags": [["a"], []]}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet", rows=1).drop(FAULT, "__rest").rows() == [
        ("1", "1990-01-01", "80", '["a"]', 1), ("2", None, "1.5", "[]", 2),
    ]  # fmt: skip
    layer().to_crs(4490).to_parquet(tmp_path / "g.parquet")
    with open_source(tmp_path / "g.parquet") as reader:
        found = pl.concat(list(reader.batches()))
        assert reader.crs == "EPSG:4490"
        assert shapely.from_wkb(found[WKB][2]).area == pytest.approx(0.01)
    broken = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(broken[:-20])
    assert refused(tmp_path / "t.parquet").code == "source.unreadable"


def test_a_nul_byte_inside_a_typed_format_is_set_aside(tmp_path: Path) -> None:
    pl.DataFrame({"id": ["1", "2"], "name": ["x", "y\0z"]}).write_parquet(tmp_path / "t.parquet")
    frame = read(tmp_path / "t.parquet")
    assert frame[FAULT].to_list() == [None, "nul_byte"]


def test_a_zip_holds_any_one_format(tmp_path: Path) -> None:
    (tmp_path / "人口.csv").write_bytes("编号,姓名\n1,王芳\n".encode("gbk"))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(tmp_path / "人口.csv", "../../人口.csv")
    assert read(tmp_path / "t.zip")["姓名"].to_list() == ["王芳"]
    assert not (tmp_path.parent.parent / "人口.csv").exists()
    shutil.copy(tmp_path / "人口.csv", tmp_path / "b.csv")
    with zipfile.ZipFile(tmp_path / "t.zip", "a") as archive:
        archive.write(tmp_path / "b.csv", "b.csv")
    assert refused(tmp_path / "t.zip").code == "source.choose_layer"
    assert read(tmp_path / "t.zip", ReaderOptions(layer="b.csv")).height == 1
    options = with_limits(ReaderOptions(layer="b.csv"), archive_bytes=10)
    assert refused(tmp_path / "t.zip", options).code == "source.archive_bomb"


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    workbook(tmp_path / "t.xlsx", s=[["id"], [7]])
    (tmp_path / "t.xlsx").rename(tmp_path / "t.csv")
    assert read(tmp_path / "t.csv")["id"].to_list() == ["7"]
    (tmp_path / "old.xls").write_bytes("编号\t姓名\r\n1\t王芳\r\n".encode("gbk"))
    assert read(tmp_path / "old.xls")["姓名"].to_list() == ["王芳"]
    (tmp_path / "t.docx.bin").write_bytes(b"\x7fELF" + b"\0" * 100)
    assert refused(tmp_path / "t.docx.bin").code == "source.unknown_format"

"""The folder a demo city is delivered in: same bytes for the same seed, formats, city file, flaws, command."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import orjson
import polars as pl
import pyogrio
import pytest
import shapely
from typer.testing import CliRunner

from api.cli.demo_city import app
from demo.city_file import city_file
from demo.errors import FolderNotOursError
from demo.flaws import CHANGES, DUPLICATES, SWAPPED, Spoiler
from demo.generate import generate
from grid.datum import to_wgs84
from intake.city import load_city

CITIES = Path(__file__).parents[2] / "cities"


def _marks(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(town: Path, tmp_path: Path) -> None:
    again = generate("town", 1, tmp_path / "again")
    assert _marks(again) == _marks(town)
    other = _marks(generate("town", 2, tmp_path / "other"))
    same = {name for name, mark in _marks(town).items() if other[name] == mark}
    assert same == {"city.toml"}


def test_files_in_the_forms_and_encodings_of_their_departments(town: Path) -> None:
    assert (town / "people.csv").read_bytes().startswith("\ufeff人员编号,".encode())
    with pytest.raises(UnicodeDecodeError):
        (town / "schooling.csv").read_bytes().decode("utf-8")
    assert (town / "schooling.csv").read_bytes().decode("gb18030").startswith("人员编号,学校名称,学段")
    assert (town / "employers.xlsx").read_bytes().startswith(b"PK")
    assert pyogrio.read_info(town / "land_use.gpkg")["crs"] == "EPSG:4547"
    assert pyogrio.read_info(town / "grids.gpkg")["crs"] == "EPSG:4490"
    assert pyogrio.read_info(town / "areas-street.geojson")["crs"] == "EPSG:4490"
    collection = json.loads((town / "areas-community.geojson").read_text(encoding="utf-8"))
    assert set(collection["features"][0]["properties"]) == {
        "区划代码",
        "名称",
        "英文名称",
        "城乡分类",
        "上级代码",
    }


def test_employers_are_in_gcj02_and_their_buildings_in_wgs84(town: Path) -> None:
    """Converted back, an employer stands in a building; taken for WGS84, hundreds of metres away."""
    firms = pl.read_excel(town / "employers.xlsx", engine="openpyxl")
    houses = pyogrio.read_dataframe(town / "buildings.gpkg").geometry.to_numpy()
    tree = shapely.STRtree(houses)

    def near(lng: pl.Series, lat: pl.Series) -> float:
        points = shapely.points(lng.to_numpy(), lat.to_numpy())
        _, away = tree.query_nearest(points, return_distance=True, all_matches=False)
        return float((away * 111_000 < 12).mean())

    lng, lat = to_wgs84(firms["经度"].to_numpy(), firms["纬度"].to_numpy(), "GCJ-02")
    assert near(pl.Series(lng), pl.Series(lat)) > 0.98
    assert near(firms["经度"], firms["纬度"]) < 0.6


def test_the_committed_city_file_is_the_generated_one_with_a_demo_table(town: Path) -> None:
    committed = (CITIES / "demo.toml").read_text(encoding="utf-8")
    demo = committed[committed.index("# What to generate") : committed.index("[city]")]
    assert committed == city_file(demo)
    assert (town / "city.toml").read_text(encoding="utf-8") == city_file()
    assert "[demo]" in demo


def test_the_demo_table_points_to_the_generated_folder(town: Path, tmp_path: Path) -> None:
    beside = tmp_path / "mine.toml"
    beside.write_text(city_file(f'[demo]\nsize = "town"\nfolder = "{town}"'), encoding="utf-8")
    said = load_city(beside)
    assert said.folder == town
    assert {path.parent for source in said.sources for path in source.paths()} == {town}
    by_default = load_city(CITIES / "demo.toml")
    assert by_default.folder.parts[-2:] == ("demo", "district-1")


def test_a_city_that_is_there_is_kept_and_a_strange_folder_left_alone(town: Path, tmp_path: Path) -> None:
    before = (town / "people.csv").stat().st_mtime_ns
    assert generate("town", 1, town) == town
    assert (town / "people.csv").stat().st_mtime_ns == before
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "letter.txt").write_text("mine")
    with pytest.raises(FolderNotOursError):
        generate("town", 1, strange)
    assert [file.name for file in strange.iterdir()] == ["letter.txt"]


def test_what_an_interrupted_run_left_is_replaced(tmp_path: Path) -> None:
    half = tmp_path / "town.partial"
    half.mkdir()
    (half / "people.csv").write_text("half")
    folder = generate("town", 3, tmp_path / "town")
    assert not half.exists()
    assert orjson.loads((folder / "manifest.json").read_bytes())["seed"] == 3


def test_every_flaw_is_on_the_list_and_nothing_else_is_spoiled(town: Path) -> None:
    names = {"people": "people.csv", "dwellings": "dwellings.csv", "employment": "employment.csv"}
    for name, file in names.items():
        clean = pl.read_csv(town / file, infer_schema=False)
        spoiler = Spoiler(4)
        spoiled = spoiler.spoil(name, clean)
        truth = spoiler.truth()
        counts = dict(truth.group_by("flaw").len().iter_rows())
        for flaw, _, rate, _ in CHANGES[name]:
            assert 0.5 * rate * len(clean) <= counts[flaw] <= 1.1 * rate * len(clean) + 1
        assert len(spoiled) == len(clean) + counts.get("duplicate", 0)
        duplicates = {
            row for row in spoiled.filter(spoiled.is_duplicated()).rows() if row in set(clean.rows())
        }
        assert len(duplicates) >= counts.get("duplicate", 0)
        changed = len(set(spoiled.rows()) - set(clean.rows()))
        assert changed == len(truth.filter(pl.col("flaw") != "duplicate"))
    assert set(DUPLICATES) | set(SWAPPED) <= set(CHANGES)


def test_the_command_writes_a_city_and_says_where(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["generate", "--size", "town", "--seed", "9", "--out", str(tmp_path / "c"), "--flaws"]
    )
    assert done.exit_code == 0, done.output
    assert "city.toml" in done.output.replace("\n", "")
    assert pl.read_csv(tmp_path / "c" / "flaws.csv")["flaw"].n_unique() == 7

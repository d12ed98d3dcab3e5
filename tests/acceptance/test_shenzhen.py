"""Districts and sub-districts of Shenzhen: a datum that is declared wrongly is noticed, and what fits is named."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pytest

pytestmark = [pytest.mark.acceptance]


def test_all_districts_and_sub_districts_are_loaded(shenzhen):
    assert [
        row[0] for row in shenzhen.rows("select count(*) from geo.area group by level order by level")
    ] == [1, 10, 74]
    assert shenzhen.reports["streets"].rejected == 0
    orphans = shenzhen.rows("select code from geo.area where level > 0 and parent_id is null")
    assert orphans == []


def test_the_wrong_datum_is_named_with_the_one_that_fits(shenzhen):
    ((source, warning),) = shenzhen.heard.of("datum_fits_better")
    assert source == "streets"
    assert (warning["datum"], warning["better"]) == ("WGS84", "GCJ-02")
    assert (warning["overlap"], warning["better_overlap"]) == (0.891, 0.916)


def test_the_warning_stays_with_the_run(shenzhen):
    (warnings,) = shenzhen.rows(
        "select warnings from ops.import_run where source = 'streets' and state = 'done'"
    )
    assert "datum_fits_better" in {one["code"] for one in warnings[0]}


def test_declared_rightly_there_is_no_warning(shenzhen_gcj02):
    assert shenzhen_gcj02.heard.of("datum_fits_better") == []
    assert (
        shenzhen_gcj02.value("select datum from ops.import_run where source = 'streets' and state = 'done'")
        == "GCJ-02"
    )


def test_the_two_readings_lie_half_a_kilometre_apart(shenzhen, shenzhen_gcj02):
    where = (
        "select st_x(st_centroid(geom)), st_y(st_centroid(geom)) from geo.area where code = '440304008000'"
    )
    ((x, y),), ((x2, y2),) = shenzhen.rows(where), shenzhen_gcj02.rows(where)
    metres = (((x - x2) * 102_700) ** 2 + ((y - y2) * 110_800) ** 2) ** 0.5
    assert 266 < metres < 670


def test_the_codes_are_those_of_the_statistics_bureau(shenzhen, shared_data: Path):
    with (shared_data / "china_codes" / "streets.csv").open(encoding="utf-8") as handle:
        streets = {row["code"]: row["name"] for row in csv.DictReader(handle) if row["cityCode"] == "4403"}
    loaded = {
        code[:9]: name for code, name in shenzhen.rows("select code, name from geo.area where level = 2")
    }
    assert len(loaded) == 74
    assert all(streets[code] == f"{name}街道" for code, name in loaded.items())


def test_the_788_communities_belong_to_known_streets(shared_data: Path):
    """The communities' table has codes but no shapes, so they cannot be areas here; their streets are all known."""
    with (shared_data / "china_codes" / "villages_4403_shenzhen.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    city = tomllib.loads((Path(__file__).parent / "shenzhen.toml").read_text(encoding="utf-8"))
    streets = {code[:9] for code in city["sources"][1]["codes"]["code"].values()}
    assert len(rows) == 788
    special = {row["streetCode"] for row in rows} - streets
    assert all(code[6] == "4" for code in special)  # bonded zones and the airport: 4xx
    assert len(special) <= 5

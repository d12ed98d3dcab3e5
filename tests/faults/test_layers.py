"""Layers that are not sound, and datums that are not what they say."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from grid.datum import from_wgs84
from tests.faults.town import COMMUNITIES, PEOPLE, SIDE, SOUTH, WEST, Town, strip

pytestmark = pytest.mark.faults

BOW = shapely.Polygon(
    [(WEST, SOUTH), (WEST + SIDE, SOUTH + SIDE), (WEST + SIDE, SOUTH), (WEST, SOUTH + SIDE)]
)
LAYERS_ONLY = ("districts", "communities")


def _communities(**changed: Any) -> dict[str, Any]:
    return {code: strip(*at) for code, (_, *at) in COMMUNITIES.items()} | changed


def _only_layers(town: Town) -> None:
    town.sources = [one for one in town.sources if any(f'name = "{name}"' in one for name in LAYERS_ONLY)]
    town.write_toml()


def _spoil(town: Town, **changed: Any) -> None:
    town.layer("communities", "community", _communities(**{f"{code}": s for code, s in changed.items()}))


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "990101001001 is not valid at 114.056, 22.556; repair: none (load with --repair)"),
        ("zh-CN", "990101001001 图形无效（114.056, 22.556）；修复：未修复（可用 --repair 修复）"),
    ],
)
def test_an_invalid_polygon_is_named_located_and_refused(town: Town, lang: str, words: str) -> None:
    _spoil(town, **{"990101001001": BOW})
    told = town.load(lang=lang)
    assert told.code == 0
    assert words in told.text
    assert town.rejected("communities") == [(1, "geometry", "geometry_invalid")]
    assert town.value("select count(*) from geo.area where level = 2") == 3
    inside = "select count(*) from register.residence where community_id is not null"
    assert town.residents() == town.value(inside) < PEOPLE
    mended = town.load("--repair", lang=lang)
    assert mended.code == 0, mended.err
    assert town.value("select count(*) from geo.area where level = 2 and ST_IsValid(geom)") == 4
    assert town.people_counted_twice() == (PEOPLE, PEOPLE)


@pytest.mark.parametrize(
    ("lang", "found", "done"),
    [
        ("en", "990101001001 and 990101001002 overlap by", "left with 990101001001, taken from 990101001002"),
        ("zh-CN", "990101001001 与 990101001002 重叠", "归 990101001001，从 990101001002 中去掉"),
    ],
)
def test_an_overlap_is_named_and_repaired_only_when_asked(
    town: Town, lang: str, found: str, done: str
) -> None:
    _spoil(town, **{"990101001001": strip(0.0, 1.2)})
    _only_layers(town)
    shared = (
        "select ST_Area(ST_Intersection(a.geom, b.geom)::geography) from geo.area a, geo.area b"
        " where a.code = '990101001001' and b.code = '990101001002'"
        " and a.valid_to is null and b.valid_to is null"
    )
    told = town.load(lang=lang)
    assert told.code == 0
    assert found in told.text
    assert done not in told.text
    assert town.value(shared) > 1000
    mended = town.load("--repair", lang=lang)
    assert done in mended.text
    assert town.value(shared) < 1


@pytest.mark.parametrize(("lang", "words"), [("en", "GCJ-02 fits better (1.0)"), ("zh-CN", "GCJ-02 更吻合")])
def test_a_gcj02_layer_declared_wgs84_is_told_with_what_fits(town: Town, lang: str, words: str) -> None:
    shifted = {
        code: shapely.transform(s, lambda at: np.column_stack(from_wgs84(at[:, 0], at[:, 1], "GCJ-02")))
        for code, s in _communities().items()
    }
    town.layer("communities", "community", shifted)
    _only_layers(town)
    told = town.load(lang=lang)
    assert told.code == 0
    assert words in told.text
    assert "city.toml" in told.text
    assert town.value("select warnings->0->>'better' from ops.import_run where source = 'communities'") == (
        "GCJ-02"
    )
    town.layer("communities", "community", shifted, datum="GCJ-02")
    mended = town.load(lang=lang)
    assert mended.code == 0
    assert words not in mended.text
    assert town.value("select count(*) from geo.area where level = 2 and valid_to is null") == 4


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_coordinates_without_a_datum_are_refused(town: Town, lang: str) -> None:
    town.sources = [
        one.replace('datum = "WGS84"\n', "") if "buildings" in one else one for one in town.sources
    ]
    town.write_toml()
    told = town.load(lang=lang)
    assert told.code == 1
    assert "datum" in told.err
    assert "GCJ-02" in told.err
    assert "buildings" in told.err
    assert "Traceback" not in told.err
    assert town.value("select count(*) from register.building") == 0
    assert town.rows("select state from ops.import_run where source = 'buildings'") == [("refused",)]


def test_geojson_that_names_no_crs_does_not_disagree_with_the_city_file(town: Town) -> None:
    town.layer("communities", "community", _communities(), datum="CGCS2000")
    _only_layers(town)
    told = town.load()
    assert told.code == 0
    assert "EPSG:4326" not in told.text


@pytest.mark.parametrize(("written", "said"), [("zone", "EPSG:4547"), ("nobody", "Made up")])
def test_a_file_that_names_another_crs_is_told(town: Town, written: str, said: str) -> None:
    frame = gpd.GeoDataFrame(
        {"编码": list(_communities()), "名称": list("甲乙丙丁")},
        geometry=list(_communities().values()),
        crs=4326,
    )
    if written == "zone":
        frame = frame.to_crs(4547)
    else:
        own = "+proj=aeqd +lat_0=22.5 +lon_0=114 +datum=WGS84 +units=m"
        frame = frame.to_crs(own)
    frame.to_file(town.folder / "communities.gpkg", engine="pyogrio")
    declared = "EPSG:4546" if written == "zone" else "EPSG:4547"
    town.source("communities", "areas", "communities.gpkg", level="community", datum=declared)
    _only_layers(town)
    told = town.load()
    assert "Traceback" not in told.err
    assert "city.toml says" in told.text
    if written == "zone":
        assert said in told.text

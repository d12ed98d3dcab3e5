"""Catalogue, values, legend, style and TileJSON over the town."""

from __future__ import annotations

import base64
import io
import re
from collections import Counter

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from grid.cells import outlines, parent
from maps.catalogue import catalogue, indicator_layers
from maps.errors import BadGeographyError, NoHistoryError, UnknownLayerError
from maps.figures import Places
from maps.legend import legend
from maps.styles import HATCH, Look, style
from maps.tilejson import tilejson
from maps.values import layer_values
from maps.viewer import Viewer
from population.statistics import indicators
from tests.maps.town import AS_OF, COMMUNITIES, DISTRICTS, ROOT


def values_by_id(found):
    return dict(zip(found.ids.tolist(), found.values.tolist(), strict=True))


def test_every_indicator_is_a_layer_with_words_in_both_languages():
    layers = indicator_layers()
    assert set(layers) == set(indicators.by_id())
    groups = {group.id for group in indicators.groups()}
    for layer in layers.values():
        assert layer.group in groups
        for words in (layer.title, layer.definition, layer.source):
            assert words["zh"].strip()
            assert words["en"].strip()
        assert set(layer.columns) <= {*indicators.FIGURES, "area_km2"}


def test_catalogue_names_public_tables_too(as_role):
    session, viewer = as_role("analyst")
    told = catalogue(session, viewer).as_json(viewer)
    assert told["groups"][-1]["id"] == "areal"
    layer = next(x for x in told["layers"] if x["id"] == "areal:foreign_born")
    assert layer["exactness"] == "public"
    assert "2023" in layer["definition"]["en"]
    assert next(x for x in told["layers"] if x["id"] == "residents")["exactness"] == "threshold"
    with pytest.raises(UnknownLayerError):
        catalogue(session, viewer).layer("areal:nothing")


@pytest.mark.parametrize(("level", "keys"), [(0, (ROOT,)), (1, DISTRICTS), (2, COMMUNITIES)])
def test_areas_of_every_level(as_role, town, level, keys):
    session, viewer = as_role("steward")
    layer = catalogue(session, viewer).layer("jobs")
    found = values_by_id(layer_values(session, viewer, layer, Places("area", level=level)))
    below = {1: (4, 5, 6, 7), 2: (4, 5), 3: (6, 7)}
    for key in keys:
        assert found[key] == sum(town.total("jobs", community=c) for c in below.get(key, (key,)))
    assert set(found) == set(keys)


def test_density_divides_by_the_own_area(as_role, town):
    session, viewer = as_role("steward")
    layers = catalogue(session, viewer)
    found = values_by_id(layer_values(session, viewer, layers.layer("density"), Places("area", level=2)))
    area_km2 = 0.01 * 111.32 * np.cos(np.radians(30.61)) * 0.01 * 110.85
    assert found[4] == pytest.approx(town.total("residents", community=4) / area_km2, rel=0.01)
    cells = layer_values(session, viewer, layers.layer("density"), Places("cell", resolution=10))
    counted = layer_values(session, viewer, layers.layer("residents"), Places("cell", resolution=10))
    ratio = counted.values / cells.values
    known = counted.values > 0
    assert np.nanmin(ratio[known]) > 0.01  # an r10 cell here has about 0.013 to 0.015 km2
    assert np.nanmax(ratio[known]) < 0.017


def test_public_tables_add_up_over_cells_and_areas(as_role):
    session, viewer = as_role("analyst")
    layer = catalogue(session, viewer).layer("areal:foreign_born")
    for places in (
        *(Places("cell", resolution=r) for r in (10, 9, 8, 7)),
        *(Places("area", level=n) for n in (0, 1, 2)),
    ):
        found = layer_values(session, viewer, layer, places)
        assert found.values.sum() == 406
    found = layer_values(session, viewer, layer, Places("area", level=0))
    assert found.moe.tolist() == [pytest.approx(20)]
    with pytest.raises(BadGeographyError):
        layer_values(session, viewer, layer, Places("grid"))


def test_manager_has_no_figures_outside_the_district(as_role, town):
    session, viewer = as_role("manager")
    layer = catalogue(session, viewer).layer("residents")
    assert set(values_by_id(layer_values(session, viewer, layer, Places("area", level=2)))) == {4, 5}
    cells = layer_values(session, viewer, layer, Places("cell", resolution=7))
    assert cells.values.sum() == town.total("residents", community=4) + town.total("residents", community=5)


def test_analyst_share_needs_a_base_of_30(as_role, town):
    session, viewer = as_role("analyst")
    layer = catalogue(session, viewer).layer("floating_share")
    found = layer_values(session, viewer, layer, Places("cell", resolution=10))
    shown = ~found.withheld & ~np.isnan(found.values)
    assert shown.any()
    for cell in found.ids[shown]:
        assert town.total("residents", cell=int(cell)) >= 30
    assert np.isnan(found.values[found.withheld]).all()


def test_structural_zeros_come_from_land_use_alone(as_role):
    session, viewer = as_role("analyst")
    layer = catalogue(session, viewer).layer("residents")
    found = layer_values(session, viewer, layer, Places("cell", resolution=10))
    assert 0 < found.blank.sum() < 20
    assert not (found.blank & found.withheld).any()


def test_past_of_a_limited_territory(as_role):
    session, viewer = as_role("officer")
    layer = catalogue(session, viewer).layer("residents")
    past = AS_OF.replace(month=3)
    with pytest.raises(NoHistoryError):
        layer_values(session, viewer, layer, Places("cell", resolution=10), past)
    found = layer_values(session, viewer, layer, Places("grid"), past)
    assert found.as_of.isoformat() == "2026-02-28"
    assert set(found.ids.tolist()) == {1, 2}
    with pytest.raises(NoHistoryError):
        layer_values(session, viewer, catalogue(session, viewer).layer("households"), Places("grid"), past)


def test_figures_kept_for_one_viewer_are_not_shown_to_another(as_role):
    seen = {}
    for role in ("steward", "officer", "manager", "analyst", "officer"):
        session, viewer = as_role(role)
        layer = catalogue(session, viewer).layer("residents")
        found = layer_values(session, viewer, layer, Places("cell", resolution=8))
        seen.setdefault(role, np.nansum(found.values))
        assert np.nansum(found.values) == seen[role]
    assert seen["officer"] < seen["manager"] < seen["steward"]


@pytest.mark.parametrize("scheme", ["quantiles", "jenks", "headtail", "equal"])
def test_legend_counts_what_is_drawn(as_role, scheme):
    session, viewer = as_role("steward")
    told = legend(session, viewer, "residents", "cell", resolution=10, scheme=scheme, classes=5)
    layer = catalogue(session, viewer).layer("residents")
    found = layer_values(session, viewer, layer, Places("cell", resolution=10))
    assert sum(told["counts"]) + told["zeros"] == found.ids.size
    assert len(told["breaks"]) == len(told["colors"]) == len(told["counts"])
    assert told["max"] == found.values.max()
    assert told["as_of"] == AS_OF.isoformat()
    assert told["unit"] == {"zh": "人", "en": "people"}
    assert told["exactness"] == "duty"


def test_legend_of_a_published_layer_counts_the_withheld(as_role):
    session, viewer = as_role("analyst")
    told = legend(session, viewer, "floating", "cell", resolution=10, theme="dark")
    assert told["withheld_n"] > 0
    assert told["min"] >= 13
    assert told["exactness"] == "threshold"
    assert told["colors"] != legend(session, viewer, "floating", "cell", resolution=10)["colors"]


@pytest.mark.parametrize("geography", ["cell", "area", "grid"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_style_is_complete_and_names_no_other_server(as_role, geography, theme):
    session, viewer = as_role("steward")
    look = Look(theme=theme, base_url="http://127.0.0.1:8000", lang="en")
    made = style(session, viewer, "residents", geography=geography, level=2, look=look)
    assert made["version"] == 8
    assert "glyphs" not in made
    assert "sprite" not in made
    names = [layer["id"] for layer in made["layers"]]
    assert max(Counter(names).values()) == 1
    for layer in made["layers"]:
        assert layer["type"] == "background" or layer["source"] in made["sources"]
    addresses = re.findall(r"https?://[^/\"']+", str(made))
    assert set(addresses) == {"http://127.0.0.1:8000"}
    fill = next(layer for layer in made["layers"] if layer["id"].endswith("-fill"))
    assert fill["paint"]["fill-color"][0] == "case"
    image = made["metadata"]["hexward:images"][HATCH]
    from PIL import Image

    png = Image.open(io.BytesIO(base64.b64decode(image.split(",")[1])))
    assert png.size == (8, 8)
    assert png.mode == "RGBA"


def test_style_classes_are_those_of_each_zooms_cells(as_role):
    session, viewer = as_role("steward")
    made = style(session, viewer, "residents")
    legends = made["metadata"]["hexward:legends"]
    assert [(x["minzoom"], x["maxzoom"], x["resolution"]) for x in legends] == [
        (5, 9, 7), (9, 11, 8), (11, 13, 9), (13, 24, 10),
    ]  # fmt: skip
    fine = next(layer for layer in made["layers"] if layer["id"] == "cells-13-fill")
    assert [part[2] for part in fine["paint"]["fill-color"][1:-1:2]] == legends[-1]["breaks"][:-1]
    assert legends[0]["max"] > legends[-1]["max"]


def test_heat_style_asks_for_points(as_role):
    session, viewer = as_role("steward")
    made = style(session, viewer, "residents", look=Look(heat=True))
    assert made["sources"]["data"]["tiles"][0].endswith("?shape=point")
    assert {layer["type"] for layer in made["layers"] if layer.get("source") == "data"} == {"heatmap"}


def test_tilejson(as_role, town):
    session, viewer = as_role("analyst")
    told = tilejson(session, viewer, "areas", "jobs", level=1, at=AS_OF, base_url="http://h")
    assert told["tiles"] == [f"http://h/api/tiles/areas/1/jobs/{{z}}/{{x}}/{{y}}.mvt?date={AS_OF}"]
    assert told["bounds"] == [114.3, 30.6, 114.32, 30.62]
    assert told["tilejson"] == "3.0.0"
    west, south, east, north = tilejson(session, viewer, "cells", "jobs")["bounds"]
    drawn = outlines(parent(town.cells, 7))
    assert (west, south) < tuple(shapely.total_bounds(drawn)[:2])
    assert (east, north) > tuple(shapely.total_bounds(drawn)[2:])
    with pytest.raises(BadGeographyError):
        tilejson(session, viewer, "areas", "jobs")


def test_a_change_is_on_the_map_at_once(built, town):
    """Figures are kept until the version of the statistics grows, and never past it."""
    layer = indicator_layers()["residents"]
    viewer = Viewer("duty", whole_city=True)
    with Session(built.owner) as session:
        before = layer_values(session, viewer, layer, Places("area", level=2))
        assert layer_values(session, viewer, layer, Places("area", level=2)) is before
        session.execute(text("UPDATE stats.unit_figures SET residents = residents + 1 WHERE unit_id = 4"))
        session.execute(text("UPDATE stats.state SET version = version + 1"))
        after = layer_values(session, viewer, layer, Places("area", level=2))
        assert after.values.sum() == before.values.sum() + 1
        session.rollback()
        again = layer_values(session, viewer, layer, Places("area", level=2))
        assert again is before

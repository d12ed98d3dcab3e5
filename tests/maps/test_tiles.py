"""Tiles are decoded by another library and held against the town's own figures and outlines."""

from __future__ import annotations

from collections import defaultdict

import mapbox_vector_tile
import numpy as np
import pytest
import shapely

from grid.cells import outlines, parent
from maps import mvt
from maps.errors import TileOutOfRangeError, UnknownLayerError
from maps.tilemath import Tile, resolution_at, to_unit
from maps.tiles import area_tile, cell_tile, grid_tile
from tests.maps.town import AS_OF, BASE, COMMUNITIES, GRIDS, SIDE, SOUTH, WEST


def tiles_of_town(zoom: int):
    low, high = (
        to_unit(np.array([[WEST - 0.01, SOUTH + SIDE + 0.01], [WEST + SIDE + 0.01, SOUTH - 0.01]])) * 2**zoom
    )
    for x in range(int(low[0]), int(high[0]) + 1):
        for y in range(int(low[1]), int(high[1]) + 1):
            yield Tile(zoom, x, y)


def decoded(body: bytes, layer: str):
    if not body:
        return []
    tile = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True})
    assert list(tile) == [layer]
    assert tile[layer]["extent"] == 4096
    return tile[layer]["features"]


def expected(town, column: str, resolution: int) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for (_, _, cell), figures in town.atoms.items():
        sums[f"{int(parent(np.array([cell], dtype=np.uint64), resolution)[0]):x}"] += figures[column]
    return dict(sums)


@pytest.mark.parametrize("zoom", [8, 10, 12, 13, 14, 16])
def test_cells_of_all_tiles_are_the_towns_figures(as_role, town, zoom):
    session, viewer = as_role("steward")
    seen: dict[str, set] = defaultdict(set)
    for tile in tiles_of_town(zoom):
        for feature in decoded(cell_tile(session, viewer, "residents", tile), "cells"):
            seen[feature["properties"]["id"]].add(feature["properties"]["v"])
            assert feature["id"] == int(feature["properties"]["id"], 16) & ((1 << 52) - 1)
    assert {k: list(v) for k, v in seen.items()} == {
        k: [v] for k, v in expected(town, "residents", resolution_at(zoom, BASE)).items()
    }


@pytest.mark.parametrize("zoom", [9, 12, 14])
def test_a_cell_lies_where_it_should_in_every_tile_it_touches(as_role, town, zoom):
    """Neighbours at tile edges: each tile whose buffered box meets a cell has it, with the same outline."""
    session, viewer = as_role("steward")
    resolution = resolution_at(zoom, BASE)
    ids = sorted(expected(town, "residents", resolution))
    shapes = dict(zip(ids, outlines(np.array([int(i, 16) for i in ids], dtype=np.uint64)), strict=True))
    for tile in tiles_of_town(zoom):
        found = {
            f["properties"]["id"]: f for f in decoded(cell_tile(session, viewer, "residents", tile), "cells")
        }
        for name, shape in shapes.items():
            inside = tile.inside(to_unit(shapely.get_coordinates(shape)))
            edge = 4096 + mvt.BUFFER
            meets = shapely.box(-mvt.BUFFER, -mvt.BUFFER, edge, edge).intersects(shapely.Polygon(inside))
            if meets:
                drawn = np.array(found[name]["geometry"]["coordinates"][0])
                distance = np.abs(drawn[:, None, :] - inside[None, :, :]).max(axis=2).min(axis=1)
                assert distance.max() <= 0.51
                # clockwise on the screen (y down), as the specification asks of an exterior ring
                x, y = drawn[:, 0], drawn[:, 1]
                assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0


def test_values_are_whole_or_fractional_as_they_are(as_role, town):
    session, viewer = as_role("steward")
    values = {}
    for tile in tiles_of_town(13):
        for feature in decoded(cell_tile(session, viewer, "floating_share", tile), "cells"):
            values[feature["properties"]["id"]] = feature["properties"]["v"]
    residents, floating = expected(town, "residents", 10), expected(town, "floating", 10)
    for name, people in residents.items():
        if people:
            assert values[name] == pytest.approx(100 * floating[name] / people, abs=1e-12)


def test_a_heat_map_gets_the_middles(as_role):
    session, viewer = as_role("steward")
    tile = next(tiles_of_town(12))
    points = [
        f for tile in tiles_of_town(12)
        for f in decoded(cell_tile(session, viewer, "residents", tile, shape="point"), "cells")
    ]  # fmt: skip
    assert points
    assert {f["geometry"]["type"] for f in points} == {"Point"}
    assert tile.z == 12


def test_officer_sees_only_the_own_people_of_a_border_cell(as_role, town):
    session, viewer = as_role("officer")
    seen = {}
    for tile in tiles_of_town(13):
        for feature in decoded(cell_tile(session, viewer, "residents", tile), "cells"):
            seen[feature["properties"]["id"]] = feature["properties"]["v"]
    own: dict[str, int] = defaultdict(int)
    for (_, grid, cell), figures in town.atoms.items():
        if grid in (1, 2):
            own[f"{cell:x}"] += figures["residents"]
    assert seen == dict(own)
    whole = expected(town, "residents", 10)
    assert any(whole[name] > count for name, count in own.items())


def test_analyst_gets_no_small_figure_and_cannot_tell_a_zero(as_role, town):
    session, viewer = as_role("analyst")
    seen, withheld = {}, set()
    for tile in tiles_of_town(13):
        for feature in decoded(cell_tile(session, viewer, "floating", tile), "cells"):
            name = feature["properties"]["id"]
            if "w" in feature["properties"]:
                assert "v" not in feature["properties"]
                withheld.add(name)
            else:
                seen[name] = feature["properties"]["v"]
    exact = expected(town, "floating", 10)
    assert seen
    assert min(seen.values()) >= 13
    assert all(exact[name] == value for name, value in seen.items())
    empty = {f"{int(c):x}" for c in town.cells} - set(exact)
    assert empty & withheld  # cells with nobody look like cells with few
    assert not set(seen) & withheld


@pytest.mark.parametrize("zoom", [9, 13, 16])
def test_areas_carry_figures_names_and_whose_they_are(as_role, town, zoom):
    session, viewer = as_role("manager")
    found = {}
    for tile in tiles_of_town(zoom):
        for feature in decoded(area_tile(session, viewer, "residents", tile, level=2), "areas"):
            found[feature["id"]] = feature["properties"]
    assert set(found) == set(COMMUNITIES)
    for key, properties in found.items():
        mine = key in (4, 5)
        assert properties["mine"] == int(mine)
        assert properties["name_en"] == f"Community {key - 4}"
        assert properties.get("v") == (town.total("residents", community=key) if mine else None)


def test_area_outlines_meet_without_gaps_at_every_zoom(as_role, town):
    session, viewer = as_role("steward")
    for zoom in (10, 13, 15):
        for tile in tiles_of_town(zoom):
            shapes = [
                shapely.make_valid(shapely.geometry.shape(f["geometry"]))
                for f in decoded(area_tile(session, viewer, "residents", tile, level=2), "areas")
            ]
            if len(shapes) < 2:
                continue
            whole = shapely.union_all(shapes)
            assert abs(sum(s.area for s in shapes) - whole.area) <= 1e-6 * whole.area
            assert whole.geom_type == "Polygon"
            assert not whole.interiors


def test_grids_from_zoom_12(as_role, town):
    session, viewer = as_role("officer")
    assert all(grid_tile(session, viewer, "residents", tile) == b"" for tile in tiles_of_town(11))
    found = {}
    for tile in tiles_of_town(14):
        for feature in decoded(grid_tile(session, viewer, "residents", tile), "grids"):
            found[feature["id"]] = feature["properties"]
    assert set(found) == set(GRIDS)
    for key, properties in found.items():
        assert properties["mine"] == int(key in (1, 2))
        assert properties.get("v") == (town.total("residents", grid=key) if key in (1, 2) else None)


def test_nothing_there_is_empty_bytes(as_role):
    session, viewer = as_role("steward")
    assert cell_tile(session, viewer, "residents", Tile(13, 0, 0)) == b""
    assert area_tile(session, viewer, "residents", Tile(13, 0, 0), level=2) == b""
    assert cell_tile(session, viewer, "residents", Tile(3, 6, 3)) == b""


def test_a_past_month(as_role, town):
    session, viewer = as_role("steward")
    past = AS_OF.replace(year=2025, month=6, day=30)
    now, then = {}, {}
    for tile in tiles_of_town(13):
        for found, at in ((now, None), (then, past)):
            for feature in decoded(cell_tile(session, viewer, "residents", tile, at=at), "cells"):
                found[feature["properties"]["id"]] = feature["properties"]["v"]
    assert now == expected(town, "residents", 10)
    assert then == {name: value - 17 for name, value in now.items()}


def test_out_of_range_and_unknown(as_role):
    session, viewer = as_role("steward")
    with pytest.raises(TileOutOfRangeError):
        Tile(3, 8, 0)
    with pytest.raises(TileOutOfRangeError):
        Tile(17, 0, 0)
    with pytest.raises(UnknownLayerError):
        cell_tile(session, viewer, "nonsense", Tile(8, 0, 0))

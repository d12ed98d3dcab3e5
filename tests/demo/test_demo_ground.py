"""Streets, blocks, areas and buildings of the demo city."""

from __future__ import annotations

import h3
import numpy as np
import pytest
import shapely

from demo.city import Ground, draw_ground
from demo.clusters import shared_borders
from demo.errors import UnknownSizeError
from demo.plane import CENTRE_LAT, CENTRE_LNG, shapes_to_lnglat
from demo.sizes import SIZES, size_named


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_areas_close_without_gap_or_overlap(seed: int) -> None:
    ground = draw_ground(size_named("town"), seed)
    network = ground.network
    assert shapely.is_valid(network.plots).all()
    assert shapely.coverage_is_valid(network.plots)
    city = float(shapely.area(ground.areas.levels[0].shape[0]))
    for level in ground.areas.levels:
        assert shapely.is_valid(level.shape).all()
        assert shapely.coverage_is_valid(shapes_to_lnglat(level.shape))
        assert (shapely.get_type_id(level.shape) == 3).all(), "every area is in one piece"
        assert float(shapely.area(level.shape).sum()) == pytest.approx(city, rel=1e-9)


def test_codes_nest_and_are_nobodys(ground: Ground) -> None:
    city, districts, streets, communities = ground.areas.levels
    assert city.code.tolist() == ["880100000000"]
    for level in (districts, streets, communities):
        assert len(set(level.code)) == len(level.code)
        assert {len(code) for code in level.code} == {12}
        assert len(set(level.name)) == len(level.name)
    assert all(
        code[:6] == districts.code[parent][:6]
        for code, parent in zip(streets.code, streets.parent, strict=True)
    )
    assert all(
        code[:9] == streets.code[parent][:9]
        for code, parent in zip(communities.code, communities.parent, strict=True)
    )
    assert len(set(ground.areas.grid_code)) == len(ground.network.plots)
    assert all(
        code[:12] == communities.code[number]
        for code, number in zip(ground.areas.grid_code, ground.areas.plot_community, strict=True)
    )


def test_community_borders_follow_streets_or_water(ground: Ground) -> None:
    """Nine tenths of the border between communities lie on a street, the river or the railway."""
    plots, community = ground.network.plots, ground.areas.plot_community
    borders = shared_borders(plots)
    apart = community[borders.one] != community[borders.two]
    edges = shapely.intersection(plots[borders.one[apart]], plots[borders.two[apart]])
    middle = shapely.line_interpolate_point(shapely.line_merge(edges), 0.5, normalized=True)
    lines = np.concatenate(
        [ground.network.roads, ground.network.warp.lines(np.array([ground.network.plan.river]))]
    )
    tree = shapely.STRtree(lines)
    found = ~(shapely.is_missing(middle) | shapely.is_empty(middle))
    _, away = tree.query_nearest(middle[found], return_distance=True, all_matches=False)
    assert np.average(away < 1.0, weights=borders.length[apart][found]) > 0.9


def test_the_plan_has_what_a_city_has(ground: Ground) -> None:
    kinds = set(ground.network.plot_kind)
    assert kinds >= {
        "oldtown", "danwei", "estate", "village", "dormitory", "campus", "industrial", "commercial", "school",
        "hospital", "market", "stadium", "station", "square", "park", "water", "farmland", "government", "riverside",
    }  # fmt: skip
    assert {"primary", "secondary", "tertiary", "residential", "path", "rail"} <= set(
        ground.network.road_kind
    )
    north = np.array([ground.network.north_bank[q] for q in ground.network.block_quarter])
    assert north.any()
    assert not north.all()


def test_buildings_stand_on_their_parcel_and_apart(ground: Ground) -> None:
    buildings = ground.buildings
    assert shapely.is_valid(buildings.shape).all()
    assert shapely.within(buildings.shape, ground.network.plots[buildings.plot]).all()
    tree = shapely.STRtree(buildings.shape)
    one, two = tree.query(buildings.shape, predicate="overlaps")
    share = (one < two).sum() / len(buildings)
    assert share < 0.01, "hardly any two buildings overlap"
    assert (buildings.floors >= 1).all()
    assert buildings.floors.max() <= 60


def test_neighbourhoods_differ_in_grain(ground: Ground) -> None:
    """Plots of the old town and urban villages are finer than those of new estates, and houses smaller."""
    plots, kind = shapely.area(ground.network.plots), ground.network.plot_kind
    assert np.median(plots[kind == "oldtown"]) < 0.6 * np.median(plots[kind == "estate"])
    house, ground_kind = shapely.area(ground.buildings.shape), ground.buildings.kind
    assert np.median(house[ground_kind == "village"]) < 0.4 * np.median(house[ground_kind == "danwei"])


def test_streets_are_not_a_chessboard(ground: Ground) -> None:
    """Directions of streets spread over the whole half circle."""
    lines = ground.network.roads[ground.network.road_kind != "rail"]
    xy, index = shapely.get_coordinates(lines, return_index=True)
    way = np.diff(xy, axis=0)[index[1:] == index[:-1]]
    angle = np.degrees(np.arctan2(way[:, 1], way[:, 0])) % 90
    share = np.histogram(angle, bins=9, range=(0, 90), weights=np.hypot(*way.T))[0]
    share = share / share.sum()
    assert share.max() < 0.5
    assert share.min() > 0.01


def test_even_the_metropolis_lies_on_one_icosahedron_face_and_in_one_zone() -> None:
    reach = SIZES["metropolis"].radius_m * 1.35
    turn = np.linspace(0, 2 * np.pi, 48)
    ring = shapes_to_lnglat(
        np.array([shapely.Polygon(np.column_stack([np.cos(turn), np.sin(turn)]) * reach)])
    )
    faces = set()
    for lng, lat in shapely.get_coordinates(ring):
        faces.update(h3.get_icosahedron_faces(h3.latlng_to_cell(lat, lng, 10)))
        assert abs(lng - 114.0) < 1.5
    faces.update(h3.get_icosahedron_faces(h3.latlng_to_cell(CENTRE_LAT, CENTRE_LNG, 10)))
    assert len(faces) == 1


def test_an_unknown_size_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownSizeError) as refused:
        size_named("village")
    assert "metropolis" in refused.value.params["known"]

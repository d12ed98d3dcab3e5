"""Places of points in a loaded city, the tables kept on disk, and finding areas, grids and places."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import h3.api.basic_int as h3_int
import numpy as np
import pytest
import shapely

from grid import place as place_module
from grid import service
from grid.loaders import load
from grid.place import Placer
from tests.grid.conftest import Source, batch, load_level


def ids(conn: Any, table: str) -> dict[str, int]:
    return dict(conn.execute(f"SELECT code, id FROM geo.{table} WHERE valid_to IS NULL").fetchall())


def test_a_point_gets_cell_community_and_grid(city: Any, tmp_path: Path) -> None:
    load(city, Source("grids", "grids"), [batch([shapely.box(114.0, 22.5, 114.005, 22.505)])], 1)
    placer = Placer.for_city(city, tmp_path)
    area, grid = ids(city, "area"), ids(city, "grid")
    lng = [114.002, 114.008, 114.01, 114.005, 114.5, float("nan"), 400.0]
    lat = [22.502, 22.502, 22.505, 22.503, 22.5, 22.5, 22.5]
    cell, community, own_grid = placer.place(lng, lat)
    assert cell[:5].tolist() == [
        h3_int.latlng_to_cell(y, x, 10) for x, y in zip(lng[:5], lat[:5], strict=True)
    ]
    assert cell[5:].tolist() == [0, 0]
    first = area["440305001001"]
    assert community.tolist() == [first, first, first, first, 0, 0, 0]  # the border went to the smaller code
    assert own_grid.tolist() == [grid["440305001001001"], 0, 0, grid["440305001001001"], 0, 0, 0]
    assert cell.dtype == np.uint64
    assert community.dtype == np.int64


def test_tables_are_kept_by_version_of_the_areas(
    city: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Placer.for_city(city, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Placer, "from_areas", lambda *_: pytest.fail("prepared again"))
        kept = Placer.for_city(city, tmp_path)
    rng = np.random.default_rng(1)
    lng, lat = rng.uniform(113.99, 114.03, 20_000), rng.uniform(22.49, 22.53, 20_000)
    for a, b in zip(made.place(lng, lat), kept.place(lng, lat), strict=True):
        np.testing.assert_array_equal(a, b)
    load_level(
        city,
        "community",
        [shapely.box(114.5, 22.5, 114.51, 22.51)],
        code=["440306001009"],
        name=["新"],
        parent_code=["440306000000"],
    )
    fresh = Placer.for_city(city, tmp_path)
    assert fresh.place([114.505], [22.505])[1].tolist() == [ids(city, "area")["440306001009"]]
    assert len(list(tmp_path.iterdir())) == 2


def test_damaged_tables_are_made_again(city: Any, tmp_path: Path) -> None:
    want = Placer.for_city(city, tmp_path).place([114.002], [22.502])
    kept = next(tmp_path.iterdir())
    for name in ("cells.npz", "communities.npz", "ids.npz"):
        (kept / name).write_bytes(b"not a table")
        assert Placer.for_city(city, tmp_path).place([114.002], [22.502])[1].tolist() == want[1].tolist()


def test_a_folder_that_cannot_be_written_costs_no_answers(city: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert Placer.for_city(city, tmp_path / "file").place([114.002], [22.502])[1][0] > 0


def test_old_versions_are_forgotten(city: Any, tmp_path: Path) -> None:
    for k in range(place_module._KEPT_VERSIONS + 3):
        city.execute("UPDATE geo.area SET code = %s WHERE code LIKE '440305001001%%'", (f"440305001001{k}",))
        Placer.for_city(city, tmp_path)
    assert len(list(tmp_path.iterdir())) == place_module._KEPT_VERSIONS


def test_before_any_area_is_loaded(conn: Any, tmp_path: Path) -> None:
    cell, community, grid = Placer.for_city(conn, tmp_path).place([114.002], [22.502])
    assert cell[0] == h3_int.latlng_to_cell(22.502, 114.002, 10)
    assert (community[0], grid[0]) == (0, 0)


def test_at_a_place(city: Any, tmp_path: Path) -> None:
    load(city, Source("grids", "grids"), [batch([shapely.box(114.0, 22.5, 114.005, 22.505)])], 1)
    placer = Placer.for_city(city, tmp_path)
    found = service.at(city, placer, 114.002, 22.502)
    assert found.cell == f"{h3_int.latlng_to_cell(22.502, 114.002, 10):x}"
    assert [a["code"] for a in found.areas] == ["440305000000", "440305001001"]
    assert found.grid is not None
    assert found.grid["code"] == "440305001001001"
    outside = service.at(city, placer, 100.0, 10.0)
    assert (outside.grid, outside.areas) == (None, [])
    assert outside.cell
    assert service.at(city, placer, float("nan"), 0.0).cell == ""


def test_search_by_code_and_name_in_two_languages(city: Any) -> None:
    def codes(words: str) -> list[str]:
        return [hit["code"] for hit in service.search(city, words)]

    assert codes("甲社区") == ["440305001001"]
    assert codes("nanshan") == ["440305000000"]
    assert codes("440306") == ["440306000000", "440306001001", "440306001002"]
    assert codes("社区")[0].startswith("44030")
    assert len(codes("社区")) == 4
    assert codes("%") == []
    assert codes("_") == []
    assert codes("  ") == []
    assert codes("'; DROP TABLE geo.area; --") == []
    assert service.search(city, "社区", limit=1)[0]["level"] == 2


def test_an_area_as_of_a_day(city: Any) -> None:
    changed = shapely.box(114.0, 22.5, 114.009, 22.51)
    load(
        city,
        Source("areas", "communities", "community"),
        [batch([changed], code=["440305001001"], name=["甲社区"])],
        2,
        on=date(2026, 6, 1),
    )
    now, before = (
        service.find_area(city, "440305001001"),
        service.find_area(city, "440305001001", date(2026, 5, 31)),
    )
    assert now is not None
    assert before is not None
    assert (now["bbox"][2], before["bbox"][2]) == (114.009, 114.01)
    assert service.find_area(city, "440305001001", date(2026, 6, 1)) == now
    assert service.find_area(city, "nowhere") is None
    assert service.find_grid(city, "nowhere") is None


def test_grids_are_proposed_where_there_are_none_and_again_where_the_ground_changed(city: Any) -> None:
    load(city, Source("grids", "grids"), [batch([shapely.box(114.0, 22.5, 114.005, 22.505)])], 1)
    made = service.propose_grids(city, on=date(2026, 1, 1))
    by_area = dict(
        city.execute(
            "SELECT a.code, count(*) FROM geo.grid g JOIN geo.area a ON a.id = g.area_id GROUP BY 1"
        ).fetchall()
    )
    assert by_area["440305001001"] == 1  # has a grid of its own
    assert by_area["440305001002"] > 80
    assert made.inserted == sum(by_area.values()) - 1
    owned = city.execute(
        "SELECT bool_and(abs(g.s - a.area_m2) < 1) FROM geo.area a JOIN"
        " (SELECT area_id, sum(area_m2) AS s FROM geo.grid WHERE origin = 'proposed' GROUP BY 1) g ON g.area_id = a.id"
    ).fetchone()
    assert owned == (True,)
    assert service.propose_grids(city).accepted == 0
    smaller = shapely.box(114.0, 22.51, 114.005, 22.52)
    load(
        city,
        Source("areas", "communities", "community"),
        [batch([smaller], code=["440305001002"], name=["乙社区"])],
        2,
        on=date(2026, 6, 1),
    )
    again = service.propose_grids(city, on=date(2026, 6, 1))
    assert 30 < again.accepted < by_area["440305001002"]
    left = city.execute(
        "SELECT count(*) FILTER (WHERE valid_to IS NULL), count(*) FILTER (WHERE valid_to = '2026-06-01') FROM geo.grid"
        " WHERE code LIKE '440305001002%'"
    ).fetchone()
    assert left == (again.accepted, by_area["440305001002"])

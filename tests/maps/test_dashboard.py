"""Dashboards of every kind of unit, for every role, held against the town's atoms."""

from __future__ import annotations

from datetime import date

import orjson
import pytest

from grid.cells import parent
from maps.dashboard import dashboard
from maps.dashboard_table import dashboard_table
from maps.errors import OutsideHistoryError, UnitNotFoundError
from tests.maps.town import AS_OF


def key_figure(board, name):
    return next(f for f in board["key_figures"] if f["id"] == name)


def split_cell(town):
    """A cell with people in officer's grids (1, 2) and in others."""
    by_cell: dict[int, set[int]] = {}
    for _, grid, cell in town.atoms:
        by_cell.setdefault(cell, set()).add(grid)
    return next(c for c, grids in by_cell.items() if grids & {1, 2} and grids - {1, 2})


def test_a_grid_whole(as_role, town):
    session, viewer = as_role("steward")
    board = dashboard(session, viewer, "grid", "6")
    total = lambda name: town.total(name, grid=6)  # noqa: E731
    assert board["exactness"] == "duty"
    assert board["as_of"] == AS_OF.isoformat()
    assert [f["id"] for f in board["key_figures"]] == [
        "residents", "floating_share", "households", "dwellings", "jobs", "insured_share",
    ]  # fmt: skip
    assert key_figure(board, "residents")["value"] == total("residents")
    assert key_figure(board, "floating_share")["value"] == pytest.approx(
        100 * total("floating") / total("residents"), abs=1e-4
    )
    assert key_figure(board, "insured_share")["value"] == pytest.approx(100 * 4 / 7, abs=1e-4)
    assert sum(board["pyramid"]["male"]) == total("male")
    assert sum(board["pyramid"]["female"]) == total("female")
    assert len(board["pyramid"]["bands"]) == 18
    assert {t["id"]: t["value"] for t in board["tenure"]}["rent"] == total("rent")
    assert {t["id"]: t["value"] for t in board["industries"] if t["value"]} == {
        "C": total("jobs_c"), "H": total("jobs_h"),
    }  # fmt: skip
    assert {t["id"]: t["value"] for t in board["registration"]} == {
        name: total(name) for name in ("registered", "floating_permit", "floating_no_permit")
    }
    assert board["crowding"]["m2"][0]["value"] == total("crowd_lt8")
    assert board["unit"]["code"] == "420101001001006"
    assert board["unit"]["path"][0]["name"] == "小镇"
    orjson.dumps(board)


def test_compared_with_its_parent(as_role, town):
    session, viewer = as_role("steward")
    board = dashboard(session, viewer, "grid", "6")
    above = int(board["unit"]["parent"]["id"])
    assert key_figure(board, "residents")["parent_value"] == town.total("residents", community=above)
    density = next(c for c in board["comparison"] if c["id"] == "density")
    area = board["unit"]["area_m2"] / 1e6
    assert density["value"] == pytest.approx(town.total("residents", grid=6) / area, rel=1e-6)
    assert density["parent_value"] is not None
    assert "density" in board["definitions"]
    assert set(board["definitions"]["density"]) == {"title", "definition", "unit", "source", "date"}


def test_series_and_change_since_last_month(as_role, town):
    session, viewer = as_role("steward")
    board = dashboard(session, viewer, "area", "4")
    series = board["series"]
    assert series["months"][0] == "2024-01"
    assert series["months"][-1] == "2026-11"
    assert series["residents"][-1] == town.total("residents", community=4)
    assert series["moved_in"] == [2] * 35
    assert key_figure(board, "residents")["change_month"] == 1  # the town grows by one a month
    assert key_figure(board, "households")["change_month"] is None


def test_officer_exact_inside_published_outside(as_role, town):
    session, viewer = as_role("officer")
    own = dashboard(session, viewer, "grid", "1")
    assert own["exactness"] == "duty"
    assert key_figure(own, "residents")["value"] == town.total("residents", grid=1)
    assert key_figure(own, "residents")["parent_value"] is not None
    other = dashboard(session, viewer, "grid", "9")
    assert other["exactness"] == "threshold"
    assert key_figure(other, "residents")["value"] is None
    assert key_figure(other, "residents")["withheld"] is True
    assert other["pyramid"] is None
    community = dashboard(session, viewer, "area", "5")
    assert community["exactness"] == "threshold"
    assert key_figure(community, "residents")["value"] == town.total("residents", community=5)


def test_officer_cell_counts_only_the_own_people(as_role, town):
    cell = split_cell(town)
    own = sum(f["residents"] for (_, g, c), f in town.atoms.items() if c == cell and g in (1, 2))
    session, viewer = as_role("officer")
    board = dashboard(session, viewer, "cell", f"{cell:x}")
    assert board["exactness"] == "duty"
    assert key_figure(board, "residents")["value"] == own
    assert own < town.total("residents", cell=cell)
    assert board["series"] is None
    session, viewer = as_role("steward")
    whole = dashboard(session, viewer, "cell", f"{cell:x}")
    assert key_figure(whole, "residents")["value"] == town.total("residents", cell=cell)


@pytest.mark.parametrize("resolution", [7, 8, 9])
def test_coarser_cells_sum_the_visible(as_role, town, resolution):
    cell = split_cell(town)
    above = int(parent([cell], resolution)[0])
    inside = {c for _, _, c in town.atoms if int(parent([c], resolution)[0]) == above}
    own = sum(f["residents"] for (_, g, c), f in town.atoms.items() if c in inside and g in (1, 2))
    session, viewer = as_role("officer")
    board = dashboard(session, viewer, "cell", f"{above:x}")
    assert key_figure(board, "residents")["value"] == own
    assert board["unit"]["parent"]["kind"] == ("area" if resolution == 7 else "cell")


def test_analyst_sees_no_small_figure(as_role, town):
    session, viewer = as_role("analyst")
    board = dashboard(session, viewer, "area", "4")
    assert board["exactness"] == "threshold"
    small = next(c for c in town.cells if town.total("residents", cell=int(c)) < 13)
    board = dashboard(session, viewer, "cell", f"{int(small):x}")
    figure = key_figure(board, "residents")
    assert figure["value"] is None
    assert figure["withheld"] is True
    for block in ("registration", "tenure", "household_size", "industries"):
        for part in board[block] or []:
            assert part["value"] is None or part["value"] >= 13


def test_areal_figures_carry_their_margin(as_role):
    session, viewer = as_role("analyst")
    board = dashboard(session, viewer, "area", "5")
    assert board["areal"] == [
        {
            "variable": "areal:foreign_born", "title": {"zh": "境外出生", "en": "Born abroad"},
            "unit": {"zh": "人", "en": "people"}, "value": 101, "moe": 10,
        },
    ]  # fmt: skip


def test_a_past_day_is_the_last_month_end_kept(as_role, town):
    session, viewer = as_role("steward")
    board = dashboard(session, viewer, "grid", "6", date(2025, 7, 15))
    assert board["as_of"] == "2025-06-30"
    assert key_figure(board, "residents")["value"] == town.total("residents", grid=6) - 17
    assert key_figure(board, "households")["value"] is None
    assert board["series"]["months"][-1] == "2025-06"
    assert board["pyramid"] is None
    with pytest.raises(OutsideHistoryError):
        dashboard(session, viewer, "grid", "6", date(2020, 1, 1))


@pytest.mark.parametrize(
    ("kind", "unit"),
    [("grid", "99"), ("area", "99"), ("cell", "8a40cc9a3aeffff"), ("cell", "zz"), ("cell", "8f40a6800c1ffff"),
     ("area", "1; DROP"), ("area", "9" * 30), ("street", "1"), ("cell", "0" * 15)],
)  # fmt: skip
def test_what_does_not_exist(as_role, kind, unit):
    session, viewer = as_role("steward")
    with pytest.raises(UnitNotFoundError):
        dashboard(session, viewer, kind, unit)


def test_as_a_table(as_role, town):
    session, viewer = as_role("steward")
    board = dashboard(session, viewer, "area", "7")
    chinese, english = dashboard_table(board, "zh-CN"), dashboard_table(board, "en")
    assert len(chinese.rows) == len(english.rows) > 100
    assert chinese.headings != english.headings
    residents = next(r for r in english.rows if r[:2] == ("Key figures", "Residents"))
    assert residents[3] == town.total("residents", community=7)
    assert chinese.csv().startswith(b"\xef\xbb\xbf")
    assert english.xlsx("en").startswith(b"PK")

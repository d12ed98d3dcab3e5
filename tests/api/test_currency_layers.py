"""Layers of how current the register is: exact in the own territory, nothing outside it, never published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from db.engine import write_session
from tests.server import Served

Browser = Callable[..., httpx.Client]


def values(client: httpx.Client, layer: str, geography: str) -> dict[Any, float]:
    found = client.get(f"/api/layers/{layer}/table.json?geography={geography}")
    assert found.status_code == 200, found.text
    # a row: the place, its code and names, the figure, whether it is withheld
    assert all(len(row) == 6 and row[5] is False for row in found.json()["rows"])
    return {row[0]: row[4] for row in found.json()["rows"]}


def test_shares_by_grid_and_area_in_the_own_territory(
    served: Served, browser: Browser, owner: Engine
) -> None:
    with write_session(
        owner
    ) as session:  # of the 20 in grid 1: 5 within 30 days, 5 more within 90, 5 within 180
        session.execute(
            text(
                """UPDATE register.residence r SET confirmed_on = date '2026-11-01' - x.days
                   FROM (SELECT id, (ARRAY[29, 30, 179, 180])[1 + (row_number() OVER (ORDER BY id))::int % 4] AS days
                         FROM register.residence WHERE grid_id = :g) x WHERE x.id = r.id"""
            ),
            {"g": served.city.grids[0]},
        )
        session.execute(text("UPDATE register.dwelling SET capacity = 5"))
    officer = browser("officer")
    for days, share in ((30, 25), (90, 50), (180, 75)):
        found = values(officer, f"confirmed_{days}_share", "grid")
        assert found == {served.city.grids[0]: pytest.approx(share), served.city.grids[1]: 0}
    assert values(officer, "capacity_share", "grid")[served.city.grids[0]] == pytest.approx(80)
    district = "area&level=1"
    assert values(officer, "confirmed_30_share", district) == {}
    manager = values(browser("manager"), "confirmed_30_share", district)
    assert manager == {served.city.areas["330101"]: pytest.approx(100 * 5 / 78, abs=1e-3)}
    analyst = browser("analyst")
    assert "confirmed_30_share" not in {one["id"] for one in analyst.get("/api/layers").json()["layers"]}
    assert (
        analyst.get("/api/layers/confirmed_30_share/table.json?geography=cell&resolution=9").status_code
        == 404
    )

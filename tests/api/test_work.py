"""The work list and the services over HTTP: inside the territory only, every look in the trail."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import Engine, text

from db.engine import raw_copy, write_session
from population.currency import checks
from tests.server import Served
from tests.small_city import AS_OF

Browser = Callable[..., httpx.Client]


@pytest.fixture
def crowded(owner: Engine) -> None:
    """Every home with four people is too small for them, whatever else the checks find."""
    with write_session(owner) as session:
        session.execute(text("UPDATE register.dwelling SET capacity = 3"))
        checks.look(raw_copy(session), AS_OF)


def ids(client: httpx.Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/work?limit=200{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.usefixtures("crowded")
def test_each_sees_the_visits_of_the_own_territory(served: Served, browser: Browser, owner: Engine) -> None:
    officer, manager = browser("officer"), browser("manager")
    mine = ids(officer, "&check=crowded")
    # grids 1 and 2: five full homes of four, and one
    assert len(mine) == 6
    assert {item["grid_id"] for item in mine} == set(served.city.grids[:2])
    assert len(ids(manager, "&check=crowded")) == 5 + 1 + 10 + 3
    for role in ("analyst", "auditor"):
        assert browser(role).get("/api/work").status_code == 403
    assert browser().get("/api/work").status_code == 401
    with owner.connect() as connection:
        said = connection.execute(
            text("SELECT count(*) FROM audit.event WHERE action = 'work.view' AND account = 'officer'")
        ).scalar()
    assert said == 1


@pytest.mark.usefixtures("crowded")
def test_the_walk_goes_from_where_one_stands(served: Served, browser: Browser) -> None:
    manager = browser("manager")
    items = ids(manager, "&check=crowded&near=120.0174,30.0025")
    stops = list(dict.fromkeys(item["grid_id"] for item in items))
    assert stops == [served.city.grids[n] for n in (3, 2, 1, 0)]
    assert items[0]["distance_m"] == pytest.approx(10, abs=2)
    assert [item["stop"] for item in items] == sorted(item["stop"] for item in items)
    page = manager.get("/api/work?check=crowded&near=120.0174,30.0025&limit=5&offset=5").json()
    assert [item["id"] for item in page["items"]] == [item["id"] for item in items[5:10]]
    assert page["total"] == 19
    for wrong in ("120", "a,b", "200,10", "120,95"):
        assert manager.get(f"/api/work?near={wrong}").status_code == 422


@pytest.mark.usefixtures("crowded")
def test_an_outcome_is_noted_once_and_only_at_home(served: Served, browser: Browser, owner: Engine) -> None:
    officer, manager = browser("officer"), browser("manager")
    mine = ids(officer, "&check=crowded")
    foreign = next(i for i in ids(manager, "&check=crowded") if i["grid_id"] not in served.city.grids[:2])
    path = "/api/work/{}/outcome"
    assert officer.post(path.format(foreign["id"]), json={"outcome": "wrong"}).status_code == 404
    assert officer.post(path.format(uuid.uuid4()), json={"outcome": "wrong"}).status_code == 404
    assert officer.post(path.format(mine[0]["id"]), json={"outcome": "eaten"}).status_code == 422
    assert officer.post(path.format(mine[0]["id"]), json={"outcome": "snooze"}).status_code == 422
    late = {"outcome": "snooze", "until": "2026-11-01"}
    assert officer.post(path.format(mine[0]["id"]), json=late).status_code == 422
    assert officer.post(path.format(mine[0]["id"]), json={"outcome": "wrong"}).status_code == 200
    assert officer.post(path.format(mine[0]["id"]), json={"outcome": "wrong"}).status_code == 404
    met = officer.post(path.format(mine[1]["id"]), json={"outcome": "not_met"}).json()
    assert met["snoozed_until"] == "2026-11-04"
    assert len(ids(officer, "&check=crowded")) == 4
    assert [item["id"] for item in ids(officer, "&state=snoozed")] == [mine[1]["id"]]
    whole = officer.get("/api/work/summary").json()["all"]
    assert (whole["snoozed"], whole["done_week"]) == (1, 1)
    with owner.connect() as connection:
        events = connection.execute(
            text("SELECT state, outcome FROM ops.work_event WHERE actor_id IS NOT NULL ORDER BY id")
        )
        assert [tuple(row) for row in events] == [("dismissed", "wrong"), ("snoozed", "not_met")]


@pytest.mark.usefixtures("crowded")
def test_a_change_of_the_register_is_in_the_next_list(browser: Browser, owner: Engine) -> None:
    officer = browser("officer")
    before = ids(officer, "&check=crowded")
    with write_session(owner) as session:
        session.execute(
            text("UPDATE register.dwelling SET capacity = 9 WHERE id = :id"),
            {"id": before[0]["dwelling"]["id"]},
        )
    assert [item["id"] for item in ids(officer, "&check=crowded")] == [item["id"] for item in before[1:]]


def test_services_inside_the_territory_only(served: Served, browser: Browser, owner: Engine) -> None:
    officer, manager = browser("officer"), browser("manager")
    with owner.connect() as connection:
        of_grid = {
            number: connection.execute(
                text(
                    "SELECT person_id, household_id FROM register.residence WHERE grid_id = :g ORDER BY id LIMIT 1"
                ),
                {"g": served.city.grids[number]},
            ).one()
            for number in (0, 2, 6)
        }
    own = officer.get(f"/api/entitlements/person/{of_grid[0].person_id}")
    assert own.status_code == 200
    told = own.json()
    assert {one["status"] for one in told["services"]} <= {
        "available",
        "missing",
        "unknown",
        "not_applicable",
    }
    house = officer.get(f"/api/entitlements/household/{of_grid[0].household_id}").json()
    assert len(house["members"]) == 4
    assert house["services"][0]["id"] == "public_housing"
    for client, number, status in ((officer, 2, 404), (manager, 2, 200), (manager, 6, 404)):
        assert client.get(f"/api/entitlements/person/{of_grid[number].person_id}").status_code == status
        assert client.get(f"/api/entitlements/household/{of_grid[number].household_id}").status_code == status
    assert officer.get(f"/api/entitlements/person/{uuid.uuid4()}").status_code == 404
    assert browser("analyst").get(f"/api/entitlements/person/{of_grid[0].person_id}").status_code == 403


def test_the_app_role_writes_no_item_and_asks_no_facts_of_foreigners(served: Served, owner: Engine) -> None:
    with owner.connect() as connection:
        person = connection.execute(text("SELECT id FROM register.person LIMIT 1")).scalar()
    with psycopg.connect(served.city.address("app").replace("+psycopg", "")) as app:
        assert app.execute(
            "SELECT count(*) FROM ops.service_facts(ARRAY[%s::uuid], %s)", (person, AS_OF)
        ).fetchone() == (0,)
        for statement in (
            "UPDATE ops.work_item SET state = 'gone'",
            "DELETE FROM ops.work_event",
            "SELECT * FROM ops.work_due",
            f"SELECT * FROM ops.service_facts_of(ARRAY['{person}'::uuid], '2026-11-01')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(statement)


def test_a_confirmed_visit_confirms_who_lives_there(served: Served, browser: Browser, owner: Engine) -> None:
    officer = browser("officer")
    with write_session(owner) as session:
        session.execute(
            text("UPDATE register.residence SET confirmed_on = '2026-01-01', confirmed_source = 'police'")
        )
        checks.look(raw_copy(session), AS_OF)
    unseen = ids(officer, "&check=unseen")[0]
    done = officer.post(f"/api/work/{unseen['id']}/outcome", json={"outcome": "confirmed"})
    assert done.status_code == 200, done.text
    assert done.json()["act"] is not None
    assert unseen["id"] not in [item["id"] for item in ids(officer)]
    with owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT DISTINCT confirmed_source FROM register.residence WHERE dwelling_id = :d AND counted <> 0"
            ),
            {"d": unseen["dwelling"]["id"]},
        )
        assert [row[0] for row in rows] == ["officer"]

"""A resident declares, an officer decides, the resident sees it; and everything that is not so meant."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db.engine import write_session
from population.register import hall
from tests.server import Browser, Served

ID, OTHER = "11010519491231002X", "440524188001010014"
FORM = {"kind": "moved_in", "name": "欧阳娜娜", "id_number": ID, "phone": "138 0013 8000", "on": "2026-11-01",
        "tenure": "rent", "host": "房东王某", "words": "<script>alert(1)</script>", "consent": True}  # fmt: skip


def building(owner: Engine, key: str) -> int:
    """The id of a building; B0 and B1 are the officer's."""
    with owner.connect() as conn:
        return int(
            conn.execute(text("SELECT id FROM register.building WHERE key = :k"), {"k": key}).scalar_one()
        )


def test_from_the_hall_to_the_officer_and_back(served: Served, browser: Browser, owner: Engine) -> None:
    resident, officer = browser(), browser("officer")
    sent = resident.post("/api/hall/declarations", json={**FORM, "building_id": building(owner, "B0")})
    assert sent.status_code == 201, sent.text
    code = sent.json()["code"]
    assert set(code.replace("-", "")) <= set(hall.ALPHABET)
    assert resident.get(f"/api/hall/declarations/{code}").json()["state"] == "new"
    (one,) = officer.get("/api/declarations").json()["declarations"]
    shown = officer.get(f"/api/declarations/{one['id']}").json()
    assert shown["fields"]["id_number"] == "110105**********2X"
    assert shown["fields"]["phone"].endswith("8000")
    assert shown["fields"]["words"] == "<script>alert(1)</script>"  # text, shown as text
    where = f"/api/declarations/{one['id']}/decision"
    assert officer.post(where, json={"decision": "ask"}).status_code == 422
    assert officer.post(where, json={"decision": "ask", "reason": "哪一间？"}).status_code == 200
    seen = resident.get(f"/api/hall/declarations/{code.lower().replace('-', ' ')}").json()
    assert (seen["state"], seen["answer"]) == ("asked", "哪一间？")
    assert resident.post(f"/api/hall/declarations/{code}/reply", json={"words": "三楼"}).status_code == 200
    assert officer.get(f"/api/declarations/{one['id']}").json()["fields"]["replies"] == ["三楼"]
    with write_session(owner) as session:
        assert hall.person_of_code(session, code) is None
        mine = (
            session.execute(text("SELECT person_id FROM register.person_search WHERE grid_id = 1"))
            .scalars()
            .first()
        )
        foreign = (
            session.execute(text("SELECT person_id FROM register.person_search WHERE grid_id = 5"))
            .scalars()
            .first()
        )
    assert officer.post(where, json={"decision": "confirm"}).status_code == 422
    assert officer.post(where, json={"decision": "confirm", "person_id": str(foreign)}).status_code == 404
    done = officer.post(where, json={"decision": "confirm", "person_id": str(mine)})
    assert done.status_code == 200, done.text
    assert officer.get(f"/api/acts/{done.json()['act_id']}").json()["kind"] == "confirm"
    assert officer.post(where, json={"decision": "reject", "reason": "again"}).status_code == 404
    with write_session(owner) as session:
        assert hall.person_of_code(session, code) == mine
        assert hall.person_of_code(session, "AAAA-AAAA-AAAA") is None
        kept = session.execute(text("SELECT sealed, code_hash FROM register.declaration")).one()
    assert "欧阳".encode() not in kept.sealed
    assert code.replace("-", "").encode() not in kept.code_hash
    for secret in (ID, "13800138000", "欧阳娜娜", code):
        assert secret not in served.log.getvalue()


def test_a_confirmed_declaration_is_an_act(browser: Browser, owner: Engine) -> None:
    """Somebody new arrives and is found at once by name and telephone; then leaves by a declaration."""
    resident, officer = browser(), browser("officer")
    home = building(owner, "B0")
    (door, *_) = resident.get(f"/api/hall/addresses/{home}/doors").json()["doors"]
    form = {**FORM, "building_id": home, "dwelling_id": door["id"]}
    code = resident.post("/api/hall/declarations", json=form).json()["code"]
    (one,) = officer.get("/api/declarations").json()["declarations"]
    where = f"/api/declarations/{one['id']}/decision"
    assert officer.post(where, json={"decision": "confirm"}).status_code == 422
    done = officer.post(where, json={"decision": "confirm", "new_person": True})
    assert done.status_code == 200, done.text
    person = done.json()["person_id"]
    assert officer.get(f"/api/acts/{done.json()['act_id']}").json()["kind"] == "arrive"
    for query in ("欧阳娜娜", "8000", ID):
        assert [hit["id"] for hit in officer.get(f"/api/people/search?q={query}").json()["results"]] == [
            person
        ]
    with write_session(owner) as session:
        assert str(hall.person_of_code(session, code)) == person
    left = {**form, "kind": "moved_out", "on": "2026-11-20"}
    resident.post("/api/hall/declarations", json=left)
    (gone, _) = officer.get("/api/declarations").json()["declarations"]
    shown = officer.get(f"/api/declarations/{gone['id']}").json()
    assert [(hit["id"], hit["matched"]) for hit in shown["candidates"]] == [(person, "number")]
    done = officer.post(
        f"/api/declarations/{gone['id']}/decision", json={"decision": "confirm", "person_id": person}
    )
    assert done.status_code == 200, done.text
    assert officer.get("/api/people/search?q=欧阳娜娜").json()["results"] == []


def test_another_grid_sees_nothing_of_it(browser: Browser, owner: Engine) -> None:
    browser().post("/api/hall/declarations", json={**FORM, "building_id": building(owner, "B5")})
    officer, steward = browser("officer"), browser("steward")
    (one,) = steward.get("/api/declarations").json()["declarations"]
    assert officer.get("/api/declarations").json()["declarations"] == []
    for address in (one["id"], "00000000-0000-0000-0000-000000000000"):
        assert officer.get(f"/api/declarations/{address}").status_code == 404
        told = officer.post(
            f"/api/declarations/{address}/decision", json={"decision": "reject", "reason": "x"}
        )
        assert (told.status_code, told.json()["code"]) == (404, "declaration.not_found")
    assert browser("analyst").get("/api/declarations").status_code == 403


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id_number": "110105194912310021"}, "id_wrong_check_digit"), ({"id_number": None}, "id_missing"),
        ({"id_number": "99" * 9}, "id_"), ({"name": ""}, "string_too_short"), ({"name": "\x00\u202e"}, "name_missing"),
        ({"name": "长" * 10_000}, "string_too_long"), ({"words": "x" * 10_000}, "string_too_long"),
        ({"on": "2999-01-01"}, "too_far_ahead"), ({"on": "1800-01-01"}, "too_long_ago"), ({"on": "gestern"}, "date"),
        ({"consent": False}, "literal"), ({"phone": "<b>"}, "pattern"), ({"kind": "arrested"}, "literal"),
        (
            {"kind": "born", "child_name": "小宝", "child_sex": 1, "on": str(date.today() + timedelta(2))},
            "born_in_future",
        ),
        ({"kind": "born"}, "child_missing"), ({"building_id": 10**30}, "less_than"), ({"with_family": -1}, "greater"),
    ],
)  # fmt: skip
def test_bad_fields_are_named_and_not_repeated(
    browser: Browser, change: dict[str, Any], problem: str
) -> None:
    told = browser().post("/api/hall/declarations", json={**FORM, "building_id": 1, **change})
    assert told.status_code == 422
    assert problem in str(told.json()["params"]["errors"])
    assert str(next(iter(change.values())))[:40] not in told.text or len(str(next(iter(change.values())))) < 6


def test_places_floods_and_guessing(served: Served, browser: Browser) -> None:
    resident, limits = browser(), served.settings
    elsewhere = resident.post("/api/hall/declarations", json={**FORM, "building_id": 999_999})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "hall.unknown_place")
    for _ in range(limits.hall_declarations_an_hour - 1):
        resident.post("/api/hall/declarations", json={**FORM, "building_id": 1})
    flooded = resident.post("/api/hall/declarations", json={**FORM, "building_id": 1})
    assert flooded.status_code == 429
    assert 3000 < int(flooded.headers["retry-after"]) <= 3600
    for number in range(limits.hall_looks_a_minute):
        guessed = resident.get(f"/api/hall/declarations/AAAA-AAAA-{number:04}")
        assert (guessed.status_code, guessed.json()["code"]) == (404, "hall.unknown_code")
    assert resident.get("/api/hall/declarations/AAAA-AAAA-AAAA").status_code == 429
    assert resident.post("/api/hall/declarations", content=b"x" * 40_000).status_code == 413


def test_the_address_search_names_addresses_only(browser: Browser, owner: Engine) -> None:
    with write_session(owner) as session:
        session.execute(
            text("UPDATE register.building SET name = '锦绣花园' || id || '号楼', address = '文昌路' || id")
        )
    resident = browser()
    found = resident.get("/api/hall/addresses", params={"q": "文昌 2"}).json()["addresses"]
    assert [set(one) for one in found] == [{"id", "name", "address"}]
    doors = resident.get(f"/api/hall/addresses/{found[0]['id']}/doors").json()["doors"]
    assert set(doors[0]) == {"id", "unit", "floor", "room"}
    assert resident.get("/api/hall/addresses", params={"q": "%"}).json() == {"addresses": []}


def test_asking_the_other_grid(browser: Browser, owner: Engine) -> None:
    """Equal answers for a person who exists and one who does not; the right grid hears of it, and answers."""
    from population.register.identity import vault

    with write_session(owner) as session:
        import polars as pl

        both = vault().protect(pl.Series([ID]))
        session.execute(
            text(
                """UPDATE register.person SET id_number_hash = :h, id_number_enc = :e WHERE id =
                   (SELECT person_id FROM register.person_search WHERE grid_id = 3 LIMIT 1) """
            ),
            {"h": both["hash"].to_list()[0], "e": both["enc"].to_list()[0]},
        )
        name = session.execute(
            text("SELECT name FROM register.person WHERE id_number_hash = :h"),
            {"h": both["hash"].to_list()[0]},
        ).scalar_one()
    officer, manager = browser("officer"), browser("manager")
    asked = [
        officer.post("/api/people/ask", json={"name": who, "id_number": number, "reason": "核实租客信息"})
        for who, number in ((name, ID), (name, OTHER), ("无此人", ID), ("无此人", OTHER))
    ]
    assert {(one.status_code, tuple(sorted(one.json())), one.json()["state"]) for one in asked} == {
        (202, ("id", "state"), "sent")
    }
    mine = officer.get("/api/asks").json()
    assert len(mine["mine"]) == 4
    assert mine["to_me"] == []
    assert {tuple(sorted(one)) for one in mine["mine"]} == {tuple(sorted(mine["mine"][0]))}
    (here,) = manager.get("/api/asks").json()["to_me"]
    assert (here["name"], here["number"], here["reason"]) == (name, "110105**********2X", "核实租客信息")
    assert officer.post(f"/api/asks/{here['id']}/answer", json={"answer": "lives_here"}).status_code == 404
    said = {"answer": "contact_me", "note": "请来电"}
    assert manager.post(f"/api/asks/{here['id']}/answer", json=said).status_code == 200
    assert manager.post(f"/api/asks/{here['id']}/answer", json=said).status_code == 404
    answers = {one["id"]: one["answer"] for one in officer.get("/api/asks").json()["mine"]}
    assert answers[here["id"]] == "contact_me"
    assert sorted(map(str, answers.values())) == ["None", "None", "None", "contact_me"]
    wrong = {"name": "x", "id_number": "110105194912310021", "reason": "核实信息"}
    assert officer.post("/api/people/ask", json=wrong).status_code == 422
    for _ in range(16):
        officer.post("/api/people/ask", json={"name": "x", "phone": "13800138000", "reason": "核实信息"})
    busy = officer.post("/api/people/ask", json={"name": "x", "phone": "13800138000", "reason": "核实信息"})
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "3600")
    with owner.connect() as conn:
        trail = conn.execute(
            text("SELECT params::text FROM audit.event WHERE resource = 'person_ask'")
        ).scalars()
        assert not any(name in said or ID in said for said in trail)

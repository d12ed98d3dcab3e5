"""Pages of people and acts on them over HTTP, as officers of two territories do them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from population.register.acts import sealed
from tests.server import Browser, Served

OWN, FOREIGN = "B0", "B4"


def ids(owner: Engine, building: str, what: str = "r.person_id") -> list[Any]:
    """Persons (or dwellings, households) of a building, by key."""
    with owner.connect() as connection:
        return list(
            connection.execute(
                text(
                    f"""SELECT DISTINCT ON (p.key) {what} FROM register.residence r JOIN register.person p
                        ON p.id = r.person_id JOIN register.dwelling d ON d.id = r.dwelling_id
                        JOIN register.building b ON b.id = d.building_id
                        WHERE b.key = :key AND r.superseded_at IS NULL ORDER BY p.key"""
                ),
                {"key": building},
            ).scalars()
        )


def page(client: httpx.Client, person: Any) -> dict[str, Any]:
    answer = client.get(f"/api/people/{person}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def line(client: httpx.Client, person: Any) -> dict[str, Any]:
    """The person as acts take it."""
    found = page(client, person)["person"]
    return {"id": found["id"], "version": found["version"]}


def test_the_page_of_a_person_says_who_lives_where_with_whom(browser: Browser, owner: Engine) -> None:
    person = ids(owner, OWN)[0]
    secret = sealed({"id_number": "11010519491231002X", "phone": "13800138000"})
    with owner.begin() as connection:
        connection.execute(
            text(
                "UPDATE register.person SET id_number_enc = CAST(:id_number_enc AS bytea),"
                " phone_enc = CAST(:phone_enc AS bytea) WHERE id = :id"
            ),
            {**secret, "id": person},
        )
    found = page(browser("officer"), person)
    assert found["person"]["name"] == "张1"
    assert found["person"]["id_number"] == "110105**********2X"
    assert found["person"]["phone"] == "*******8000"
    assert [one["name"] for one in found["household"]["people"]] == ["张1", "张2", "张3", "张4"]
    assert found["home"]["building"]["grid"]["name"] == "网格1"
    assert found["home"]["tenure"] == "own"
    assert found["allowed"]["act"] is True
    assert "11010519491231002X" not in str(found)
    assert "13800138000" not in str(found)


def test_a_building_is_shown_floor_by_floor(browser: Browser, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(
            text(
                "UPDATE register.dwelling SET floor = (id % 3 + 1)::text, room = id::text WHERE key LIKE 'D0-%'"
            )
        )
        building = connection.execute(text("SELECT id FROM register.building WHERE key = 'B0'")).scalar_one()
    found = browser("officer").get(f"/api/buildings/{building}").json()
    floors = [int(floor["floor"]) for floor in found["floors"]]
    assert floors == sorted(floors, reverse=True)
    assert sum(home["people"] for floor in found["floors"] for home in floor["dwellings"]) == 20


def test_what_is_elsewhere_is_not_there_and_the_attempt_is_in_the_trail(
    browser: Browser, owner: Engine
) -> None:
    officer = browser("officer")
    person, home = ids(owner, FOREIGN)[0], ids(owner, FOREIGN, "d.id")[0]
    household, building = ids(owner, FOREIGN, "r.household_id")[0], ids(owner, FOREIGN, "b.id")[0]
    missing = "00000000-0000-4000-8000-000000000000"
    for path, absent in [
        (f"people/{person}", f"people/{missing}"),
        (f"people/{person}/timeline", f"people/{missing}/timeline"),
        (f"households/{household}", f"households/{missing}"),
        (f"dwellings/{home}", "dwellings/99999999"),
        (f"buildings/{building}", "buildings/99999999"),
    ]:
        there, nowhere = officer.get(f"/api/{path}"), officer.get(f"/api/{absent}")
        assert (there.status_code, there.json()) == (404, nowhere.json())
    target = ids(owner, OWN, "d.id")[0]
    for kind, body in [
        ("confirm", {"person_id": str(person)}),
        ("confirm", {"dwelling_id": home}),
        ("move", {"people": [{"id": str(person)}], "dwelling_id": target}),
        ("leave", {"people": [{"id": str(person)}]}),
        ("died", {"people": [{"id": str(person)}]}),
        ("born", {"parent_id": str(person), "person": {"birth_date": "2026-10-01"}}),
        ("correct", {"person_id": str(person), "person": {"name": "x"}}),
        ("merge_person", {"person_id": str(ids(owner, OWN)[0]), "other_id": str(person)}),
        ("split_person", {"person_id": str(person)}),
    ]:
        answer = officer.post(f"/api/acts/{kind}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "act.not_found"), (kind, answer.text)
    assert officer.post("/api/acts/arrive", json={"dwelling_id": home, "person": {}}).status_code == 422
    with owner.connect() as connection:
        attempts = connection.execute(
            text("SELECT count(*) FROM audit.event WHERE action = 'refused' AND account = 'officer'")
        ).scalar_one()
        acted = connection.execute(text("SELECT count(*) FROM register.act")).scalar_one()
    assert attempts >= 18
    assert acted == 0


def test_a_move_is_in_both_lists_and_tells_the_other_grid(
    browser: Browser, owner: Engine, served: Served
) -> None:
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM ops.user_territory WHERE area_id IS NOT NULL"))
        connection.execute(
            text("INSERT INTO ops.user_territory (user_id, grid_id) VALUES (:user, :grid)"),
            {"user": served.city.users["manager"], "grid": served.city.grids[4]},
        )
    here, there = browser("officer"), browser("manager")
    family = ids(owner, OWN)[:4]
    target = ids(owner, FOREIGN, "d.id")[0]
    body = {"people": [line(here, one) for one in family], "dwelling_id": target, "on": "2026-11-01"}
    done = here.post("/api/acts/move", json=body).json()
    assert here.get(f"/api/people/{family[0]}").status_code == 404
    moved = page(there, family[0])
    assert [one["id"] for one in moved["household"]["people"]] == [str(one) for one in family]
    assert moved["home"]["id"] == target
    assert [a["id"] for a in here.get("/api/acts").json()["acts"]] == [done["act"]]
    assert [a["id"] for a in there.get("/api/acts").json()["acts"]] == [done["act"]]
    assert here.get("/api/notices").json()["notices"] == []
    (told,) = there.get("/api/notices").json()["notices"]
    assert (told["kind"], len(told["persons"])) == ("moved_in", 4)
    assert here.post(f"/api/notices/{told['id']}/seen").status_code == 404
    assert there.post(f"/api/notices/{told['id']}/seen").status_code == 200
    assert there.get("/api/notices").json()["notices"] == []
    assert here.post(f"/api/acts/{done['act']}/undo").status_code == 200
    assert page(here, family[0])["household"]["id"] == str(ids(owner, OWN, "r.household_id")[0])
    assert there.get("/api/notices").json()["notices"][0]["kind"] == "undone"
    assert here.post(f"/api/acts/{done['act']}/undo").json()["code"] == "act.undone_already"


def test_of_two_officers_one_wins_and_the_other_is_told_what_changed(browser: Browser, owner: Engine) -> None:
    first, second = browser("officer"), browser("manager")
    person = ids(owner, OWN)[0]
    seen = line(second, person)
    target = ids(owner, "B1", "d.id")[0]
    won = first.post("/api/acts/move", json={"people": [line(first, person)], "dwelling_id": target})
    assert won.status_code == 200
    lost = second.post("/api/acts/leave", json={"people": [seen]})
    assert lost.status_code == 409
    assert lost.json()["code"] == "act.changed_meanwhile"
    assert lost.json()["params"]["kind"] == "move"
    assert lost.json()["params"]["act"] == won.json()["act"]


def test_a_correction_leaves_what_was_known(browser: Browser, owner: Engine) -> None:
    officer, person = browser("officer"), ids(owner, OWN)[0]
    with owner.begin() as connection:  # the register knew of them two days ago
        connection.execute(text("UPDATE register.residence SET recorded_at = now() - interval '3 days'"))
        today = connection.execute(text("SELECT current_date")).scalar_one()
    before = {"known_on": str(today.replace(day=today.day - 1)) if today.day > 1 else str(today)}
    answer = officer.post(
        "/api/acts/correct",
        json={**{"person_id": str(person), "version": line(officer, person)["version"]},
              "person": {"name": "李𬭎", "birth_date": "1951-02-03"}, "residence": {"status": "floating"}},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    now = page(officer, person)["person"]
    assert (now["name"], now["birth_date"], now["status"]) == ("李𬭎", "1951-02-03", "floating")
    then = officer.get(f"/api/people/{person}", params=before).json()
    assert (then["person"]["name"], then["person"]["status"]) == ("张1", "registered")
    assert then["allowed"]["act"] is False
    every = officer.get(f"/api/people/{person}/timeline?every=true").json()["episodes"]
    assert [row["status"] for row in every if row["kind"] == "residence"] == ["registered", "floating"]
    grid = page(officer, person)["home"]["building"]["grid"]["id"]
    counted = [officer.get(f"/api/register/figures/grid/{grid}", params=p).json() for p in (before, {})]
    assert [c["residents"] for c in counted] == [20, 20]
    assert counted[1]["floating"] == counted[0]["floating"] + 1


def test_somebody_who_lives_elsewhere_is_not_fetched_and_not_given_away(
    browser: Browser, owner: Engine
) -> None:
    officer, known = browser("officer"), ids(owner, FOREIGN)[0]
    number = "11010519491231002X"
    with owner.begin() as connection:
        connection.execute(
            text("UPDATE register.person SET id_number_hash = CAST(:hash AS bytea) WHERE id = :id"),
            {"hash": sealed({"id_number": number})["id_number_hash"], "id": known},
        )
    home = ids(owner, OWN, "d.id")[0]
    body = {"dwelling_id": home, "person": {"name": "王五", "id_number": number, "sex": 1}}
    arrived = officer.post("/api/acts/arrive", json=body)
    stranger = officer.post(
        "/api/acts/arrive", json={"dwelling_id": home, "person": {"name": "赵六", "sex": 1}}
    )
    assert arrived.status_code == stranger.status_code == 200
    assert arrived.json().keys() == stranger.json().keys()
    assert arrived.json()["persons"] != [str(known)]
    steward = browser("steward").get("/api/notices").json()["notices"]
    assert [n["kind"] for n in steward] == ["moved_out"]
    assert str(known) in [p["id"] for p in steward[0]["persons"]]
    again = officer.post("/api/acts/arrive", json=body)
    assert again.json()["code"] == "act.lives_here"


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("confirm", {}, "request.invalid"),
        ("confirm", {"dwelling_id": 1, "building_id": 1}, "request.invalid"),
        ("confirm", {"building_id": 1, "on": "2990-01-01"}, "act.date"),
        ("move", {"people": [], "dwelling_id": 1}, "request.invalid"),
        ("move", {"people": [{"id": "x"}], "dwelling_id": 1}, "request.invalid"),
        ("arrive", {"dwelling_id": 1, "person": {"id_number": "110105194912310021"}}, "act.id_number"),
        ("arrive", {"dwelling_id": 1, "person": {"birth_date": "2990-01-01"}}, "act.date"),
        ("arrive", {"dwelling_id": 1, "person": {"nickname": "x"}}, "request.invalid"),
        ("arrive", {"dwelling_id": 1, "person": {"name": "a\u0000b"}}, "request.invalid"),
        ("correct", {"person_id": "00000000-0000-4000-8000-000000000000"}, "request.invalid"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    browser: Browser, kind: str, body: dict[str, Any], code: str
) -> None:
    answer = browser("officer").post(f"/api/acts/{kind}", json=body)
    assert answer.json()["code"] == code, answer.text
    assert answer.status_code == 422


@pytest.mark.parametrize("role", ["analyst", "auditor", "administrator"])
def test_roles_without_this_duty_neither_look_nor_act(browser: Browser, owner: Engine, role: str) -> None:
    client, person = browser(role), ids(owner, OWN)[0]
    assert client.get(f"/api/people/{person}").status_code == 403
    assert client.post("/api/acts/confirm", json={"person_id": str(person)}).status_code == 403
    assert client.get("/api/addresses?q=1").status_code == 403

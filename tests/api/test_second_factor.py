"""The second factor at the door: asked of every role that sees persons, each code good once, recovery, own passwords,
numbers in the clear."""

from __future__ import annotations

import pyotp
from sqlalchemy import Engine, text

from api import accounts
from db.engine import write_session
from db.migrations import fields
from privacy.access import policy
from tests.server import Browser, Served
from tests.small_city import PASSWORD


def test_policy_and_database_hold_the_same_rights() -> None:
    assert policy().readable == frozenset(fields.FIELDS), "a change of policy.toml goes with a migration"
    assert policy().reveals == frozenset(fields.REVEALS), "a change of policy.toml goes with a migration"
    assert all(policy().terms(r).second_factor for r in policy().roles if policy().sees_persons(r))


def test_enrolment_one_use_recovery_and_reset(served: Served, browser: Browser, owner: Engine) -> None:
    client = browser()
    me = {"account": "community_manager", "password": PASSWORD}
    assert client.post("/api/session", json=me).json()["code"] == "signin.enrol_needed"
    assert client.post("/api/session/totp", json=me | {"password": "wrong wrong wrong"}).status_code == 401
    told = client.post("/api/session/totp", json=me).json()
    assert told["qr"].startswith("data:image/svg+xml")
    device = pyotp.TOTP(told["secret"])
    assert client.post("/api/session", json=me | {"code": "000000"}).json()["code"] == "signin.code_wrong"
    code = device.now()
    entered = client.post("/api/session", json=me | {"code": code})
    assert entered.status_code == 200
    recovery = entered.json()["recovery_codes"]
    assert len(set(recovery)) == 10
    with owner.connect() as connection:
        stored = bytes(connection.execute(text("SELECT secret_enc FROM ops.totp")).scalar_one())
        assert told["secret"].encode() not in stored
    other = browser()
    assert other.post("/api/session", json=me).json()["code"] == "signin.code_needed"
    assert (
        other.post("/api/session", json=me | {"code": code}).json()["code"] == "signin.code_wrong"
    )  # replayed
    assert (
        other.post("/api/session/totp", json=me).json()["code"] == "signin.code_needed"
    )  # no second enrolment
    assert other.post("/api/session", json=me | {"code": recovery[0]}).status_code == 200
    assert other.post("/api/session", json=me | {"code": recovery[0]}).json()["code"] == "signin.code_wrong"
    assert client.get("/api/account").json()["recovery_left"] == 9
    with write_session(owner) as session:
        accounts.reset_second_factor(session, "community_manager")
    assert client.get("/api/account").status_code == 401
    assert browser().post("/api/session", json=me).json()["code"] == "signin.enrol_needed"


def test_an_administrators_password_is_replaced_and_sessions_end(browser: Browser, owner: Engine) -> None:
    with write_session(owner) as session:
        accounts.add(session, "li.wei", "analyst", name_zh="李", name_en="Li", password="given by the desk")
    me = {"account": "li.wei", "password": "given by the desk"}
    client = browser()
    assert client.post("/api/session", json=me).json()["code"] == "signin.password_change_needed"
    for weak in ("short", "li.wei.2026", "Password2026!", "given by the desk", "1111111111"):
        assert client.post("/api/session", json=me | {"new_password": weak}).status_code == 422
    me = me | {"new_password": "an own long phrase"}
    assert client.post("/api/session", json=me).status_code == 200
    me = {"account": "li.wei", "password": "an own long phrase"}
    other = browser()
    assert other.post("/api/session", json=me).status_code == 200
    change = {"password": "an own long phrase", "new_password": "another long phrase"}
    assert client.post("/api/account/password", json=change | {"password": "wrong"}).status_code == 422
    assert client.post("/api/account/password", json=change).status_code == 204
    assert other.get("/api/account").status_code == 401
    sessions = client.get("/api/account").json()["sessions"]
    assert [s["current"] for s in sessions] == [True]
    assert client.delete("/api/account/sessions/00000000-0000-4000-8000-000000000000").status_code == 404


def test_a_number_in_the_clear_is_for_the_role_the_territory_and_the_purpose(
    served: Served, browser: Browser, owner: Engine
) -> None:
    with owner.connect() as connection:
        people = connection.execute(
            text(
                """SELECT p.id, r.grid_id FROM register.person p JOIN register.residence r ON r.person_id = p.id
                   ORDER BY r.grid_id"""
            )
        ).all()
    own = next(p.id for p in people if p.grid_id == served.city.grids[0])
    foreign = next(p.id for p in people if p.grid_id == served.city.grids[4])
    ask = {"field": "phone", "purpose": "duty", "reason": "calling back"}
    officer = browser("officer")
    answers = [
        officer.post(f"/api/people/{who}/reveal", json=ask)
        for who in (own, foreign, served.city.users["officer"])
    ]
    assert {a.status_code for a in answers} == {404}  # no phone, not mine, nobody: told apart by nothing
    assert len({a.text for a in answers}) == 1
    wrong = officer.post(f"/api/people/{own}/reveal", json=ask | {"purpose": "data_care"})
    assert wrong.status_code == 403
    for role in ("manager", "analyst", "auditor"):
        assert browser(role).post(f"/api/people/{own}/reveal", json=ask).status_code == 403
    with owner.connect() as connection:
        rows = (
            connection.execute(
                text(
                    "SELECT params ->> 'outcome' FROM audit.event WHERE action = 'person.reveal_refused' ORDER BY id"
                )
            )
            .scalars()
            .all()
        )
    assert rows == ["absent", "absent", "absent", "refused"]
    last = 0
    for _ in range(30):
        last = officer.post(f"/api/people/{own}/reveal", json=ask).status_code
    assert last == 429

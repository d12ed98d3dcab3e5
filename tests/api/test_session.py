"""Signing in: cookies, wrong passwords, waits, one-click demo accounts, idle and ended sessions, foreign sites."""

from __future__ import annotations

import hashlib
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

from api.settings import ApiSettings
from db.engine import read_session, write_session
from tests.server import Browser, Served, serve
from tests.small_city import PASSWORD, SmallCity


def test_signing_in_and_out(served: Served, browser: Browser) -> None:
    client = browser()
    assert client.get("/api/session").status_code == 401
    answer = client.post("/api/session", json={"account": "officer", "password": PASSWORD})
    assert answer.json()["user"]["role"] == "officer"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    who = client.get("/api/session").json()
    assert who["territory"]["whole_city"] is False
    assert [g["name"] for g in who["territory"]["grids"]] == ["网格1", "网格2"]
    assert who["territory"]["bounds"] == pytest.approx([120.0, 30.0, 120.01, 30.005])
    assert client.delete("/api/session").status_code == 204
    assert client.get("/api/session").status_code == 401


def test_only_the_hash_of_the_token_is_stored(browser: Browser, owner: Engine) -> None:
    client = browser("officer")
    token = client.cookies["hexward_session"]
    assert len(token) >= 43  # 256 bits in base64
    with read_session(owner) as session:
        stored = session.execute(text("SELECT token_hash FROM ops.user_session")).scalar_one()
    assert bytes(stored) == hashlib.sha256(token.encode()).digest()


def test_wrong_account_and_wrong_password_are_told_apart_by_nothing(browser: Browser) -> None:
    answers = [
        browser().post("/api/session", json={"account": account, "password": "wrong wrong wrong"})
        for account in ("officer", "nobody")
    ]
    assert [a.status_code for a in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()


def test_wrong_passwords_make_the_account_wait_longer_and_longer(browser: Browser, owner: Engine) -> None:
    client = browser()
    codes = [
        client.post("/api/session", json={"account": "officer", "password": f"wrong {n}"}).json()["code"]
        for n in range(6)
    ]
    assert codes == ["signin.refused"] * 4 + ["signin.locked"] * 2
    locked = client.post("/api/session", json={"account": "officer", "password": PASSWORD})
    assert locked.status_code == 429  # the right password waits as well
    assert 0 < int(locked.headers["retry-after"]) <= 30
    with write_session(owner) as session:
        session.execute(text("""UPDATE ops."user" SET locked_until = now() - interval '1 s'"""))
    again = client.post("/api/session", json={"account": "officer", "password": "wrong once more"})
    assert again.json()["params"]["seconds"] == 60
    with write_session(owner) as session:
        session.execute(text("""UPDATE ops."user" SET locked_until = now() - interval '1 s'"""))
    assert client.post("/api/session", json={"account": "officer", "password": PASSWORD}).status_code == 200
    with read_session(owner) as session:
        assert (
            session.execute(
                text("""SELECT failed_logins FROM ops."user" WHERE account = 'officer'""")
            ).scalar()
            == 0
        )


def test_demo_accounts_are_one_click_in_a_demo_city_only(browser: Browser, owner: Engine) -> None:
    demos = ("officer", "manager", "analyst", "steward", "auditor")
    for role in demos:
        client = browser()
        assert client.post("/api/session", json={"demo": role}).json()["user"]["role"] == role
    assert browser().post("/api/session", json={"demo": "administrator"}).status_code == 422
    assert [a["role"] for a in browser().get("/api/city").json()["demo_accounts"]] == list(demos)
    with write_session(owner) as session:
        session.execute(text("UPDATE ops.city SET is_demo = false"))
    refused = browser().post("/api/session", json={"demo": "officer"})
    assert refused.status_code == 403
    assert refused.json()["code"] == "signin.no_demo"
    assert browser().get("/api/city").json()["demo_accounts"] == []


def test_an_unused_session_ends(small_city: SmallCity, owner: Engine) -> None:
    for served in serve(small_city, ApiSettings(idle_minutes=1, advance_day=False)):
        with closing(served.browser("officer")) as client:
            assert client.get("/api/session").status_code == 200
            with write_session(owner) as session:
                session.execute(text("UPDATE ops.user_session SET last_seen_at = now() - interval '61 s'"))
            assert client.get("/api/session").status_code == 401


def test_use_keeps_a_session_alive(browser: Browser, owner: Engine) -> None:
    client = browser("officer")
    with write_session(owner) as session:
        session.execute(text("UPDATE ops.user_session SET last_seen_at = now() - interval '30 min'"))
    assert client.get("/api/session").status_code == 200
    with read_session(owner) as session:
        seen = session.execute(
            text("SELECT now() - last_seen_at < interval '1 min' FROM ops.user_session")
        ).scalar()
    assert seen is True


@pytest.mark.parametrize(
    "body",
    [{}, {"account": "officer"}, {"demo": "officer", "account": "a", "password": "b"}, {"demo": "root"}, [], "x",
     {"account": "o" * 65, "password": "x"}, {"account": "o", "password": "x" * 2000}],
)  # fmt: skip
def test_a_malformed_sign_in_is_a_problem_and_no_crash(browser: Browser, body: object) -> None:
    answer = browser().post("/api/session", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example"])
def test_another_site_cannot_act_for_the_signed_in(served: Served, browser: Browser, origin: str) -> None:
    client = browser("officer")
    assert client.delete("/api/session", headers={"origin": origin}).status_code == 403
    assert client.get("/api/session").status_code == 200
    assert client.delete("/api/session", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.delete("/api/session", headers={"origin": served.url}).status_code == 204


def test_sign_ins_and_refusals_are_in_the_trail(browser: Browser, owner: Engine) -> None:
    browser("officer").delete("/api/session")
    browser().post("/api/session", json={"account": "manager", "password": "wrong wrong"})
    browser("officer").get("/api/runs")
    with read_session(owner) as session:
        trail = session.execute(text("SELECT action, account FROM audit.event ORDER BY id")).all()
    assert [tuple(row) for row in trail] == [
        ("sign_in", "officer"), ("sign_out", "officer"), ("sign_in_refused", "manager"),
        ("sign_in", "officer"), ("refused", "officer"),
    ]  # fmt: skip

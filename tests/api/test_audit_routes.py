"""The auditor through the server: searching, the second step to a name, findings, roots, orders of delay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from db.engine import read_session, write_session
from population.register import hall
from privacy import audit, roots, trail
from tests.server import Browser, Served


def _person(owner: Engine) -> str:
    with read_session(owner) as session:
        return str(session.execute(text("SELECT id FROM register.person ORDER BY key LIMIT 1")).scalar_one())


def _looks(owner: Engine, served: Served, number: int = 3) -> str:
    person = _person(owner)
    with write_session(owner) as session:
        for _ in range(number):
            audit.write(
                session, "person.view", who=served.city.users["officer"], account="officer", role="officer",
                resource="person", purpose="duty", territory=f"grid {served.city.grids[0]}", persons=[person],  # type: ignore[list-item]
            )  # fmt: skip
    return person


def test_the_auditor_finds_who_looked_at_whom(served: Served, browser: Browser, owner: Engine) -> None:
    person = _looks(owner, served, 5)
    auditor = browser("auditor")
    first = auditor.get(
        "/api/audit/events", params={"person": person, "action": "person.view", "limit": 3}
    ).json()
    second = auditor.get(
        "/api/audit/events",
        params={"person": person, "action": "person.view", "limit": 3, "before": first["next"]},
    ).json()
    found = first["events"] + second["events"]
    assert len(found) == 5
    assert second["next"] is None
    assert [e["id"] for e in found] == sorted((e["id"] for e in found), reverse=True)
    assert {e["account"] for e in found} == {"officer"}
    assert found[0]["places"][0]["zh"] == "网格1"
    assert auditor.get("/api/audit/events", params={"territory": f"grid {served.city.grids[0]}"}).json()[
        "events"
    ]
    assert auditor.get("/api/audit/events", params={"account": "nobody"}).json()["events"] == []
    assert "张" not in auditor.get("/api/audit/events").text
    # looking at the trail stands in the trail, and concerns the person too
    own = auditor.get("/api/audit/events", params={"account": "auditor", "person": person}).json()["events"]
    assert own[0]["action"] == "audit.view"


def test_a_name_is_a_second_audited_step(served: Served, browser: Browser, owner: Engine) -> None:
    person = _person(owner)
    auditor = browser("auditor")
    ids = auditor.post("/api/audit/persons", json={"name": "张1"}).json()["persons"]
    assert person in ids
    answer = auditor.post("/api/audit/reveal", json={"person": person, "reason": "complaint 17"})
    assert answer.json()["name"].startswith("张")
    assert auditor.post("/api/audit/reveal", json={"person": person, "reason": ""}).status_code == 422
    unknown = auditor.post(
        "/api/audit/reveal", json={"person": str(served.city.users["officer"]), "reason": "complaint"}
    )
    assert unknown.status_code == 404
    told = auditor.get("/api/audit/events", params={"action": "audit.reveal"}).json()["events"]
    assert told[-1]["persons"] == [person]
    assert told[-1]["params"] == {"reason": "complaint 17"}


@pytest.mark.parametrize("role", ["officer", "manager", "analyst", "steward", "administrator"])
def test_nobody_else_sees_the_trail(browser: Browser, role: str) -> None:
    client = browser(role)
    for path in ("events", "events.csv", "unusual", "roots", "roots/2026-11-01.json"):
        assert client.get(f"/api/audit/{path}").status_code == 403, path
    for path, body in (("persons", {"name": "张三"}), ("reveal", {"person": "0" * 32, "reason": "because"}),
                       ("unusual/1/notes", {"verdict": "misuse"})):  # fmt: skip
        assert client.post(f"/api/audit/{path}", json=body).status_code == 403, path


def test_a_finding_is_marked_and_roots_are_handed_out(
    served: Served, browser: Browser, owner: Engine
) -> None:
    with write_session(owner) as session:
        audit.write(session, "x")
        session.execute(
            text(
                """INSERT INTO audit.finding (rule, day, user_id, account, role, params)
                   VALUES ('refusals', current_date, :u, 'officer', 'officer', '{"refused": 12}')"""
            ),
            {"u": served.city.users["officer"]},
        )
        made = roots.make_due(session, Ed25519PrivateKey.generate(), datetime.now(UTC).date() + timedelta(2))
    auditor = browser("auditor")
    one = auditor.get("/api/audit/unusual?open=true&lang=en").json()["findings"][0]
    assert one["words"] == "12 attempts were refused in one day."
    path = f"/api/audit/unusual/{one['id']}/notes"
    assert auditor.post(path, json={"verdict": "in_order", "note": "new colleague"}).status_code == 201
    assert auditor.post("/api/audit/unusual/999/notes", json={"verdict": "in_order"}).status_code == 404
    assert auditor.get("/api/audit/unusual?open=true").json()["findings"] == []
    assert auditor.get("/api/audit/unusual").json()["findings"][0]["notes"][0]["by"] == "auditor"
    listed = auditor.get("/api/audit/roots").json()["roots"]
    assert len(listed) == len(made)
    content = auditor.get(f"/api/audit/roots/{made[0]}.json").text
    assert roots.read_file(content)["root"] == listed[-1]["root"]
    assert auditor.get("/api/audit/roots/1999-01-01.json").status_code == 404
    assert auditor.get("/api/audit/events.csv").content.startswith(b"\xef\xbb\xbfid,at,")


def test_a_resident_sees_looks_and_a_delay_only_until_it_ends(
    served: Served, browser: Browser, owner: Engine
) -> None:
    person = _looks(owner, served)
    auditor = browser("auditor")
    until = datetime.now(UTC) + timedelta(days=30)
    form = {"person": person, "ordered_by": "市公安局", "ground": "案件 2026-17", "until": until.isoformat()}
    for wrong in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-12-01T00:00:00"):
        assert auditor.post("/api/audit/delays", json={**form, "until": wrong}).status_code == 422
    assert auditor.post("/api/audit/delays", json=form).status_code == 201
    _looks(owner, served, 2)
    with read_session(owner) as session:
        seen = trail.looks_at(session, UUID(person))
    assert [look["action"] for look in seen["looks"]] == ["person.view"] * 3  # those before the order
    assert seen["delays"] == []
    code = "ABCD-EFGH-JKLM"
    with write_session(owner) as session:
        session.execute(
            text(
                """INSERT INTO register.declaration (code_hash, kind, language, state, building_id, sealed, person_id)
                   VALUES (:code, 'changed', 'en', 'confirmed', 1, '\\x01', :person)"""
            ),
            {"code": hall._hashed("".join(code.split("-"))), "person": person},
        )
    shown = browser().get("/api/hall/looks", params={"code": code, "lang": "en"}).json()
    assert [one["words"] for one in shown["looks"]] == ["looked at the record"] * 3
    assert shown["looks"][0]["places"][0]["zh"] == "网格1"
    assert browser().get("/api/hall/looks", params={"code": "ABCD-EFGH-JKLN"}).status_code == 404
    assert "account" not in seen["looks"][0]
    with write_session(owner) as session:  # the order runs out
        session.execute(text("ALTER TABLE audit.delay_order DISABLE TRIGGER delay_order_append_only"))
        session.execute(text("UPDATE audit.delay_order SET made_at = now() - interval '2 d', until = now()"))
    with read_session(owner) as session:
        seen = trail.looks_at(session, UUID(person))
    assert len([look for look in seen["looks"] if look["action"] == "person.view"]) == 5
    assert seen["delays"][0]["ordered_by"] == "市公安局"

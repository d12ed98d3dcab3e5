"""The auditor's page and the resident's looks, in a real browser over a small city with a planted trail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, text

from db.engine import write_session
from population.register import hall
from privacy import audit, roots
from tests.server import Served, served
from tests.small_city import PASSWORD, owner, small_city, small_city_template

__all__ = ["owner", "served", "small_city", "small_city_template"]
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
CODE = "ABCD-EFGH-JKLM"


@pytest.fixture
def trail(served: Served, owner: Engine) -> str:
    """An officer who looked at people, one finding, roots of days that ended, a confirmed code; the person's id."""
    with write_session(owner) as session:
        people = session.execute(text("SELECT id FROM register.person ORDER BY key LIMIT 60")).scalars().all()
        for person in people:
            audit.write(
                session, "person.view", who=served.city.users["officer"], account="officer", role="officer",
                resource="person", purpose="duty", territory=f"grid {served.city.grids[0]}", persons=[person],
            )  # fmt: skip
        session.execute(
            text(
                """INSERT INTO audit.finding (rule, day, user_id, account, role, person_id, params) VALUES
                   ('same_person', current_date, :u, 'officer', 'officer', :p, '{"days": 6, "within": 14}'),
                   ('outside_hours', current_date, :u, 'officer', 'officer', NULL,
                     '{"looks": 9, "first": "22:10", "last": "23:41"}')"""
            ),
            {"u": served.city.users["officer"], "p": people[0]},
        )
        session.execute(
            text(
                """INSERT INTO register.declaration (code_hash, kind, language, state, building_id, sealed, person_id)
                   VALUES (:code, 'changed', 'en', 'confirmed', 1, '\\x01', :person)"""
            ),
            {"code": hall._hashed(CODE.replace("-", "")), "person": people[0]},
        )
        roots.make_due(session, Ed25519PrivateKey.generate(), datetime.now(UTC).date() + timedelta(4))
    return str(people[0])


def _page(chromium: Browser, served: Served, size: tuple[int, int], lang: str, path: str) -> Page:
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, locale=lang)
    page = context.new_page()
    page.set_default_timeout(120_000)
    if path == "/audit":
        signed = page.request.post(
            f"{served.url}/api/session", data={"account": "auditor", "password": PASSWORD}
        )
        assert signed.ok, signed.text()
    page.goto(served.url + path)
    return page


def test_the_auditor_reads_and_marks_a_finding(chromium: Browser, served: Served, trail: str) -> None:
    page = _page(chromium, served, (1280, 800), "en", "/audit")
    page.wait_for_selector("text=9 looks at people outside working hours")
    page.screenshot(path=PICTURES / "audit-unusual.png")
    page.get_by_role("button", name="Looked into").first.click()
    page.get_by_label("What came of it").fill("night shift, agreed")
    page.get_by_role("button", name="In order").click()
    page.context.close()


def test_the_page_in_chinese_on_a_tablet(chromium: Browser, served: Served, trail: str) -> None:
    page = _page(chromium, served, (1024, 768), "zh-CN", "/audit")
    page.wait_for_selector("text=非工作时间查看个人记录 9 次")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """[...document.querySelectorAll('main button, main .btn, main select')]
           .filter((e) => e.offsetHeight && e.offsetHeight < 44).map((e) => e.textContent)"""
    )
    assert small == []
    page.context.close()


def test_a_resident_sees_the_looks(chromium: Browser, served: Served, trail: str) -> None:
    page = _page(chromium, served, (1024, 768), "zh-CN", "/hall/looks")
    page.get_by_placeholder("XXXX-XXXX-XXXX").fill(CODE)
    page.get_by_role("button", name="查看", exact=True).click()
    page.wait_for_selector("[data-testid=looks] >> text=网格员")
    assert "officer" not in page.inner_text("[data-testid=looks]")
    page.screenshot(path=PICTURES / "hall-looks.png")
    page.context.close()

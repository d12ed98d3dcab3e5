"""Today's walk and how it goes, in a real browser: where to go, why, what was found; services on a person's page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.test_app import CHINESE, shot
from tests.browser.test_homes import inhabited, small_targets, together

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768)])
def test_a_visit_is_opened_and_what_was_found_is_noted(visit: Visitor, size: tuple[int, int]) -> None:
    opened = visit(lang="en", viewport={"width": size[0], "height": size[1]}, has_touch=True)
    opened.enter("officer")
    page, walk = opened.page, opened.page.get_by_test_id("walk")
    for _ in range(60):  # the checks look at the whole city while the first page is already open
        if opened.get("/api/work?limit=1")["total"]:
            break
        page.wait_for_timeout(1000)
    page.reload()
    opened.drawn()
    items = opened.get("/api/work?limit=20")["items"]
    assert items, "the demo city has cases to visit"
    visits = walk.locator(".visit")
    expect(visits).to_have_count(len(items))
    for index in (0, len(items) - 1):
        expect(visits.nth(index)).to_contain_text(items[index]["reason"]["en"])
    told = "".join(walk.locator(".reason, .due, h2, .what b").all_inner_texts())
    for item in items:  # names of people stay as they are
        told = told.replace((item["person"] or {}).get("name") or "\n", "")
    assert CHINESE.search(told) is None
    visits.first.locator(".why").click()
    expect(visits.first.locator(".outcomes")).to_be_visible()
    assert [one for one in small_targets(opened) if "maplibre" not in one] == []
    shot(page, "walk" if size[0] == 1280 else "walk-tablet")
    before = opened.get("/api/work?limit=1")["total"]
    visits.first.get_by_role("button", name="Nobody met").click()
    expect(walk.get_by_role("status")).to_contain_text("Nobody met")
    assert opened.get("/api/work?limit=1")["total"] == before - 1
    assert items[0]["id"] in [one["id"] for one in opened.get("/api/work?state=snoozed&limit=200")["items"]]
    expect(visits.first.locator(".outcomes")).to_have_count(0)


def test_the_links_of_the_walk_lead_to_the_building_and_the_person(visit: Visitor) -> None:
    opened = visit(lang="en")
    opened.enter("officer")
    page, walk = opened.page, opened.page.get_by_test_id("walk")
    items = opened.get("/api/work?limit=20")["items"]
    walk.locator(".place a").first.click()
    expect(page.get_by_test_id("building-sum")).to_be_visible()
    assert page.url.split("?")[0].endswith(f"/buildings/{items[0]['building']['id']}")
    page.go_back()
    index = next(n for n, item in enumerate(items) if item["person"])
    walk.locator(".visit").nth(index).locator(".why").click()
    walk.get_by_role("link", name="Open person").click()
    expect(page.get_by_test_id("entitlements").locator("li").first).to_be_visible()
    assert f"/people/{items[index]['person']['id']}" in page.url


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_services_stand_on_the_pages_of_a_person_and_a_household(visit: Visitor, lang: str) -> None:
    opened = visit(lang=lang)
    opened.enter("officer")
    household = together(inhabited(opened)[0])
    person = household["people"][0]["id"]
    told = opened.get(f"/api/entitlements/person/{person}")["services"]
    opened.open(f"/people/{person}?lang={lang}")
    block = opened.page.get_by_test_id("entitlements")
    shown = [
        one["title"]["zh" if lang == "zh-CN" else "en"] for one in told if one["status"] != "not_applicable"
    ]
    expect(block.locator("> ul > li .head b")).to_have_text(shown)
    assert (CHINESE.search(block.inner_text()) is None) == (lang == "en")
    shot(opened.page, f"services-{lang}")
    opened.open(f"/households/{household['id']}?lang={lang}")
    expect(block.locator("li").first).to_be_visible()


def test_the_manager_sees_how_the_visits_go(visit: Visitor) -> None:
    opened = visit(lang="en")
    opened.enter("manager")
    cards = opened.page.get_by_test_id("work-cards")
    whole = opened.get("/api/work/summary")["all"]
    expect(cards.locator("dl dd").nth(1)).to_have_text(f"{whole['open']:,}")
    cards.scroll_into_view_if_needed()
    shot(opened.page, "situation-visits")
    cards.locator("ol button").first.click()
    expect(opened.page).to_have_url(re.compile("grid"))

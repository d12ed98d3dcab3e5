"""People and homes in a real browser: a building opened from the map, confirmed, a household moved and moved back."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit, Visitor
from tests.browser.test_app import CHINESE, own_grid, shot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def inhabited(visit: Visit) -> list[dict[str, Any]]:
    """Buildings of the officer's territory in which a household of two or more lives, fullest first."""
    west, south, east, north = visit.get("/api/session")["territory"]["bounds"]
    found = visit.get(f"/api/buildings?bbox={west},{south},{east},{north}")["buildings"]
    pages = [visit.get(f"/api/buildings/{one['id']}") for one in found[:40] if one["dwellings"]]
    return [
        page
        for page in pages
        if any(len(part["people"]) > 1 for home in homes(page) for part in home["households"])
    ]


def homes(page: dict[str, Any]) -> list[dict[str, Any]]:
    """The dwellings of a building's page."""
    return [home for floor in page["floors"] for home in floor["dwellings"]]


def together(page: dict[str, Any]) -> dict[str, Any]:
    """The first household of two or more in a building."""
    found: dict[str, Any] = next(
        part for home in homes(page) for part in home["households"] if len(part["people"]) > 1
    )
    return found


def by_address(visit: Visit, page: dict[str, Any]) -> tuple[dict[str, Any], str, int] | None:
    """A building with the words that find it in the whole city, and which of the hits it is."""
    words = page["building"]["address"] or page["building"]["name"]
    hits = [one["id"] for one in visit.get(f"/api/addresses?q={words}")["buildings"]]
    return (page, words, hits.index(page["building"]["id"])) if page["building"]["id"] in hits else None


def small_targets(visit: Visit) -> list[str]:
    """What can be touched and is lower than 44 pixels."""
    found: list[str] = visit.page.evaluate(
        """() => [...document.querySelectorAll('main :is(button, a, select, summary, input)')]
          .filter((element) => !['radio', 'checkbox'].includes(element.type))
          .map((element) => [element, element.getBoundingClientRect()])
          .filter(([element, box]) => box.width && box.height && box.height < 43.5)
          .map(([element, box]) => `${element.outerHTML.slice(0, 90)} ${box.width}x${box.height}`)"""
    )
    return found


def title(visit: Visit) -> Locator:
    return visit.page.get_by_test_id("record-title")


def test_a_building_is_opened_from_the_map_and_from_its_grid(visit: Visitor) -> None:
    opened = visit(lang="en")
    opened.enter("officer")
    building = inhabited(opened)[0]["building"]
    opened.open(f"/?at={building['lng']:.6f},{building['lat']:.6f},17.5&lang=en&side=none")
    opened.drawn()
    box = opened.page.get_by_test_id("map").bounding_box()
    assert box is not None
    opened.page.wait_for_timeout(500)
    opened.drawn()
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(title(opened)).to_be_visible()
    assert "/buildings/" in opened.page.url
    opened.open(f"/?sel=grid:{own_grid(opened)['id']}&lang=en")
    opened.page.get_by_test_id("buildings-here").get_by_role("link").first.click()
    expect(opened.page.get_by_test_id("building-sum")).to_be_visible()


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_dwelling_is_confirmed_and_a_household_moved_and_moved_back(visit: Visitor, lang: str) -> None:
    opened = visit(lang=lang)
    opened.enter("officer")
    page = opened.page
    old, *others = inhabited(opened)
    new, words, place = next(found for found in (by_address(opened, one) for one in others) if found)
    household = together(old)
    first = household["people"][0]
    opened.open(f"/buildings/{old['building']['id']}?lang={lang}")
    expect(title(opened)).to_be_visible()
    home = page.locator("[data-dwelling]").filter(has=page.locator(f'[data-person="{first["id"]}"]'))
    home.locator("header [data-confirm]").click()
    toast = page.get_by_test_id("toast")
    expect(toast).to_contain_text("confirmed" if lang == "en" else "已核实")
    expect(home.locator("header [data-freshness]")).to_have_attribute("data-freshness", "fresh")
    shot(page, f"building-{lang}", docs=False)
    if lang == "en":
        said = page.locator(".kind, .chips, .actions, .sum").all_inner_texts()
        assert not any(CHINESE.search(text) for text in said)

    home.locator(f'[data-person="{first["id"]}"] a').click()
    expect(title(opened)).to_have_text(first["name"])
    expect(page.get_by_test_id("timeline").locator("li").first).to_be_visible()
    shot(page, "person" if lang == "zh-CN" else "person-en", docs=lang == "zh-CN")

    page.locator(f'[data-household="{household["id"]}"] header a').click()
    expect(page.get_by_test_id("household")).to_be_visible()
    page.get_by_role("button", name="Move the household" if lang == "en" else "整户搬家").click()
    wizard = page.get_by_test_id("wizard")
    page.get_by_test_id("next").click()
    wizard.locator("#where").fill(words)
    wizard.locator(".hits button").nth(place).click()
    page.locator(".rooms button").nth(0).click()
    expect(page.get_by_test_id("destination")).to_be_visible()
    chosen = page.get_by_test_id("destination").inner_text()
    page.reload()
    expect(page.get_by_test_id("destination")).to_have_text(chosen)
    page.get_by_test_id("next").click()
    page.get_by_test_id("next").click()
    expect(wizard).to_contain_text(chosen)
    shot(page, "move" if lang == "zh-CN" else "move-en", docs=lang == "zh-CN")
    page.set_viewport_size({"width": 1024, "height": 768})
    assert small_targets(opened) == []
    shot(page, f"move-tablet-{lang}", docs=False)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_test_id("do").click()
    expect(toast).to_contain_text(chosen)
    moved = {one["id"] for one in household["people"]}
    assert moved.isdisjoint(people(opened.get(f"/api/buildings/{old['building']['id']}")))
    assert moved <= people(opened.get(f"/api/buildings/{new['building']['id']}"))
    opened.open(f"/buildings/{new['building']['id']}?lang={lang}")
    expect(page.locator(f'[data-person="{first["id"]}"]')).to_be_visible()

    act = opened.get("/api/acts?limit=1")["acts"][0]
    assert act["kind"] == "move"
    answer = page.request.post(f"{opened.url}/api/acts/{act['id']}/undo", headers={"origin": opened.url})
    assert answer.ok, answer.text()
    page.reload()
    expect(page.locator("[data-dwelling]").first).to_be_visible()
    expect(page.locator(f'[data-person="{first["id"]}"]')).to_have_count(0)
    assert moved <= people(opened.get(f"/api/buildings/{old['building']['id']}"))


def people(page: dict[str, Any]) -> set[str]:
    """Everybody in a building."""
    return {one["id"] for home in homes(page) for part in home["households"] for one in part["people"]}


def test_undo_is_one_tap_and_keys_confirm_on_a_tablet(visit: Visitor) -> None:
    opened = visit(lang="en", viewport={"width": 1024, "height": 768}, has_touch=True)
    opened.enter("officer")
    page = opened.page
    old = inhabited(opened)[-1]
    opened.open(f"/buildings/{old['building']['id']}?lang=en")
    expect(title(opened)).to_be_visible()
    assert small_targets(opened) == []
    page.keyboard.press("j")
    page.keyboard.press("c")
    toast = page.get_by_test_id("toast")
    expect(toast).to_contain_text("confirmed")
    before = opened.get("/api/acts?limit=1")["acts"][0]
    assert before["kind"] == "confirm"
    toast.get_by_role("button", name="Undo").tap()
    expect(toast).to_contain_text("Undone")
    assert opened.get(f"/api/acts/{before['id']}")["undone_by"]
    shot(page, "building-tablet", docs=False)

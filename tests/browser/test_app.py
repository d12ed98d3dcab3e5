"""The app in a real browser on the demo city: three ways in, finding, dashboards, tables, languages, keys, touch."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PROJECT, Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

OUT = Path(__file__).parent / "out"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def shot(page: Page, name: str, *, docs: bool = True) -> None:
    """Keep a picture of the page beside the tests; the documentation's own when HEXWARD_REFRESH_IMAGES=1."""
    folders = [OUT] + (
        [PROJECT / "docs" / "images"] if docs and os.environ.get("HEXWARD_REFRESH_IMAGES") == "1" else []
    )
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")


def figure(page: Page, name: str) -> str:
    """The number a dashboard shows for a key figure."""
    return page.locator(f'[data-testid="dashboard"] [data-figure="{name}"] b').inner_text()


def own_grid(visit: Visit) -> dict[str, str]:
    """The first grid of the officer who is signed in."""
    grid: dict[str, str] = visit.get("/api/session")["territory"]["grids"][0]
    return grid


def test_each_demo_account_opens_on_its_own_task(visit: Visitor) -> None:
    for role, panel in (("officer", "today"), ("manager", "situation"), ("analyst", "layers")):
        opened = visit()
        opened.enter(role)
        expect(opened.page.get_by_test_id(panel)).to_be_visible()
        expect(opened.page.get_by_test_id("legend")).to_contain_text("常住居民")
        assert opened.page.locator("nav.rail a").count() <= 5


def test_today_lists_the_officers_grids_with_the_figures_of_the_server(visit: Visitor) -> None:
    opened = visit()
    opened.enter("officer")
    table = opened.get("/api/layers/residents/table.json?geography=grid")
    figures = {str(row[0]): row[4] for row in table["rows"]}
    grids = opened.get("/api/session")["territory"]["grids"]
    entries = opened.page.get_by_test_id("today").locator("li")
    expect(entries).to_have_count(len(grids))
    for index, grid in enumerate(grids):
        expect(entries.nth(index)).to_contain_text(grid["name"])
        expect(entries.nth(index)).to_contain_text(f"{figures.get(str(grid['id']), 0):,}")
    shot(opened.page, "today")


def test_find_a_grid_open_its_dashboard_and_read_its_table(visit: Visitor) -> None:
    opened = visit()
    opened.enter("officer")
    page, grid = opened.page, own_grid(opened)
    page.keyboard.press("/")
    page.keyboard.type(grid["code"])
    expect(page.locator("[role=option]").first).to_contain_text(grid["name"])
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("dashboard-title")).to_have_text(grid["name"])
    opened.drawn()
    board = opened.get(f"/api/dashboards/grid/{grid['id']}")
    residents = next(f for f in board["key_figures"] if f["id"] == "residents")["value"]
    assert figure(page, "residents") == f"{residents:,}"
    assert f"sel=grid:{grid['id']}" in page.url
    shot(page, "dashboard")

    block = page.locator('[data-block="pyramid"]')
    block.get_by_role("button", name="以表显示").click()
    rows = block.locator("tbody tr")
    expect(rows).to_have_count(len(board["pyramid"]["bands"]))
    shown = sum(int(cell.replace(",", "")) for cell in block.locator("tbody td.n").all_inner_texts())
    assert shown == sum(board["pyramid"]["male"]) + sum(board["pyramid"]["female"]) == residents
    block.get_by_role("button", name="如何统计？").click()
    expect(block).to_contain_text(board["definitions"]["male"]["definition"]["zh"])


def test_downloads_of_a_block_hold_its_figures(visit: Visitor) -> None:
    opened = visit(lang="en")
    opened.enter("manager")
    area = opened.get("/api/session")["territory"]["areas"][0]
    opened.open(f"/?sel=area:{area['id']}&lang=en")
    block = opened.page.locator('[data-block="registration"]')
    expect(block).to_be_visible()
    expected = {
        i["title"]["en"]: i["value"] for i in opened.get(f"/api/dashboards/area/{area['id']}")["registration"]
    }

    def saved(kind: str) -> bytes:
        block.locator("summary").click()
        with opened.page.expect_download() as waiting:
            block.get_by_role("button", name=kind, exact=True).click()
        block.locator("summary").click()
        return Path(waiting.value.path()).read_bytes()

    lines = list(csv.reader(io.StringIO(saved("CSV").decode("utf-8-sig"))))
    assert {line[0]: int(line[1]) for line in lines[1:]} == expected
    sheet = openpyxl.load_workbook(io.BytesIO(saved("Excel"))).active
    assert sheet is not None
    assert {str(row[0]): row[1] for row in sheet.iter_rows(min_row=2, values_only=True)} == expected
    png = saved("PNG")
    assert png.startswith(b"\x89PNG")
    assert len(png) > 5_000


def test_the_map_answers_a_click_and_names_what_is_under_the_pointer(visit: Visitor) -> None:
    opened = visit(lang="en")
    opened.enter("manager")
    page = opened.page
    area = opened.get("/api/session")["territory"]["areas"][0]
    box = page.get_by_test_id("map").bounding_box()
    assert box is not None
    page.get_by_role("radio", name="Areas").check(force=True)
    page.get_by_label("Level of areas").select_option("1")
    opened.drawn()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.5, steps=4)
    expect(page.locator(".readout")).to_contain_text(area["name_en"])
    page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.5)
    expect(page.get_by_test_id("dashboard-title")).to_have_text(area["name_en"])
    page.go_back()
    expect(page.get_by_test_id("dashboard")).to_have_count(0)
    page.go_forward()
    expect(page.get_by_test_id("dashboard-title")).to_have_text(area["name_en"])


def test_a_link_brings_the_whole_view_back(visit: Visitor) -> None:
    opened = visit(lang="en")
    opened.enter("analyst")
    page = opened.page
    page.get_by_test_id("layers").get_by_role("button", name="Population density", exact=False).first.click()
    page.evaluate("document.querySelector('[data-testid=map] canvas').dataset.kept = 'yes'")
    page.get_by_role("button", name="Adjust the classes").click()
    page.get_by_label("Scheme").select_option("jenks")
    page.get_by_role("combobox", name="Number", exact=True).select_option("7")
    opened.drawn()
    classes = page.get_by_test_id("legend").locator("li")
    expect(classes).to_have_count(7)
    assert page.locator("canvas[data-kept=yes]").count() == 1, (
        "the map was made anew for a change of its classes"
    )
    labels, address = classes.all_inner_texts(), page.url
    opened.page.goto("about:blank")
    opened.page.goto(address)
    opened.drawn()
    expect(classes).to_have_count(7)
    assert classes.all_inner_texts() == labels
    expect(page.get_by_test_id("legend")).to_contain_text("Population density")


def test_the_language_changes_everywhere_and_nothing_stays_behind(visit: Visitor) -> None:
    opened = visit()
    opened.enter("analyst")
    page = opened.page
    area = opened.get("/api/session")["territory"]["areas"][0]
    opened.open(f"/?sel=area:{area['id']}&lang=zh-CN")
    expect(page.get_by_test_id("dashboard-title")).to_have_text(area["name"])
    page.get_by_test_id("lang").click()
    expect(page.get_by_test_id("dashboard-title")).to_have_text(area["name_en"])
    expect(page.locator("html")).to_have_attribute("lang", "en")
    for selector in (
        '[data-testid="dashboard"]',
        '[data-testid="layers"]',
        '[data-testid="legend"]',
        "nav.rail a",
    ):
        for text in page.locator(selector).all_inner_texts():
            assert not CHINESE.search(text), f"still Chinese in {selector}: {text}"
    assert "lang=en" in page.url
    page.reload()
    expect(page.get_by_test_id("dashboard-title")).to_have_text(area["name_en"])


def test_keys_alone_lead_to_a_dashboard(visit: Visitor) -> None:
    opened = visit(lang="en")
    page = opened.page
    expect(page.locator("[data-demo]:visible")).to_have_count(3)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.dataset?.demo") == "manager":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("nav.rail")
    opened.drawn()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.textContent?.trim()") == "In view":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("unit-list").locator("tbody tr").first).to_be_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.dataset?.row") == "0":
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate("document.activeElement?.querySelector('td')?.textContent?.trim()")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("dashboard-title")).to_have_text(chosen)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("dashboard")).to_have_count(0)


@pytest.mark.parametrize("size", [(1024, 768), (768, 1024)], ids=["landscape", "upright"])
def test_a_tablet_by_touch(visit: Visitor, size: tuple[int, int]) -> None:
    opened = visit(viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True)
    page = opened.page
    page.tap('[data-demo="officer"]')
    page.wait_for_selector("nav.rail")
    opened.drawn()
    if not page.get_by_test_id("today").is_visible():
        page.get_by_role("button", name="打开侧栏").tap()
    page.get_by_test_id("today").locator("li button").nth(0).tap()
    expect(page.get_by_test_id("dashboard-title")).to_be_visible()
    opened.drawn()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "the page is wider than the screen"
    )
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, a, select, input:not([type=radio]), summary, [role=tab]')]
          .map((element) => [element, element.getBoundingClientRect()])
          .filter(([element, box]) => box.width && box.height && !element.closest('.hidden-text')
                                      && (box.height < 43.5 || box.width < 28))
          .map(([element, box]) => `${element.outerHTML.slice(0, 90)} ${box.width}x${box.height}`)"""
    )
    assert small == []
    shot(page, f"tablet-{size[0]}")


def test_one_a4_page_is_printed(visit: Visitor) -> None:
    opened = visit()
    opened.enter("officer")
    grid = own_grid(opened)
    opened.open(f"/print/grid/{grid['id']}?lang=zh-CN")
    page = opened.page
    expect(page.get_by_test_id("sheet")).to_contain_text(grid["name"])
    expect(page.get_by_test_id("minimap")).to_be_visible(timeout=60_000)
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    bottom = page.evaluate(
        """() => { const sheet = document.querySelector('[data-testid=sheet]').getBoundingClientRect();
          const last = document.querySelector('[data-testid=sheet] footer').getBoundingClientRect();
          return last.bottom - sheet.top }"""
    )
    assert bottom <= 297 / 25.4 * 96 + 1, "the footnote runs off the page"
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "sheet.pdf").write_bytes(pdf)
    page.set_viewport_size({"width": 860, "height": 1240})
    shot(page, "sheet")


def test_imports_are_for_those_who_answer_for_data(visit: Visitor) -> None:
    manager = visit(lang="en")
    manager.enter("manager")
    manager.page.get_by_role("link", name="Imports").click()
    runs = manager.get("/api/runs")["runs"]
    expect(manager.page.locator("tbody tr")).to_have_count(len(runs))
    manager.page.locator("tbody a").first.click()
    expect(manager.page.get_by_role("heading", name=runs[0]["source"])).to_be_visible()
    officer = visit(lang="en")
    officer.enter("officer")
    expect(officer.page.get_by_role("link", name="Imports")).to_have_count(0)


def test_wrong_password_and_a_lost_network_are_said_in_plain_words(visit: Visitor) -> None:
    opened = visit(lang="en")
    page = opened.page
    page.get_by_role("textbox", name="Account").fill("nobody")
    page.get_by_role("textbox", name="Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert not CHINESE.search(page.get_by_role("alert").inner_text())
    opened.complaints.clear()  # Chromium notes the 401 of the wrong password by itself.
    opened.enter("manager")
    page.context.set_offline(True)
    page.get_by_role("link", name="Figures").click()
    expect(page.get_by_text("You are offline")).to_be_visible()
    page.context.set_offline(False)
    opened.complaints.clear()  # So it does each request that found no network.
    page.get_by_role("link", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("[data-demo]:visible")).to_have_count(3)


def test_pictures_for_the_documentation(visit: Visitor) -> None:
    opened = visit()
    opened.enter("analyst")
    shot(opened.page, "map")
    expect(opened.page.get_by_test_id("legend").locator("li").first).to_be_visible()
    manager = visit(lang="en", color_scheme="dark")
    manager.enter("manager")
    area = manager.get("/api/session")["territory"]["areas"][0]
    manager.open(f"/?sel=area:{area['id']}&geo=grid&lang=en")
    expect(manager.page.get_by_test_id("dashboard-title")).to_have_text(area["name_en"])
    manager.drawn()
    shot(manager.page, "situation")
    assert (OUT / "map.png").stat().st_size > 50_000

"""People in a real browser: found, asked after; a resident declares on a phone and the officer decides."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.test_app import shot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
PHONE = {"width": 390, "height": 844}
ID = "11010519491231002X"


def no_sideways(page: Page) -> None:
    """Nothing on the page is wider than the screen."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_people_are_found_as_they_are_typed(visit: Visitor) -> None:
    opened = visit(viewport={"width": 1024, "height": 768})
    opened.enter("officer")
    page = opened.page
    page.locator("nav.rail a", has_text="人员").click()
    box = page.get_by_test_id("people-search")
    box.fill("wang")
    hits = page.get_by_test_id("people-hits").locator("li")
    expect(hits.first).to_contain_text("王")
    assert "王" not in page.url
    assert "wang" not in page.url
    shot(page, "people-search")
    no_sideways(page)
    box.press("ArrowDown")
    assert page.locator("[data-hit].active").count() == 1
    box.fill("魑魅魍魉")
    expect(page.get_by_text("辖区内没有符合的人员")).to_be_visible()
    page.get_by_role("button", name="向其他网格询问").click()
    form = page.get_by_test_id("ask-form")
    form.get_by_label("姓名").fill("魑魅")
    form.get_by_label("身份证号或手机号").fill("110105194912310021")
    form.get_by_label("询问原因").fill("核实租客信息")
    form.get_by_role("button", name="发送询问").click()
    expect(form.get_by_text("请核对号码")).to_be_visible()
    form.get_by_label("身份证号或手机号").fill(ID)
    form.get_by_role("button", name="发送询问").click()
    expect(page.get_by_text("已发送。")).to_be_visible()
    page.get_by_text("跨网格询问", exact=True).click()
    expect(page.get_by_text("暂无答复")).to_be_visible()


def _own_building(visit: Visitor) -> tuple[str, str]:
    """Somebody's name and building in the officer's territory."""
    opened = visit()
    opened.enter("officer")
    for surname in ("wang", "li", "zhang", "liu", "chen"):
        for hit in opened.get(f"/api/people/search?q={surname}")["results"]:
            if hit["address"] and hit["name"]:
                return str(hit["name"]), str(hit["address"]).split(" ")[0]
    pytest.fail("nobody lives in the officer's grids")


def test_a_resident_declares_and_the_officer_decides(visit: Visitor) -> None:
    name, address = _own_building(visit)
    hall = visit(path="/hall?lang=zh-CN", viewport=PHONE, has_touch=True)
    page = hall.page
    expect(page.get_by_role("heading", name="您要申报什么？")).to_be_visible()
    shot(page, "hall-start")
    page.locator('[data-kind="moved_in"]').tap()
    page.get_by_test_id("where").fill(address)
    page.get_by_role("button", name=address, exact=True).first.tap()
    expect(page.get_by_test_id("place")).to_contain_text(address)
    page.get_by_label("姓名", exact=True).fill(name)
    page.get_by_label("何时搬来？").fill("2026-11-01")
    page.get_by_label("住房是").select_option("rent")
    page.reload()  # nothing lost, but the numbers are not kept
    expect(page.get_by_label("姓名", exact=True)).to_have_value(name)
    assert ID not in str(page.evaluate("JSON.stringify(localStorage)"))
    page.get_by_label("身份证号码", exact=True).fill("110105194912310021")
    expect(page.get_by_text("请核对号码")).to_be_visible()
    page.get_by_label("身份证号码", exact=True).fill(ID)
    page.get_by_label("手机号码").fill("13800138000")
    page.get_by_label("其他说明").fill("<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="提交").tap()
    expect(page.get_by_text("请勾选后继续")).to_be_visible()
    page.get_by_label("我已阅读").check()
    no_sideways(page)
    shot(page, "hall")
    page.get_by_role("button", name="提交").tap()
    code = page.get_by_test_id("code").inner_text()
    assert len(code) == 14

    desk = visit(viewport={"width": 1280, "height": 800})
    desk.enter("officer")
    desk.open("/declarations?lang=zh-CN")
    desk.page.get_by_test_id("declarations").get_by_text(name).first.click()
    expect(desk.page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    expect(desk.page.get_by_text("110105**********2X").first).to_be_visible()
    desk.page.get_by_label("给居民的说明").fill("请问住在哪一间？")
    shot(desk.page, "declarations")
    desk.page.get_by_role("button", name="询问居民").click()
    expect(desk.page.get_by_text("已处理")).to_be_visible()

    page.goto(hall.url + "/hall/code?lang=en")
    page.get_by_label("Enter your code").fill(code.lower())
    page.get_by_role("button", name="Look").tap()
    expect(page.get_by_test_id("state")).to_contain_text("The officer has a question")
    page.get_by_label("Your reply").fill("3-2-501")
    page.get_by_role("button", name="Reply").tap()
    expect(page.get_by_test_id("state")).to_contain_text("has arrived")

    desk.open("/declarations?lang=zh-CN")
    desk.page.get_by_test_id("declarations").get_by_text(name).first.click()
    expect(desk.page.get_by_text("3-2-501")).to_be_visible()
    desk.page.locator('input[name="person"]').first.check()
    desk.page.get_by_role("button", name="确认", exact=True).click()
    expect(desk.page.get_by_text("已处理")).to_be_visible()
    page.get_by_role("button", name="Look").tap()
    expect(page.get_by_test_id("state")).to_contain_text("Confirmed")


def test_the_hall_works_in_english_on_a_desk_and_on_the_smallest_phone(visit: Visitor) -> None:
    for size in ({"width": 1280, "height": 800}, {"width": 360, "height": 640}):
        opened = visit(lang="en", path="/hall?lang=en", viewport=size)
        opened.page.locator('[data-kind="born"]').click()
        expect(opened.page.get_by_label("Name of the child")).to_be_visible()
        no_sideways(opened.page)
        small = opened.page.evaluate(
            "[...document.querySelectorAll('button, input:not([type=radio]):not([type=checkbox]), select')]"
            ".filter(e => e.getBoundingClientRect().height < 44).length"
        )
        assert small == 0
        shot(opened.page, f"hall-{size['width']}")

"""Signing in with a second factor in a real browser: QR code, first code, recovery codes, the account page."""

from __future__ import annotations

import os
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page

from tests.server import Served, served
from tests.small_city import PASSWORD, owner, small_city, small_city_template

__all__ = ["owner", "served", "small_city", "small_city_template"]
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"


def _picture(page: Page, name: str) -> None:
    if os.environ.get("HEXWARD_PICTURES"):
        page.screenshot(path=PICTURES / f"{name}.png")


@pytest.mark.browser
def test_a_first_device_is_set_up_while_signing_in(chromium: Browser, served: Served) -> None:
    context = chromium.new_context(viewport={"width": 1024, "height": 768}, locale="en", has_touch=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(served.url + "/?lang=en")
    page.get_by_role("textbox", name="Account").fill("community_manager")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector('img[alt="QR code for the authenticator app"]')
    assert (
        page.evaluate("document.querySelector('img[alt^=QR]').naturalWidth") > 100
    )  # the CSP let it through
    _picture(page, "sign-in-device")
    secret = page.locator("code").inner_text().replace(" ", "")
    page.keyboard.type("000000")  # the field of the code has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector('[role="alert"]')
    page.get_by_label("Code of your device").fill(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Your recovery codes")
    assert page.locator("li code").count() == 10
    page.get_by_role("button", name="I have kept them").click()
    page.wait_for_selector("nav.rail")
    page.goto(served.url + "/account?lang=en")
    page.wait_for_selector("text=Set up, 10 recovery codes left")
    _picture(page, "account-safety")
    small = page.evaluate(
        "[...document.querySelectorAll('[aria-labelledby=safety] button')].filter(b => b.offsetHeight < 44).length"
    )
    assert small == 0
    context.close()
    assert complaints == []

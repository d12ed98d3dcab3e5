"""The one-file map in a real browser without any network: what it asks for, what it draws, what it says."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from maps import assets
from maps.errors import BadGeographyError, LeafletMissingError, MapTooLargeError
from maps.export_html import one_file_map
from maps.one_file import script_json
from maps.palettes import rgb, sequential
from tests.maps.town import MALICIOUS

pytestmark = [pytest.mark.browser]
OUT = Path(__file__).parents[1] / "browser" / "out"


def opened(chromium: Browser, path: Path) -> tuple[Page, list[str], list[str]]:
    """The page, every address it asked for besides itself, and every error it reported."""
    context = chromium.new_context(viewport={"width": 1024, "height": 768}, offline=True)
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    page.goto(path.as_uri())
    page.wait_for_selector(".hx-legend")
    page.wait_for_timeout(300)
    outside = [url for url in asked if not url.startswith(("data:", "blob:")) and url != path.as_uri()]
    return page, outside, errors


def colours(page: Page, save: str) -> set[tuple[int, int, int]]:
    png = page.screenshot()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / save).write_bytes(png)
    return {
        tuple(c)
        for c in np.unique(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3), axis=0)
    }


@pytest.mark.parametrize(("lang", "title"), [("zh-CN", "常住居民"), ("en", "Residents")])
def test_opens_without_any_network(as_role, chromium, tmp_path, lang, title):
    session, viewer = as_role("steward")
    path = tmp_path / "map.html"
    one_file_map(session, viewer, "residents", resolution=10, lang=lang).save(str(path))
    page, outside, errors = opened(chromium, path)
    assert outside == []
    assert errors == []
    assert page.title() == title
    legend = page.locator(".hx-legend").inner_text()
    assert title in legend
    assert "2026-11-23" in legend
    assert ("人" if lang == "zh-CN" else "people") in legend
    assert page.locator(".hx-legend div").count() == 5
    seen = colours(page, f"one-file-{lang}.png")
    for colour in sequential(5):  # each class is drawn, at the map's opacity over greys
        wanted = np.array(rgb(colour))
        assert any(np.abs(np.array(c) - wanted).max() < 50 for c in seen)


def test_hover_says_the_figure(as_role, chromium, tmp_path, town):
    session, viewer = as_role("steward")
    path = tmp_path / "map.html"
    one_file_map(session, viewer, "residents", "area", level=0, lang="en").save(str(path))
    page, outside, errors = opened(chromium, path)
    page.mouse.move(500, 380)
    page.mouse.move(512, 384)
    page.wait_for_selector(".leaflet-tooltip b")
    told = page.locator(".leaflet-tooltip:has(b)").inner_text()
    total = sum(f["residents"] for f in town.atoms.values())
    assert f"{total:,} people" in told
    assert outside == errors == []


def test_names_are_text_and_never_markup(as_role, chromium, tmp_path):
    session, viewer = as_role("steward")
    path = tmp_path / "map.html"
    one_file_map(session, viewer, "residents", "area", level=2).save(str(path))
    page, outside, errors = opened(chromium, path)
    assert page.locator("b", has_text="光明").count() == 0
    page.evaluate("() => 1")
    labels = page.locator(".hx-label").all_inner_texts()
    assert "<b>光明</b>社区" in labels
    assert MALICIOUS in labels
    assert outside == errors == []


def test_withheld_is_hatched_and_counted(as_role, chromium, tmp_path):
    session, viewer = as_role("analyst")
    path = tmp_path / "map.html"
    one_file_map(session, viewer, "floating", resolution=10, lang="en").save(str(path))
    page, outside, errors = opened(chromium, path)
    legend = page.locator(".hx-legend").inner_text()
    assert "Withheld" in legend
    assert "below 13 withheld" in legend
    assert page.locator(".hx-legend i.hatch").count() == 1
    assert outside == errors == []
    page.screenshot(path=OUT / "one-file-withheld.png")


def test_a_script_cannot_be_ended_from_inside():
    assert "</" not in script_json({"a": "</script><script>alert(1)</script>"})


def test_the_library_is_the_published_one(monkeypatch, tmp_path):
    for name, checksum in assets.SHA256.items():
        assert hashlib.sha256((assets.FOLDER / name).read_bytes()).hexdigest() == checksum
    assert "url(images" not in assets.stylesheet()
    assert "sourceMappingURL" not in assets.script()
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    assets.script.cache_clear()
    with pytest.raises(LeafletMissingError):
        assets.script()


def test_too_large_or_nonsense(as_role, monkeypatch):
    session, viewer = as_role("steward")
    monkeypatch.setattr("maps.export_html.MOST", 10)
    with pytest.raises(MapTooLargeError):
        one_file_map(session, viewer, "residents", resolution=10)
    with pytest.raises(BadGeographyError):
        one_file_map(session, viewer, "residents", "area; DROP TABLE geo.area")  # type: ignore[arg-type]
    monkeypatch.setattr("maps.export_html.COMFORTABLE", 30)
    monkeypatch.setattr("maps.export_html.MOST", 100_000)
    made = one_file_map(session, viewer, "residents", lang="en")
    assert "H3 r8" in made.get_root().render()

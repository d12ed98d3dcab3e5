"""The imports pages in a real browser, as a data steward: columns corrected, rejected rows mended, numbers revealed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from api import loading
from api.settings import ApiSettings
from db import testing
from db.engine import make_engine, write_session
from intake.city import load_city
from tests import small_load
from tests.browser.conftest import Visit
from tests.browser.test_app import shot
from tests.server import serve
from tests.small_city import SmallCity

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
WRONG_ID = "110105194912310021"


@dataclass
class Desk:
    """A steward's desk: the page, and the files and database behind it."""

    visit: Visit
    files: small_load.Files

    @property
    def page(self) -> Page:
        return self.visit.page

    def load(self) -> None:
        """What ``hexward load`` does, on the files as they are now."""
        engine = make_engine(self.files.url.replace("postgresql://", "postgresql+psycopg://"), 4)
        loading.load_city(load_city(self.files.toml), loading.Order("test"), engine=engine)
        engine.dispose()

    def open_run(self, source: str) -> None:
        """From the rail to the newest run of ``source``."""
        self.page.get_by_role("link", name="Imports", exact=True).first.click()
        self.page.get_by_role("link", name=source, exact=True).first.click()
        expect(self.page.get_by_role("heading", name=source)).to_be_visible()


def _spoil(frame: pl.DataFrame) -> pl.DataFrame:
    """A name column nobody could guess, a wrong check digit (P3), a home that does not exist (P4)."""
    digit = pl.when(pl.col("人员编号") == "P3").then(pl.lit(WRONG_ID)).otherwise("身份证号")
    home = pl.when(pl.col("人员编号") == "P4").then(pl.lit("D999")).otherwise("房屋编号")
    return frame.with_columns(身份证号=digit, 房屋编号=home).rename({"姓名": "甲列"})


@pytest.fixture(scope="module")
def desk(template_db: str, tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Desk]:
    database = testing.create_clone(template_db, "imports")
    files = small_load.make(tmp_path_factory.mktemp("imports"), database, 120)
    files.edit("persons", _spoil)
    engine = make_engine(database, 2)
    with write_session(engine) as session:
        users = small_load.accounts_at_work(session, "steward")
    engine.dispose()
    for served in serve(SmallCity(database, users=users), ApiSettings(advance_day=False)):
        context = chromium.new_context(
            viewport={"width": 1280, "height": 800}, locale="en", accept_downloads=True
        )
        made = Desk(Visit(context.new_page(), served.url), files)
        made.load()
        made.visit.watch()
        with closing(served.browser("steward")) as signed_in:
            cookies = signed_in.cookies.items()
        context.add_cookies([{"name": name, "value": value, "url": served.url} for name, value in cookies])
        made.visit.open("/imports")
        expect(made.page.get_by_role("link", name="people", exact=True)).to_be_visible()
        yield made
        context.close()
        assert made.visit.complaints == []
        assert made.visit.outside == []
    testing.drop(database)


def test_numbers_are_masked_until_they_are_asked_for_and_the_look_is_in_the_trail(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size({"width": 1024, "height": 768})
    desk.open_run("people")
    table = page.get_by_role("table", name="Rejected rows")
    expect(table.locator("tbody tr")).to_have_count(2)
    assert WRONG_ID not in page.content()
    looks = "SELECT count(*) FROM audit.event WHERE action = 'identity.view' AND account = 'steward'"
    assert desk.files.value(looks) == 0
    page.get_by_label("Show them in full").check()
    expect(table).to_contain_text(WRONG_ID)
    shot(page, "imports-revealed", docs=False)
    assert desk.files.value(looks) == 1
    page.get_by_label("Show them in full").uncheck()
    expect(table).not_to_contain_text(WRONG_ID)
    page.set_viewport_size({"width": 1280, "height": 800})


def test_rejected_rows_are_downloaded_mended_and_uploaded_in_the_page(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    desk.open_run("people")
    table = page.get_by_role("table", name="Rejected rows")
    expect(table.locator("tbody tr")).to_have_count(2)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download Excel").click()
    book = openpyxl.load_workbook(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    sheet = book.worksheets[0]
    headers = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        cells = dict(zip(headers, row, strict=True))
        if cells["人员编号"].value == "P3":
            cells["身份证号"].value, cells["出生日期"].value = "11010519491231002X", "1949-12-31"
        else:
            cells["房屋编号"].value = "D0"
    book.save(tmp_path / "mended.xlsx")
    (tmp_path / "broken.xlsx").write_bytes(b"no workbook")
    upload = page.get_by_label("Upload corrected file")
    upload.set_input_files(tmp_path / "broken.xlsx")
    expect(page.locator(".outcome.bad")).to_be_visible()
    desk.visit.complaints.clear()  # Chromium notes the 422 of the broken file by itself.
    upload.set_input_files(tmp_path / "mended.xlsx")
    expect(page.get_by_text("Loaded: 2 rows accepted, 0 rejected.")).to_be_visible()
    expect(table.get_by_text("corrected", exact=True)).to_have_count(2)
    shot(page, "imports-corrected", docs=False)
    assert desk.files.value("SELECT count(*) FROM register.person") == 120


def test_a_column_is_given_its_field_in_the_page_and_the_next_load_reads_it(desk: Desk) -> None:
    page, files = desk.page, desk.files
    assert files.value("SELECT count(name) FROM register.person") == 0
    desk.open_run("people")
    page.get_by_text("Columns", exact=True).click()
    columns = page.get_by_test_id("mapping")
    save = page.get_by_role("button", name="Save columns")
    expect(save).to_be_disabled()
    columns.get_by_label("甲列").select_option(label="Key *")
    expect(columns.get_by_role("alert").first).to_contain_text("is already this field")
    expect(save).to_be_disabled()
    columns.get_by_label("甲列").select_option(label="Name")
    expect(columns.get_by_role("alert")).to_have_count(0)
    save.click()
    expect(page.get_by_text("Saved. It is used from the next load")).to_be_visible()
    shot(page, "imports-mapping", docs=False)
    desk.load()
    assert files.value("SELECT count(name) FROM register.person") == 118
    page.reload()
    desk.open_run("people")
    page.get_by_text("Columns", exact=True).click()
    expect(columns.get_by_role("row").filter(has_text="甲列")).to_contain_text("a person")

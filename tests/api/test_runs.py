"""Load runs in the app: rejected rows out as Excel, corrected, back through HTTP; mappings; the demo's accounts."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import openpyxl
import polars as pl
from sqlalchemy import Engine, text

from api import demo_accounts, loading
from api.settings import ApiSettings
from db.engine import make_engine, read_session, write_session
from intake.city import load_city
from tests import small_load
from tests.server import Browser, Served, serve
from tests.small_city import SmallCity


def _spoiled(folder: Path, url: str) -> tuple[small_load.Files, SmallCity]:
    """A city of 120 people, one with a wrong check digit, one in a dwelling that does not exist; loaded."""
    files = small_load.make(folder, url, 120)
    wrong_digit = pl.when(pl.col("人员编号") == "P3").then(pl.lit("110105194912310021")).otherwise("身份证号")
    wrong_home = pl.when(pl.col("人员编号") == "P4").then(pl.lit("D999")).otherwise("房屋编号")
    files.edit("persons", lambda frame: frame.with_columns(身份证号=wrong_digit, 房屋编号=wrong_home))
    engine = make_engine(url, 4)
    loading.load_city(load_city(files.toml), loading.Order("test"), engine=engine)
    with write_session(engine) as session:
        users = small_load.accounts_at_work(session, "steward", "manager")
    engine.dispose()
    return files, SmallCity(url, users=users)


def test_rejected_rows_go_out_masked_and_come_back_corrected(database: str, tmp_path: Path) -> None:
    files, city = _spoiled(tmp_path, database)
    run = files.value("SELECT id FROM ops.import_run WHERE source = 'people'")
    for served in serve(city, ApiSettings(advance_day=False)):
        with closing(served.browser("steward")) as steward, closing(served.browser("manager")) as manager:
            told = steward.get(f"/api/runs/{run}", headers={"accept-language": "en"}).json()
            assert {c["reason"] for c in told["rejected"]} == {"id_wrong_check_digit", "unknown_reference"}
            shown = steward.get(f"/api/runs/{run}/rejected").text
            assert "110105194912310021" not in shown
            answer = steward.get(f"/api/runs/{run}/rejected.xlsx")
            assert "attachment" in answer.headers["content-disposition"]
            book = openpyxl.load_workbook(io.BytesIO(answer.content))
            body = _corrected(book)
            form = {"file": ("corrected.xlsx", body, "application/octet-stream")}
            assert manager.post(f"/api/runs/{run}/corrected", files=form).status_code == 403
            loaded = steward.post(f"/api/runs/{run}/corrected", files=form)
            assert loaded.status_code == 200, loaded.text
            report = loaded.json()["reports"][0]
            assert (report["read"], report["accepted"], report["rejected"]) == (2, 2, 0)
            empty = {"file": ("x.xlsx", b"no excel file", "application/octet-stream")}
            refused = steward.post(f"/api/runs/{run}/corrected", files=empty)
            assert refused.status_code == 422
            assert refused.headers["content-type"] == "application/problem+json"
            assert steward.post("/api/runs/9999/corrected", files=form).status_code == 404
    assert files.value("SELECT count(*) FROM register.person") == 120
    assert files.value("SELECT count(*) FROM ops.rejected_row WHERE corrected_run_id IS NULL") == 0
    actions = [
        a for (a,) in files.rows("SELECT action FROM audit.event WHERE account = 'steward' ORDER BY id")
    ]
    assert [a for a in actions if a.startswith("rejected_row")][:3] == [
        "rejected_row.view", "rejected_row.export", "rejected_row.change",
    ]  # fmt: skip


def _corrected(book: openpyxl.Workbook) -> bytes:
    """The wrong cells put right; cells that are masked stay as they came."""
    sheet = book.worksheets[0]
    headers = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        cells = dict(zip(headers, row, strict=True))
        if cells["人员编号"].value == "P3":
            cells["身份证号"].value = "11010519491231002X"
            cells["出生日期"].value = "1949-12-31"
        else:
            cells["房屋编号"].value = "D0"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def test_a_corrected_mapping_is_kept_for_the_next_load(
    served: Served, browser: Browser, owner: Engine
) -> None:
    steward = browser("steward")
    assert steward.get("/api/sources/unheard/mapping").status_code == 404
    answer = steward.put(
        "/api/sources/people/mapping", json={"columns": {"身份证号": "id_number", "备注": ""}}
    )
    assert answer.status_code == 200
    found = steward.get("/api/sources/people/mapping").json()
    assert {row["header"]: row["field"] for row in found["corrected"]} == {
        "身份证号": "id_number",
        "备注": "",
    }
    assert browser("manager").get("/api/sources/people/mapping").status_code == 200
    assert found["allowed"] == {"change": True}
    assert {"name": "name", "title": {"zh": "姓名", "en": "Name"}, "required": False} in found["fields"]
    for wrong in ({"备注": "no_such_field"}, {"备注": "name", "姓名": "name"}):
        assert steward.put("/api/sources/people/mapping", json={"columns": wrong}).status_code == 422
    assert steward.get("/api/sources/people/mapping").json()["corrected"] == found["corrected"]
    assert browser("manager").get("/api/sources/people/mapping").json()["allowed"] == {"change": False}
    refused = browser("manager").put("/api/sources/people/mapping", json={"columns": {"a": "b"}})
    assert refused.status_code == 403
    with read_session(owner) as session:
        by = session.execute(text("SELECT DISTINCT set_by FROM ops.column_mapping")).scalars().all()
    assert by == ["steward"]


def test_runs_are_listed_in_pages(browser: Browser, owner: Engine) -> None:
    with write_session(owner) as session:
        session.execute(
            text(
                """INSERT INTO ops.import_run (city_code, source, kind, file, actor)
                   SELECT '3301', 's' || n, 'persons', '/secret/folder/f.csv', 'x' FROM generate_series(1, 60) n"""
            )
        )
    steward = browser("steward")
    first, second = (steward.get(f"/api/runs?page={n}").json() for n in (1, 2))
    assert (first["total"], first["pages"], len(first["runs"]), len(second["runs"])) == (61, 2, 50, 11)
    assert first["runs"][0]["source"] == "s60"
    assert "/secret/folder" not in str(first)


def test_the_demos_accounts_get_a_patch_a_district_and_the_city(small_city: SmallCity, owner: Engine) -> None:
    with write_session(owner) as session:
        session.execute(text("UPDATE geo.grid SET officer_patch = 'patch ' || (id - 1) / 4"))
        made = {person.role: person for person in demo_accounts.ensure(session)}
    with write_session(owner) as session:
        again = {person.role: person for person in demo_accounts.ensure(session)}
    assert made == again
    assert tuple(made)[:3] == demo_accounts.FIRST == ("officer", "manager", "analyst")
    assert set(made) == {"officer", "manager", "analyst", "community_manager", "steward", "auditor"}
    with read_session(owner) as session:
        rows = session.execute(
            text(
                """SELECT u.account, count(t.grid_id), count(t.area_id), u.password_hash FROM ops."user" u
                   LEFT JOIN ops.user_territory t ON t.user_id = u.id WHERE u.account LIKE 'demo.%'
                   GROUP BY u.id ORDER BY u.account"""
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("demo.analyst", 0, 0, None), ("demo.auditor", 0, 0, None), ("demo.community", 0, 1, None),
        ("demo.manager", 0, 1, None), ("demo.officer", 4, 0, None), ("demo.steward", 0, 0, None),
    ]  # fmt: skip
    assert made["manager"].place["zh"] in ("西区", "东区")

"""Wrong rows in an otherwise good file: each is kept with its reason, the others are loaded and counted."""

from __future__ import annotations

import re

import openpyxl
import pytest

from tests.faults.town import PEOPLE, Rows, Told, Town

pytestmark = pytest.mark.faults

_ID = re.compile(r"990100\d{11}[\dX]")


def _without_numbers(told: Told) -> None:
    assert not _ID.search(told.out + told.err)
    assert "Traceback" not in told.err


def _spoil(rows: Rows) -> None:
    rows[1][4] = "1990-02-30"
    number = rows[2][1]
    rows[2][1] = number[:-1] + ("1" if number[-1] != "1" else "2")
    rows[4][0] = rows[3][0]
    rows[5] = [*rows[5][:2], "", *rows[5][2:-1]]
    rows[6][9] = "2019-13-01"
    rows[7][6] = "D999"
    rows[8][9] = "1890-01-01"


EXPECTED = [
    (2, "birth_date", "impossible_date"),
    (3, "id_number", "id_wrong_check_digit"),
    (5, "key", "duplicate_key"),
    (6, None, "columns_shifted"),
    (7, "from", "impossible_date"),
    (8, "dwelling_key", "unknown_reference"),
    (9, "from", "moved_in_before_birth"),
]


def test_wrong_rows_stay_with_their_reasons_and_the_good_ones_are_loaded(settled: Town) -> None:
    settled.edit("people", _spoil)
    told = settled.load()
    assert told.code == 0
    _without_numbers(told)
    assert f"{len(EXPECTED)} rows rejected; see or export them: hexward runs rejected" in told.text
    assert settled.rejected("people") == EXPECTED
    assert settled.people_counted_twice() == (PEOPLE - len(EXPECTED),) * 2
    run = settled.rows("select max(run_id) from ops.rejected_row")[0][0]

    shown = settled.run("runs", "show", str(run), lang="zh-CN")
    assert "不存在的日期" in shown.out
    assert "身份证号校验码错误" in shown.out
    _without_numbers(shown)
    listed = settled.run("runs", "list", columns=80)
    assert listed.code == 0
    assert "people" in listed.out


def test_wrong_rows_go_out_as_excel_are_corrected_and_come_back(settled: Town) -> None:
    right = settled.table("people")
    settled.edit("people", _spoil)
    assert settled.load(lang="zh-CN").code == 0
    run = settled.rows("select max(run_id) from ops.rejected_row")[0][0]
    out = settled.folder / "rejected.xlsx"
    told = settled.run("runs", "rejected", str(run), "--out", str(out), "--reveal")
    assert told.code == 0, told.err
    _without_numbers(told)
    book = openpyxl.load_workbook(out)
    sheet = book.worksheets[0]
    headers = [cell.value for cell in sheet[1]]
    assert sheet.max_row == len(EXPECTED) + 1
    for (line, _, _), row in zip(EXPECTED, sheet.iter_rows(min_row=2), strict=True):
        cells = dict(zip(headers, row, strict=True))
        for header, value in zip(right[0], right[line - 1], strict=True):
            cells[header].value = value
    book.save(out)
    again = settled.load("--only", "people", "--corrected", str(out))
    assert again.code == 0, again.err
    _without_numbers(again)
    assert settled.people_counted_twice() == (PEOPLE, PEOPLE)
    assert settled.value("select count(*) from ops.rejected_row where corrected_run_id is null") == 0


def test_masked_rows_do_not_show_a_number(settled: Town) -> None:
    settled.edit("people", _spoil)
    settled.load()
    run = settled.rows("select max(run_id) from ops.rejected_row")[0][0]
    out = settled.folder / "masked.xlsx"
    assert settled.run("runs", "rejected", str(run), "--out", str(out)).code == 0
    for sheet in openpyxl.load_workbook(out).worksheets:
        for row in sheet.iter_rows(values_only=True):
            assert not _ID.search(" ".join(map(str, row)))


def _zero_swapped_and_far(rows: Rows) -> None:
    rows[1][3], rows[1][4] = rows[1][4], rows[1][3]
    rows[2][3] = rows[2][4] = "0"
    rows[3][4] = ""
    rows[4][3] = "114.9"
    rows[5][3] = "991"


def test_buildings_in_the_wrong_place_are_told_apart(town: Town) -> None:
    town.edit("buildings", _zero_swapped_and_far)
    told = town.load()
    assert told.code == 0
    assert town.rejected("buildings") == [
        (2, "lng", "coordinates_swapped"),
        (3, "lng", "coordinates_zero"),
        (4, "lat", "required_missing"),
        (5, "lng", "outside_city"),
        (6, "lng", "coordinates_impossible"),
    ]
    reasons = {reason for _, _, reason in town.rejected("homes")}
    assert reasons == {"unknown_reference"}
    read, rejected = town.rows(
        "select rows_read, rows_rejected from ops.import_run where source = 'homes' and state = 'done'"
    )[0]
    assert f"{read} rows, {rejected} rejected" in told.text
    residents, registered = town.people_counted_twice()
    assert residents == registered == PEOPLE - len(town.rejected("people"))


def _exchange(rows: Rows) -> None:
    for row in rows[1:]:
        row[3], row[4] = row[4], row[3]


@pytest.mark.parametrize(
    ("lang", "mend"),
    [
        ("en", "exchange lng and lat under `columns`"),
        ("zh-CN", "请在 city.toml 的 columns 中对调 lng 与 lat"),
    ],
)
def test_a_file_with_longitude_and_latitude_exchanged_says_how_to_mend_it(
    town: Town, lang: str, mend: str
) -> None:
    town.edit("buildings", _exchange)
    told = town.load(lang=lang)
    assert told.code == 0
    assert mend in told.text
    assert town.residents() == 0
    town.source("buildings", "buildings", "buildings.csv", datum="WGS84")
    town.sources[-1] += 'columns = { lng = "纬度", lat = "经度" }\n'
    town.sources = [town.sources[0], town.sources[1], town.sources[-1], *town.sources[2:-1]]
    town.write_toml()
    mended = town.load(lang=lang)
    assert mended.code == 0, mended.err
    assert town.people_counted_twice() == (PEOPLE, PEOPLE)


def test_rules_that_changed_are_applied_to_the_same_file(
    settled: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settled.load().code == 0
    newest = "select state from ops.import_run where source = 'people' order by id desc limit 1"
    assert settled.load().code == 0
    assert settled.value(newest) == "unchanged"
    monkeypatch.setattr("intake.schema.RULES", 10**6)
    assert settled.load().code == 0
    assert settled.value(newest) == "done"
    assert settled.people_counted_twice() == (PEOPLE, PEOPLE)

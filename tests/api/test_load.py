"""``hexward load`` as a person uses it: what it says, what it refuses, what it keeps to be corrected."""

from __future__ import annotations

import gzip
import re

import openpyxl
import polars as pl
import pytest

from api.loading import NothingCorrected, Order, OtherCity, Silent, load_city
from db.engine import make_engine, read_session
from intake.errors import CityFileError, IntakeError
from intake.rejected import export_rejected
from tests.small_load import make


@pytest.fixture
def files(database, tmp_path):
    return make(tmp_path, database, 300)


@pytest.fixture
def engine(database):
    made = make_engine(database, pool_size=4)
    yield made
    made.dispose()


def load(files, engine, **order):
    return {one.source: one for one in load_city(files.city, Order("tester", **order), Silent(), engine)}


def test_the_command_tells_each_source_in_both_languages(files):
    done = files.command("load", str(files.toml), "--actor", "王科长")
    assert done.returncode == 0, done.stderr
    assert re.search(r"people\s+│ done\s+│\s+300 │\s+300 │\s+0 │\s+0 │\s+300", done.stdout)
    again = files.command("load", str(files.toml), "--lang", "zh-CN")
    assert again.returncode == 0
    assert "与上次相同" in again.stdout
    assert files.rows(
        "select actor, state, rows_read from ops.import_run where source = 'people' order by id"
    ) == [
        ("王科长", "done", 300),
        (files.rows("select actor from ops.import_run order by id desc limit 1")[0][0], "unchanged", 300),
    ]


def test_the_command_says_what_is_wrong_and_how_to_mend_it(files):
    files.toml.write_text(
        files.toml.read_text(encoding="utf-8").replace('kind = "persons"', 'kind = "people"'), "utf-8"
    )
    done = files.command("load", str(files.toml))
    assert done.returncode == 1
    assert "persons" in done.stderr
    assert "Traceback" not in done.stderr
    missing = files.command("load", str(files.folder / "no.toml"), lang="zh-CN")
    assert missing.returncode == 1
    assert "找不到城市文件" in missing.stderr


def test_the_same_again_changes_nothing_and_a_newer_file_only_what_differs(files, engine):
    load(files, engine)
    state = "select (select version from stats.state), (select count(*) from register.residence)"
    before = files.rows(state)
    assert {one.state for one in load(files, engine).values()} == {"unchanged"}
    assert files.rows(state) == before
    files.edit("persons", lambda frame: frame.with_columns(
        姓名=pl.when(pl.col("人员编号") == "P7").then(pl.lit("新名")).otherwise("姓名")))  # fmt: skip
    report = load(files, engine)["people"]
    assert (report.state, report.read, report.unchanged, report.rejected) == ("done", 300, 300, 0)
    assert files.rows("select key from register.person where run_id = %s", report.run) == [("P7",)]


def test_rejected_rows_are_kept_corrected_and_loaded_again(files, engine):
    files.edit("persons", lambda frame: frame.with_columns(
        身份证号=pl.when(pl.col("人员编号") == "P3").then(pl.lit("110105194912310021")).otherwise("身份证号"),
        房屋编号=pl.when(pl.col("人员编号") == "P4").then(pl.lit("D999")).otherwise("房屋编号")))  # fmt: skip
    report = load(files, engine)["people"]
    assert (report.read, report.accepted, report.rejected) == (300, 298, 2)
    kept = files.rows(
        "select line, field, reason, \"row\" ->> '人员编号' from ops.rejected_row order by line"
    )
    assert kept == [
        (5, "id_number", "id_wrong_check_digit", "P3"),
        (6, "dwelling_key", "unknown_reference", "P4"),
    ]

    excel = files.folder / "rejected.xlsx"
    with read_session(engine) as session:
        assert export_rejected(session, report.run, excel, "zh-CN", reveal=True) == 2
    book = openpyxl.load_workbook(excel)
    sheet = book.worksheets[0]
    headers = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        cells = dict(zip(headers, row, strict=True))
        cells["身份证号"].value = "11010519491231002X"
        cells["出生日期"].value = "1949-12-31"
        cells["房屋编号"].value = "D0"
    book.save(excel)
    again = load(files, engine, only="people", corrected=excel)["people"]
    assert (again.read, again.accepted, again.rejected) == (2, 2, 0)
    assert files.value("select count(*) from register.person") == 300
    assert files.value("select count(*) from ops.rejected_row where corrected_run_id is null") == 0
    assert (
        files.value("select residents from stats.unit_figures where unit_kind = 'area' and unit_id = 1")
        == 300
    )


def test_a_source_that_is_refused_leaves_the_register_as_it_was(files, engine):
    whole = gzip.compress((files.folder / "persons.csv").read_bytes())
    (files.folder / "persons.csv.gz").write_bytes(whole[: len(whole) // 2])
    files.toml.write_text(
        files.toml.read_text(encoding="utf-8").replace("persons.csv", "persons.csv.gz"), "utf-8"
    )
    with pytest.raises(IntakeError):
        load(files, engine)
    assert files.value("select count(*) from register.person") == 0
    assert files.value("select count(*) from register.dwelling") > 0
    assert (
        files.value("select dwellings from stats.unit_figures where unit_kind = 'area' and unit_id = 1") > 0
    )
    assert files.rows("select state from ops.import_run where source = 'people'") == [("refused",)]


def test_another_city_is_not_poured_into_this_one(files, engine):
    files.toml.write_text(
        files.toml.read_text(encoding="utf-8").replace('code = "bench"', 'code = "other"'), "utf-8"
    )
    with pytest.raises(OtherCity) as caught:
        load(files, engine)
    assert caught.value.params == {"there": "bench", "given": "other"}


def test_only_one_source_and_what_it_needs(files, engine):
    assert list(load(files, engine, only="buildings")) == ["buildings"]
    assert load(files, engine, only="people")["people"].rejected == 300  # there are no dwellings yet
    with pytest.raises(CityFileError):
        load(files, engine, only="no-such")
    with pytest.raises(NothingCorrected):
        load(files, engine, corrected=files.folder / "x.xlsx")


def test_an_optional_source_may_be_absent(files, engine):
    more = '[[sources]]\nname = "school"\nkind = "schooling"\nfile = "school.csv"\noptional = true\n'
    files.toml.write_text(files.toml.read_text(encoding="utf-8") + more, "utf-8")
    assert load(files, engine)["school"].state == "skipped"

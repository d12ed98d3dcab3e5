"""Files that cannot be read, or not as they say: refused with file, place and the way to mend, and nothing loaded."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from tests.faults.town import PEOPLE, Town

pytestmark = pytest.mark.faults

MIB = 2**20


def _declared_wrong(town: Town) -> None:
    town.write("people", town.table("people"), "gb18030")
    town.source("people", "persons", "people.csv", encoding="UTF-8")


def _damaged(town: Town) -> None:
    file = town.folder / "people.csv"
    content = file.read_bytes()
    at = content.index("张三100".encode())
    file.write_bytes(content[:at] + b"\xff" + content[at + 1 :])


def _truncated(town: Town) -> None:
    whole = gzip.compress((town.folder / "people.csv").read_bytes())
    (town.folder / "people.csv.gz").write_bytes(whole[: len(whole) // 2])
    town.source("people", "persons", "people.csv.gz")


def _empty(town: Town) -> None:
    (town.folder / "people.csv").write_bytes(b"")


def _header_only(town: Town) -> None:
    town.write("people", town.table("people")[:1])


def _bomb(town: Town) -> None:
    file = town.folder / "people.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["人员编号"])
    book.save(file)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as out:
            for _ in range(256):
                out.write(b" " * MIB)
    town.source("people", "persons", "people.xlsx")


def _no_header(town: Town) -> None:
    town.write("people", town.table("people")[1:])


REFUSED = [
    (
        _declared_wrong,
        ["people.csv", "line 1", "GB18030", "Correct `encoding`"],
        ["第 1 行", "请更正 encoding"],
    ),
    (_damaged, ["people.csv", "line 101 ", "UTF-8", "Correct that line"], ["第 101 行", "请修正这一行"]),
    (_truncated, ["people.csv.gz", "cut off near line", "transfer the file again"], ["不完整", "请重新传输"]),
    (_empty, ["people.csv", "empty", "export it again"], ["空文件", "请重新导出"]),
    (_header_only, ["people.csv", "no rows", "export it again"], ["只有表头", "重新导出"]),
    (_no_header, ["people.csv", "put the columns' names into the first row"], ["请在文件第一行写上列名"]),
    (_bomb, ["people.xlsx", "xl/sharedStrings.xml", "zip bomb"], ["people.xlsx", "压缩炸弹"]),
]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize(
    ("spoil", "english", "chinese"), REFUSED, ids=[one[0].__name__.strip("_") for one in REFUSED]
)
def test_a_file_that_cannot_be_read_is_refused_with_its_place_and_the_way_out(
    settled: Town, spoil: Callable[[Town], None], english: list[str], chinese: list[str]
) -> None:
    good = settled.sources[-1]
    spoil(settled)
    for lang, words in (("en", english), ("zh-CN", chinese)):
        told = settled.load(lang=lang)
        assert told.code == 1
        assert [one for one in words if one not in " ".join(told.err.split())] == []
        assert "Traceback" not in told.err
        assert not re.search(r"990100\d{11}", told.out + told.err)
    assert settled.value("select count(*) from register.person") == 0
    assert settled.rows("select state, rows_accepted from ops.import_run where source = 'people'") == [
        ("refused", None), ("refused", None)
    ]  # fmt: skip
    settled.sources[-1] = good
    (settled.folder / "people.csv").write_bytes(Path(_fresh(settled)).read_bytes())
    settled.write_toml()
    assert settled.load().code == 0
    assert settled.people_counted_twice() == (PEOPLE, PEOPLE)


def _fresh(town: Town) -> Path:
    """The people's table as it was before it was spoiled."""
    from tests.faults.town import people

    folder = town.folder / "fresh"
    folder.mkdir(exist_ok=True)
    return Town(folder, town.url).write("people", people())


def _groups_above(town: Town) -> None:
    rows = town.table("people")
    town.write("people", [["基本信息"] * 6 + ["居住信息"] * 4, *rows])


def _groups_with_gaps(town: Town) -> None:
    rows = town.table("people")
    town.write("people", [["基本信息", *[""] * 5, "居住信息", *[""] * 3], *rows])


def _both_languages(town: Town) -> None:
    rows = town.table("people")
    english = ["person id", "id number", "name", "sex", "birth date", "phone", "dwelling id", "household id"]
    town.write("people", [rows[0], [*english, "status", "moved in"], *rows[1:]])


def _header_twice(town: Town) -> None:
    rows = town.table("people")
    town.write("people", [rows[0], *rows])


@pytest.mark.parametrize("spoil", [_groups_above, _groups_with_gaps, _both_languages, _header_twice])
def test_two_header_rows_are_understood(settled: Town, spoil: Callable[[Town], None]) -> None:
    spoil(settled)
    told = settled.load()
    assert told.code == 0, told.err
    assert "The header takes 2 rows" in told.text
    assert settled.people_counted_twice() == (PEOPLE, PEOPLE)


def test_a_header_nobody_understands_names_the_settings_for_it(settled: Town) -> None:
    rows = settled.table("people")
    settled.write("people", [[f"甲{n}乙" for n in "一二三四五六七八九十"], *rows[1:]])
    told = settled.load()
    assert told.code == 1
    assert "`header_rows`" in told.err
    assert "人员编号" in told.err
    chinese = settled.load(lang="zh-CN")
    assert "header_rows" in chinese.err
    assert "表头占多行" in chinese.err


def _peak_mib(process: subprocess.Popen[bytes]) -> int:
    """Largest resident memory of a process so far; 0 when it is over."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmHWM:")[1].split()[0]) // 1024 if "VmHWM:" in status else 0


@pytest.mark.parametrize("quoted", [False, True])
def test_a_gigabyte_in_one_cell_is_refused_quickly_and_without_the_memory(
    settled: Town, quoted: bool
) -> None:
    """The command in its own process; the file is written as a stream of one compressed piece said 64 times."""
    head = (settled.folder / "people.csv").read_bytes().splitlines(keepends=True)
    piece = gzip.compress(b"x" * 16 * MIB, 1)
    with (settled.folder / "people.csv.gz").open("wb") as out:
        out.write(gzip.compress(b"".join(head[:3]) + b"P0003," + (b'"' if quoted else b"")))
        for _ in range(64):
            out.write(piece)
        out.write(gzip.compress(b"\n"))
    settled.source("people", "persons", "people.csv.gz")
    begun, peak = time.monotonic(), 0
    with (settled.folder / "told").open("wb") as told:
        process = subprocess.Popen(
            settled.words("load", str(settled.toml)), env=settled.env(), stdout=told, stderr=told
        )
        while process.poll() is None:
            peak = max(peak, _peak_mib(process))
            time.sleep(0.02)
    text = (settled.folder / "told").read_text("utf-8")
    assert process.returncode == 1
    assert re.search(r"Line 4 of \S+people\.csv\.gz holds more than the limit", text)
    assert "unclosed quotation mark" in text
    assert "Traceback" not in text
    assert "xxxx" not in text
    assert 50 < peak < 900
    assert time.monotonic() - begun < 60 + 10 * os.getloadavg()[0]
    assert settled.value("select count(*) from register.person") == 0

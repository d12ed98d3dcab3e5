"""Delimited text: what comes out is what was written, on the line it stands on, whatever the encoding."""

from __future__ import annotations

import csv
import gzip
import io
import random
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from intake.errors import EncodingError, SourceError, SourceTooLarge
from intake.reader import FAULT, LINE, REST, ReaderOptions, open_source, with_limits
from tests.intake.peak import PEAK

CHINESE = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种"
    "面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本"
    "去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比"
    "或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总"
    "次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做"
    "必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权"
    "收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信"
    "马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连"
    "断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值号率族维划选标写存"
    "候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严"
)
RARE = "圳坂栟頔喆淼垚翀堃尧澍"
TRADITIONAL = "區號戶籍樓層單位姓別電話東門廣場產權業主國道縣鎮鄉衛華劉張陳黃趙"

cells = st.text(st.sampled_from(CHINESE + "abcXYZ0123456789 .-'，。（）\"\n,;|\t"), max_size=12)
FORMATS = [
    ("utf-8", "UTF-8", b""), ("utf-8", "UTF-8", b"\xef\xbb\xbf"), ("gb18030", "GB18030", b""),
    ("big5hkscs", "Big5", b""),
    ("utf-16-le", "UTF-16LE", b"\xff\xfe"), ("utf-16-be", "UTF-16BE", b"\xfe\xff"), ("utf-16-le", "UTF-16LE", b""),
]  # fmt: skip


def written(rows: list[list[str]], delimiter: str = ",", end: str = "\r\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue()


def read(path: Path, options: ReaderOptions | None = None, rows: int = 200_000) -> pl.DataFrame:
    with open_source(path, options) as reader:
        return pl.concat(list(reader.batches(rows)))


def refused(path: Path, options: ReaderOptions | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(path, options)
    return caught.value


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=30),
    how=st.sampled_from(FORMATS),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
    declared=st.booleans(),
    zipped=st.booleans(),
    rows=st.integers(1, 40),
)
@example(body=[("王", '"', "")], how=FORMATS[0], delimiter=",", end="\n", declared=True, zipped=False, rows=1)
def test_what_was_written_is_read_on_the_line_it_stands_on(
    tmp_path: Path, body, how, delimiter, end, declared, zipped, rows
) -> None:
    codec, name, bom = how
    if codec == "big5hkscs":  # simplified characters have no place in Big5
        body = [
            tuple("".join(c for c in cell if c.encode("big5hkscs", "ignore")) for cell in row) for row in body
        ]
    header = [
        "编号",
        "姓名" if codec != "big5hkscs" else "戶籍地",
        "備註说明"[: 2 if codec == "big5hkscs" else 4],
    ]
    header[0] = "號碼" if codec == "big5hkscs" else header[0]
    rows_out = [[f"k{number}", *row] for number, row in enumerate(body)]
    text = written([["key", *header], *rows_out], delimiter, end)
    data = bom + text.encode(codec)
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(data) if zipped else data)
    plain = text.isascii()
    options = ReaderOptions(encoding=name if declared else None, delimiter=delimiter, header_rows=1)
    if not declared and codec == "big5hkscs":
        options = ReaderOptions(encoding="Big5", delimiter=delimiter, header_rows=1)
    with open_source(path, options) as reader:
        frame = pl.concat(list(reader.batches(rows)))
        assert reader.encoding == name or plain
    assert frame[FAULT].null_count() == frame.height
    got = [
        ["" if cell is None else cell for cell in row] for row in frame.drop(LINE, FAULT, REST).iter_rows()
    ]
    assert got == rows_out
    lines, line = [], 2
    for row in rows_out:
        lines.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)
    assert frame[LINE].to_list() == lines


@pytest.mark.parametrize("size", [0, 1, 7, 60_000])
@pytest.mark.parametrize(
    ("codec", "name", "letters"),
    [("utf-8", "UTF-8", CHINESE + RARE), ("gb18030", "GB18030", CHINESE + RARE), ("big5hkscs", "Big5", TRADITIONAL),
     ("utf-16-le", "UTF-16LE", CHINESE), ("utf-16-be", "UTF-16BE", CHINESE)],
)  # fmt: skip
def test_the_encoding_is_found_without_being_told(
    tmp_path: Path, codec: str, name: str, letters: str, size: int
) -> None:
    chance = random.Random(size)
    header = "姓名,性别,出生日期,户籍地址" if letters is not TRADITIONAL else "姓名,電話,出生日期,戶籍地"
    lines = [header, *("".join(chance.choices(letters, k=3)) + f",{i},1990-01-01,x" for i in range(size + 1))]
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join(lines).encode(codec))
    with open_source(path) as reader:
        assert list(reader.headers) == header.split(",")
        assert sum(batch.height for batch in reader.batches()) == size + 1
        assert reader.encoding == name


def test_real_place_names_are_recognised_in_every_encoding_even_in_small_pieces(
    shared_data: Path, tmp_path: Path
) -> None:
    names = [
        line.split(",")[1].strip('"')
        for line in (shared_data / "china_codes/streets.csv").read_text().splitlines()[1:]
    ]
    chance = random.Random(7)
    wrong = []
    for number in range(400):
        text = "code,name\n" + "".join(
            f"{i},{name}\n" for i, name in enumerate(chance.sample(names, 1 + number % 20))
        )
        codec, wanted = [("utf-8", "UTF-8"), ("gb18030", "GB18030")][number % 2]
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode(codec))
        with open_source(path) as reader:
            got = pl.concat(list(reader.batches()))["name"].to_list()
            if reader.encoding != wanted or got != [line.split(",")[1] for line in text.splitlines()[1:]]:
                wrong.append((wanted, reader.encoding, text))
    assert not wrong


def test_ascii_for_megabytes_then_chinese_is_decided_where_it_matters(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    body = "".join(f"{i},plain text of an honest row\n" for i in range(250_000))
    path.write_bytes(gzip.compress(("id,name\n" + body + "x,深圳市福田区\n").encode("gb18030"), 1))
    with open_source(path) as reader:
        assert pl.concat(list(reader.batches()))["name"][-1] == "深圳市福田区"
        assert reader.encoding == "GB18030"


@pytest.mark.parametrize(
    ("declared", "codec"), [("GB18030", "utf-8"), ("UTF-8", "gb18030"), ("Big5", "gb18030")]
)
def test_a_wrong_declared_encoding_names_the_place_and_the_likely_one(
    tmp_path: Path, declared: str, codec: str
) -> None:
    path = tmp_path / "t.csv"
    head = "id,name\n1,plain\n"
    path.write_bytes((head + "2,福田区华强北街道办事处\n").encode(codec))
    problem = refused(path, ReaderOptions(encoding=declared))
    assert isinstance(problem, EncodingError)
    assert (problem.params["line"], problem.params["offset"]) == (3, len(head) + 2)
    assert problem.params["looks_like"] == {"utf-8": "UTF-8", "gb18030": "GB18030"}[codec]
    assert "line 3" in str(problem)
    assert "福田" not in str(problem)


def test_a_file_pasted_from_two_encodings_is_refused_at_the_seam(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    first = ("id,name\n" + "".join(f"{i},罗湖区\n" for i in range(200_000))).encode()
    path.write_bytes(first + "x,福田区\n".encode("gb18030") + ("y,罗湖区\n" * 400_000).encode())
    problem = refused(path)
    assert problem.code == "source.mixed_encoding"
    assert (problem.params["line"], problem.params["offset"]) == (200_002, len(first) + 2)


def test_broken_rows_are_set_aside_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        b'a,b,c\n1,x,y\n2,x\n3,x,y,z,zz\n4,"x"q,y\n5,x\0,y\n6,x,y,\n,,\n7,"multi\nline",y\n8,x,y\n'
    )
    frame = read(path)
    assert dict(frame.select(LINE, FAULT).iter_rows()) == {
        2: None, 3: "too_few_fields", 4: "too_many_fields", 5: "stray_quote", 6: "nul_byte", 7: None, 9: None, 11: None,
    }  # fmt: skip
    assert frame.filter(pl.col(LINE) == 4)[REST][0] == '{"found": 5, "expected": 3, "rest": ["z", "zz"]}'
    with open_source(path) as reader:
        list(reader.batches())
        assert {"code": "blank_rows_skipped", "rows": 1} in reader.warnings


def test_a_stray_quote_costs_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{i},text {i}" for i in range(1000)]
    rows[10] = '10,"never closed'
    rows[500] = '500,"closed" late'
    path.write_text("id,name\n" + "\n".join(rows))
    frame = read(path)
    assert frame.height == 1000
    assert frame.filter(pl.col(FAULT).is_not_null()).select(LINE, FAULT).rows() == [
        (12, "stray_quote"),
        (502, "stray_quote"),
    ]
    assert frame["name"][999] == "text 999"


@pytest.mark.parametrize("quoted", [False, True])
def test_a_gigabyte_in_one_cell_is_refused_with_its_line_and_without_the_memory(
    tmp_path: Path, quoted: bool
) -> None:
    path = tmp_path / "t.csv.gz"
    member = gzip.compress(b"x" * 2**24, 1)
    with path.open("wb") as out:
        out.write(gzip.compress(b"id,name\n1,fine\n2," + (b'"' if quoted else b"")))
        for _ in range(64):
            out.write(member)
        out.write(gzip.compress(b'"\n' if quoted else b"\n"))
    code = (
        PEAK + "import sys\n"
        "from intake.reader import open_source\nfrom intake.errors import SourceTooLarge\n"
        "try:\n    [None for _ in open_source(Path(sys.argv[1])).batches()]\n"
        "except SourceTooLarge as e:\n    print(e.params['line'], e.params['limit'],"
        " peak_mib())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    line, limit, peak_mib = map(int, done.stdout.split())
    assert (line, limit) == (3, 32 * 2**20)
    assert peak_mib < 700


def test_a_cell_over_the_limit_in_a_short_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n1,fine\n2," + "x" * 2000 + "\n")
    with pytest.raises(SourceTooLarge) as caught:
        read(path, with_limits(ReaderOptions(), cell_bytes=1000))
    assert caught.value.params["line"] == 3


@pytest.mark.parametrize("keep", [0.3, 0.999])
def test_a_truncated_gzip_says_where_it_ends(tmp_path: Path, keep: float) -> None:
    whole = gzip.compress(("id,name\n" + "".join(f"{i},{hash(i * 31)}\n" for i in range(300_000))).encode())
    path = tmp_path / "t.csv.gz"
    path.write_bytes(whole[: int(len(whole) * keep)])
    problem = refused(path)
    assert problem.code == "source.truncated"
    assert 300_000 * (keep - 0.15) < problem.params["line"] < 300_001 * (keep + 0.15)
    assert "transfer the file again" in str(problem)


def test_damaged_gzip_is_told_from_a_truncated_one(tmp_path: Path) -> None:
    whole = bytearray(
        gzip.compress(("id,name\n" + "".join(f"{i},{hash(i * 31)}\n" for i in range(300_000))).encode())
    )
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "t.csv.gz").write_bytes(whole)
    assert refused(tmp_path / "t.csv.gz").code == "source.damaged"


def test_several_gzip_members_and_padding_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"id,name\n1,a\n") + gzip.compress(b"2,b\n") + b"\0" * 512)
    assert read(path)["id"].to_list() == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "source.empty"), (b"\xef\xbb\xbf", "source.empty"), (b"\n\n \r\n", "source.empty"),
     (b"id,name\n", "source.header_only"), (b"id,name", "source.header_only"), (gzip.compress(b""), "source.empty")],
)  # fmt: skip
def test_nothing_to_load_is_said(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert refused(path).code == code


@pytest.mark.parametrize(
    ("text", "headers", "first_line"),
    [
        ("XX区人口信息登记表,,\n编号,住房,\n,面积,间数\n1,80,3\n", ["编号", "住房/面积", "住房/间数"], 4),
        ("编号,姓名,生日\nid,name,birth\n1,王,1990-01-01\n", ["编号/id", "姓名/name", "生日/birth"], 3),
        ("编号,姓名\n编号,姓名\n1,王\n", ["编号", "姓名"], 3),
        ("\n\nid,name\n\n1,x\n", ["id", "name"], 5),
        ("name,name,\na,b,c\n", ["name", "name (2)", "column 3"], 2),
        ("name,kind\nWest,park\nEast,school\n", ["name", "kind"], 2),
    ],
)
def test_titles_and_several_header_rows(
    tmp_path: Path, text: str, headers: list[str], first_line: int
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with open_source(path) as reader:
        assert reader.headers == headers
        assert pl.concat(list(reader.batches()))[LINE][0] == first_line


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "t.txt"
    path.write_text(written([["编号", "a,b;c|d", "c"], ["1", "x; y, z", "2|3"], ["2", "x", "y"]], delimiter))
    frame = read(path)
    assert frame.width == 6
    assert frame.row(0)[:3] == ("1", "x; y, z", "2|3")


def test_old_mac_line_ends(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"id,name\r1,a\r2,b")
    assert read(tmp_path / "t.csv").select("id", LINE).rows() == [("1", 2), ("2", 3)]


def test_blank_lines_and_wide_tables_do_not_cost_memory_by_the_square(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    headers = [f"c{i}" for i in range(4000)]
    rows = [",".join("1" if c == r else "" for c in range(4000)) for r in range(3000)]
    path.write_text(",".join(headers) + "\n" + "\n" * 3_000_000 + "\n".join(rows))
    code = (
        PEAK + "import sys; from intake.reader import open_source\n"
        "found = [(b.height, b['__line'][0]) for b in open_source(sys.argv[1]).batches()]\n"
        "print(sum(h for h, _ in found), found[0][1], peak_mib())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    height, line, peak = map(int, done.stdout.split())
    assert (height, line) == (3000, 3_000_002)
    assert peak < 1500


def test_several_files_are_one_source(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.csv").write_text("name;id\nb;2\n")
    (tmp_path / "c.csv").write_text("id,nam\n3,c\n")
    with open_source([tmp_path / "a.csv", tmp_path / "b.csv"]) as reader:
        frame = pl.concat(list(reader.batches()))
    assert frame.select("id", "name", LINE, "__file").rows() == [
        ("1", "a", 2, "a.csv"),
        ("2", "b", 2, "b.csv"),
    ]
    with pytest.raises(SourceError) as caught:
        open_source([tmp_path / "a.csv", tmp_path / "c.csv"])
    assert caught.value.code == "source.files_differ"
    assert caught.value.params["missing"] == ["name"]


def test_memory_stays_flat_over_a_large_file(tmp_path: Path) -> None:
    """Ten times the rows, hardly more memory; held at a scaled size, measured at full size by the benchmark."""
    peaks = []
    for rows in (300_000, 2_000_000):
        path = tmp_path / f"{rows}.csv"
        text = "P%09d,110105194912310021,王芳,女,1949-12-31,D12345678,2020-01-01\n"
        block = "".join(text % i for i in range(100_000)).encode()
        with path.open("wb") as out:
            out.write("编号,身份证号,姓名,性别,出生日期,房屋编号,开始日期\n".encode())
            for _ in range(rows // 100_000):
                out.write(block)
        code = (
            PEAK + "import sys; from intake.reader import open_source\n"
            "n = sum(b.height for b in open_source(sys.argv[1]).batches())\n"
            "print(n, peak_mib())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
        found, peak = map(int, done.stdout.split())
        assert found == rows
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 150

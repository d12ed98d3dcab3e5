"""City files and the words of codes: every problem names its key, every code has words in both languages."""

from __future__ import annotations

import ast
import string
import tomllib
from pathlib import Path

import pytest

from intake.city import load_city
from intake.errors import CityFileError
from intake.words import FILE, catalogue, describe


def city_file(folder: Path, text: str) -> Path:
    path = folder / "city.toml"
    path.write_text(text)
    return path


GOOD = """
[city]
code = "440300"
name = { zh = "深圳", en = "Shenzhen" }
[[levels]]
key = "city"
name = { zh = "市", en = "City" }
[[sources]]
name = "people"
kind = "persons"
file = "people-*.csv"
encoding = "gbk"
"""


def test_a_city_file_and_its_paths(tmp_path: Path) -> None:
    for name in ("people-2.csv", "people-1.csv"):
        (tmp_path / name).touch()
    city = load_city(city_file(tmp_path, GOOD))
    assert city.source("people").paths() == [tmp_path / "people-1.csv", tmp_path / "people-2.csv"]
    assert city.source("people").encoding == "GB18030"
    assert (city.city.zone, city.city.datum, city.city.base_resolution) == ("Asia/Shanghai", "CGCS2000", 10)
    with pytest.raises(CityFileError) as caught:
        city.source("peple")
    assert caught.value.params["allowed"] == ["people"]
    (tmp_path / "people-1.csv").unlink()
    (tmp_path / "people-2.csv").unlink()
    with pytest.raises(CityFileError) as caught:
        city.source("people").paths()
    assert caught.value.code == "city.source_file_missing"


@pytest.mark.parametrize(
    ("change", "key", "code"),
    [
        (('code = "440300"', ""), "city.code", "city.missing_key"),
        (('en = "Shenzhen"', 'e = "x"'), "city.name.en", "city.missing_key"),
        (('kind = "persons"', 'kind = "person"'), "sources[1].kind", "city.not_allowed"),
        (('encoding = "gbk"', 'encoding = "klingon"'), "sources[1].encoding", "city.not_allowed"),
        (('encoding = "gbk"', "datum = 'Mars 2000'"), "sources[1].datum", "city.not_allowed"),
        (('encoding = "gbk"', 'encodin = "gbk"'), "sources[1].encodin", "city.unknown_key"),
        (('file = "people-*.csv"', ""), "sources[1]", "city.one_of"),
        (('kind = "persons"', 'kind = "areas"\nlevel = "city"'), "sources[1]", "city.datum_missing"),
        (('kind = "persons"', 'kind = "areal"'), "sources[1].area_level", "city.missing_key"),
        (
            ('kind = "persons"', 'kind = "areas"\ndatum = "WGS84"\nlevel = "x"'),
            "(file)",
            "city.unknown_level",
        ),
        (('code = "440300"', 'code = "440300"\nzone = "Asia/Shenzhen"'), "city.zone", "city.unknown_zone"),
        (
            ('code = "440300"', 'code = "440300"\nbase_resolution = 99'),
            "city.base_resolution",
            "city.not_allowed",
        ),
    ],
)
def test_problems_of_a_city_file_name_their_key(
    tmp_path: Path, change: tuple[str, str], key: str, code: str
) -> None:
    with pytest.raises(CityFileError) as caught:
        load_city(city_file(tmp_path, GOOD.replace(*change)))
    problems = caught.value.params["problems"]
    assert (key, code) in [(p["key"], p["code"]) for p in problems]
    for language in ("zh-CN", "en"):
        said = describe(caught.value.code, caught.value.params, language)
        assert str(tmp_path / "city.toml") in said
        assert " ? " not in said
        assert "{" not in said


def test_a_city_file_that_cannot_be_read(tmp_path: Path) -> None:
    for text, code in ((b"[city\n", "city.not_toml"), ("[city]\nname='深'".encode("gbk"), "city.not_utf8")):
        (tmp_path / "c.toml").write_bytes(text)
        with pytest.raises(CityFileError) as caught:
            load_city(tmp_path / "c.toml")
        assert caught.value.code == code
    with pytest.raises(CityFileError) as caught:
        load_city(tmp_path / "none.toml")
    assert caught.value.code == "city.not_found"


# Words


def test_every_code_has_words_in_both_languages() -> None:
    for section in tomllib.loads(FILE.read_text()).values():
        for code, words in section.items():
            assert set(words) == {"zh-CN", "en"}, code
            assert all(said.strip() for said in words.values())
            names = [{n for _, n, _, _ in string.Formatter().parse(said) if n} for said in words.values()]
            assert names[0] == names[1], code


def test_every_code_in_the_source_has_words() -> None:
    known = catalogue()
    used: set[str] = set()
    for file in Path(__file__).parents[2].joinpath("intake").rglob("*.py"):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                getattr(b, "id", "").endswith("Error") for b in node.bases
            ):
                used |= {
                    s.value.value
                    for s in node.body
                    if isinstance(s, ast.Assign)
                    and s.targets[0].id == "code"
                    and isinstance(s.value, ast.Constant)
                }
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in {"warn", "Reason", "Check", "RowCheck", "_refused"} or name.endswith("Error"):
                used |= {node.args[0].value} - {"x", "hexward"}
    used -= {f for f in used if " " in str(f)}
    assert len(used) > 60
    assert not {code for code in used if code not in known}
    assert describe("no_such_code", {"a": 1}) == "no_such_code(a=1)"

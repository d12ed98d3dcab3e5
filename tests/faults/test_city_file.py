"""Mistakes in a city.toml: the key, what was found, what is allowed, in both languages, before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.town import HEAD, Town, make

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A town whose database does not exist: a mistake in its file must be told before one is looked for."""
    return make(tmp_path_factory.mktemp("town"), "postgresql+psycopg://nobody@127.0.0.1:9/none")


def _head(old: str, new: str) -> str:
    assert old in HEAD
    return HEAD.replace(old, new)


MISTAKES = [
    ("unknown key", _head('datum = "WGS84"', 'datum = "WGS84"\ndatums = 1'), ["city.datums", "datum"]),
    ("wrong zone", _head('datum = "WGS84"', 'zone = "Asia/Linjiang"'), ["city.zone", "Asia/Linjiang", "Asia/Shanghai"]),
    ("bad resolution", _head('datum = "WGS84"', "base_resolution = 15"), ["city.base_resolution", "15", "12"]),
    ("wrong datum", _head('"WGS84"', '"Mars 2000"'), ["city.datum", "Mars 2000", "GCJ-02"]),
    ("missing name", _head('code = "990100"', ""), ["city.code"]),
    ("not TOML", HEAD + "\n[[sources]\n", ["city.toml"]),
    ("unknown kind", HEAD + '\n[[sources]]\nname = "x"\nkind = "people"\nfile = "p.csv"\n',
     ["sources[1].kind", "people", "persons"]),
    ("unknown level", HEAD + '\n[[sources]]\nname = "x"\nkind = "areas"\nlevel = "street"\nfile = "a.geojson"\n'
     'datum = "WGS84"\n', ["street", "district", "community"]),
    ("no file named", HEAD + '\n[[sources]]\nname = "x"\nkind = "persons"\n', ["sources[1]", "file"]),
    ("twice", HEAD + 2 * '\n[[sources]]\nname = "x"\nkind = "persons"\nfile = "p.csv"\n', ["sources.name", "x"]),
    ("unknown encoding", HEAD + '\n[[sources]]\nname = "x"\nkind = "persons"\nfile = "p"\nencoding = "klingon"\n',
     ["sources[1].encoding", "klingon", "GB18030"]),
]  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize(("text", "named"), [one[1:] for one in MISTAKES], ids=[one[0] for one in MISTAKES])
def test_a_mistake_is_named_with_what_is_allowed(
    nowhere: Town, text: str, named: list[str], lang: str
) -> None:
    nowhere.toml.write_text(text, encoding="utf-8")
    told = nowhere.load(lang=lang)
    assert told.code == 1
    assert [one for one in ["city.toml", *named] if one not in told.err] == []
    assert ("有以下问题" in told.err or "不是有效的" in told.err) is (lang == "zh-CN")
    assert "Traceback" not in told.err
    assert not told.out


def test_every_mistake_of_a_file_is_told_at_once(nowhere: Town) -> None:
    text = _head('datum = "WGS84"', 'datum = "Venus"\nzone = "Nowhere"\nbase_resolution = 3')
    nowhere.toml.write_text(text, encoding="utf-8")
    told = nowhere.load()
    assert [key for key in ("city.datum", "city.zone", "city.base_resolution") if key not in told.err] == []


def test_a_file_that_is_not_there_in_a_process_of_its_own(nowhere: Town) -> None:
    for lang, words in (("en", "check the path"), ("zh-CN", "请检查路径")):
        told = nowhere.command("load", str(nowhere.folder / "no.toml"), lang=lang)
        assert told.returncode == 1
        assert "no.toml" in told.stderr
        assert words in told.stderr
        assert "Traceback" not in told.stderr


def test_a_source_s_file_that_is_missing_leaves_the_others_loaded(town: Town) -> None:
    (town.folder / "people.csv").unlink()
    for lang, words in (("en", "put the file there or correct `file`"), ("zh-CN", "请放入文件或更正 file")):
        told = town.load(lang=lang)
        assert told.code == 1
        assert str(Path("people.csv")) in told.err
        assert words in told.err
    assert town.value("select count(*) from register.dwelling") == 90


def test_an_unknown_source_asked_for_names_those_there_are(town: Town) -> None:
    told = town.load("--only", "peple")
    assert told.code == 1
    assert "people" in told.err


def test_a_database_that_is_not_there_is_said(nowhere: Town) -> None:
    nowhere.write_toml()
    for lang, words in (("en", "cannot be reached"), ("zh-CN", "数据库")):
        told = nowhere.load(lang=lang)
        assert told.code == 1
        assert words in told.err
        assert "Traceback" not in told.err

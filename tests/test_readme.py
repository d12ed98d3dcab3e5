"""What the READMEs show works: the city file is read by the program, every link leads somewhere, the two agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from db.settings import PROJECT
from intake.city import load_city

READMES = ("README.md", "README.zh-CN.md")


def _text(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def _city(name: str) -> str:
    (found,) = re.findall(r"```toml\n(.*?)```", _text(name), flags=re.DOTALL)
    return str(found)


def _figures(name: str) -> list[str]:
    table = re.findall(r"^\| `[a-z]+`.*$", _text(name).split("hexward bench")[-1], flags=re.MULTILINE)
    return re.findall(r"\d+\.\d+", " ".join(table))


@pytest.mark.parametrize("name", READMES)
def test_the_city_file_is_one_the_program_reads(name: str, tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    file.write_text(_city(name), encoding="utf-8")
    city = load_city(file)
    assert [source.name for source in city.sources] == ["districts", "buildings", "homes", "people", "jobs"]


@pytest.mark.parametrize("name", READMES)
def test_every_link_leads_to_a_file(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", _text(name))
    assert len(links) >= 7
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_both_languages_show_the_same_city_and_the_same_figures() -> None:
    assert _city("README.md") == _city("README.zh-CN.md")
    assert _figures("README.md") == _figures("README.zh-CN.md") != []

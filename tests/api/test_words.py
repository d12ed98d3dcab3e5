"""Every error a person can meet has a status and words in both languages, with the same parameters."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from api.errors import status_of
from api.words import LANGUAGES, say, words
from db.errors import HexwardError
from db.settings import PROJECT
from intake.words import catalogue

ROOMS = ("api", "maps", "population", "privacy", "intake", "grid", "db", "demo")


def _modules() -> list[str]:
    found = []
    for room in ROOMS:
        package = importlib.import_module(room)
        found += [
            m.name for m in pkgutil.walk_packages(package.__path__, f"{room}.") if ".versions" not in m.name
        ]
    return [name for name in found if name != "db.migrations.env"]


def _classes() -> set[type[HexwardError]]:
    for name in _modules():
        importlib.import_module(name)

    def below(kind: type[HexwardError]) -> set[type[HexwardError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    return {kind for kind in below(HexwardError) if kind.__module__.partition(".")[0] in ROOMS}


def _narrowed(kinds: set[type[HexwardError]]) -> set[str]:
    """Codes given by a caller: the first text in the call of an error's class, anywhere in the project."""
    names = {kind.__name__ for kind in kinds}
    found = set()
    for room in ROOMS:
        for file in (PROJECT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    if name in names and isinstance(node.args[0].value, str):
                        found.add(node.args[0].value)
    return found


def all_codes() -> set[str]:
    kinds = _classes()
    return {kind.code for kind in kinds} | _narrowed(kinds)


def test_every_error_code_has_words_in_both_languages() -> None:
    codes = all_codes()
    assert len(codes) > 40
    for language in LANGUAGES:
        known = set(words(language)) | set(catalogue())
        assert not sorted(codes - known), language


def test_every_error_code_has_a_status() -> None:
    assert not sorted(code for code in all_codes() if status_of(code) is None)


def test_every_status_that_is_answered_has_a_title() -> None:
    from api.errors import STATUS

    for language in LANGUAGES:
        assert not [s for s in {*STATUS.values(), 400, 500} if f"title.{s}" not in words(language)]


def test_both_languages_have_the_same_keys_and_parameters() -> None:
    chinese, english = words("zh-CN"), words("en")
    assert set(chinese) == set(english)
    for key in chinese:
        assert set(re.findall(r"{(\w+)}", chinese[key])) == set(re.findall(r"{(\w+)}", english[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_are_sorted_json_that_a_translator_can_edit(language: str) -> None:
    text = Path(PROJECT / "api" / "locales" / f"{language}.json").read_text("utf-8")
    assert text.endswith("}\n")
    assert "\\u" not in text


def test_an_unknown_key_shows_itself_with_its_parameters() -> None:
    assert "no.such.key" in say("en", "no.such.key", a=1)
    assert "a=1" in say("en", "no.such.key", a=1)


def test_a_missing_parameter_shows_its_name() -> None:
    assert "{port}" in say("en", "serve.port_taken", other=1)

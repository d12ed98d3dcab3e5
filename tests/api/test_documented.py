"""Every route and every setting stands in the documentation."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.documented import as_markdown, documented
from api.settings import ApiSettings
from db.settings import PROJECT

ROOMS = ("api", "db", "grid", "intake", "privacy", "population", "maps", "demo")
VARIABLE = re.compile(r"\b(?:HEXWARD_[A-Z_]+[A-Z]|DATABASE_URL(?:_[A-Z]+)?)\b")


@pytest.fixture
def described() -> FastAPI:
    return create_app(ApiSettings(advance_day=False))


def test_every_route_is_in_the_documentation(described: FastAPI) -> None:
    page = (PROJECT / "docs" / "api.md").read_text("utf-8")
    routes = {
        f"{verb.upper()} {path}" for path, verbs in described.openapi()["paths"].items() for verb in verbs
    }
    assert len(routes) > 20
    assert sorted(r for r in routes if f"`{r}`" not in page) == []


def test_the_documentation_names_no_route_that_is_gone(described: FastAPI) -> None:
    page = (PROJECT / "docs" / "api.md").read_text("utf-8")
    routes = {
        f"{verb.upper()} {path}" for path, verbs in described.openapi()["paths"].items() for verb in verbs
    }
    assert set(re.findall(r"`((?:GET|POST|PUT|DELETE|PATCH) /[^`?]*)`", page)) == routes


def test_every_route_says_what_it_gives(described: FastAPI) -> None:
    for path, verbs in described.openapi()["paths"].items():
        for verb, told in verbs.items():
            assert told.get("description"), f"{verb} {path}"


def test_every_setting_says_what_it_does_under_its_own_name() -> None:
    for settings in documented().values():
        for setting in settings:
            info = setting.group.model_fields[setting.field]
            assert (info.description or "").startswith(f"{setting.name}:"), setting.name
            assert setting.description


def test_the_settings_page_is_up_to_date() -> None:
    page = (PROJECT / "docs" / "settings.md").read_text("utf-8")
    assert page == as_markdown(), "write it again: hexward settings --markdown > docs/settings.md"


def test_no_variable_is_read_that_the_page_does_not_name() -> None:
    page = (PROJECT / "docs" / "settings.md").read_text("utf-8")
    named = set(VARIABLE.findall(page))
    files = [PROJECT / "hexward", *(f for room in ROOMS for f in (PROJECT / room).rglob("*.py"))]
    read = {name for file in files for name in VARIABLE.findall(file.read_text("utf-8"))}
    assert sorted(read - named) == []

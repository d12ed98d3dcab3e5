"""Words for people: errors and command-line texts in every language.

One flat file a language, and beside it a folder with one flat file a subject; no key stands twice.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from intake.words import describe

LANGUAGES = ("zh-CN", "en")
DEFAULT_LANGUAGE = "zh-CN"
_FOLDER = Path(__file__).parent / "locales"


@cache
def words(language: str) -> dict[str, str]:
    """All texts of ``language`` by key.

    >>> words("en")["title.404"]
    'Not found'
    """
    found: dict[str, str] = {}
    for file in (_FOLDER / f"{language}.json", *sorted((_FOLDER / language).glob("*.json"))):
        more = dict(json.loads(file.read_text(encoding="utf-8")))
        if doubled := sorted(found.keys() & more):
            raise ValueError(f"{file.name}: {doubled[0]} stands in another file already")
        found |= more
    return found


class _Holes(dict[str, Any]):
    """A parameter the caller did not give shows as its name, so that a message never fails to appear."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def say(language: str, key: str, /, **params: Any) -> str:
    """The text of ``key`` with its parameters filled in; an unknown key is shown as itself.

    >>> say("en", "cli.port_taken", port=8000, other=8001).splitlines()[0]
    'Port 8000 is already in use by another program.'
    """
    language = language if language in LANGUAGES else DEFAULT_LANGUAGE
    found = words(language).get(key)
    if found is None:
        return describe(key, params, language)  # the codes of intake have their words there
    return found.format_map(_Holes(params))


def choose_language(
    accept_language: str | None, asked: str | None = None, default: str = DEFAULT_LANGUAGE
) -> str:
    """The language to answer in: ``asked`` by ``?lang=``, else the best of the Accept-Language header.

    >>> choose_language("en-GB,en;q=0.9,zh;q=0.8")
    'en'
    >>> choose_language("fr, zh-TW;q=0.5")
    'zh-CN'
    >>> choose_language("en", asked="zh-CN")
    'zh-CN'
    """
    if asked:
        return _supported(asked) or default
    ranked = []
    for position, part in enumerate((accept_language or "").split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        if name and weight > 0:
            ranked.append((-weight, position, name))
    for _, _, name in sorted(ranked):
        found = _supported(name)
        if found:
            return found
    return default


def _supported(name: str) -> str | None:
    primary = name.strip().lower().split("-")[0]
    return {"zh": "zh-CN", "en": "en"}.get(primary)

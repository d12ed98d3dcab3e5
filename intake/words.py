"""The words of intake's codes: reasons for rejecting a row, errors, warnings, problems of a city.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("reasons.toml")
LANGUAGES = ("zh-CN", "en")


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every code with its words: ``{"impossible_date": {"zh-CN": ..., "en": ...}, ...}``.

    Sections of the file only group; codes are unique over all of them.
    """
    with FILE.open("rb") as handle:
        sections = tomllib.load(handle)
    found: dict[str, dict[str, str]] = {}
    for codes in sections.values():
        for code, words in codes.items():
            if code in found:
                raise ValueError(f"{FILE.name}: {code} is there twice")
            found[code] = words
    return found


class _Gaps(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def describe(code: str, params: Mapping[str, Any], language: str = "en") -> str:
    """The words of ``code`` in ``language`` with its parameters filled in.

    A parameter that is a list of problems (mappings with a ``code``) is described in turn, one a line;
    other lists are joined. An unknown code is shown as it is with its parameters, never hidden.

    >>> describe("required_missing", {}, "en")
    'This field must have a value.'
    >>> describe("required_missing", {}, "zh-CN")
    '此字段必填。'
    """
    words = catalogue().get(code)
    if words is None:
        inside = ", ".join(f"{k}={v}" for k, v in params.items())
        return f"{code}({inside})" if inside else code
    return words[language].format_map(_Gaps({k: _shown(v, language) for k, v in params.items()}))


def _shown(value: Any, language: str) -> str:
    if isinstance(value, Mapping):
        if "code" in value:
            return describe(str(value["code"]), value, language)
        return ", ".join(f"{k}={_shown(v, language)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        nested = any(isinstance(v, Mapping) and "code" in v for v in value)
        between = "\n  " if nested else ("、" if language == "zh-CN" else ", ")
        return ("\n  " if nested else "") + between.join(_shown(v, language) for v in value)
    return "" if value is None else str(value)

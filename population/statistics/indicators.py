"""The indicators: what is counted, what is derived, and what both are called.

``indicators.toml`` beside this file is the one list. Counts are columns of ``stats.place_figures`` and
``stats.unit_figures`` (``FIGURES``, in column order); ratios are computed when read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Words = dict[str, str]
Number = Literal["integer", "numeric"]
Kind = Literal["count", "share", "density", "mean"]

AREA = "area_km2"
"""The denominator of densities: the unit's area, not a column."""
BAND_WIDTH_YEARS = 5
OPEN_BAND_FROM = 85


@dataclass(frozen=True)
class Group:
    """A heading of the catalogue; ``source`` names the register its figures come from."""

    id: str
    title: Words
    source: Words


@dataclass(frozen=True)
class Count:
    """A figure that is counted and kept: one column, summed over places."""

    id: str
    group: str
    number: Number
    personal: bool
    title: Words
    unit: Words
    definition: Words
    kind: Kind = "count"


@dataclass(frozen=True)
class Ratio:
    """A figure computed when read: ``factor * sum(numerator) / sum(denominator)``, null for a denominator of 0."""

    id: str
    group: str
    kind: Kind
    personal: bool
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    factor: float
    title: Words
    unit: Words
    definition: Words


def age_bands() -> tuple[str, ...]:
    """Ids of the 18 bands of completed years, ``0_4`` to ``80_84`` and ``85``.

    >>> age_bands()[0], age_bands()[-2:]
    ('0_4', ('80_84', '85'))
    """
    closed = (f"{low}_{low + BAND_WIDTH_YEARS - 1}" for low in range(0, OPEN_BAND_FROM, BAND_WIDTH_YEARS))
    return (*closed, str(OPEN_BAND_FROM))


def band_label(band: str) -> str:
    """A band as people write it.

    >>> band_label("0_4"), band_label("85")
    ('0-4', '85+')
    """
    return band.replace("_", "-") if "_" in band else f"{band}+"


def _years(band: str) -> Words:
    low, _, high = band.partition("_")
    if not high:
        return {"zh": f"{low}岁及以上", "en": f"{low} and over"}
    return {"zh": f"{low}至{high}岁", "en": f"{low} to {high}"}


@cache
def _raw() -> dict[str, Any]:
    with (Path(__file__).parent / "indicators.toml").open("rb") as file:
        return tomllib.load(file)


def _filled(words: Words, values: dict[str, Words | str]) -> Words:
    def of(language: str) -> dict[str, str]:
        return {k: v if isinstance(v, str) else v[language] for k, v in values.items()}

    return {language: template.format(**of(language)) for language, template in words.items()}


def _members(family: dict[str, Any]) -> Iterator[tuple[str, dict[str, Words | str]]]:
    if family["pattern"] == "age_sex":
        for sex in family["sexes"]:
            for band in age_bands():
                words: dict[str, Words | str] = {"years": _years(band), "sex": sex}
                yield f"{sex['code']}_{band}", words
    else:
        for section in family["industries"]:
            yield f"jobs_{section['code'].lower()}", {"code": section["code"], "name": section}


def _family(family: dict[str, Any]) -> Iterator[Count]:
    for name, values in _members(family):
        yield Count(
            id=name,
            group=family["group"],
            number=family["number"],
            personal=family["personal"],
            unit=family["unit"],
            title=_filled(family["title"], values),
            definition=_filled(family["definition"], values),
        )


@cache
def groups() -> tuple[Group, ...]:
    """The groups in the order of the catalogue."""
    return tuple(Group(**entry) for entry in _raw()["groups"])


@cache
def counts() -> tuple[Count, ...]:
    """All counted indicators in column order."""
    families = {family["after"]: family for family in _raw()["families"]}
    ordered: list[Count] = []
    for entry in _raw()["counts"]:
        ordered.append(Count(**entry))
        if entry["id"] in families:
            ordered.extend(_family(families[entry["id"]]))
    return tuple(ordered)


@cache
def ratios() -> tuple[Ratio, ...]:
    """All derived indicators."""
    return tuple(
        Ratio(**{**entry, "numerator": tuple(entry["numerator"]), "denominator": tuple(entry["denominator"])})
        for entry in _raw()["ratios"]
    )


@cache
def by_id() -> dict[str, Count | Ratio]:
    """Every indicator by its id."""
    every: list[Count | Ratio] = [*counts(), *ratios()]
    return {indicator.id: indicator for indicator in every}


@cache
def industries() -> dict[str, Words]:
    """Sections of GB/T 4754-2017, ``A`` to ``T``, with their names."""
    entries = next(f for f in _raw()["families"] if f["pattern"] == "industry")["industries"]
    return {entry["code"]: {"zh": entry["zh"], "en": entry["en"]} for entry in entries}


FIGURES: tuple[str, ...] = tuple(count.id for count in counts())
"""Columns of stats.place_figures and stats.unit_figures, in order."""
NUMERIC_FIGURES: frozenset[str] = frozenset(count.id for count in counts() if count.number == "numeric")
SERIES: tuple[str, ...] = ("residents", "registered", "floating", "jobs", "moved_in", "moved_out")
"""Columns of stats.unit_month: states at the month's end, and moves within it."""

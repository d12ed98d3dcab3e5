"""Conditions over facts, declared as data: a handful of comparisons, each true, false or not known. No expressions.

A condition is a table of one fact and one comparison, or ``any``/``all`` of conditions. Its words are checked when the
rules are loaded; an unknown fact, comparison or value is an error then, never "no".

Periods are counted as the Civil Code does (articles 201 to 203): six months after 31 August end on 28 or 29 February,
the last day of a month that has no such day.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from db.errors import HexwardError

Kind = Literal["word", "number", "yes_no", "date"]
Value = str | float | bool | date | None
Facts = Mapping[str, Value]


class RuleError(HexwardError):
    """The file of rules contradicts itself; params: rule, problem."""

    code = "entitlements.rule"


@dataclass(frozen=True)
class Found:
    """Whether a condition holds (None: not known), the facts that would tell, and the day from which it will hold."""

    holds: bool | None
    unknown: tuple[str, ...] = ()
    holds_from: date | None = None


@dataclass(frozen=True)
class Fact:
    """A declared fact: what kind of value it has, and the words it may take."""

    id: str
    kind: Kind
    values: tuple[str, ...] = ()


def add_months(day: date, months: int) -> date:
    """The day ``months`` later; the month's last day where there is no such day.

    >>> add_months(date(2025, 8, 31), 6), add_months(date(2023, 8, 31), 6)
    (datetime.date(2026, 2, 28), datetime.date(2024, 2, 29))
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def completed_years(birth: date, day: date) -> int:
    """Age in completed years; born on 29 February: a year older on 1 March in common years, as everywhere here.

    >>> completed_years(date(2020, 2, 29), date(2026, 2, 28)), completed_years(date(2020, 2, 29), date(2026, 3, 1))
    (5, 6)
    """
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def birthday(birth: date, years: int) -> date:
    """The day on which ``years`` are completed.

    >>> birthday(date(2020, 2, 29), 6)
    datetime.date(2026, 3, 1)
    """
    if (birth.month, birth.day) == (2, 29) and not calendar.isleap(birth.year + years):
        return date(birth.year + years, 3, 1)
    return birth.replace(year=birth.year + years)


COMPARISONS: Final[dict[str, tuple[Kind, ...]]] = {
    "is": ("word", "number", "yes_no"),
    "in": ("word",),
    "at_least": ("number",),
    "at_most": ("number",),
    "months_ago": ("date",),  # at least so many months before today
    "within_days": ("date",),  # at most so many days after today, or past
    "after_today": ("date",),  # wants true: the day is today or later
    "years_old": ("date",),  # at least so many completed years
    "younger_than": ("date",),  # fewer completed years
    "known": ("word", "number", "yes_no", "date"),
}


@dataclass(frozen=True)
class Condition:
    """One comparison of one fact."""

    fact: str
    comparison: str
    wanted: Any

    def check(self, facts: Facts, today: date) -> Found:
        """Whether it holds today."""
        value = facts.get(self.fact)
        if self.comparison == "known":
            return Found((value is not None) == self.wanted)
        if value is None:
            return Found(None, (self.fact,))
        if isinstance(value, date):
            return self._on_day(value, today)
        return Found(self._plain(value))

    def _plain(self, value: str | float | bool) -> bool:
        if self.comparison == "is":
            return bool(value == self.wanted)
        if self.comparison == "in":
            return bool(value in self.wanted)
        number = float(value)
        return bool(number >= self.wanted if self.comparison == "at_least" else number <= self.wanted)

    def _on_day(self, value: date, today: date) -> Found:
        if self.comparison == "years_old":
            begins = birthday(value, self.wanted)
        elif self.comparison == "months_ago":
            begins = add_months(value, self.wanted)
        elif self.comparison == "within_days":
            begins = value - timedelta(days=self.wanted)
        elif self.comparison == "younger_than":
            return Found(completed_years(value, today) < self.wanted)
        else:
            return Found((value >= today) == self.wanted)
        return Found(begins <= today, holds_from=begins)


@dataclass(frozen=True)
class Group:
    """Several conditions of which any or all must hold."""

    how: Literal["any", "all"]
    parts: tuple[Condition | Group, ...]

    def check(self, facts: Facts, today: date) -> Found:
        """Kleene's logic: one certain part may decide whatever is unknown of the others."""
        found = [part.check(facts, today) for part in self.parts]
        decides = self.how == "any"
        settled = [one for one in found if one.holds is decides]
        days = [one.holds_from for one in found if one.holds_from is not None]
        if settled:
            earliest = [one.holds_from for one in settled if one.holds_from is not None]
            return Found(decides, holds_from=min(earliest) if earliest and decides else None)
        unknown = tuple(dict.fromkeys(name for one in found if one.holds is None for name in one.unknown))
        if unknown:
            return Found(None, unknown)
        when = (min(days) if decides else max(days)) if days else None
        return Found(not decides, holds_from=when)


def read_condition(entry: Any, facts: Mapping[str, Fact], rule: str) -> Condition | Group:
    """A condition from its table. Raises RuleError for an unknown word or a comparison the fact cannot take."""
    if not isinstance(entry, dict):
        raise RuleError(rule=rule, problem=f"not a condition: {entry!r}")
    for how in ("any", "all"):
        if how in entry:
            if len(entry) != 1 or not isinstance(entry[how], list) or not entry[how]:
                raise RuleError(
                    rule=rule, problem=f"'{how}' takes a list of conditions and nothing beside it"
                )
            parts = tuple(read_condition(part, facts, rule) for part in entry[how])
            return Group("any" if how == "any" else "all", parts)
    words = [key for key in entry if key != "fact"]
    name = str(entry.get("fact"))
    if name not in facts:
        raise RuleError(rule=rule, problem=f"unknown fact {name!r}")
    if len(words) != 1 or words[0] not in COMPARISONS:
        raise RuleError(
            rule=rule, problem=f"one comparison of {', '.join(COMPARISONS)} expected, not {words}"
        )
    _fits(facts[name], words[0], entry[words[0]], rule)
    return Condition(name, words[0], entry[words[0]])


def _fits(fact: Fact, comparison: str, wanted: Any, rule: str) -> None:
    def refuse(problem: str) -> None:
        raise RuleError(rule=rule, problem=f"{fact.id} {comparison} {wanted!r}: {problem}")

    if fact.kind not in COMPARISONS[comparison]:
        refuse(f"a fact of kind {fact.kind} cannot be compared so")
    if comparison in ("known", "after_today") or fact.kind == "yes_no":
        if not isinstance(wanted, bool):
            refuse("true or false expected")
    elif comparison == "in" or fact.kind == "word":
        words = wanted if comparison == "in" else [wanted]
        if not isinstance(words, list) or not words:
            refuse("a list of words expected")
        for word in words:
            if word not in fact.values:
                refuse(f"unknown word {word!r}, known: {', '.join(fact.values)}")
    elif isinstance(wanted, bool) or not isinstance(wanted, int if fact.kind == "date" else (int, float)):
        refuse("a number expected")

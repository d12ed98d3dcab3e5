"""The rules of entitlements: read once, checked whole. ``rules.toml`` beside this file is the city's to edit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from population.entitlements.conditions import Condition, Fact, Group, RuleError, read_condition

Words = dict[str, str]
Subject = Literal["person", "household"]
_FILE: Final = Path(__file__).parent / "rules.toml"
_RULE_WORDS: Final = {
    "id", "service", "subject", "title", "who", "applies", "needs", "ground", "source", "verified", "office", "note",
}  # fmt: skip
_NEED_WORDS: Final = {"when", "missing"}
_FACT_WORDS: Final = {"id", "kind", "values", "title", "ask"}


@dataclass(frozen=True)
class Need:
    """One thing a service needs, and in plain words what to do when it is not there."""

    condition: Condition | Group
    missing: Words


@dataclass(frozen=True)
class Rule:
    """A service: whom it is for, what it needs, the law it stands on, where to go."""

    id: str
    service: str
    subject: Subject
    title: Words
    who: Words
    applies: Group
    needs: tuple[Need, ...]
    ground: Words
    verified: bool
    office: Words
    source: str = ""
    note: Words | None = None


@dataclass(frozen=True)
class Rules:
    """All rules, and the words of the facts they ask for."""

    version: str
    facts: dict[str, Fact]
    titles: dict[str, Words]
    questions: dict[str, Words]
    rules: tuple[Rule, ...]


def read_rules(content: str) -> Rules:
    """Rules from TOML. Raises RuleError for any word, fact or comparison that is not declared."""
    raw = tomllib.loads(content)
    _only(raw, {"version", "facts", "rules"}, "rules.toml")
    facts: dict[str, Fact] = {}
    titles: dict[str, Words] = {}
    questions: dict[str, Words] = {}
    for entry in raw["facts"]:
        _only(entry, _FACT_WORDS, str(entry.get("id")))
        if entry["kind"] not in ("word", "number", "yes_no", "date"):
            raise RuleError(rule=entry["id"], problem=f"unknown kind {entry['kind']!r}")
        facts[entry["id"]] = Fact(entry["id"], entry["kind"], tuple(entry.get("values", ())))
        titles[entry["id"]] = _words(entry, "title", entry["id"])
        questions[entry["id"]] = _words(entry, "ask", entry["id"])
    rules = tuple(_rule(entry, facts) for entry in raw["rules"])
    ids = [rule.id for rule in rules]
    for name in ids:
        if ids.count(name) > 1:
            raise RuleError(rule=name, problem="stands there twice")
    return Rules(str(raw["version"]), facts, titles, questions, rules)


def _rule(entry: dict[str, Any], facts: dict[str, Fact]) -> Rule:
    name = str(entry.get("id"))
    _only(entry, _RULE_WORDS, name)
    if entry.get("subject", "person") not in ("person", "household"):
        raise RuleError(rule=name, problem=f"unknown subject {entry['subject']!r}")
    if not isinstance(entry.get("verified"), bool):
        raise RuleError(rule=name, problem="verified = true or false is missing")
    needs = []
    for need in entry.get("needs", ()):
        _only(need, _NEED_WORDS, name)
        needs.append(Need(read_condition(need.get("when"), facts, name), _words(need, "missing", name)))
    applies = Group("all", tuple(read_condition(part, facts, name) for part in entry["applies"]))
    return Rule(
        name, entry["service"], entry.get("subject", "person"), _words(entry, "title", name),
        _words(entry, "who", name), applies, tuple(needs), _words(entry, "ground", name), entry["verified"],
        _words(entry, "office", name), entry.get("source", ""),
        _words(entry, "note", name) if "note" in entry else None,
    )  # fmt: skip


def _words(entry: dict[str, Any], key: str, rule: str) -> Words:
    found = entry.get(key)
    if not isinstance(found, dict) or set(found) != {"zh", "en"} or not all(found.values()):
        raise RuleError(rule=rule, problem=f"'{key}' needs words in zh and en")
    return found


def _only(entry: dict[str, Any], allowed: set[str], rule: str) -> None:
    for key in entry:
        if key not in allowed:
            raise RuleError(rule=rule, problem=f"unknown word {key!r}")


@cache
def rules() -> Rules:
    """The rules of this installation."""
    return read_rules(_FILE.read_text(encoding="utf-8"))

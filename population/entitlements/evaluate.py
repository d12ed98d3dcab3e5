"""Rules against facts: available now, something missing, not for this person, or not known."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from population.entitlements.conditions import Facts, Found
from population.entitlements.rules import Rule, Rules, Subject

ORDER: Final = {"available": 0, "missing": 1, "unknown": 2, "not_applicable": 3}


def evaluate(rules: Rules, facts: Facts, today: date, subject: Subject = "person") -> list[dict[str, Any]]:
    """Every rule for ``subject`` with its status, what is missing, what must be asked, and from which day it holds.

    Status: ``available``, ``missing``, ``unknown`` (``ask`` says which facts), ``not_applicable``. ``from`` is the
    day from which all is there when time alone is missing. A fact that is not declared is an error (KeyError).
    """
    for name in facts:
        if name not in rules.facts:
            raise KeyError(name)
    found = [_one(rules, rule, facts, today) for rule in rules.rules if rule.subject == subject]
    return sorted(found, key=lambda one: ORDER[one["status"]])


def _one(rules: Rules, rule: Rule, facts: Facts, today: date) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": rule.id, "service": rule.service, "title": rule.title, "who": rule.who, "ground": rule.ground,
        "verified": rule.verified, "office": rule.office, "note": rule.note,
    }  # fmt: skip
    concerns = rule.applies.check(facts, today)
    if concerns.holds is False:
        return told | _status("not_applicable", begins=concerns.holds_from)
    checked = [(need, need.condition.check(facts, today)) for need in rule.needs]
    missing = [
        {"text": need.missing, "from": _iso(found.holds_from)}
        for need, found in checked
        if found.holds is False
    ]
    unknown = dict.fromkeys(
        (*concerns.unknown, *(name for _, found in checked for name in found.unknown if found.holds is None))
    )
    ask = [{"fact": name, "title": rules.titles[name], "text": rules.questions[name]} for name in unknown]
    if concerns.holds is None:
        return told | _status("unknown", ask=ask)
    if missing:
        waits = [found for _, found in checked if found.holds is False]
        begins = _all_from(waits) if not ask else None
        return told | _status("missing", missing=missing, ask=ask, begins=begins)
    if ask:
        return told | _status("unknown", ask=ask)
    since = [found.holds_from for _, found in checked if found.holds_from is not None]
    return told | _status("available", begins=max(since) if since else None)


def _all_from(found: list[Found]) -> date | None:
    """The day on which time alone has brought all that is missing; None when something else is missing too."""
    days = [one.holds_from for one in found]
    return max(day for day in days if day is not None) if all(day is not None for day in days) else None


def _status(
    status: str,
    missing: list[dict[str, Any]] | None = None,
    ask: list[dict[str, Any]] | None = None,
    begins: date | None = None,
) -> dict[str, Any]:
    return {"status": status, "missing": missing or [], "ask": ask or [], "from": _iso(begins)}


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()

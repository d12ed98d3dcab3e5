"""What has lost its ground is removed or made anonymous, by rules in ``retention.toml``; each run says what and why.

A run is one transaction a rule, ends with an audit row that carries the rule, its number and the ids, and finds nothing
the second time. A dry run counts and changes nothing.
"""

# ruff: noqa: S608 - statements put together from the fixed words of this file only

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from db.engine import read_session, write_session
from db.errors import HexwardError
from privacy import audit

_FILE = Path(__file__).parent / "retention.toml"
_LEAST_AUDIT_DAYS: Final = 3 * 365
_IDS_TOLD: Final = 1000


class RetentionRulesError(HexwardError):
    """The file of rules is not as it must be."""

    code = "retention.rules"


@dataclass(frozen=True)
class Rule:
    """One rule: how long after the end of the ground, what then, and why."""

    name: str
    after_days: int
    then: str
    ground: dict[str, str]
    legal: str


@dataclass(frozen=True)
class _Kind:
    """Where the rows are: table, key to tell, which have lost their ground, and the statement that deals with them."""

    table: str
    key: str
    due: str
    act: str


_AGO = "now() - make_interval(days => :days)"
_KINDS: dict[str, _Kind] = {
    "sessions": _Kind(
        "ops.user_session", "user_id", f"expires_at < {_AGO}", "DELETE FROM ops.user_session WHERE {due}"
    ),
    "hall_addresses": _Kind(
        "ops.hall_rate", "what", f"since < {_AGO}", "DELETE FROM ops.hall_rate WHERE {due}"
    ),
    "rejected_rows": _Kind(
        "ops.rejected_row",
        "id",
        f"""(value IS NOT NULL OR "row" IS NOT NULL)
            AND run_id IN (SELECT id FROM ops.import_run WHERE coalesce(finished_at, started_at) < {_AGO})""",
        """UPDATE ops.rejected_row SET value = NULL, "row" = NULL, params = '{{}}' WHERE {due}""",
    ),
    "declarations": _Kind(
        "register.declaration",
        "id",
        f"state IN ('confirmed', 'rejected') AND decided_at < {_AGO}",
        "DELETE FROM register.declaration WHERE {due}",
    ),
    "asks": _Kind(
        "register.person_ask",
        "id",
        f"at < {_AGO}",
        """WITH gone AS (DELETE FROM register.person_ask_to
             WHERE ask_id IN (SELECT id FROM register.person_ask WHERE {due}))
           DELETE FROM register.person_ask WHERE {due}""",
    ),
}


@cache
def rules() -> list[Rule]:
    """The rules of this installation. Raises RetentionRulesError."""
    return read_rules(_FILE.read_text(encoding="utf-8"))


def read_rules(toml: str) -> list[Rule]:
    """Parse and check the rules. Raises RetentionRulesError, which names what is wrong."""
    try:
        raw = tomllib.loads(toml)
        if raw["kept"]["audit"]["days"] < _LEAST_AUDIT_DAYS:
            raise RetentionRulesError(problem=f"kept.audit.days < {_LEAST_AUDIT_DAYS}")
        found = [
            Rule(name, one["after_days"], one["then"], dict(one["ground"]), one["legal"])
            for name, one in raw["rules"].items()
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as problem:
        raise RetentionRulesError(problem=f"{type(problem).__name__}: {problem}") from problem
    for rule in found:
        wrong = not isinstance(rule.after_days, int) or rule.after_days < 1
        if wrong or rule.name not in _KINDS or rule.then not in ("remove", "make_anonymous"):
            raise RetentionRulesError(problem=f"rules.{rule.name}")
    return found


def run(owner: Engine, *, dry_run: bool, by: list[Rule] | None = None) -> dict[str, int]:
    """Deal with all that has lost its ground, or only count it; the number of rows a rule."""
    done = {}
    for rule in by or rules():
        with read_session(owner) if dry_run else write_session(owner) as session:
            done[rule.name] = _apply(session, rule, dry_run)
    return done


def _apply(session: Session, rule: Rule, dry_run: bool) -> int:
    kind, days = _KINDS[rule.name], {"days": rule.after_days}
    ids = [
        str(found)
        for (found,) in session.execute(
            text(f"SELECT {kind.key} FROM {kind.table} WHERE {kind.due}"),
            days,
        )
    ]
    if ids and not dry_run:
        session.execute(text(kind.act.format(due=kind.due)), days)
        said: dict[str, Any] = {"rule": rule.name, "then": rule.then, "rows": len(ids), "legal": rule.legal}
        audit.write(session, "retention.run", resource=rule.name, params={**said, "ids": ids[:_IDS_TOLD]})
    return len(ids)

"""The checks, and looking for cases: the whole city once a day, and at once whoever was changed."""

from __future__ import annotations

import string
import tomllib
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from db.errors import HexwardError
from population.currency import queries
from population.statistics.bulk import one_writer

if TYPE_CHECKING:
    import psycopg

Words = dict[str, str]
_FILE: Final = Path(__file__).parent / "checks.toml"
_WORDS: Final = {
    "id", "severity", "due_days", "quiet_days", "title", "text", "ground", "definition", "limits",
}  # fmt: skip
DUE_AT_ONCE: Final = 2_000
"""So many changed persons and dwellings are looked at while somebody waits; more is left to the daily run."""


class CheckError(HexwardError):
    """The file of checks contradicts the queries; params: check, problem."""

    code = "work.checks"


@dataclass(frozen=True)
class Check:
    """One check: its words, how urgent, how many days, and the limits its query is asked with."""

    id: str
    severity: int
    due_days: int
    quiet_days: int
    title: Words
    text: Words
    ground: Words
    definition: Words
    limits: dict[str, float] = field(default_factory=dict)

    @property
    def of_persons(self) -> bool:
        """Whether the subject is a person (else a dwelling)."""
        return self.id in queries.PERSONS

    @property
    def query(self) -> str:
        """The query that finds its cases."""
        return queries.PERSONS.get(self.id) or queries.DWELLINGS[self.id]


def read_checks(content: str) -> tuple[Check, ...]:
    """Checks from TOML. Raises CheckError for an unknown check, word or limit."""
    found = []
    for entry in tomllib.loads(content)["checks"]:
        name = str(entry.get("id"))
        for key in entry:
            if key not in _WORDS:
                raise CheckError(check=name, problem=f"unknown word {key!r}")
        if name not in queries.PERSONS and name not in queries.DWELLINGS:
            raise CheckError(check=name, problem="there is no query of this name")
        check = Check(**entry)
        for limit in check.limits:
            if f"%({limit})s" not in check.query:
                raise CheckError(check=name, problem=f"the query does not ask for {limit!r}")
        for limit in _asked(check.query) - {"persons", "dwellings", "today"} - set(check.limits):
            raise CheckError(check=name, problem=f"the limit {limit!r} is missing")
        for words in (check.title, check.text, check.ground, check.definition):
            if set(words) != {"zh", "en"}:
                raise CheckError(check=name, problem="words in zh and en are needed")
        if check.severity not in (1, 2, 3):
            raise CheckError(check=name, problem="severity is 1, 2 or 3")
        found.append(check)
    ids = [check.id for check in found]
    if len(set(ids)) < len(ids):
        raise CheckError(check=", ".join(ids), problem="a check stands there twice")
    return tuple(found)


def _asked(query: str) -> set[str]:
    return {part.split(")s")[0] for part in query.split("%(")[1:]}


@cache
def checks() -> tuple[Check, ...]:
    """The checks of this installation."""
    return read_checks(_FILE.read_text(encoding="utf-8"))


def by_id() -> dict[str, Check]:
    """The checks by id."""
    return {check.id: check for check in checks()}


def reason(check: Check, facts: dict[str, Any]) -> Words:
    """The case in plain words; a fact that is not known reads as a dash.

    >>> reason(by_id()["unseen"], {"people": 3, "days": 200})["en"]
    '3 people, not confirmed for 200 days'
    """
    known = {name: _told(facts.get(name)) for name in _fields(check.text["zh"]) | _fields(check.text["en"])}
    return {lang: text.format(**known) for lang, text in check.text.items()}


def _told(value: Any) -> str:
    return "—" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def look(
    conn: psycopg.Connection[Any],
    today: date,
    persons: list[UUID] | None = None,
    dwellings: list[int] | None = None,
    limits: dict[str, dict[str, float]] | None = None,
) -> int:
    """Look for cases (whole city, or of these persons and dwellings): open, follow, close. How many were found.

    ``limits`` replaces limits of checks. The connection is the owner's, in a transaction.
    """
    whole = persons is None and dwellings is None
    scope = {
        "persons": persons if whole else persons or [],
        "dwellings": dwellings if whole else dwellings or [],
    }
    one_writer(conn)
    conn.execute(queries.PREPARE)
    found = 0
    for check in checks():
        values = {**check.limits, **(limits or {}).get(check.id, {}), **scope, "today": today, "check": check.id,
                  "severity": check.severity, "due_days": check.due_days, "quiet_days": check.quiet_days}  # fmt: skip
        found += conn.execute(queries.FIND.format(query=check.query), values).rowcount
    told = {**scope, "today": today, "checks": [check.id for check in checks()]}
    for statement in (queries.CLOSE, queries.FOLLOW, queries.WAKE, queries.OPEN):
        conn.execute(statement, told)
    if whole:
        conn.execute("DELETE FROM ops.work_due")
    conn.execute("DROP TABLE work_found")
    return found


def look_at_changed(conn: psycopg.Connection[Any], today: date) -> int:
    """Look at whoever changed since the last look; how many persons and dwellings that were."""
    rows = conn.execute(
        "DELETE FROM ops.work_due WHERE ctid IN (SELECT ctid FROM ops.work_due ORDER BY noted_at LIMIT %s)"
        " RETURNING person_id, dwelling_id",
        (DUE_AT_ONCE,),
    ).fetchall()
    if rows:
        look(conn, today, [p for p, _ in rows if p is not None], [d for _, d in rows if d is not None])
    return len(rows)


def anything_changed(conn: psycopg.Connection[Any]) -> bool:
    """Whether somebody waits to be looked at."""
    return conn.execute("SELECT 1 FROM ops.work_due LIMIT 1").fetchone() is not None

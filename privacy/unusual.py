"""Unusual use of the register, found by rules in ``unusual.toml``: one set-based statement a rule, kept as findings.

A finding is a reason to ask, not a verdict. Running a day again brings its findings up to date and adds none twice.
"""

# ruff: noqa: S608 - statements put together from the fixed words of this file only

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.errors import HexwardError

_FILE = Path(__file__).parent / "unusual.toml"
_KEYS: dict[str, set[str]] = {
    "many_looks": {"persons"},
    "outside_hours": {"looks"},
    "own_family_name": {"persons", "share"},
    "wide_searches": {"hits", "searches"},
    "outside_duty": {"persons", "days"},
    "same_person": {"days", "within"},
    "reveals": {"reveals"},
    "refusals": {"refused"},
}


class UnusualRulesError(HexwardError):
    """The file of rules is not as it must be."""

    code = "audit.rules"


@dataclass(frozen=True)
class Rules:
    """Working time, and the thresholds of each rule that is on."""

    begins: time
    ends: time
    weekend: list[int]
    holidays: list[date]
    workdays: list[date]
    rules: dict[str, dict[str, float]]


@cache
def rules() -> Rules:
    """The rules of this installation. Raises UnusualRulesError."""
    return read_rules(_FILE.read_text(encoding="utf-8"))


def read_rules(toml: str) -> Rules:
    """Parse and check the rules. Raises UnusualRulesError, which names what is wrong."""
    try:
        raw = tomllib.loads(toml)
        calendar = raw["calendar"]
        made = Rules(
            time.fromisoformat(calendar["from"]),
            time.fromisoformat(calendar["to"]),
            [int(day) for day in calendar["weekend"]],
            [date.fromisoformat(day) for day in calendar["holidays"]],
            [date.fromisoformat(day) for day in calendar["workdays"]],
            {name: dict(rule) for name, rule in raw["rules"].items()},
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as problem:
        raise UnusualRulesError(problem=f"{type(problem).__name__}: {problem}") from problem
    for name, rule in made.rules.items():
        if name not in _KEYS or set(rule) != _KEYS[name] | {"on"}:
            raise UnusualRulesError(problem=f"rules.{name}")
        if any(not isinstance(rule[key], int | float) or rule[key] <= 0 for key in _KEYS[name]):
            raise UnusualRulesError(problem=f"rules.{name}")
    on = {
        name: {k: v for k, v in rule.items() if k != "on"} for name, rule in made.rules.items() if rule["on"]
    }
    return Rules(made.begins, made.ends, made.weekend, made.holidays, made.workdays, on)


# Looks of the day: a row an event and person. ``l`` is what the rules below are written on.
_LOOKS = """WITH bounds AS (SELECT CAST(:day AS date)::timestamp AT TIME ZONE c.zone AS a,
    (CAST(:day AS date) + 1)::timestamp AT TIME ZONE c.zone AS b, c.zone FROM ops.city c),
  ev AS (SELECT e.*, (e.at AT TIME ZONE bounds.zone) AS local FROM audit.event e, bounds
    WHERE e.at >= bounds.a AND e.at < bounds.b AND e.user_id IS NOT NULL),
  l AS (SELECT ev.id, ev.at, ev.local, ev.user_id, ev.account, ev.role, ev.action, unnest(ev.persons) AS person_id
    FROM ev WHERE ev.persons IS NOT NULL)
"""
_KEEP = """INSERT INTO audit.finding (rule, day, user_id, account, role, person_id, params)
  SELECT :rule, :day, f.user_id, f.account, f.role, f.person_id, f.params FROM ({}) f
  ON CONFLICT (rule, day, user_id, person_id) DO UPDATE SET params = excluded.params
    WHERE finding.params IS DISTINCT FROM excluded.params"""
_WHO = "l.user_id, max(l.account) AS account, max(l.role) AS role, CAST(NULL AS uuid) AS person_id"
_EVENT_WHO = "ev.user_id, max(ev.account) AS account, max(ev.role) AS role, CAST(NULL AS uuid) AS person_id"

_RULES: dict[str, str] = {
    "many_looks": f"""SELECT {_WHO}, jsonb_build_object('persons', count(DISTINCT l.person_id)) AS params
      FROM l WHERE l.role <> 'auditor' GROUP BY l.user_id HAVING count(DISTINCT l.person_id) > :persons""",
    "outside_hours": f"""SELECT {_WHO}, jsonb_build_object('looks', count(DISTINCT l.id),
        'first', to_char(min(l.local), 'HH24:MI'), 'last', to_char(max(l.local), 'HH24:MI')) AS params
      FROM l WHERE l.local::time < :begins OR l.local::time >= :ends
        OR CAST(:day AS date) = ANY (CAST(:holidays AS date[]))
        OR (extract(isodow FROM CAST(:day AS date))::int = ANY (CAST(:weekend AS int[]))
            AND NOT CAST(:day AS date) = ANY (CAST(:workdays AS date[])))
      GROUP BY l.user_id HAVING count(DISTINCT l.id) >= :looks""",
    # A family name takes up most of a territory here and there (a village): then it is what chance brings. So the
    # share among the looks is held against the share among those who live where the looked-at people live.
    "own_family_name": f"""SELECT x.user_id, x.account, x.role, CAST(NULL AS uuid) AS person_id,
        jsonb_build_object('persons', x.same, 'of', x.n) AS params
      FROM (SELECT {_WHO.replace(", CAST(NULL AS uuid) AS person_id", "")}, left(max(u.name->>'zh'), 1) AS surname,
              count(DISTINCT l.person_id) AS n,
              count(DISTINCT l.person_id) FILTER (WHERE left(p.name, 1) = left(u.name->>'zh', 1)) AS same,
              array_agg(DISTINCT r.community_id) AS around
            FROM l JOIN ops."user" u ON u.id = l.user_id JOIN register.person p ON p.id = l.person_id
            LEFT JOIN register.residence r ON r.person_id = l.person_id
              AND r.superseded_at IS NULL AND r.valid_to IS NULL
            WHERE length(u.name->>'zh') BETWEEN 2 AND 4 GROUP BY l.user_id) x
      WHERE x.same >= :persons AND x.same >= :share * x.n
        AND x.same > 2 * x.n * (SELECT coalesce(avg((left(q.name, 1) = x.surname)::int), 0)
          FROM (SELECT r.person_id FROM register.residence r WHERE r.community_id = ANY (x.around)
                AND r.superseded_at IS NULL AND r.valid_to IS NULL LIMIT 5000) near
          JOIN register.person q ON q.id = near.person_id)""",
    "wide_searches": f"""SELECT {_EVENT_WHO}, jsonb_build_object('searches', count(*)) AS params
      FROM ev WHERE jsonb_typeof(ev.params->'hits') = 'number' AND (ev.params->>'hits')::numeric >= :hits
      GROUP BY ev.user_id HAVING count(*) >= :searches""",
    "outside_duty": f"""SELECT {_WHO}, jsonb_build_object('persons', count(DISTINCT l.person_id)) AS params
      FROM l WHERE EXISTS (SELECT 1 FROM ops.user_territory t WHERE t.user_id = l.user_id)
        AND EXISTS (SELECT 1 FROM register.person p WHERE p.id = l.person_id)
        AND NOT EXISTS (
        SELECT 1 FROM register.residence r JOIN ops.user_territory t ON t.user_id = l.user_id
        LEFT JOIN geo.area a ON a.id = r.community_id
        WHERE r.person_id = l.person_id AND (r.valid_to IS NULL OR r.valid_to > CAST(:day AS date) - CAST(:days AS int))
          AND (t.grid_id = r.grid_id OR t.area_id = ANY (a.path)))
      GROUP BY l.user_id HAVING count(DISTINCT l.person_id) >= :persons""",
    "same_person": """SELECT d.user_id, max(d.account) AS account, max(d.role) AS role, d.person_id,
        jsonb_build_object('days', count(DISTINCT d.day), 'within', :within) AS params
      FROM (SELECT e.user_id, e.account, e.role, (e.at AT TIME ZONE b.zone)::date AS day,
              unnest(e.persons) AS person_id, e.action
            FROM audit.event e, bounds b WHERE e.persons IS NOT NULL AND e.user_id IN (SELECT user_id FROM l)
              AND e.at >= b.a - make_interval(days => CAST(:within AS int) - 1) AND e.at < b.b) d
      WHERE (d.user_id, d.person_id) IN (SELECT user_id, person_id FROM l)
      GROUP BY d.user_id, d.person_id
      HAVING count(DISTINCT d.day) >= :days AND bool_and(d.action ~ '\\.(view|export|reveal|search)$')""",
    "reveals": f"""SELECT {_EVENT_WHO}, jsonb_build_object('reveals', count(*)) AS params
      FROM ev WHERE ev.action ~ '(^identity\\.|\\.reveal$)' OR ev.params->>'reveal' = 'true'
      GROUP BY ev.user_id HAVING count(*) >= :reveals""",
    "refusals": f"""SELECT {_EVENT_WHO}, jsonb_build_object('refused', count(*)) AS params
      FROM ev WHERE ev.action = 'refused' GROUP BY ev.user_id HAVING count(*) >= :refused""",
}  # fmt: skip


def find(session: Session, day: date, by: Rules | None = None) -> int:
    """Look through the events of ``day`` (the city's); returns the number of its findings. For the owner."""
    by = by or rules()
    calendar = {
        "begins": by.begins, "ends": by.ends, "weekend": by.weekend, "holidays": by.holidays, "workdays": by.workdays,
    }  # fmt: skip
    for name, limits in by.rules.items():
        statement = text(_LOOKS + _KEEP.format(_RULES[name]))
        known = {k: v for k, v in {**calendar, **limits}.items() if k in statement._bindparams}
        session.execute(statement, {**known, "rule": name, "day": day})
    return int(
        session.execute(
            text("SELECT count(*) FROM audit.finding WHERE day = :day"), {"day": day}
        ).scalar_one()
    )


def listed(
    session: Session, *, since: date | None, rule: str | None, open_only: bool
) -> list[dict[str, Any]]:
    """Findings with what was noted on each, newest first, at most 500. For the acting auditor."""
    rows = session.execute(
        text(
            """SELECT f.id, f.rule, f.day, f.user_id, f.account, f.role, f.person_id, f.params, f.found_at,
                 coalesce((SELECT jsonb_agg(jsonb_build_object('at', n.at, 'by', n.by_account, 'verdict', n.verdict,
                   'note', n.note) ORDER BY n.id) FROM audit.finding_note n WHERE n.finding_id = f.id), '[]') AS notes
               FROM audit.finding f
               WHERE (CAST(:since AS date) IS NULL OR f.day >= :since)
                 AND (CAST(:rule AS text) IS NULL OR f.rule = :rule)
                 AND (NOT :open_only OR NOT EXISTS (SELECT 1 FROM audit.finding_note n WHERE n.finding_id = f.id))
               ORDER BY f.day DESC, f.id DESC LIMIT 500"""
        ),
        {"since": since, "rule": rule, "open_only": open_only},
    ).mappings()
    return [dict(row) for row in rows]

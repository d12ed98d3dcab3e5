"""The work list: what is open in the own territory, in walking order; what a visit found; how it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import numpy as np
from sqlalchemy import text

from db.errors import HexwardError
from population.currency.checks import by_id, checks, reason
from population.currency.walk import walk
from population.register import acts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Outcome = Literal["confirmed", "not_met", "wrong", "moved", "snooze"]
OUTCOMES: Final[dict[str, str]] = {
    "confirmed": "done", "not_met": "snoozed", "wrong": "dismissed", "moved": "done", "snooze": "snoozed",
}  # fmt: skip
"""What becomes of an item: not met comes back in some days, moved is followed by the move itself."""
NOT_MET_DAYS: Final = 3
WRONG_DAYS: Final = 365
MOST: Final = 2_000
"""So many of the most urgent items are put in order; what is less urgent waits for them."""


class ItemNotFoundError(HexwardError):
    """No such open item in the territory (or none at all: the answer is the same)."""

    code = "work.not_found"


class BadOutcomeError(HexwardError):
    """A snooze without a day, or a day that is not ahead; params: until."""

    code = "work.bad_outcome"


@dataclass(frozen=True)
class Asked:
    """What of the list: ``state`` open or snoozed, a check, a grid, only overdue ones; where one stands; which part."""

    state: Literal["open", "snoozed"] = "open"
    check: str | None = None
    grid_id: int | None = None
    overdue: bool = False
    near: tuple[float, float] | None = None
    limit: int = 40
    offset: int = 0


_LIST: Final = """
SELECT w.id, w.check_id, w.person_id, p.name AS person_name, w.dwelling_id, d.unit, d.floor, d.room, w.building_id,
  b.name AS building_name, b.address, w.lng, w.lat, w.grid_id, w.severity, w.since, w.due_on, w.facts, w.state,
  w.snoozed_until, count(*) OVER () AS all_items
FROM ops.work_item w
LEFT JOIN register.person p ON p.id = w.person_id
LEFT JOIN register.dwelling d ON d.id = w.dwelling_id
LEFT JOIN register.building b ON b.id = w.building_id
WHERE w.state = :state AND (CAST(:check AS text) IS NULL OR w.check_id = :check)
  AND (CAST(:grid AS bigint) IS NULL OR w.grid_id = :grid) AND (NOT :overdue OR w.due_on < :today)
ORDER BY (w.due_on < :today) DESC, w.severity DESC, w.due_on, w.building_id, w.dwelling_id, w.id
LIMIT :most
"""
_LAST_VISIT: Final = text(
    """SELECT w.lng, w.lat FROM ops.work_event e JOIN ops.work_item w ON w.id = e.item_id
       WHERE e.actor_id = ops.my_id() AND e.at > now() - interval '12 hours' AND w.lng IS NOT NULL
       ORDER BY e.at DESC LIMIT 1"""
)
_TODAY: Final = text("SELECT as_of FROM stats.state")


def work(session: Session, asked: Asked) -> tuple[dict[str, Any], list[UUID]]:
    """The list as the API states it, and the persons it names."""
    today: date = session.execute(_TODAY).scalar_one()
    values = {"state": asked.state, "check": asked.check, "grid": asked.grid_id, "overdue": asked.overdue,
              "today": today, "most": MOST}  # fmt: skip
    rows = session.execute(text(_LIST), values).mappings().all()
    start = asked.near or _last_visit(session)
    lng = np.array([row["lng"] for row in rows], dtype=np.float64)
    lat = np.array([row["lat"] for row in rows], dtype=np.float64)
    order = walk([row["building_id"] for row in rows], lng, lat, start)
    stop_of: dict[int, int] = {}
    for index, _ in order:
        stop_of.setdefault(rows[index]["building_id"], len(stop_of) + 1)
    shown = order[asked.offset : asked.offset + asked.limit]
    items = [_item(rows[index], metres, stop_of, today) for index, metres in shown]
    persons = [row["person_id"] for row in (rows[i] for i, _ in shown) if row["person_id"] is not None]
    told = {
        "as_of": today.isoformat(),
        "from": None if start is None else {"lng": start[0], "lat": start[1]},
        "total": rows[0]["all_items"] if rows else 0,
        "offset": asked.offset,
        "items": items,
        "checks": [{"id": check.id, "title": check.title, "severity": check.severity} for check in checks()],
    }
    return told, persons


def _last_visit(session: Session) -> tuple[float, float] | None:
    row = session.execute(_LAST_VISIT).one_or_none()
    return None if row is None else (row.lng, row.lat)


def _item(row: Any, metres: float | None, stop_of: dict[int, int], today: date) -> dict[str, Any]:
    check = by_id()[row["check_id"]]
    return {
        "id": str(row["id"]),
        "check": check.id,
        "title": check.title,
        "reason": reason(check, row["facts"]),
        "ground": check.ground,
        "definition": check.definition,
        "severity": row["severity"],
        "state": row["state"],
        "since": row["since"].isoformat(),
        "due_on": row["due_on"].isoformat(),
        "overdue_days": max(0, (today - row["due_on"]).days),
        "snoozed_until": None if row["snoozed_until"] is None else row["snoozed_until"].isoformat(),
        "stop": stop_of[row["building_id"]],
        "distance_m": None if metres is None else round(metres),
        "grid_id": row["grid_id"],
        "person": None
        if row["person_id"] is None
        else {"id": str(row["person_id"]), "name": row["person_name"]},
        "dwelling": {
            "id": row["dwelling_id"],
            "unit": row["unit"],
            "floor": row["floor"],
            "room": row["room"],
        },
        "building": {
            "id": row["building_id"],
            "name": row["building_name"],
            "address": row["address"],
            "lng": row["lng"],
            "lat": row["lat"],
        },
    }


def settle(
    session: Session, item: UUID, outcome: Outcome, purpose: str, until: date | None = None
) -> tuple[dict[str, Any], list[UUID]]:
    """Note what a visit found; "confirmed" also confirms the person, or all who live in the dwelling.

    Raises ItemNotFoundError, BadOutcomeError.
    """
    today: date = session.execute(_TODAY).scalar_one()
    row = session.execute(
        text("SELECT check_id, person_id, dwelling_id FROM ops.work_item WHERE id = :id"), {"id": item}
    ).one_or_none()
    if row is None:
        raise ItemNotFoundError()
    state, back = OUTCOMES[outcome], until
    if outcome == "not_met" and back is None:
        back = today + timedelta(days=NOT_MET_DAYS)
    if state == "snoozed" and (back is None or not today < back <= today + timedelta(days=WRONG_DAYS)):
        raise BadOutcomeError(until="" if back is None else back.isoformat())
    rest = by_id()[row.check_id].quiet_days if state == "done" else WRONG_DAYS
    quiet = None if state == "snoozed" else today + timedelta(days=rest)
    told = {"id": item, "state": state, "outcome": outcome, "until": back, "quiet": quiet}
    act = None
    if outcome == "confirmed":  # first, for it takes the one writer's lock before any row's
        subject = (
            {"dwelling_id": row.dwelling_id} if row.person_id is None else {"person_id": str(row.person_id)}
        )
        act = acts.confirm(session, purpose, **subject)
    done = session.execute(
        text("SELECT ops.work_outcome(:id, :state, :outcome, :until, :quiet)"), told
    ).scalar()
    if not done:
        raise ItemNotFoundError()
    persons = [row.person_id] if row.person_id is not None else []
    answer = {"id": str(item), "state": state, "outcome": outcome,
              "snoozed_until": back.isoformat() if state == "snoozed" and back else None,
              "act": None if act is None else act["act"]}  # fmt: skip
    return answer, persons + [UUID(str(one)) for one in (act or {}).get("persons", [])]


_SUMMARY: Final = text(
    """SELECT w.grid_id, g.name, g.code,
         count(*) FILTER (WHERE w.state = 'open') AS open,
         count(*) FILTER (WHERE w.state = 'open' AND w.due_on < s.as_of) AS overdue,
         count(*) FILTER (WHERE w.state = 'open' AND w.check_id = 'new_arrival') AS new_arrivals,
         count(*) FILTER (WHERE w.state = 'snoozed') AS snoozed,
         count(*) FILTER (WHERE w.state IN ('done', 'dismissed')
           AND w.changed_at > now() - interval '7 days') AS done_week,
         count(*) FILTER (WHERE w.state = 'gone' AND w.changed_at > now() - interval '7 days') AS gone_week
       FROM ops.work_item w CROSS JOIN stats.state s LEFT JOIN geo.grid g ON g.id = w.grid_id
       WHERE w.state IN ('open', 'snoozed') OR w.changed_at > now() - interval '7 days'
       GROUP BY 1, 2, 3 ORDER BY overdue DESC, open DESC, g.code"""
)
_BY_CHECK: Final = text(
    "SELECT check_id, count(*) AS open FROM ops.work_item WHERE state = 'open' GROUP BY 1"
)
_FRESH: Final = text(
    """SELECT c.grid_id, sum(n) AS residents, coalesce(sum(n) FILTER (WHERE confirmed_on <= s.as_of - 90), 0) AS stale
       FROM stats.place_confirmed c CROSS JOIN stats.state s GROUP BY 1"""
)
_COUNTS: Final = ("open", "overdue", "new_arrivals", "snoozed", "done_week", "gone_week")


def summary(session: Session) -> dict[str, Any]:
    """For managers: per grid and in all, what is open, overdue and done this week, and who was not seen for 90 days."""
    today: date = session.execute(_TODAY).scalar_one()
    fresh = {row.grid_id: (int(row.residents), int(row.stale)) for row in session.execute(_FRESH)}
    grids = []
    for row in session.execute(_SUMMARY).mappings():
        residents, stale = fresh.get(row["grid_id"] or 0, (0, 0))
        grids.append({**row, "residents": residents, "stale_90": stale})
    open_of = {row.check_id: row.open for row in session.execute(_BY_CHECK)}
    whole = {name: sum(grid[name] for grid in grids) for name in _COUNTS}
    whole |= {"residents": sum(n for n, _ in fresh.values()), "stale_90": sum(n for _, n in fresh.values())}
    return {
        "as_of": today.isoformat(),
        "all": whole,
        "grids": grids,
        "checks": [
            {
                "id": check.id,
                "title": check.title,
                "severity": check.severity,
                "open": open_of.get(check.id, 0),
            }
            for check in checks()
        ],
    }

"""Who looked at what, when and why: an append-only chain, written in the transaction that reads the data.

``append`` comes last before the transaction is committed, and the data leaves only after the commit: no audit row,
no data. Each event's hash covers its content, whom it concerned, and its predecessor's hash, so a changed, removed,
reordered or inserted event breaks the chain at a place that ``first_broken`` names.

The chain has one end, so writers queue at it: the lock is taken by the append and held until the commit, which is
why the append comes last. A transaction that appends and then waits for something else makes everybody wait.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Broken:
    """The first event that does not fit the chain, and why: ``changed`` (its content), ``removed`` (something
    between it and the one before), ``inserted`` (it does not follow from the one before), ``removed_at_end``
    (``id`` is the first one missing), ``added_at_end``."""

    id: int
    at: datetime | None
    why: str


MOST_PERSONS = 1000


_APPEND = text(
    "SELECT audit.append(:action, :resource, :purpose, :territory, CAST(:params AS jsonb), CAST(:persons AS uuid[]))"
)
_WRITE = text(
    "SELECT audit.write(:who, :account, :role, :action, :resource, :purpose, :territory, CAST(:params AS jsonb), "
    "CAST(:persons AS uuid[]))"
)


def append(
    session: Session,
    action: str,
    *,
    resource: str,
    purpose: str,
    territory: str,
    params: dict[str, Any],
    persons: Iterable[UUID] = (),
) -> int:
    """Add an event of the person acting in ``session`` (see ``privacy.territory.enter``); returns its id.

    ``persons``: whom the event concerned. More than ``MOST_PERSONS`` become several events, numbered in ``params``.
    Raises ``sqlalchemy.exc.ProgrammingError`` when nobody is acting.
    """
    said = {"action": action, "resource": resource, "purpose": purpose, "territory": territory}
    return _add(session, _APPEND, said, params, persons)


def write(
    session: Session,
    action: str,
    *,
    who: UUID | None = None,
    account: str | None = None,
    role: str | None = None,
    resource: str | None = None,
    purpose: str | None = None,
    territory: str | None = None,
    params: dict[str, Any] | None = None,
    persons: Iterable[UUID] = (),
) -> int:
    """Add an event for a person the server names: sign-ins, refusals. ``session`` must be the owner's."""
    said = {
        "who": who,
        "account": account,
        "role": role,
        "action": action,
        "resource": resource,
        "purpose": purpose,
        "territory": territory,
    }
    return _add(session, _WRITE, said, params or {}, persons)


def _add(
    session: Session,
    statement: TextClause,
    said: dict[str, Any],
    params: dict[str, Any],
    persons: Iterable[UUID],
) -> int:
    number = 0
    for part, whom in _parts(persons):
        told = json.dumps({**params, **part}, ensure_ascii=False, default=str)
        number = int(
            session.execute(statement, {**said, "params": told, "persons": whom or None}).scalar_one()
        )
    return number


def _parts(persons: Iterable[UUID]) -> Iterator[tuple[dict[str, int], list[UUID]]]:
    """Each person once, in lots that fit an event.

    >>> people = [UUID(int=n) for n in range(1001)]
    >>> [(part, len(some)) for part, some in _parts([*people, people[0]])]
    [({'part': 1, 'parts': 2}, 1000), ({'part': 2, 'parts': 2}, 1)]
    >>> list(_parts([]))
    [({}, [])]
    """
    whom = list(dict.fromkeys(persons))
    if len(whom) <= MOST_PERSONS:
        yield {}, whom
        return
    parts = -(-len(whom) // MOST_PERSONS)
    for part in range(parts):
        yield (
            {"part": part + 1, "parts": parts},
            whom[part * MOST_PERSONS : (part + 1) * MOST_PERSONS],
        )


def first_broken(session: Session) -> Broken | None:
    """The first link that does not hold, None when the whole chain does. For the auditor and the owner."""
    row = session.execute(text("SELECT id, at, why FROM audit.first_broken()")).one_or_none()
    return None if row is None else Broken(row.id, row.at, row.why)

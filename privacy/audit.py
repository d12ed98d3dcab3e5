"""Who looked at what, when and why: an append-only chain, written in the transaction that reads the data.

``append`` comes last before the transaction is committed, and the data leaves only after the commit: no audit row,
no data. Each event's hash covers its content and its predecessor's hash, so a changed, removed or inserted event
breaks the chain at a place that ``first_broken`` names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Broken:
    """The first event that does not fit the chain."""

    id: int
    at: datetime


_APPEND = text("SELECT audit.append(:action, :resource, :purpose, :territory, CAST(:params AS jsonb))")
_WRITE = text(
    "SELECT audit.write(:who, :account, :role, :action, :resource, :purpose, :territory, CAST(:params AS jsonb))"
)


def append(
    session: Session, action: str, *, resource: str, purpose: str, territory: str, params: dict[str, Any]
) -> int:
    """Add an event of the person acting in ``session`` (see ``privacy.territory.enter``); returns its id.

    Raises ``sqlalchemy.exc.ProgrammingError`` when nobody is acting.
    """
    said = {
        "action": action,
        "resource": resource,
        "purpose": purpose,
        "territory": territory,
        "params": json.dumps(params, ensure_ascii=False, default=str),
    }
    return int(session.execute(_APPEND, said).scalar_one())


def write(
    session: Session,
    action: str,
    *,
    who: UUID | None = None,
    account: str | None = None,
    role: str | None = None,
    resource: str | None = None,
    purpose: str | None = None,
    params: dict[str, Any] | None = None,
) -> int:
    """Add an event for a person the server names: sign-ins, refusals. ``session`` must be the owner's."""
    said = {
        "who": who,
        "account": account,
        "role": role,
        "action": action,
        "resource": resource,
        "purpose": purpose,
        "territory": None,
        "params": json.dumps(params or {}, ensure_ascii=False, default=str),
    }
    return int(session.execute(_WRITE, said).scalar_one())


def first_broken(session: Session) -> Broken | None:
    """The first link that does not hold, None when the whole chain does. For the auditor and the owner."""
    row = session.execute(text("SELECT id, at FROM audit.first_broken()")).one_or_none()
    return None if row is None else Broken(row.id, row.at)

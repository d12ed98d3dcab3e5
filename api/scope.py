"""One request, one transaction, one caller: the dependency through which every route reaches the database."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy import text

from api.signin import Account, SigninNeeded, token_hash
from api.state import state_of
from db.engine import write_session

COOKIE = "hexward_session"


def caller(request: Request) -> Account:
    """Who asks. Raises ``SigninNeeded``."""
    token = request.cookies.get(COOKIE)
    if not token:
        raise SigninNeeded()
    state = state_of(request)
    with write_session(state.engines.owner) as session:
        row = session.execute(
            text(
                """UPDATE ops.user_session s SET last_seen_at = clock_timestamp() FROM ops."user" u
                   WHERE s.token_hash = :hash AND u.id = s.user_id AND u.disabled_at IS NULL
                     AND s.expires_at > clock_timestamp()
                     AND s.last_seen_at > clock_timestamp() - make_interval(mins => :idle)
                   RETURNING u.id, u.account, u.role, u.name, u.is_demo"""
            ),
            {"hash": token_hash(token), "idle": int(state.settings.idle_minutes)},
        ).one_or_none()
    if row is None:
        raise SigninNeeded()
    return Account(row.id, row.account, row.role, row.name, row.is_demo)

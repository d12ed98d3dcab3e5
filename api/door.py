"""What every way in ends with: a session in the database, its cookie, and the row in the trail."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from api import signin
from api.scope import COOKIE
from api.settings import ApiSettings
from api.state import state_of
from privacy import audit


def open_for(session: Session, request: Request, account: signin.Account, **params: Any) -> str:
    """A new session of ``account`` with its role's limits, audited; returns the token. ``session`` is the owner's."""
    settings = state_of(request).settings
    token = signin.open_session(
        session,
        account.id,
        settings.session_hours_of(account.role),
        idle_minutes=settings.idle_minutes_of(account.role),
        agent=request.headers.get("user-agent", "")[:200],
    )
    audit.write(
        session, "sign_in", who=account.id, account=account.account, role=account.role, params=params or None
    )
    return token


def set_cookie(answer: Response, request: Request, token: str, role: str) -> None:
    """Give the browser its session."""
    settings = state_of(request).settings
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(settings.session_hours_of(role) * 3600),
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_secure(request, settings),
    )


def is_secure(request: Request, settings: ApiSettings) -> bool:
    """Whether cookies may travel over HTTPS only."""
    return settings.cookie_secure or request.url.scheme == "https"

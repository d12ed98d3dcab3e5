"""Signing in and out."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from api import signin
from api.answers import json_answer
from api.scope import COOKIE, Access
from api.state import State, state_of
from db.engine import write_session
from db.errors import HexwardError
from privacy import audit, territory

router = APIRouter(prefix="/api/session", tags=["session"])


class SignIn(BaseModel):
    """An account with its password, or the role of a demo account."""

    account: str | None = Field(default=None, max_length=64)
    password: str | None = Field(default=None, max_length=1024)
    demo: Literal["officer", "manager", "analyst", "community_manager", "steward", "auditor"] | None = None

    @model_validator(mode="after")
    def one_way(self) -> SignIn:
        """Exactly one of the two ways."""
        if (self.demo is None) == (self.account is None or self.password is None):
            raise ValueError("give account and password, or demo")
        return self


@router.post("")
def sign_in(request: Request, form: SignIn) -> Response:
    """Open a session; the answer sets the cookie and names the user."""
    state = state_of(request)
    user, token = _sign_in(state, form)
    answer = json_answer({"user": user.public()})
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(state.settings.session_hours * 3600),
        path="/",
        httponly=True,
        samesite="lax",
        secure=state.settings.cookie_secure or request.url.scheme == "https",
    )
    return answer


def _sign_in(state: State, form: SignIn) -> tuple[signin.Account, str]:
    """The account and a new session's token. A refusal is counted and audited, committed, and only then raised."""
    with write_session(state.engines.owner) as session:
        if form.demo is not None:
            found = signin.demo_account(session, form.demo, state.settings.demo_accounts)
        else:
            found = signin.check_password(
                session, form.account or "", form.password or "", state.settings.failed_before_lock
            )
        if not isinstance(found, HexwardError):
            token = signin.open_session(session, found.id, state.settings.session_hours)
            audit.write(session, "sign_in", who=found.id, account=found.account, role=found.role)
            return found, token
        said = form.account if form.demo is None else f"demo {form.demo}"
        audit.write(session, "sign_in_refused", account=said, params={"code": found.code})
    raise found


@router.get("")
def who(access: Access) -> Response:
    """Who is signed in and for which territory; 401 when nobody is."""
    with access.read("self") as opened:
        mine = territory.describe(opened.session, opened.acting, published=opened.decision.figures != "duty")
    user = opened.acting
    return json_answer(
        {
            "user": {"id": str(user.id), "account": user.account, "role": user.role, "name": user.name},
            "territory": mine,
        }
    )


@router.delete("", status_code=204)
def sign_out(request: Request) -> Response:
    """End the session, here and in the database."""
    token = request.cookies.get(COOKIE)
    if token:
        with write_session(state_of(request).engines.owner) as session:
            ended = signin.close_session(session, token)
            if ended is not None:
                audit.write(session, "sign_out", who=ended.id, account=ended.account, role=ended.role)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return answer

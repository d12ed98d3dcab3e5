"""Signing in and out."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from api import signin
from api.answers import json_answer
from api.scope import COOKIE, caller
from api.state import state_of
from db.engine import write_session
from db.errors import HexwardError

router = APIRouter(prefix="/api/session", tags=["session"])


class SignIn(BaseModel):
    """An account with its password, or the role of a demo account."""

    account: str | None = Field(default=None, max_length=64)
    password: str | None = Field(default=None, max_length=1024)
    demo: Literal["officer", "manager", "analyst"] | None = None

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
    with write_session(state.engines.owner) as session:
        if form.demo is not None:
            found = signin.demo_account(session, form.demo, state.settings.demo_accounts)
        else:
            assert form.account is not None
            assert form.password is not None
            found = signin.check_password(
                session, form.account, form.password, state.settings.failed_before_lock
            )
        token = None
        if not isinstance(found, HexwardError):
            token = signin.open_session(session, found.id, state.settings.session_hours)
    if isinstance(found, HexwardError) or token is None:
        assert isinstance(found, HexwardError)
        raise found
    answer = json_answer({"user": found.public()})
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


@router.get("")
def who(request: Request) -> Response:
    """Who is signed in and for which territory; 401 when nobody is."""
    user = caller(request)
    return json_answer({"user": user.public()})


@router.delete("", status_code=204)
def sign_out(request: Request) -> Response:
    """End the session, here and in the database."""
    token = request.cookies.get(COOKIE)
    if token:
        with write_session(state_of(request).engines.owner) as session:
            signin.close_session(session, token)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return answer

"""Signing in and out."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, model_validator
from sqlalchemy.orm import Session
from starlette.responses import Response

from api import door, signin
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
    code: str | None = Field(default=None, max_length=32)
    new_password: str | None = Field(default=None, max_length=1024)
    demo: Literal["officer", "manager", "analyst", "community_manager", "steward", "auditor"] | None = None

    @model_validator(mode="after")
    def one_way(self) -> SignIn:
        """Exactly one of the two ways."""
        if (self.demo is None) == (self.account is None or self.password is None):
            raise ValueError("give account and password, or demo")
        return self

    def given(self) -> signin.Given:
        """What the account gives."""
        return signin.Given(self.account or "", self.password or "", self.code, self.new_password)


@router.post("")
def sign_in(request: Request, form: SignIn) -> Response:
    """Open a session; the answer sets the cookie and names the user, with recovery codes after the first code.
    401 `signin.code_needed`, `signin.enrol_needed` and `signin.password_change_needed` ask for the next step."""
    entered, token = _sign_in(request, form)
    told: dict[str, Any] = {"user": entered.account.public()}
    if entered.recovery_codes:
        told["recovery_codes"] = entered.recovery_codes
    answer = json_answer(told)
    door.set_cookie(answer, request, token, entered.account.role)
    return answer


def _sign_in(request: Request, form: SignIn) -> tuple[signin.Entered, str]:
    """The account and a new session's token. A refusal is counted and audited, committed, and only then raised."""
    state = state_of(request)
    with write_session(state.engines.owner) as session:
        found = _check(session, state, form)
        if not isinstance(found, HexwardError):
            return found, door.open_for(session, request, found.account)
        said = form.account if form.demo is None else f"demo {form.demo}"
        audit.write(session, "sign_in_refused", account=said, params={"code": found.code})
    raise found


def _check(session: Session, state: State, form: SignIn) -> signin.Entered | HexwardError:
    if form.demo is not None:
        found = signin.demo_account(session, form.demo, state.settings.demo_accounts)
        return found if isinstance(found, HexwardError) else signin.Entered(found)
    return signin.check(session, form.given(), state.settings)


class Device(BaseModel):
    """An account with its password, to set up its first device."""

    account: str = Field(max_length=64)
    password: str = Field(max_length=1024)


@router.post("/totp")
def set_up_device(request: Request, form: Device) -> Response:
    """The secret of a first device (as text, address and QR code) for an account that needs one and has none."""
    state = state_of(request)
    with write_session(state.engines.owner) as session:
        found = signin.begin_device(session, signin.Given(form.account, form.password), state.settings)
        if isinstance(found, HexwardError):
            audit.write(session, "sign_in_refused", account=form.account, params={"code": found.code})
        else:
            audit.write(session, "account.totp_begun", account=form.account, resource="account")
    if isinstance(found, HexwardError):
        raise found
    return json_answer(found)


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

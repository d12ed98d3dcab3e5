"""The own account: password, second factor, open sign-ins. Nothing here is about anybody else."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.responses import Response

from api import passwords, second_factor, signin
from api.answers import json_answer
from api.scope import COOKIE, Access
from api.state import state_of
from db.engine import write_session
from db.errors import HexwardError
from privacy import audit
from privacy.access import policy
from privacy.territory import Acting

router = APIRouter(prefix="/api/account", tags=["account"])


class NoSuchSession(HexwardError):
    """No open sign-in of one's own has this id."""

    code = "account.no_session"


class NoDevice(HexwardError):
    """The account has no second factor."""

    code = "account.no_device"


class PasswordChange(BaseModel):
    """The present password, and the one to replace it."""

    password: str = Field(max_length=1024)
    new_password: str = Field(max_length=1024)


class Confirmed(BaseModel):
    """The present password, and a code of the present device where there is one."""

    password: str = Field(max_length=1024)
    code: str | None = Field(default=None, max_length=32)


class Code(BaseModel):
    """A code of the device."""

    code: str = Field(max_length=32)


@router.get("")
def account(request: Request, access: Access) -> Response:
    """The own account: second factor, recovery codes left, open sign-ins, time limits."""
    me = _me(access, "view")
    settings = state_of(request).settings
    with write_session(state_of(request).engines.owner) as session:
        sessions = session.execute(
            text(
                """SELECT id, created_at, last_seen_at, expires_at, agent, token_hash = :mine AS current
                   FROM ops.user_session WHERE user_id = :id AND expires_at > clock_timestamp()
                     AND last_seen_at > clock_timestamp() - make_interval(secs => least(:idle, idle_s))
                   ORDER BY last_seen_at DESC"""
            ),
            {"id": me.id, "mine": _own_hash(request), "idle": settings.idle_minutes * 60},
        ).mappings()
        told = {
            "account": me.account,
            "has_password": _has_password(session, me.id),
            "totp": second_factor.enrolled(session, me.id),
            "totp_required": policy().terms(me.role).second_factor,
            "recovery_left": second_factor.recovery_left(session, me.id),
            "idle_minutes": settings.idle_minutes_of(me.role),
            "session_hours": settings.session_hours_of(me.role),
            "sessions": [dict(row) for row in sessions],
        }
    return json_answer(told)


@router.post("/password", status_code=204)
def change_password(request: Request, access: Access, form: PasswordChange) -> Response:
    """Replace the own password; every other sign-in ends."""
    me = _me(access, "change")
    state = state_of(request)
    refusal: HexwardError | None
    with write_session(state.engines.owner) as session:
        refusal = signin.own_password_fits(session, me.id, form.password, state.settings)
        if refusal is None:
            refusal = _weak(form, me.account)
        if refusal is None:
            kept = (
                session.execute(
                    text("SELECT * FROM ops.user_session WHERE token_hash = :mine"),
                    {"mine": _own_hash(request)},
                )
                .mappings()
                .one()
            )
            signin.store_password(session, me.id, form.new_password, by_administrator=False)
            session.execute(
                text(
                    """INSERT INTO ops.user_session (token_hash, user_id, created_at, expires_at, idle_s, agent)
                       VALUES (:token_hash, :user_id, :created_at, :expires_at, :idle_s, :agent)"""
                ),
                dict(kept),
            )
        _tell(session, me, "account.password", refusal)
    return _done(refusal)


def _weak(form: PasswordChange, account: str) -> HexwardError | None:
    if form.new_password == form.password:
        return passwords.WeakPassword("account.same_password")
    try:
        passwords.check(form.new_password, account)
    except passwords.WeakPassword as weak:
        return weak
    return None


@router.post("/totp")
def new_device(request: Request, access: Access, form: Confirmed) -> Response:
    """The secret of a new device (text, address, QR code); with a device there already its code is asked first, and
    the old one counts no more."""
    me = _me(access, "change")
    state = state_of(request)
    refusal: HexwardError | None
    told: dict[str, str] = {}
    with write_session(state.engines.owner) as session:
        refusal = signin.own_password_fits(session, me.id, form.password, state.settings)
        if refusal is None and second_factor.enrolled(session, me.id):
            refusal = _passes(request, session, me, form.code)
            if refusal is None:
                second_factor.reset(session, me.id)
        if refusal is None:
            told = second_factor.begin(session, me.id, me.account, state.settings)
        _tell(session, me, "account.totp_begun", refusal)
    if refusal is not None:
        raise refusal
    return json_answer(told)


@router.put("/totp")
def confirm_device(request: Request, access: Access, form: Code) -> Response:
    """Make the new device count by a code of it; the answer holds ten recovery codes, shown once."""
    me = _me(access, "change")
    state = state_of(request)
    with write_session(state.engines.owner) as session:
        codes = second_factor.confirm(session, me.id, form.code, state.settings)
        refusal = signin.count_code(session, me.id, state.settings) if codes is None else None
        _tell(session, me, "account.totp", refusal)
    if refusal is not None:
        raise refusal
    return json_answer({"recovery_codes": codes})


@router.post("/recovery-codes")
def renew_recovery_codes(request: Request, access: Access, form: Code) -> Response:
    """Ten fresh recovery codes for a code of the device; earlier ones are void."""
    me = _me(access, "change")
    codes: list[str] = []
    with write_session(state_of(request).engines.owner) as session:
        refusal = _passes(request, session, me, form.code)
        if refusal is None:
            codes = second_factor.new_recovery_codes(session, me.id)
        _tell(session, me, "account.recovery_codes", refusal)
    if refusal is not None:
        raise refusal
    return json_answer({"recovery_codes": codes})


@router.delete("/sessions", status_code=204)
def end_other_sessions(request: Request, access: Access) -> Response:
    """End every open sign-in of one's own but this one."""
    me = _me(access, "change")
    with write_session(state_of(request).engines.owner) as session:
        session.execute(
            text("DELETE FROM ops.user_session WHERE user_id = :id AND token_hash <> :mine"),
            {"id": me.id, "mine": _own_hash(request)},
        )
        _tell(session, me, "account.sessions_ended", None)
    return Response(status_code=204)


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(request: Request, access: Access, session_id: UUID) -> Response:
    """End one open sign-in of one's own."""
    me = _me(access, "change")
    with write_session(state_of(request).engines.owner) as session:
        ended = session.execute(
            text("DELETE FROM ops.user_session WHERE user_id = :me AND id = :id RETURNING 1"),
            {"me": me.id, "id": session_id},
        ).one_or_none()
        _tell(session, me, "account.session_ended", NoSuchSession() if ended is None else None)
    return _done(NoSuchSession() if ended is None else None)


def _me(access: Access, action: str) -> Acting:
    access.require("self", action)
    return access.acting()


def _own_hash(request: Request) -> bytes:
    return signin.token_hash(request.cookies.get(COOKIE, ""))


def _has_password(session: Session, user_id: UUID) -> bool:
    found = session.execute(
        text('SELECT password_hash IS NOT NULL FROM ops."user" WHERE id = :id'), {"id": user_id}
    )
    return bool(found.scalar_one())


def _passes(request: Request, session: Session, me: Acting, code: str | None) -> HexwardError | None:
    settings = state_of(request).settings
    if not second_factor.enrolled(session, me.id):
        return NoDevice()
    if (
        code is not None
        and not signin.is_locked(session, me.id)
        and second_factor.passes(session, me.id, code, settings)
    ):
        return None
    return signin.count_code(session, me.id, settings)


def _tell(session: Session, me: Acting, action: str, refusal: HexwardError | None) -> None:
    """The row in the trail, of a refusal too."""
    audit.write(
        session,
        action if refusal is None else f"{action}_refused",
        who=me.id,
        account=me.account,
        role=me.role,
        resource="account",
        params=None if refusal is None else {"code": refusal.code},
    )


def _done(refusal: HexwardError | None) -> Response:
    if refusal is not None:
        raise refusal
    return Response(status_code=204)

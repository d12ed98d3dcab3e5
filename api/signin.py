"""Accounts at the door: argon2 passwords, waits after wrong ones, sessions of which only the hash is stored."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import passwords, second_factor
from api.settings import ApiSettings
from db.errors import HexwardError
from privacy.access import policy

_LONGEST_WAIT_S = 3600

# Each check takes 64 MiB for a moment; two at a time keep a burst of sign-ins from taking the machine's memory.
_hasher = PasswordHasher()
_at_once = threading.BoundedSemaphore(2)


class SigninNeeded(HexwardError):
    """No valid session."""

    code = "signin.needed"


class SigninRefused(HexwardError):
    """Wrong account or password; which of the two is not said."""

    code = "signin.refused"


class WrongPassword(HexwardError):
    """The password of the signed-in account is another."""

    code = "account.wrong_password"


class WrongCode(HexwardError):
    """The code is not the signed-in account's, or was used before."""

    code = "account.wrong_code"


class SigninLocked(HexwardError):
    """Too many wrong passwords; ``seconds`` to wait."""

    code = "signin.locked"


class CodeNeeded(HexwardError):
    """The password fits; the device's code is missing."""

    code = "signin.code_needed"


class CodeWrong(HexwardError):
    """The code is not the device's, or was used before."""

    code = "signin.code_wrong"


class EnrolNeeded(HexwardError):
    """The password fits; the role needs a second factor, which this account has not set up yet."""

    code = "signin.enrol_needed"


class PasswordChangeNeeded(HexwardError):
    """The password was set by an administrator and must be replaced by an own one."""

    code = "signin.password_change_needed"


class NoDemoAccounts(HexwardError):
    """The city is no demo city and demo accounts were not allowed."""

    code = "signin.no_demo"


@dataclass(frozen=True)
class Account:
    """Who signed in."""

    id: UUID
    account: str
    role: str
    name: dict[str, str]
    is_demo: bool

    def public(self) -> dict[str, Any]:
        """What the app may show of it."""
        return {"id": str(self.id), "account": self.account, "role": self.role, "name": self.name}


def hash_password(password: str) -> str:
    """argon2id hash of ``password`` with the library's current parameters."""
    with _at_once:
        return _hasher.hash(password)


def token_hash(token: str) -> bytes:
    """What is stored of a session's token.

    >>> len(token_hash("x"))
    32
    """
    return hashlib.sha256(token.encode()).digest()


def _matches(stored: str | None, password: str) -> bool:
    """Whether the password fits; takes as long for an account that does not exist."""
    with _at_once:
        try:
            return _hasher.verify(stored or _DUMMY, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


_DUMMY = _hasher.hash(secrets.token_urlsafe(16))

_FIND = text(
    """SELECT id, account, role, name, is_demo, password_hash, failed_logins, must_change_password,
              is_demo AND EXISTS (SELECT 1 FROM ops.city c WHERE c.is_demo) AS fictional,
              ceil(extract(epoch FROM locked_until - clock_timestamp()))::int AS wait_s
       FROM ops."user" WHERE account = :account AND disabled_at IS NULL FOR UPDATE"""
)


@dataclass(frozen=True)
class Given:
    """What somebody gives at the door."""

    account: str
    password: str
    code: str | None = None
    new_password: str | None = None


@dataclass
class Entered:
    """Who came in, and the recovery codes of a device that was set up by it (shown once)."""

    account: Account
    recovery_codes: list[str] | None = None


def check(session: Session, given: Given, settings: ApiSettings) -> Entered | HexwardError:
    """Whoever ``given`` lets in, else the refusal *as a value*: the caller commits the count first.

    Password, then one of one's own in place of an administrator's, then the second factor where the role needs one
    (a demo account of a demo city needs none). ``session`` must be the owner's.
    """
    row = _password_fits(session, given, settings)
    if isinstance(row, HexwardError):
        return row
    entered = Entered(Account(row.id, row.account, row.role, row.name, row.is_demo))
    refusal = _own_password(row, given) if row.must_change_password else None
    refusal = refusal or _second_factor(session, row, given, settings, entered)
    if refusal is not None:
        return _counted(session, row, settings, refusal) if isinstance(refusal, CodeWrong) else refusal
    if row.must_change_password:
        store_password(session, row.id, given.new_password or "", by_administrator=False)
    session.execute(
        text('UPDATE ops."user" SET failed_logins = 0, locked_until = NULL WHERE id = :id'), {"id": row.id}
    )
    return entered


def begin_device(session: Session, given: Given, settings: ApiSettings) -> dict[str, str] | HexwardError:
    """The secret of a first device, for whom the password fits and who has none yet; else the refusal as a value."""
    row = _password_fits(session, given, settings)
    if isinstance(row, HexwardError):
        return row
    if second_factor.enrolled(session, row.id):
        return CodeNeeded()
    return second_factor.begin(session, row.id, row.account, settings)


def own_password_fits(
    session: Session, user_id: UUID, password: str, settings: ApiSettings
) -> HexwardError | None:
    """None when ``password`` is that of the signed-in account; wrong ones count as at the door."""
    account = session.execute(
        text('SELECT account FROM ops."user" WHERE id = :id'), {"id": user_id}
    ).scalar_one()
    row = _password_fits(session, Given(account, password), settings)
    if not isinstance(row, HexwardError):
        return None
    return WrongPassword() if isinstance(row, SigninRefused) else row


def is_locked(session: Session, user_id: UUID) -> bool:
    """Whether the account has to wait after wrong passwords or codes."""
    found = session.execute(
        text('SELECT locked_until > clock_timestamp() FROM ops."user" WHERE id = :id'), {"id": user_id}
    )
    return bool(found.scalar_one())


def count_code(session: Session, user_id: UUID, settings: ApiSettings) -> HexwardError:
    """Count a wrong code of a signed-in account; the refusal to raise once that is committed."""
    row = session.execute(
        text('SELECT id, failed_logins FROM ops."user" WHERE id = :id FOR UPDATE'), {"id": user_id}
    ).one()
    failed = _failed(session, row, settings)
    return failed if isinstance(failed, SigninLocked) else WrongCode()


def _password_fits(session: Session, given: Given, settings: ApiSettings) -> Any:
    row = session.execute(_FIND, {"account": given.account}).one_or_none()
    if row is None:
        _matches(None, given.password)
        return SigninRefused()
    if row.wait_s is not None and row.wait_s > 0:
        return SigninLocked(seconds=row.wait_s)
    if not _matches(row.password_hash, given.password):
        return _failed(session, row, settings)
    return row


def _counted(session: Session, row: Any, settings: ApiSettings, refusal: HexwardError) -> HexwardError:
    """``refusal``, once the wrong code is counted like a wrong password; the wait when there is one."""
    failed = _failed(session, row, settings)
    return failed if isinstance(failed, SigninLocked) else refusal


def _failed(session: Session, row: Any, settings: ApiSettings) -> HexwardError:
    """Count a wrong password or code. From ``failed_before_lock`` on the account waits 30 s, and twice as long after
    each further one, at most an hour."""
    failed, before_lock = row.failed_logins + 1, settings.failed_before_lock
    wait_s = 0 if failed < before_lock else min(_LONGEST_WAIT_S, 30 * 2 ** min(failed - before_lock, 10))
    session.execute(
        text(
            """UPDATE ops."user" SET failed_logins = :failed,
               locked_until = CASE WHEN :wait_s > 0 THEN clock_timestamp() + make_interval(secs => :wait_s) END
               WHERE id = :id"""
        ),
        {"failed": failed, "wait_s": wait_s, "id": row.id},
    )
    return SigninLocked(seconds=wait_s) if wait_s else SigninRefused()


def _second_factor(
    session: Session, row: Any, given: Given, settings: ApiSettings, entered: Entered
) -> HexwardError | None:
    if second_factor.enrolled(session, row.id):
        if given.code is None:
            return CodeNeeded()
        return None if second_factor.passes(session, row.id, given.code, settings) else CodeWrong()
    if row.fictional or not policy().terms(row.role).second_factor:
        return None
    if given.code is None:
        return EnrolNeeded()
    entered.recovery_codes = second_factor.confirm(session, row.id, given.code, settings)
    return CodeWrong() if entered.recovery_codes is None else None


def _own_password(row: Any, given: Given) -> HexwardError | None:
    """What is wrong with the password that is to replace an administrator's; None when nothing is."""
    if given.new_password is None:
        return PasswordChangeNeeded()
    if given.new_password == given.password:
        return passwords.WeakPassword("account.same_password")
    try:
        passwords.check(given.new_password, row.account)
    except passwords.WeakPassword as weak:
        return weak
    return None


def store_password(session: Session, user_id: UUID, password: str, *, by_administrator: bool) -> None:
    """Put a checked password in place; earlier sign-ins end."""
    session.execute(
        text(
            """UPDATE ops."user" SET password_hash = :hash, failed_logins = 0, locked_until = NULL,
               must_change_password = :must WHERE id = :id"""
        ),
        {"hash": hash_password(password), "must": by_administrator, "id": user_id},
    )
    session.execute(text("DELETE FROM ops.user_session WHERE user_id = :id"), {"id": user_id})


def demo_account(session: Session, role: str, allowed_by_setting: bool) -> Account | HexwardError:
    """The demo account of ``role``; only in a demo city, or where the setting allows it."""
    row = session.execute(
        text(
            """SELECT u.id, u.account, u.role, u.name, u.is_demo FROM ops."user" u
               WHERE u.is_demo AND u.disabled_at IS NULL AND u.role = :role
                 AND (:allowed OR EXISTS (SELECT 1 FROM ops.city WHERE is_demo)) ORDER BY u.account LIMIT 1"""
        ),
        {"role": role, "allowed": allowed_by_setting},
    ).one_or_none()
    return NoDemoAccounts() if row is None else Account(row.id, row.account, row.role, row.name, row.is_demo)


def open_session(
    session: Session,
    user_id: UUID,
    hours: float,
    *,
    idle_minutes: float | None = None,
    agent: str | None = None,
) -> str:
    """A new session for the account; returns the token, 256 random bits, which is stored nowhere.

    ``idle_minutes``: it ends when unused this long, where that is shorter than the installation's.
    """
    token = secrets.token_urlsafe(32)
    session.execute(text("DELETE FROM ops.user_session WHERE expires_at < clock_timestamp()"))
    session.execute(
        text(
            """INSERT INTO ops.user_session (token_hash, user_id, expires_at, idle_s, agent)
               VALUES (:hash, :id, clock_timestamp() + make_interval(secs => :seconds), :idle, :agent)"""
        ),
        {
            "hash": token_hash(token),
            "id": user_id,
            "seconds": hours * 3600,
            "idle": None if idle_minutes is None else idle_minutes * 60,
            "agent": agent,
        },
    )
    return token


def close_session(session: Session, token: str) -> Account | None:
    """End the session of ``token``; whose it was, None when there was none."""
    row = session.execute(
        text(
            """DELETE FROM ops.user_session s USING ops."user" u
               WHERE s.token_hash = :hash AND u.id = s.user_id
               RETURNING u.id, u.account, u.role, u.name, u.is_demo"""
        ),
        {"hash": token_hash(token)},
    ).one_or_none()
    return None if row is None else Account(row.id, row.account, row.role, row.name, row.is_demo)

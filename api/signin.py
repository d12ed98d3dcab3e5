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

from db.errors import HexwardError

MINIMUM_PASSWORD = 10
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


class SigninLocked(HexwardError):
    """Too many wrong passwords; ``seconds`` to wait."""

    code = "signin.locked"


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
    """SELECT id, account, role, name, is_demo, password_hash, failed_logins,
              ceil(extract(epoch FROM locked_until - clock_timestamp()))::int AS wait_s
       FROM ops."user" WHERE account = :account AND disabled_at IS NULL FOR UPDATE"""
)


def check_password(session: Session, account: str, password: str, before_lock: int) -> Account | HexwardError:
    """The account when the password fits, else the refusal *as a value*: the caller commits the count first.

    After ``before_lock`` wrong passwords the account waits 30 s, and twice as long after each further one, at most
    an hour. ``session`` must be the owner's: nobody else reads password hashes.
    """
    row = session.execute(_FIND, {"account": account}).one_or_none()
    if row is None:
        _matches(None, password)
        return SigninRefused()
    if row.wait_s is not None and row.wait_s > 0:
        return SigninLocked(seconds=row.wait_s)
    if _matches(row.password_hash, password):
        session.execute(
            text('UPDATE ops."user" SET failed_logins = 0, locked_until = NULL WHERE id = :id'),
            {"id": row.id},
        )
        return Account(row.id, row.account, row.role, row.name, row.is_demo)
    failed = row.failed_logins + 1
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


def open_session(session: Session, user_id: UUID, hours: float) -> str:
    """A new session for the account; returns the token, 256 random bits, which is stored nowhere."""
    token = secrets.token_urlsafe(32)
    session.execute(text("DELETE FROM ops.user_session WHERE expires_at < clock_timestamp()"))
    session.execute(
        text(
            """INSERT INTO ops.user_session (token_hash, user_id, expires_at)
               VALUES (:hash, :id, clock_timestamp() + make_interval(secs => :seconds))"""
        ),
        {"hash": token_hash(token), "id": user_id, "seconds": hours * 3600},
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

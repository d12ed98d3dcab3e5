"""The second factor: time-based codes (RFC 6238), each good once, and recovery codes for the day the device is lost.

The secret is stored sealed (AES-GCM) under a key that lies outside the database; of recovery codes only hashes are.
``session`` must be the owner's throughout: nobody else reads these tables.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from functools import cache
from pathlib import Path
from uuid import UUID

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.settings import ApiSettings
from db.errors import HexwardError
from db.keyfile import write_once

STEP_S = 30
RECOVERY_CODES = 10
_DRIFT = 1  # steps a device's clock may be off, either way
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class SigninKeyError(HexwardError):
    """The key of the second factor's secrets is not 32 bytes, or another one sealed them."""

    code = "signin_key"


def _key(settings: ApiSettings) -> bytes:
    if settings.signin_key is not None:
        return _of_hex(settings.signin_key.get_secret_value())
    return _of_file(settings.signin_key_file())


def _of_hex(digits: str) -> bytes:
    try:
        key = bytes.fromhex(digits)
    except ValueError as wrong:
        raise SigninKeyError() from wrong
    if len(key) != 32:
        raise SigninKeyError()
    return key


@cache
def _of_file(path: Path) -> bytes:
    if not path.exists():
        write_once(path, secrets.token_hex(32))
    return _of_hex(path.read_text().strip())


def _seal(secret: str, user_id: UUID, settings: ApiSettings) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(_key(settings)).encrypt(nonce, secret.encode(), user_id.bytes)


def _open(sealed: bytes, user_id: UUID, settings: ApiSettings) -> str:
    try:
        return AESGCM(_key(settings)).decrypt(sealed[:12], sealed[12:], user_id.bytes).decode()
    except InvalidTag as wrong:
        raise SigninKeyError() from wrong


def enrolled(session: Session, user_id: UUID) -> bool:
    """Whether the account has a confirmed device."""
    found = session.execute(
        text("SELECT 1 FROM ops.totp WHERE user_id = :id AND confirmed_at IS NOT NULL"), {"id": user_id}
    )
    return found.one_or_none() is not None


def begin(session: Session, user_id: UUID, account: str, settings: ApiSettings) -> dict[str, str]:
    """A new secret that counts once a code of it was given: ``secret``, ``uri`` and ``qr`` (an SVG as data)."""
    secret = pyotp.random_base32()
    session.execute(
        text(
            """INSERT INTO ops.totp (user_id, secret_enc) VALUES (:id, :sealed)
               ON CONFLICT (user_id) DO UPDATE SET secret_enc = excluded.secret_enc, last_step = 0
               WHERE ops.totp.confirmed_at IS NULL"""
        ),
        {"id": user_id, "sealed": _seal(secret, user_id, settings)},
    )
    uri = pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name="Hexward")
    return {"secret": secret, "uri": uri, "qr": _qr(uri)}


def _qr(uri: str) -> str:
    return segno.make(uri, error="m", micro=False).svg_data_uri(scale=4, border=4, light="#fff", dark="#000")


def confirm(session: Session, user_id: UUID, code: str, settings: ApiSettings) -> list[str] | None:
    """Make the new device count when ``code`` is one of it; the recovery codes, None when it is not."""
    if not _code_fits(session, user_id, code, settings, confirmed=False):
        return None
    session.execute(
        text("UPDATE ops.totp SET confirmed_at = clock_timestamp() WHERE user_id = :id"), {"id": user_id}
    )
    return new_recovery_codes(session, user_id)


def passes(session: Session, user_id: UUID, code: str, settings: ApiSettings) -> bool:
    """Whether ``code`` is one of the device that was not used before, or an unused recovery code (then used up)."""
    if _code_fits(session, user_id, code, settings, confirmed=True):
        return True
    used = session.execute(
        text(
            """UPDATE ops.recovery_code SET used_at = clock_timestamp()
               WHERE user_id = :id AND code_hash = :hash AND used_at IS NULL
                 AND EXISTS (SELECT 1 FROM ops.totp WHERE user_id = :id AND confirmed_at IS NOT NULL)
               RETURNING 1"""
        ),
        {"id": user_id, "hash": _hash(code)},
    )
    return used.one_or_none() is not None


def _code_fits(session: Session, user_id: UUID, code: str, settings: ApiSettings, *, confirmed: bool) -> bool:
    row = session.execute(
        text(
            "SELECT secret_enc, last_step, confirmed_at FROM ops.totp WHERE user_id = :id FOR UPDATE",
        ),
        {"id": user_id},
    ).one_or_none()
    digits = code.replace(" ", "")
    if row is None or (row.confirmed_at is not None) != confirmed or not digits.isascii():
        return False
    device, now = pyotp.TOTP(_open(bytes(row.secret_enc), user_id, settings)), int(time.time() // STEP_S)
    for step in range(max(now - _DRIFT, row.last_step + 1), now + _DRIFT + 1):
        if secrets.compare_digest(device.generate_otp(step), digits):
            session.execute(
                text("UPDATE ops.totp SET last_step = :step WHERE user_id = :id"),
                {"step": step, "id": user_id},
            )
            return True
    return False


def new_recovery_codes(session: Session, user_id: UUID) -> list[str]:
    """Ten fresh codes of 50 random bits; earlier ones are void. Shown once, stored as hashes."""
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    session.execute(text("DELETE FROM ops.recovery_code WHERE user_id = :id"), {"id": user_id})
    session.execute(
        text("INSERT INTO ops.recovery_code (user_id, code_hash) VALUES (:id, :hash)"),
        [{"id": user_id, "hash": _hash(code)} for code in codes],
    )
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def recovery_left(session: Session, user_id: UUID) -> int:
    """How many recovery codes are unused."""
    return int(
        session.execute(
            text("SELECT count(*) FROM ops.recovery_code WHERE user_id = :id AND used_at IS NULL"),
            {"id": user_id},
        ).scalar_one()
    )


def reset(session: Session, user_id: UUID) -> None:
    """Forget device and recovery codes; the next sign-in enrols anew."""
    for table in ("totp", "recovery_code"):
        session.execute(text(f"DELETE FROM ops.{table} WHERE user_id = :id"), {"id": user_id})  # noqa: S608


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.replace("-", "").replace(" ", "").lower().encode()).digest()

"""The root of each day of the audit trail: signed, chained, and small enough to be handed to another body.

A day's root covers its events through the hash of the last one (each event's hash covers all before it), their number,
and the root of the day before. Whoever rewrites the whole trail with all its hashes still cannot make it fit a root
file that lies elsewhere: neither the hash nor the signature. Signature: Ed25519 (RFC 8032), key in the key folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.errors import HexwardError
from db.keyfile import write_once
from db.settings import DbSettings


class RootFileError(HexwardError):
    """A root file that is none, or whose signature does not hold."""

    code = "audit.root_file"


class SigningKeyError(HexwardError):
    """The signing key's file cannot be read as a key."""

    code = "audit.signing_key"


@dataclass(frozen=True)
class BrokenDay:
    """The first day whose root does not fit, and why: ``root_changed``, ``root_removed``, ``rewritten`` (the events
    up to ``id`` are not those the root was made of)."""

    day: date
    id: int
    why: str


def key_file() -> Path:
    """Where the signing key lies."""
    return DbSettings().home / "keys" / "audit.key"


def signing_key(path: Path | None = None) -> Ed25519PrivateKey:
    """The installation's key; made once when there is none. Raises SigningKeyError."""
    path = path or key_file()
    if not path.exists():
        write_once(path, Ed25519PrivateKey.generate().private_bytes_raw().hex())
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except ValueError as problem:
        raise SigningKeyError(file=str(path)) from problem


def make_due(session: Session, key: Ed25519PrivateKey, today: date | None = None) -> list[date]:
    """Make the root of every day that has ended and has none, oldest first; returns the days.

    Waits for the chain's lock, so no event of those days is still uncommitted. ``session`` must be the owner's.
    """
    city = session.execute(text("SELECT code, zone FROM ops.city")).one_or_none()
    if city is None:
        return []
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('hexward audit chain'))"))
    zone = ZoneInfo(city.zone)
    today = today or datetime.now(zone).date()
    last = session.execute(
        text("SELECT day, last_id, root FROM audit.daily_root ORDER BY day DESC LIMIT 1")
    ).one_or_none()
    day, last_id, before = (last.day + timedelta(1), last.last_id, last.root) if last else (None, 0, None)
    if day is None:
        began = session.execute(text("SELECT at FROM audit.event ORDER BY id LIMIT 1")).scalar()
        if began is None:
            return []
        day = began.astimezone(zone).date()
    made = []
    while day < today:
        ends = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(1)
        last_id, before = _make(session, key, (city.code, day, ends), (last_id, before))
        made.append(day)
        day += timedelta(1)
    if made:  # yesterday's links are in the root now
        session.execute(
            text("DELETE FROM audit.link WHERE id < :id AND id < (SELECT max(id) FROM audit.link)"),
            {"id": last_id},
        )
    return made


def _make(
    session: Session,
    key: Ed25519PrivateKey,
    of: tuple[str, date, datetime],
    follows: tuple[int, bytes | None],
) -> tuple[int, bytes]:
    (city, day, ends), (after, before) = of, follows
    found = session.execute(
        text(
            """SELECT count(*) AS events, coalesce(max(id), :after) AS last_id FROM audit.event
               WHERE id > :after AND at < :ends"""
        ),
        {"after": after, "ends": ends},
    ).one()
    last_hash = session.execute(
        text("SELECT hash FROM audit.event WHERE id = :id"), {"id": found.last_id}
    ).scalar()
    said: dict[str, Any] = {
        "hexward_audit_root": 1,
        "city": city,
        "day": day.isoformat(),
        "events": found.events,
        "after_id": after,
        "last_id": found.last_id,
        "last_hash": (last_hash or b"").hex(),
        "before": (before or b"").hex(),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "public_key": key.public_key().public_bytes_raw().hex(),
    }
    said["root"] = _root(said)
    signature = key.sign(_canonical(said))
    session.execute(
        text(
            """INSERT INTO audit.daily_root (day, after_id, last_id, events, last_hash, root, file)
               VALUES (:day, :after, :last_id, :events, :last_hash, :root, CAST(:file AS jsonb))"""
        ),
        {
            "day": day, "after": after, "last_id": found.last_id, "events": found.events, "last_hash": last_hash,
            "root": bytes.fromhex(said["root"]), "file": json.dumps({**said, "signature": signature.hex()}),
        },
    )  # fmt: skip
    return found.last_id, bytes.fromhex(said["root"])


def _root(said: dict[str, Any]) -> str:
    parts = ("city", "day", "events", "after_id", "last_id", "last_hash", "before")
    return hashlib.sha256(json.dumps([said[name] for name in parts]).encode()).hexdigest()


def _canonical(said: dict[str, Any]) -> bytes:
    return json.dumps({k: v for k, v in said.items() if k != "signature"}, sort_keys=True).encode()


def exported(session: Session, day: date | None = None) -> str | None:
    """The file of a day's root (the newest by default) as text to hand over; None when there is none."""
    found = session.execute(
        text(
            """SELECT file FROM audit.daily_root WHERE CAST(:day AS date) IS NULL OR day = :day
               ORDER BY day DESC LIMIT 1"""
        ),
        {"day": day},
    ).scalar()
    return None if found is None else json.dumps(found, indent=1, sort_keys=True) + "\n"


def listed(session: Session) -> list[dict[str, Any]]:
    """Roots, newest first, at most 400. For the acting auditor and the owner."""
    rows = session.execute(
        text(
            """SELECT day, events, last_id, encode(root, 'hex') AS root, made_at FROM audit.daily_root
               ORDER BY day DESC LIMIT 400"""
        )
    ).mappings()
    return [dict(row) for row in rows]


def read_file(content: str, public_key: str | None = None) -> dict[str, Any]:
    """The content of a root file once its signature holds. Raises RootFileError.

    ``public_key``: whose signature it must be; without it the one the file names is believed.
    """
    try:
        said = dict(json.loads(content))
        if said["hexward_audit_root"] != 1 or said["root"] != _root(said):
            raise RootFileError(why="content")
        signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key or said["public_key"]))
        signer.verify(bytes.fromhex(said["signature"]), _canonical(said))
    except InvalidSignature as problem:
        raise RootFileError(why="signature") from problem
    except (ValueError, KeyError, TypeError) as problem:
        raise RootFileError(why="content") from problem
    return said


def first_broken_day(session: Session, public_key: str | None = None) -> BrokenDay | None:
    """The first day whose root does not fit the trail, its signature or the day before; None when all do."""
    before, after, expected = "", 0, None
    for row in _rows(session):
        try:
            said = read_file(json.dumps(row.file), public_key)
        except RootFileError:
            return BrokenDay(row.day, row.last_id, "root_changed")
        if said["root"] != row.root.hex() or said["last_id"] != row.last_id or said["day"] != str(row.day):
            return BrokenDay(row.day, row.last_id, "root_changed")
        if said["before"] != before or said["after_id"] != after or expected not in (None, row.day):
            return BrokenDay(expected or row.day, row.last_id, "root_removed")
        if row.really != row.events or (row.events and row.event_hash != bytes.fromhex(said["last_hash"])):
            return BrokenDay(row.day, row.last_id, "rewritten")
        before, after, expected = said["root"], row.last_id, row.day + timedelta(1)
    return None


def _rows(session: Session) -> Iterator[Any]:
    yield from session.execute(
        text(
            """SELECT r.day, r.after_id, r.last_id, r.events, r.root, r.file, e.hash AS event_hash,
                 (SELECT count(*) FROM audit.event x WHERE x.id > r.after_id AND x.id <= r.last_id) AS really
               FROM audit.daily_root r LEFT JOIN audit.event e ON e.id = r.last_id ORDER BY r.day"""
        )
    )


def against_file(session: Session, said: dict[str, Any]) -> BrokenDay | None:
    """Hold the trail against a root that was handed out: are the events up to its last one still those?"""
    day = date.fromisoformat(said["day"])
    row = session.execute(
        text(
            """SELECT (SELECT hash FROM audit.event WHERE id = :last) AS hash,
                 (SELECT count(*) FROM audit.event WHERE id > :after AND id <= :last) AS events"""
        ),
        {"last": said["last_id"], "after": said["after_id"]},
    ).one()
    if (said["last_id"] and (row.hash or b"").hex() != said["last_hash"]) or row.events != said["events"]:
        return BrokenDay(day, said["last_id"], "rewritten")
    return None

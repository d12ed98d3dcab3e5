"""The online hall: what a resident declares without an account, and the query code that shows what became of it.

Everything personal is sealed at once; the code is stored as a keyed hash only. A declaration belongs to the grid of the
address it names, and to nobody else's eyes. Runs on the owner's connection, since nobody is signed in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import polars as pl
from sqlalchemy import text

from db.errors import HexwardError
from population.register.identity import vault
from population.register.names import simplified
from population.register.searchable import Tails

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ALPHABET: Final = "34679ACDEFGHJKMNPQRTUVWXY"
"""Letters and digits that look and sound like no other of them."""
SEALED: Final = b"declaration"
ANSWERED: Final = b"declaration answer"


class UnknownPlace(HexwardError):
    """The address is none of this city's."""

    code = "hall.unknown_place"


class UnknownCode(HexwardError):
    """No declaration has this code."""

    code = "hall.unknown_code"


class HallBusy(HexwardError):
    """Too many from one address; ``seconds`` to wait."""

    code = "hall.busy"


@dataclass(frozen=True)
class Declared:
    """A declaration as it came in, checked: what kind, where, and the fields as the form has them."""

    kind: str
    building_id: int
    dwelling_id: int | None
    fields: dict[str, Any]
    language: str


def submit(session: Session, said: Declared) -> str:
    """Keep a declaration and return its code, which is stored nowhere. Raises UnknownPlace."""
    place = session.execute(
        text(
            """SELECT b.community_id, b.grid_id FROM register.building b WHERE b.id = :building
               AND (CAST(:dwelling AS bigint) IS NULL
                    OR EXISTS (SELECT FROM register.dwelling d WHERE d.id = :dwelling AND d.building_id = b.id))"""
        ),
        {"building": said.building_id, "dwelling": said.dwelling_id},
    ).one_or_none()
    if place is None:
        raise UnknownPlace()
    code = "".join(secrets.choice(ALPHABET) for _ in range(12))
    safe, number, phone = vault(), said.fields.get("id_number"), said.fields.get("phone")
    session.execute(
        text(
            """INSERT INTO register.declaration (code_hash, kind, language, community_id, grid_id, building_id,
                 dwelling_id, sealed, id_hash, phone_key)
               VALUES (:code, :kind, :language, :community, :grid, :building, :dwelling, :sealed, :id_hash, :phone)"""
        ),
        {
            "code": _hashed(code),
            "kind": said.kind,
            "language": said.language,
            "community": place.community_id,
            "grid": place.grid_id,
            "building": said.building_id,
            "dwelling": said.dwelling_id,
            "sealed": safe.seal(json.dumps(said.fields, ensure_ascii=False), SEALED),
            "id_hash": safe.protect(pl.Series([number]))["hash"].to_list()[0] if number else None,
            "phone": Tails(safe).of(phone)[1] if phone else None,
        },
    )
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def look(session: Session, code: str) -> dict[str, Any]:
    """What became of the declaration with ``code``, and nothing that was declared. Raises UnknownCode."""
    row = _of_code(session, code)
    answer = vault().unseal(row.answer_sealed, ANSWERED) if row.answer_sealed else None
    return {
        "kind": row.kind,
        "state": row.state,
        "at": row.at,
        "decided_at": row.decided_at,
        "answer": answer,
    }


def reply(session: Session, code: str, words: str) -> None:
    """Answer what the officer asked; it is open again. Raises UnknownCode when nothing was asked."""
    row = _of_code(session, code)
    if row.state != "asked":
        raise UnknownCode()
    said = json.loads(vault().unseal(row.sealed, SEALED))
    said["replies"] = [*said.get("replies", []), words][-10:]
    session.execute(
        text(
            "UPDATE register.declaration SET state = 'new', sealed = :sealed, replied_at = now() WHERE id = :id"
        ),
        {"sealed": vault().seal(json.dumps(said, ensure_ascii=False), SEALED), "id": row.id},
    )


def person_of_code(session: Session, code: str) -> UUID | None:
    """Whose the code is: the person of the register whom an officer confirmed; None before, and for any other code.

    The key to a resident's other pages. ``session`` must be the owner's; the caller limits the rate first (``knock``).
    """
    try:
        row = _of_code(session, code)
    except UnknownCode:
        return None
    return row.person_id if row.state == "confirmed" else None


def knock(session: Session, what: str, who: str, most: int, seconds: int) -> None:
    """Count one more from ``who`` (an address; kept as a keyed hash). Raises HallBusy above ``most`` in ``seconds``.

    Run in a transaction of its own, so that a request that comes to nothing is counted too.
    """
    hashed = hmac.digest(vault().macs, b"hall address " + who.encode(), hashlib.sha256)
    row = session.execute(
        text(
            """INSERT INTO ops.hall_rate AS r (what, who, since, times) VALUES (:what, :who, now(), 1)
               ON CONFLICT (what, who) DO UPDATE SET
                 times = CASE WHEN r.since < now() - make_interval(secs => :seconds) THEN 1 ELSE r.times + 1 END,
                 since = CASE WHEN r.since < now() - make_interval(secs => :seconds) THEN now() ELSE r.since END
               RETURNING times, ceil(:seconds - extract(epoch FROM now() - since))::int AS wait_s"""
        ),
        {"what": what, "who": hashed, "seconds": seconds},
    ).one()
    if row.times > most:
        raise HallBusy(seconds=max(int(row.wait_s), 1))


def addresses(session: Session, words: str, most: int) -> list[dict[str, Any]]:
    """Buildings by street, name or number: addresses only, as they stand on the wall."""
    parts = ["%" + _plain(part) + "%" for part in simplified(words).split()[:5]]
    if not parts:
        return []
    found = session.execute(
        text(
            """SELECT id, name, address FROM register.building
               WHERE (valid_to IS NULL OR valid_to > current_date) AND use IN ('residential', 'dormitory', 'mixed')
                 AND (coalesce(name, '') || ' ' || coalesce(address, '')) ILIKE ALL (:parts)
               ORDER BY length(coalesce(address, name)), id LIMIT :most"""
        ),
        {"parts": parts, "most": most},
    )
    return [{"id": row.id, "name": row.name, "address": row.address} for row in found]


def doors(session: Session, building: int) -> list[dict[str, Any]]:
    """The doors of a building in order."""
    found = session.execute(
        text(
            """SELECT id, unit, floor, room FROM register.dwelling
               WHERE building_id = :id AND (valid_to IS NULL OR valid_to > current_date)
               ORDER BY unit NULLS FIRST, length(room), room LIMIT 2000"""
        ),
        {"id": building},
    )
    return [dict(row._mapping) for row in found]


def _of_code(session: Session, code: str) -> Any:
    plain = "".join(char for char in code.upper() if char.isalnum())
    row = session.execute(
        text("SELECT * FROM register.declaration WHERE code_hash = :code"), {"code": _hashed(plain)}
    ).one_or_none()
    if row is None:
        raise UnknownCode()
    return row


def _hashed(code: str) -> bytes:
    return hmac.digest(vault().macs, b"hall code " + code.encode(), hashlib.sha256)


def _plain(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

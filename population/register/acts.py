"""What is done to the register: confirm, correct, arrive, move, leave, born, died, split and merge, and undo of any.

Each function is one act of the person acting in the session, within the caller's transaction; the caller writes the
audit row and commits. The acts themselves are functions of the database (``db/migrations/sql/acts_*.sql``): they take
the one-writer lock before they read, ask for the territory, keep the statistics current by the triggers, and note
every row they change, so that any act is undone as one. ID and telephone numbers are enciphered here; the database
never sees one.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal
from uuid import UUID

import polars as pl
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.errors import HexwardError
from population.register.documents import find_document_problems
from population.register.identity import Vault, normal, vault

Kind = Literal[
    "confirm", "correct", "arrive", "move", "leave", "born", "died", "split_household", "merge_person", "split_person",
    "undo",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = (
    "confirm", "correct", "arrive", "move", "leave", "born", "died", "split_household", "merge_person", "split_person",
    "undo",
)  # fmt: skip
_REFUSED: Final = "HX409"
_KNOWN: Final[dict[type[psycopg.Error], str]] = {
    psycopg.errors.ExclusionViolation: "act.overlaps",
    psycopg.errors.UniqueViolation: "act.overlaps",
    psycopg.errors.CheckViolation: "act.impossible",
    psycopg.errors.NotNullViolation: "act.impossible",
    psycopg.errors.ForeignKeyViolation: "act.impossible",
    psycopg.errors.DatetimeFieldOverflow: "act.impossible",
    psycopg.errors.LockNotAvailable: "act.busy",
    psycopg.errors.InsufficientPrivilege: "act.not_allowed",
}


class ActRefused(HexwardError):
    """The act cannot be done; the code says why, ``params`` what came in between. Nothing has been changed."""

    code = "act.impossible"


def act(session: Session, kind: Kind, purpose: str, values: dict[str, Any]) -> dict[str, Any]:
    """Do one act for the person acting in ``session``: ``{"act": id, "persons": [ids]}``.

    ``values`` as the routes take them (``api/routes/acts.py``); id_number and phone in clear, if any.
    Raises ``ActRefused``.
    """
    ready = {**values}
    if ready.get("person") is not None:
        ready["person"] = sealed(ready["person"])
    statement = text(f"SELECT register.act_{kind}(:purpose, CAST(:values AS jsonb))")
    try:
        done = session.execute(
            statement, {"purpose": purpose, "values": json.dumps(ready, ensure_ascii=False, default=str)}
        ).scalar_one()
    except DBAPIError as error:
        raise _refusal(error) from None
    return dict(done)


def _refusal(error: DBAPIError) -> Exception:
    cause = error.orig
    if isinstance(cause, psycopg.Error):
        if cause.sqlstate == _REFUSED:
            params = json.loads(cause.diag.message_detail or "{}")
            return ActRefused(cause.diag.message_primary or ActRefused.code, **params)
        for kind, code in _KNOWN.items():
            if isinstance(cause, kind):
                return ActRefused(code)
    return error


def confirm(session: Session, purpose: str, **values: Any) -> dict[str, Any]:
    """Somebody saw that ``person_id``, everybody in ``dwelling_id``, or in ``building_id``, is as recorded."""
    return act(session, "confirm", purpose, values)


def move(
    session: Session, purpose: str, people: list[dict[str, Any]], dwelling_id: int, **values: Any
) -> dict[str, Any]:
    """``people`` move to ``dwelling_id`` ``on`` a day; a household that moves whole stays one."""
    return act(session, "move", purpose, {"people": people, "dwelling_id": dwelling_id, **values})


def undo(session: Session, purpose: str, act_id: UUID) -> dict[str, Any]:
    """Undo an act as one. Refused (``act.built_on``) when something later builds on it."""
    return act(session, "undo", purpose, {"act_id": act_id})


def sealed(fields: dict[str, Any], keys: Vault | None = None) -> dict[str, Any]:
    """Fields of a person as they are stored: numbers enciphered and hashed, as the database writes bytes.

    Raises ``ActRefused`` for an ID number that cannot be one.

    >>> sorted(sealed({"name": "张三", "phone": "13800138000"}, Vault.of(bytes(32))))
    ['name', 'phone_enc', 'phone_hash']
    """
    ready = {name: value for name, value in fields.items() if name not in ("id_number", "phone")}
    keys = keys or (vault() if len(ready) < len(fields) else None)
    if keys is None:
        return ready
    if "id_number" in fields:
        number = fields["id_number"]
        both = keys.protect(_checked(pl.Series([number], dtype=pl.String)))
        ready |= {"id_number_enc": _bytes(both["enc"][0]), "id_number_hash": _bytes(both["hash"][0])}
    if "phone" in fields:
        phone = pl.Series([fields["phone"]], dtype=pl.String)
        ready["phone_enc"] = _bytes(keys.protect_phones(phone)[0])
        ready["phone_hash"] = _bytes(keys.hash_phones(phone)[0])
    return ready


def _checked(numbers: pl.Series) -> pl.Series:
    clean = normal(numbers)
    if find_document_problems(clean.drop_nulls()).is_not_null().any():
        raise ActRefused("act.id_number")
    return clean


def _bytes(value: bytes | None) -> str | None:
    return None if value is None else "\\x" + value.hex()

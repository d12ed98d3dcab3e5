"""A new key for everything that is encrypted, while the server runs: ``hexward keys rotate``.

1. A new key is made and named in the ring; every process opens old and new from its next look on, and writes old.
2. After a breath the ring says "write new". 3. What is still old is written again in small transactions, each row only
if nobody changed it meanwhile; the byte in front of every value says which key it has, so a killed run goes on where
it stopped. 4. Nothing is old any more: the old key stays readable (a backup may need it) until ``confirm`` destroys it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text

from db.engine import raw_copy, read_session, write_session
from db.errors import HexwardError
from population.register import identity
from population.register.asks import _ASK, _REPLY
from population.register.hall import ANSWERED, SEALED
from population.register.settings import RegisterSettings

BATCH: Final = 1000
BREATH_S: Final = 2.0


class NotRotated(HexwardError):
    """The old key cannot be destroyed: values under it are left."""

    code = "keys.in_use"


class TooManyKeys(HexwardError):
    """The old keys must be confirmed away before another."""

    code = "keys.too_many"


@dataclass(frozen=True)
class Column:
    """A column of encrypted values, its table's key, and the label its texts carry."""

    table: str
    column: str
    label: tuple[bytes, ...]
    key: str = "id"


ENCRYPTED: Final = (
    Column("register.person", "id_number_enc", (b"id",)),
    Column("register.person", "phone_enc", (b"phone",)),
    Column("register.permit", "number_enc", (b"id",)),
    Column("register.declaration", "sealed", (b"sealed", SEALED)),
    Column("register.declaration", "answer_sealed", (b"sealed", ANSWERED)),
    Column("register.person_ask", "sealed", (b"sealed", _ASK)),
    Column("register.person_ask", "answer_sealed", (b"sealed", _REPLY)),
)
"""Every column of encrypted values; a test finds one that is missing here."""
IN_ACTS: Final = {"id_number_enc": (b"id",), "phone_enc": (b"phone",), "number_enc": (b"id",)}
"""The same values as acts remember them (``register.act_change.before`` and ``after``), so that an undo still fits."""
_IN_ACTS: Final = " OR ".join(
    f"get_byte(decode(substr({side}->>'{name}', 3, 2), 'hex'), 0) >> 3 <> %(g)s"
    for side in ("before", "after")
    for name in IN_ACTS
)
KEYED_HASHES: Final = frozenset(
    {
        ("register.person", "id_number_hash"), ("register.person", "phone_hash"),
        ("register.declaration", "id_hash"), ("register.declaration", "code_hash"),
    }
)  # fmt: skip
"""Columns of keyed hashes; their keys stay (see ``identity``)."""
# Hashes without a key, and what the sign-in seals with a key of its own (``keys/signin.key``).
NOT_OURS: Final = frozenset(
    {
        ("ops.user_session", "token_hash"),
        ("ops.hall_rate", "who"),
        ("ops.totp", "secret_enc"),
        ("ops.recovery_code", "code_hash"),
        ("ops.oidc_flow", "state_hash"),
        ("ops.oidc_flow", "browser_hash"),
    }
)
"""Bytes that no key of the vault encrypts: hashes of random tokens, and a count that lasts an hour."""


def status(owner: Engine) -> dict[str, Any]:
    """Which generations are open, which is written, and how many values each column has of each."""
    safe = identity.vault()
    counts: dict[str, dict[int, int]] = {}
    with read_session(owner) as session:
        for one in ENCRYPTED:
            rows = session.execute(
                text(
                    f"""SELECT get_byte({one.column}, 0) >> 3, count(*) FROM {one.table}
                        WHERE {one.column} IS NOT NULL GROUP BY 1 ORDER BY 1"""
                )
            )
            counts[f"{one.table}.{one.column}"] = {int(generation): int(n) for generation, n in rows}
    return {"writes": safe.generation, "opens": safe.generations(), "values": counts}


def rotate(
    owner: Engine, told: Callable[[str, int], None] = lambda _column, _n: None, *, breath_s: float = BREATH_S
) -> int:
    """Change the key, or go on with a change that was broken off; returns how many values were written anew.

    Raises IdentityKeyError when a key is missing or a value was written with none of them: nothing is lost then.
    """
    settings = RegisterSettings()
    safe = identity.vault(settings)
    if not _left(owner, safe.generation):  # nothing is under way: begin
        _begin(settings, safe, breath_s)
    safe = identity.vault(settings)
    written = 0
    while True:
        before = written
        for one in ENCRYPTED:
            written += _column(owner, one, safe, told)
        written += _acts(owner, safe)
        if written == before:
            return written


def confirm(owner: Engine) -> list[int]:
    """Destroy the keys that nothing is encrypted with any more; returns their generations. Raises NotRotated."""
    settings = RegisterSettings()
    safe = identity.vault(settings)
    old = [one.generation for one in safe.older]
    if not old:
        return []
    if left := _left(owner, safe.generation):
        raise NotRotated(values=left)
    said = json.loads(identity.ring_file(settings).read_text())
    _write_ring(settings, {**said, "reads": [safe.generation]})
    for generation in old:
        file = settings.key_file() if generation == 0 else identity.generation_file(settings, generation)
        file.unlink(missing_ok=True)
    return old


def _begin(settings: RegisterSettings, safe: identity.Vault, breath_s: float) -> None:
    generation = safe.generation + 1
    if generation >= identity.GENERATIONS:
        raise TooManyKeys(most=identity.GENERATIONS)
    identity.make_key(identity.generation_file(settings, generation))
    matching = [part.hex() for part in (safe.hashes, safe.macs, safe.phone_hashes)]
    opens = {"matching": matching, "reads": [*safe.generations(), generation]}
    _write_ring(settings, {**opens, "writes": safe.generation})
    time.sleep(breath_s)  # every process has looked: all open the new key before the first value under it
    _write_ring(settings, {**opens, "writes": generation})


def _write_ring(settings: RegisterSettings, said: dict[str, Any]) -> None:
    path = identity.ring_file(settings)
    part = path.with_suffix(f".ring{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(said))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _left(owner: Engine, generation: int) -> int:
    """How many values have another key than ``generation``."""
    with read_session(owner) as session:
        acts = raw_copy(session).execute(
            f"SELECT count(*) FROM register.act_change WHERE {_IN_ACTS}".encode(),
            {"g": generation},
        )
        in_acts = (acts.fetchone() or (0,))[0]
        return int(in_acts) + sum(
            int(
                session.execute(
                    text(f"SELECT count(*) FROM {one.table} WHERE get_byte({one.column}, 0) >> 3 <> :g"),
                    {"g": generation},
                ).scalar_one()
            )
            for one in ENCRYPTED
        )


def _column(owner: Engine, one: Column, safe: identity.Vault, told: Callable[[str, int], None]) -> int:
    """Write the values of a column anew, in batches by key."""
    written, after = 0, None
    while True:
        with write_session(owner) as session:
            conn = raw_copy(session)
            conn.execute("SET LOCAL hexward.bulk = 'on'")  # no figure and no search key follows from the key
            found = conn.execute(
                f"""SELECT {one.key}, {one.column} FROM {one.table}
                    WHERE get_byte({one.column}, 0) >> 3 <> %s AND (%s::text IS NULL OR {one.key} > %s)
                    ORDER BY {one.key} LIMIT {BATCH}""".encode(),
                (safe.generation, None if after is None else str(after), after),
            ).fetchall()
            if not found:
                return written
            after = found[-1][0]
            news = [(key, value, safe.reseal(bytes(value), list(one.label))) for key, value in found]
            written += conn.execute(
                f"""UPDATE {one.table} t SET {one.column} = n.new
                    FROM unnest(%s, %s::bytea[], %s::bytea[]) AS n(key, old, new)
                    WHERE t.{one.key} = n.key AND t.{one.column} = n.old""".encode(),
                tuple(list(part) for part in zip(*news, strict=True)),
            ).rowcount
        told(f"{one.table}.{one.column}", written)


def _acts(owner: Engine, safe: identity.Vault) -> int:
    """Write the values that acts remember anew; returns of how many changes."""
    written = 0
    while True:
        with write_session(owner) as session:
            conn = raw_copy(session)
            found = conn.execute(
                f"""SELECT act_id, seq, before, after FROM register.act_change WHERE {_IN_ACTS}
                    ORDER BY act_id, seq LIMIT {BATCH} FOR UPDATE""".encode(),
                {"g": safe.generation},
            ).fetchall()
            if not found:
                return written
            for act, seq, before, after in found:
                conn.execute(
                    "UPDATE register.act_change SET before = %s, after = %s WHERE act_id = %s AND seq = %s",
                    (_remembered(before, safe), _remembered(after, safe), act, seq),
                )
            written += len(found)


def _remembered(values: dict[str, Any] | None, safe: identity.Vault) -> Jsonb | None:
    if values is None:
        return None
    made = dict(values)
    for name, label in IN_ACTS.items():
        if values.get(name):
            stored = bytes.fromhex(values[name].removeprefix("\\x"))
            made[name] = "\\x" + safe.reseal(stored, list(label)).hex()
    return Jsonb(made)

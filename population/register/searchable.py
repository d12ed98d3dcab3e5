"""What people are found by, filled for a whole city after a load, and for the few whose telephone changed since.

Names and places of single changes follow by triggers (``register.search_refresh``). Here is what triggers cannot do:
millions at once, with names read in pinyin once a distinct name, and telephone numbers, whose hash needs a key that
the database does not hold.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from db.bulk import bulk
from db.copy import copy_frame
from db.engine import raw_copy, write_session
from population.register.identity import Vault, vault
from population.register.keys import read_frame
from population.register.load_people import as_binary
from population.register.names import Keys

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray
    from sqlalchemy import Engine

    Connection = psycopg.Connection[Any]

TAIL: Final = 4
_TABLE: Final = "register.person_search"
_KEYS: Final = {
    "name": pl.String, "folded": pl.String, "fuzzy": pl.String, "initials": pl.String, "given_key": pl.Int64,
    "outer_key": pl.Int64,
}  # fmt: skip
_NOW: Final = """r.superseded_at IS NULL AND r.valid_from <= current_date
  AND (r.valid_to IS NULL OR r.valid_to > current_date) AND (p.valid_to IS NULL OR p.valid_to > current_date)"""
_FILL: Final = f"""INSERT INTO register.person_search (person_id, name, folded, fuzzy, initials, given_key, outer_key,
    phone_tail, phone_key, community_id, grid_id, building_id, dwelling_id, until)
  SELECT p.id, p.name, k.folded, k.fuzzy, k.initials, k.given_key, k.outer_key, t.phone_tail, t.phone_key,
    r.community_id, r.grid_id, d.building_id, r.dwelling_id, least(r.valid_to, p.valid_to)
  FROM register.residence r JOIN register.person p ON p.id = r.person_id
  LEFT JOIN register.dwelling d ON d.id = r.dwelling_id LEFT JOIN name_key k ON k.name = p.name
  LEFT JOIN phone_hashed t ON t.person_id = p.id WHERE {_NOW} ORDER BY r.grid_id"""
_FIXED: Final = "octet_length(phone_enc) = 17 AND get_byte(phone_enc, 0) & 7 = 3"
_RECORD: Final = 2 + 4 + 16 + 4 + 17


class Tails:
    """The keyed hashes of a telephone number: of its last four digits (32 bits) and of the whole (64 bits)."""

    def __init__(self, safe: Vault) -> None:
        key = hmac.digest(safe.macs, b"hexward search telephone", hashlib.sha256)
        self._cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - a pseudo-random function on one block

    def of_numbers(self, numbers: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Hashes of the last four digits and of the whole of ``numbers``."""
        tails = self._hash(numbers % np.uint64(10**TAIL), 1)
        return (tails >> 32).astype(np.int32), self._hash(numbers, 2)

    def of(self, phone: str) -> tuple[int, int]:
        """Hashes of one number, written as it may be; only its last 18 digits count."""
        digits = "".join(char for char in phone if char.isdigit())[-18:] or "0"
        tail, whole = self.of_numbers(np.array([int(digits)], dtype=np.uint64))
        return int(tail[0]), int(whole[0])

    def _hash(self, numbers: NDArray[np.uint64], kind: int) -> NDArray[np.int64]:
        blocks = np.zeros((len(numbers), 2), dtype=">u8")
        blocks[:, 0], blocks[:, 1] = numbers, kind
        worker = self._cipher.encryptor()
        out = np.frombuffer(worker.update(blocks.tobytes()) + worker.finalize(), dtype=">i8")
        return out.reshape(-1, 2)[:, 0].astype(np.int64)


def fill(conn: Connection) -> int:
    """Make the search table anew from persons and residences; returns how many people can be found.

    Idempotent: whatever stood there is replaced, in the open transaction.
    """
    conn.execute("SET LOCAL work_mem = '256MB'")
    conn.execute(
        "CREATE TEMP TABLE name_key (name text, folded text, fuzzy text, initials text, given_key integer,"
        " outer_key integer) ON COMMIT DROP"
    )
    conn.execute(
        "CREATE TEMP TABLE phone_hashed (person_id uuid, phone_tail integer, phone_key bigint) ON COMMIT DROP"
    )
    copy_frame(conn, "name_key", _names(conn))
    tails = Tails(vault())
    copy_frame(conn, "phone_hashed", _hashed(conn, tails))
    _slow_ones(conn, tails)
    conn.execute("ANALYZE name_key, phone_hashed")
    conn.execute(f"TRUNCATE {_TABLE}, register.search_due")
    with bulk(conn, [_TABLE]):
        filled = conn.execute(_FILL).rowcount
    conn.execute("DROP TABLE name_key, phone_hashed")
    return filled


def catch_up(conn: Connection) -> int:
    """Hash the telephone numbers that changed since; returns of how many people."""
    due = conn.execute("DELETE FROM register.search_due RETURNING person_id").fetchall()
    if not due:
        return 0
    found = conn.execute(
        "SELECT id, phone_enc FROM register.person WHERE id = ANY(%s)", ([one for (one,) in due],)
    ).fetchall()
    tails, safe = Tails(vault()), vault()
    numbers = safe.reveal(pl.Series([enc for _, enc in found], dtype=pl.Binary)).to_list()
    for (person, _), number in zip(found, numbers, strict=True):
        tail, whole = (None, None) if number is None else tails.of(number)
        conn.execute(
            "UPDATE register.person_search SET phone_tail = %s, phone_key = %s WHERE person_id = %s",
            (tail, whole, person),
        )
    return len(due)


def catch_up_now(owner: Engine) -> int:
    """``catch_up`` in a transaction of its own: after acts, which run as a role that may not write what is searched."""
    with write_session(owner) as session:
        return catch_up(raw_copy(session))


def _names(conn: Connection) -> pl.DataFrame:
    distinct = "SELECT DISTINCT name FROM register.person WHERE name IS NOT NULL"
    found = read_frame(conn, distinct, {"name": pl.String})["name"].to_list()
    keys = [Keys.of(name) for name in found]
    return pl.DataFrame(
        {
            "name": found,
            "folded": [one.folded for one in keys],
            "fuzzy": [one.fuzzy for one in keys],
            "initials": [one.initials for one in keys],
            "given_key": [one.given for one in keys],
            "outer_key": [one.outer for one in keys],
        },
        schema=_KEYS,
    )


def _hashed(conn: Connection, tails: Tails) -> pl.DataFrame:
    """Hashes of all telephone numbers of up to 17 digits, which are blocks of one length (see ``identity``)."""
    query = f"SELECT id, phone_enc FROM register.person WHERE {_FIXED}"
    with conn.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
        whole = b"".join(bytes(part) for part in copy)
    rows = np.frombuffer(whole, np.uint8)[19:-2].reshape(-1, _RECORD)
    numbers = vault().phone_numbers(np.ascontiguousarray(rows[:, 26:43]))
    tail, key = tails.of_numbers(numbers)
    ids = as_binary(np.ascontiguousarray(rows[:, 6:22]), np.ones(len(rows), dtype=np.bool_))
    return pl.DataFrame({"person_id": ids, "phone_tail": tail, "phone_key": key})


def _slow_ones(conn: Connection, tails: Tails) -> None:
    """The few numbers that are stored as text."""
    query = f"SELECT id, phone_enc FROM register.person WHERE phone_enc IS NOT NULL AND NOT ({_FIXED})"
    found = conn.execute(query).fetchall()
    numbers = vault().reveal(pl.Series([enc for _, enc in found], dtype=pl.Binary)).to_list()
    for (person, _), number in zip(found, numbers, strict=True):
        conn.execute("INSERT INTO phone_hashed VALUES (%s, %s, %s)", (person, *tails.of(number or "")))

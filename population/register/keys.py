"""From a source's keys to what the register knows under them, for millions of keys at once.

Keys are held as 64-bit fingerprints: 16 bytes a key instead of a Python object of 100. Two of 20 million keys share a
fingerprint with a chance of about 1 in 100,000; the later one is then refused as a duplicate, never merged in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np
import polars as pl

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

_SEED: Final = 0x5DEECE66D
_FILL: Final = 0.6


def fingerprints(keys: pl.Series) -> NDArray[np.uint64]:
    """A 64-bit fingerprint of each key, the same throughout one process; 0 for null only."""
    hashed = keys.cast(pl.String).hash(seed=_SEED).to_numpy()
    hashed = np.where(hashed == 0, np.uint64(1), hashed)
    return np.where(keys.is_null().to_numpy(), np.uint64(0), hashed)


@numba.njit(cache=True, nogil=True)
def _find(slots: Any, values: Any, prints: Any, out: Any) -> None:
    mask = np.uint64(slots.shape[0] - 1)
    for row in range(prints.shape[0]):
        out[row] = -1
        mine = prints[row]
        if mine == 0:
            continue
        place = (mine ^ (mine >> np.uint64(29))) & mask
        while slots[place] != 0:
            if slots[place] == mine:
                out[row] = values[place]
                break
            place = (place + np.uint64(1)) & mask


@numba.njit(cache=True, nogil=True)
def _put(slots: Any, values: Any, prints: Any, first: int, out: Any) -> int:
    mask = np.uint64(slots.shape[0] - 1)
    following = first
    for row in range(prints.shape[0]):
        mine = prints[row]
        if mine == 0:
            out[row] = -1
            continue
        place = (mine ^ (mine >> np.uint64(29))) & mask
        while slots[place] != 0 and slots[place] != mine:
            place = (place + np.uint64(1)) & mask
        if slots[place] == 0:
            slots[place] = mine
            values[place] = following
            following += 1
        out[row] = values[place]
    return following


class KeyIndex:
    """Ordinals of keys in the order in which they came.

    >>> index = KeyIndex()
    >>> index.add(pl.Series(["a", "b", "a", None])).tolist()
    [0, 1, 0, -1]
    >>> index.find(pl.Series(["b", "c"])).tolist(), len(index)
    ([1, -1], 2)
    """

    def __init__(self, expected: int = 1000) -> None:
        self._slots = np.zeros(_capacity(expected), dtype=np.uint64)
        self._values = np.zeros(len(self._slots), dtype=np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, keys: pl.Series) -> NDArray[np.int64]:
        """Ordinal of each key, -1 for one that is not known and for null."""
        out = np.empty(len(keys), dtype=np.int64)
        _find(self._slots, self._values, fingerprints(keys), out)
        return out

    def add(self, keys: pl.Series) -> NDArray[np.int64]:
        """Ordinal of each key; unknown ones get the next ordinals in order of appearance, null -1."""
        if (self._count + len(keys)) > _FILL * len(self._slots):
            self._grow(self._count + len(keys))
        out = np.empty(len(keys), dtype=np.int64)
        self._count = int(_put(self._slots, self._values, fingerprints(keys), self._count, out))
        return out

    def _grow(self, needed: int) -> None:
        old, ordinals = self._slots, self._values
        used = np.flatnonzero(old)
        used = used[np.argsort(ordinals[used], kind="stable")]
        self._slots = np.zeros(_capacity(needed), dtype=np.uint64)
        self._values = np.zeros(len(self._slots), dtype=np.int64)
        _put(self._slots, self._values, old[used], 0, np.empty(len(used), dtype=np.int64))


def _capacity(expected: int) -> int:
    return 1 << max(10, int(np.ceil(np.log2(max(expected, 1) / _FILL + 1))))


class Known:
    """Rows of the register by key: id and place, as arrays in the order of ``index``."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.index = KeyIndex(frame.height)
        self.index.add(frame["key"])
        self.rows = frame.drop("key")

    def look_up(self, keys: pl.Series) -> tuple[NDArray[np.bool_], pl.DataFrame]:
        """Whether each key is known, and its row (the columns of ``rows``, null where it is not known)."""
        at = self.index.find(keys)
        known = at >= 0
        if not self.rows.height:
            empty = {
                name: pl.Series(name, [None] * len(keys), dtype=kind)
                for name, kind in self.rows.schema.items()
            }
            return known, pl.DataFrame(empty)
        indices = pl.Series(np.where(known, at, 0)).cast(pl.UInt32)
        found = self.rows.select(pl.all().gather(indices))
        return known, found.select(pl.when(pl.lit(pl.Series(known))).then(pl.all()))


def read_known(conn: psycopg.Connection[Any], query: str, schema: dict[str, Any]) -> Known:
    """The rows of ``query`` (its first column the key) by key; ``schema`` types them for polars."""
    return Known(read_frame(conn, query, schema))


def read_frame(conn: psycopg.Connection[Any], query: str, schema: dict[str, Any]) -> pl.DataFrame:
    """The rows of ``query``, whose columns ``schema`` names and types; in no particular order.

    The server puts 50,000 rows together into one text: a message a row would cost the driver more than reading them.
    """
    values = (
        f"""coalesce('"' || replace("{name}"::text, '"', '""') || '"', '')"""
        if kind == pl.String
        else f"""coalesce("{name}"::text, '')"""
        for name, kind in schema.items()
    )
    line = " || ',' || ".join(values)
    rows = f"select {line} as line, (row_number() over ()) / 50000 as part from ({query}) as q"
    found = conn.execute(f"select string_agg(line, e'\\n') from ({rows}) as r group by part").fetchall()
    whole = "\n".join(row[0] for row in found)
    return (
        pl.read_csv(whole.encode(), schema=schema, has_header=False) if whole else pl.DataFrame(schema=schema)
    )

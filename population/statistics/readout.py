"""Whole tables read out of the database as columns.

A COPY hands over one message a row, which costs the driver more than the server needs to read it. Here the server
aggregates pieces of a table into one array a column (binary), and numpy takes each array as it is: about a quarter of
the time. Columns must not be null: the select list replaces nulls by a value of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.adapt import Loader
from psycopg.pq import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from numpy.typing import NDArray
    from psycopg.abc import Buffer

    Columns = dict[str, NDArray[Any]]

PAGES_A_PIECE: Final = 4096
_HEADER_BYTES: Final = 20
_ARRAYS: Final = {  # kind: (oid of the array type, SQL type, layout of an element, native type)
    "i2": (1005, "smallint", ">i2", np.int16),
    "i4": (1007, "integer", ">i4", np.int32),
    "i8": (1016, "bigint", ">i8", np.int64),
    "f4": (1021, "real", ">f4", np.float32),
    "day": (1182, "date", ">i4", np.int32),
    "uuid": (2951, "uuid", "V16", None),
}


class _Raw(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def read_columns(
    conn: psycopg.Connection[Any], table: str, columns: dict[str, tuple[str, str]], where: str | None = None,
    params: dict[str, Any] | None = None,
) -> Columns:  # fmt: skip
    """Columns of ``table`` (with alias ``t``): name -> (kind, SQL expression over ``t``, never null).

    Kinds: i2, i4, i8, f4, day (days since 2000-01-01, null and infinity as 2147483647 by the expression), uuid (two
    columns, ``name_hi`` and ``name_lo``, unsigned halves). Without ``where`` the whole table is read in page ranges;
    with it, only the rows it keeps, in one piece.
    """
    select = ", ".join(f"array_agg(({expr})::{_ARRAYS[kind][1]})" for kind, expr in columns.values())
    pieces: dict[str, list[NDArray[Any]]] = {name: [] for name in columns}
    with conn.cursor(binary=True) as cursor:
        for oid, *_ in _ARRAYS.values():
            cursor.adapters.register_loader(oid, _Raw)
        for row in _rows(cursor, table, select, where, params or {}):
            for name, raw in zip(columns, row, strict=True):
                if raw is not None:
                    pieces[name].append(_elements(raw, columns[name][0]))
    found: Columns = {}
    for name, (kind, _) in columns.items():
        _, _, layout, native = _ARRAYS[kind]
        whole = np.concatenate(pieces[name]) if pieces[name] else np.empty(0, native or layout)
        if kind == "uuid":
            found[f"{name}_hi"], found[f"{name}_lo"] = halves(whole)
        else:
            found[name] = whole
    return found


def _rows(
    cursor: psycopg.Cursor[Any], table: str, select: str, where: str | None, params: dict[str, Any]
) -> Iterator[tuple[bytes | None, ...]]:
    if where is not None:
        cursor.execute(f"SELECT {select} FROM {table} AS t WHERE {where}", params)  # noqa: S608
        yield from cursor.fetchall()
        return
    cursor.execute("SELECT pg_relation_size(%s::regclass)::bigint / 8192", (table,), binary=False)
    (pages,) = cursor.fetchone() or (0,)
    for start in range(0, int(pages), PAGES_A_PIECE):
        end = start + PAGES_A_PIECE
        query = f"SELECT {select} FROM {table} AS t WHERE t.ctid >= '({start},0)' AND t.ctid < '({end},0)'"  # noqa: S608
        cursor.execute(query)
        yield from cursor.fetchall()


def _elements(raw: bytes, kind: str) -> NDArray[Any]:
    _, _, layout, native = _ARRAYS[kind]
    body = np.frombuffer(raw, dtype=np.uint8)[_HEADER_BYTES:]
    items = body.view(np.dtype([("length", ">i4"), ("value", layout)]))["value"]
    return items.astype(native) if native is not None else np.ascontiguousarray(items)


def halves(uuids: NDArray[Any]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The two halves of 16-byte uuids, as numbers."""
    wide = np.frombuffer(uuids.tobytes(), dtype=">u8").reshape(-1, 2)
    return wide[:, 0].astype(np.uint64), wide[:, 1].astype(np.uint64)


def whole_uuids(hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[Any]:
    """The inverse of ``halves``: 16 bytes a uuid.

    >>> whole_uuids(*halves(np.array([b"0123456789abcdef"], "V16"))).tobytes()
    b'0123456789abcdef'
    """
    wide = np.empty((len(hi), 2), dtype=">u8")
    wide[:, 0], wide[:, 1] = hi, lo
    return wide.view("V16").reshape(-1)

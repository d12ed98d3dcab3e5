"""Rows of a table as PostgreSQL's binary COPY stream, built in columns.

A data frame becomes the bytes that ``COPY ... FROM STDIN (FORMAT binary)`` reads without any Python object for a
single value: the length of every field is known in columns, so the place of every field in the stream is a running
sum, and each column is written into its places in one pass.

Source: PostgreSQL manual, COPY, "Binary Format", and the ``*_recv`` functions of each type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from db.ahead import map_ahead
from db.copykernels import write_fixed, write_variable
from db.errors import HexwardError

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
POSTGRES_EPOCH_DAYS: Final = (date(2000, 1, 1) - date(1970, 1, 1)).days
POSTGRES_EPOCH_US: Final = POSTGRES_EPOCH_DAYS * 86_400_000_000
ROWS_A_CHUNK: Final = 100_000

_FIXED: Final = {
    "smallint": ">i2",
    "integer": ">i4",
    "bigint": ">i8",
    "real": ">f4",
    "double precision": ">f8",
}
_ARRAY: Final = {
    "smallint[]": (21, ">i2"),
    "integer[]": (23, ">i4"),
    "bigint[]": (20, ">i8"),
    "real[]": (700, ">f4"),
    "double precision[]": (701, ">f8"),
}
_TEXT: Final = {"text", "character varying", "character", '"char"', "bytea", "name"}
_NUMERIC_GROUPS: Final = 7


class CopyTypeError(HexwardError):
    """A column of the frame cannot be written as the column of the table; params: column, type, given."""

    code = "copy_type"


@dataclass(frozen=True)
class Encoded:
    """One column ready to be written: fixed (``data`` is n x width) or variable (``data`` + ``offsets``)."""

    data: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    offsets: NDArray[np.int64] | None = None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each value, 0 for null."""
        if self.offsets is None:
            return np.where(self.valid, self.data.shape[1], 0).astype(np.int64)
        return np.where(self.valid, np.diff(self.offsets), 0).astype(np.int64)


def encode(frame: pl.DataFrame, types: Sequence[str]) -> NDArray[np.uint8]:
    """Bytes of the rows of ``frame`` in binary COPY format, without header and trailer.

    ``types`` are PostgreSQL's names of the column types (``format_type``), one a column: smallint, integer, bigint,
    real, double precision, boolean, date, timestamp with time zone, text, bytea, uuid (16 bytes or text), jsonb (text),
    numeric, and one-dimensional arrays of numbers (of one length each column).

    Raises CopyTypeError when a column cannot be written as its type.

    >>> encode(pl.DataFrame({"a": [1, None]}), ["smallint"]).tobytes()
    b'\\x00\\x01\\x00\\x00\\x00\\x02\\x00\\x01\\x00\\x01\\xff\\xff\\xff\\xff'
    """
    rows, width = frame.height, frame.width
    columns = [_encode_column(frame.to_series(i), types[i]) for i in range(width)]
    sizes = np.full(rows, 2 + 4 * width, dtype=np.int64)
    lengths = [column.lengths for column in columns]
    for length in lengths:
        sizes += length
    ends = np.cumsum(sizes)
    out = np.empty(int(ends[-1]) if rows else 0, dtype=np.uint8)
    at = ends - sizes
    count = np.frombuffer(np.array([width], dtype=">i2").tobytes(), dtype=np.uint8)
    out[at] = count[0]
    out[at + 1] = count[1]
    at = at + 2
    for column, length in zip(columns, lengths, strict=True):
        if column.offsets is None:
            write_fixed(out, at, column.data, column.valid)
        else:
            write_variable(out, at, column.data, column.offsets, column.valid)
        at = at + 4 + length
    return out


def stream(frame: pl.DataFrame, types: Sequence[str], rows: int = ROWS_A_CHUNK) -> Iterator[bytes]:
    """The whole binary COPY stream of ``frame`` in pieces of ``rows`` rows, header and trailer with it."""
    yield HEADER
    starts = range(0, frame.height, rows)
    yield from map_ahead(lambda start: encode(frame.slice(start, rows), types).tobytes(), starts)
    yield TRAILER


def column_types(conn: psycopg.Connection[Any], table: str, columns: Sequence[str]) -> list[str]:
    """PostgreSQL's type names of ``columns`` of ``table`` (``schema.table``), in the order given.

    Raises CopyTypeError when the table has no such column.
    """
    found = dict(
        conn.execute(
            "select attname, format_type(atttypid, null) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (table,),
        ).fetchall()
    )
    missing = [name for name in columns if name not in found]
    if missing:
        raise CopyTypeError(column=missing[0], type=table, given="-")
    return [str(found[name]) for name in columns]


def copy_frame(
    conn: psycopg.Connection[Any],
    table: str,
    frame: pl.DataFrame,
    rows: int = ROWS_A_CHUNK,
    *,
    freeze: bool = False,
) -> int:
    """Write ``frame`` into ``table`` (``schema.table``; columns by name) by binary COPY; returns the rows written.

    Runs in the connection's open transaction and leaves committing to its caller. ``freeze`` is for a table made or
    truncated in this transaction (``db.bulk``): its rows need no visit later to be known as committed.
    """
    types = column_types(conn, table, frame.columns)
    names = ", ".join(f'"{name}"' for name in frame.columns)
    options = "FORMAT binary, FREEZE true" if freeze else "FORMAT binary"
    command = f"COPY {quoted(table)} ({names}) FROM STDIN ({options})"
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        for piece in stream(frame, types, rows):
            copy.write(piece)
    return frame.height


def quoted(table: str) -> str:
    """``schema.table`` quoted for a statement; raises ValueError for anything that is not a plain name.

    >>> quoted("ops.user")
    '"ops"."user"'
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", table):
        raise ValueError(table)
    return ".".join(f'"{part}"' for part in table.split("."))


def _encode_column(series: pl.Series, kind: str) -> Encoded:
    valid = series.is_not_null().to_numpy()
    try:
        if kind in _TEXT:
            return _text(series, valid)
        return Encoded(_fixed_bytes(series, kind), valid) if kind != "jsonb" else _jsonb(series, valid)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise CopyTypeError(column=series.name, type=kind, given=str(series.dtype)) from error


def _fixed_bytes(series: pl.Series, kind: str) -> NDArray[np.uint8]:  # noqa: PLR0911 - one line a type
    if kind in _FIXED:
        target = {"i2": pl.Int16, "i4": pl.Int32, "i8": pl.Int64, "f4": pl.Float32, "f8": pl.Float64}[
            _FIXED[kind][1:]
        ]
        if series.dtype == pl.UInt64:
            series = series.reinterpret(signed=True)
        return _bytes_of(series.cast(target).fill_null(0).to_numpy(), _FIXED[kind])
    if kind == "boolean":
        return series.cast(pl.Boolean).fill_null(False).to_numpy().astype(np.uint8).reshape(-1, 1)
    if kind == "date":
        days = series.cast(pl.Date).to_physical().fill_null(0).to_numpy()
        return _bytes_of(days - POSTGRES_EPOCH_DAYS, ">i4")
    if kind.startswith("timestamp"):
        micros = series.cast(pl.Datetime("us")).to_physical().fill_null(POSTGRES_EPOCH_US).to_numpy()
        return _bytes_of(micros - POSTGRES_EPOCH_US, ">i8")
    if kind == "uuid":
        return uuid_bytes(series)
    if kind == "numeric":
        return _numeric(series)
    if kind in _ARRAY:
        return _array(series, *_ARRAY[kind])
    raise TypeError(kind)


def _bytes_of(values: NDArray[Any], dtype: str) -> NDArray[np.uint8]:
    wide = np.ascontiguousarray(values.astype(dtype))
    return wide.view(np.uint8).reshape(len(wide), wide.itemsize)


def _text(series: pl.Series, valid: NDArray[np.bool_]) -> Encoded:
    if series.dtype == pl.Null:
        return Encoded(np.empty(0, np.uint8), valid, np.zeros(len(series) + 1, np.int64))
    if series.dtype != pl.Binary:
        series = series.cast(pl.String).cast(pl.Binary)
    arrow = series.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = arrow.buffers()
    start = np.frombuffer(offsets, dtype=np.int64)[arrow.offset : arrow.offset + len(series) + 1]
    raw = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
    return Encoded(raw, valid, start)


def _jsonb(series: pl.Series, valid: NDArray[np.bool_]) -> Encoded:
    return _text(pl.select(pl.lit("\x01") + series.cast(pl.String)).to_series(), valid)


def uuid_bytes(series: pl.Series) -> NDArray[np.uint8]:
    """The 16 bytes of each UUID (16 bytes or text), zeros for null. Raises ValueError for anything else."""
    if series.dtype != pl.Binary:
        series = series.cast(pl.String).str.replace_all("-", "").str.decode("hex")
    raw = series.fill_null(bytes(16))
    if not (raw.bin.size() == 16).all():
        raise ValueError("uuid")
    data = _text(raw, raw.is_not_null().to_numpy())
    first = int(data.offsets[0]) if data.offsets is not None and len(raw) else 0
    return data.data[first : first + 16 * len(raw)].reshape(-1, 16)


def _numeric(series: pl.Series) -> NDArray[np.uint8]:
    """Numbers with eight decimals as base-10,000 digits; the server drops zeros and applies the column's scale."""
    values = series.cast(pl.Float64).fill_null(0.0).to_numpy()
    if len(values) and not np.all(np.abs(values) < 9e10):
        raise ValueError("numeric out of range")
    whole = np.trunc(values)
    fraction = np.rint((values - whole) * 1e8).astype(np.int64)
    negative = (whole < 0) | (fraction < 0)
    integer, fraction = np.abs(whole).astype(np.int64), np.abs(fraction)
    integer, fraction = integer + fraction // 10**8, fraction % 10**8
    out = np.zeros((len(values), 4 + _NUMERIC_GROUPS), dtype=">i2")
    out[:, 0], out[:, 1], out[:, 3] = _NUMERIC_GROUPS, _NUMERIC_GROUPS - 3, 8
    out[:, 2] = np.where(negative, 0x4000, 0)
    for group in range(_NUMERIC_GROUPS - 2):
        out[:, 4 + _NUMERIC_GROUPS - 3 - group] = integer // 10_000**group % 10_000
    out[:, -2], out[:, -1] = fraction // 10_000, fraction % 10_000
    return np.ascontiguousarray(out).view(np.uint8).reshape(len(values), -1)


def _array(series: pl.Series, oid: int, dtype: str) -> NDArray[np.uint8]:
    filled = series.drop_nulls()
    lengths = filled.list.len() if filled.dtype == pl.List else filled.arr.len()
    if lengths.n_unique() > 1:
        raise ValueError("arrays of several lengths")
    width = int(lengths.item(0)) if len(lengths) else 0
    size = np.dtype(dtype).itemsize
    record = np.zeros(
        len(series), dtype=[("head", ">i4", (5,)), ("items", [("length", ">i4"), ("value", dtype)], (width,))]
    )
    record["head"] = (1, 0, oid, width, 1)
    record["items"]["length"] = size
    if len(filled):
        flat = filled.explode().to_numpy() if filled.dtype == pl.List else filled.to_numpy()
        record["items"]["value"][series.is_not_null().to_numpy()] = np.asarray(flat).reshape(
            len(filled), width
        )
    return np.ascontiguousarray(record).view(np.uint8).reshape(len(series), -1)

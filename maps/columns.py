"""A query's result in columns: numbers straight from the binary COPY stream, without a Python object a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from db.engine import raw_copy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

_HEADER_BYTES: Final = 19
_TRAILER_BYTES: Final = 2


def read_columns(
    session: Session, key: str, values: Sequence[str], source: str, params: Mapping[str, Any] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The keys (n,) and the values (n, k) of a query.

    ``key`` and ``values`` are SQL expressions, ``source`` all from FROM on with ``%(name)s`` for ``params``. SQL
    NULL among the values is NaN. Runs in the session's transaction, so its role and row-level security hold.

    Source: PostgreSQL manual, COPY, "Binary Format".
    """
    # every value has eight bytes and none is null, so a row is a fixed record
    chosen = ", ".join([f"({key})::bigint", *(f"coalesce(({v})::float8, 'NaN'::float8)" for v in values)])
    with (
        raw_copy(session).cursor() as cursor,
        cursor.copy(f"COPY (SELECT {chosen} {source}) TO STDOUT (FORMAT binary)", params) as copy,
    ):
        data = b"".join(bytes(piece) for piece in copy)
    record = np.dtype(
        [("fields", ">i2"), ("key_size", ">i4"), ("key", ">i8")]
        + [item for i in range(len(values)) for item in ((f"size{i}", ">i4"), (f"v{i}", ">f8"))]
    )
    rows = np.frombuffer(data[_HEADER_BYTES : len(data) - _TRAILER_BYTES], dtype=record)
    out = np.empty((rows.size, len(values)), dtype=np.float64)
    for i in range(len(values)):
        out[:, i] = rows[f"v{i}"]
    return rows["key"].astype(np.int64), out

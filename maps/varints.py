"""Variable-length integers of the protocol-buffer wire format, whole arrays at a time.

Source: Protocol Buffers encoding, "Base 128 Varints".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Counts = NDArray[np.int64]


def sizes(values: NDArray[np.uint64]) -> Counts:
    """Bytes that each value takes: 1..10.

    >>> sizes(np.array([0, 127, 128, 16384], dtype=np.uint64)).tolist()
    [1, 1, 2, 3]
    """
    out = np.ones(values.shape, dtype=np.int64)
    rest = values >> np.uint64(7)
    while rest.any():
        out += rest > 0
        rest = rest >> np.uint64(7)
    return out


def one(value: int) -> bytes:
    """The bytes of a single value.

    >>> one(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(values: NDArray[np.uint64]) -> tuple[Bytes, Counts]:
    """Bytes of all values one after the other, and how many bytes each took."""
    length = sizes(values)
    starts = np.cumsum(length) - length
    out = np.empty(int(length.sum()), dtype=np.uint8)
    for k in range(int(length.max(initial=0))):
        here = length > k
        part = (values[here] >> np.uint64(7 * k)) & np.uint64(0x7F)
        more = (length[here] > k + 1).astype(np.uint64) << np.uint64(7)
        out[starts[here] + k] = (part | more).astype(np.uint8)
    return out, length


def encode_rows(values: NDArray[np.uint64], per_row: Counts) -> tuple[Bytes, Counts]:
    """Bytes of rows of ``per_row`` values each (``values`` flat), and the bytes of each row."""
    out, length = encode(values)
    upto = np.concatenate([[0], np.cumsum(length)])
    ends = np.cumsum(per_row)
    return out, upto[ends] - upto[ends - per_row]


def zigzag(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Signed values folded into unsigned: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return ((values << 1) ^ (values >> 63)).astype(np.uint64)


def ragged(starts: Counts, lengths: Counts) -> Counts:
    """Positions ``start, start + 1, ...`` of each row, one row after the other.

    >>> ragged(np.array([10, 20]), np.array([2, 3])).tolist()
    [10, 11, 20, 21, 22]
    """
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def interleave(*segments: tuple[Bytes, Counts]) -> tuple[Bytes, Counts]:
    """Rows made of each segment's row, one after the other: row i is segment 1's row i, segment 2's row i, ..."""
    total = np.sum([length for _, length in segments], axis=0)
    at = np.cumsum(total) - total
    out = np.empty(int(total.sum()), dtype=np.uint8)
    for data, length in segments:
        out[ragged(at, length)] = data
        at = at + length
    return out, total

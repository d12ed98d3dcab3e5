"""The two loops of the binary COPY encoder that run once a value; compiled once and kept beside the source."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def _length(out: Any, at: int, value: int) -> None:
    out[at] = (value >> 24) & 255
    out[at + 1] = (value >> 16) & 255
    out[at + 2] = (value >> 8) & 255
    out[at + 3] = value & 255


@numba.njit(cache=True, nogil=True)
def _fixed(out: Any, at: Any, data: Any, valid: Any) -> None:
    width = data.shape[1]
    for row in range(at.shape[0]):
        start = at[row]
        if valid[row]:
            _length(out, start, width)
            for byte in range(width):
                out[start + 4 + byte] = data[row, byte]
        else:
            _length(out, start, -1)


@numba.njit(cache=True, nogil=True)
def _variable(out: Any, at: Any, data: Any, offsets: Any, valid: Any) -> None:
    for row in range(at.shape[0]):
        start = at[row]
        if valid[row]:
            begin = offsets[row]
            length = offsets[row + 1] - begin
            _length(out, start, length)
            for byte in range(length):
                out[start + 4 + byte] = data[begin + byte]
        else:
            _length(out, start, -1)


def write_fixed(
    out: NDArray[np.uint8], at: NDArray[np.int64], data: NDArray[np.uint8], valid: NDArray[np.bool_]
) -> None:
    """Write length and value of a fixed-width column (``data`` rows x width) at the places ``at``."""
    _fixed(out, at, data, valid)


def write_variable(
    out: NDArray[np.uint8],
    at: NDArray[np.int64],
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    valid: NDArray[np.bool_],
) -> None:
    """Write length and value of a variable-width column (``data`` with ``offsets``, rows + 1) at the places ``at``."""
    _variable(out, at, data, offsets, valid)

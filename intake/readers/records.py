"""Split delimited text into records and fields: one compiled pass that knows where every field lies.

Follows RFC 4180 (a field that begins with a quote ends at the next single quote; doubled quotes stand for one;
delimiters and line ends inside are text) and keeps what parsers usually throw away: the physical line each record
begins on, how many fields it really has, and whether its quoting or bytes are broken.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

NUL, STRAY, MULTILINE, BLANK = 1, 2, 4, 8

_QUOTE = 34


@numba.njit(cache=True, nogil=True)
def scan(  # noqa: PLR0912, PLR0915, PLR0917 - one compiled state machine
    buf: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    final: bool,
    delimiter: int,
    eol: int,
    line: int,
    starts: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
    records: npt.NDArray[np.int64],
) -> tuple[int, int, int]:
    """Find the records in ``buf[begin:end]``.

    Fills, per record r: ``starts[r, c]``, ``ends[r, c]`` of its first fields (``ends`` is -1 - end where doubled
    quotes must be halved) and ``records[r]`` = (first byte, byte after, line, number of fields, flags). Stops before
    a record that is not complete unless ``final``; a quote still open at the end then shows as ``STRAY``.
    Returns the number of records, where it stopped, and the line number there.
    """
    count = 0
    position = begin
    wanted = starts.shape[1]
    room = starts.shape[0]
    while position < end and count < room:
        first = position
        first_line = line
        fields = 0
        flags = 0
        content = False
        complete = False
        while True:
            doubled = False
            if position < end and buf[position] == _QUOTE:
                content = True
                position += 1
                field_start = position
                closed = False
                while position < end:
                    byte = buf[position]
                    if byte == _QUOTE:
                        if position + 1 < end and buf[position + 1] == _QUOTE:
                            doubled = True
                            position += 2
                            continue
                        closed = True
                        break
                    if byte == eol:
                        line += 1
                        flags |= MULTILINE
                    elif byte == 0:
                        flags |= NUL
                    position += 1
                field_end = position
                if not closed:
                    if not final:
                        return count, first, first_line
                    flags |= STRAY
                elif position + 1 == end and not final:
                    return count, first, first_line  # the next byte may double this quote
                else:
                    position += 1
                    while position < end and buf[position] != delimiter and buf[position] != eol:
                        if not (buf[position] == 13 and (position + 1 == end or buf[position + 1] == eol)):
                            flags |= STRAY
                        position += 1
            else:
                field_start = position
                while position < end:
                    byte = buf[position]
                    if byte == delimiter or byte == eol:  # noqa: PLR1714, SIM109 - compiled
                        break
                    if byte == 0:
                        flags |= NUL
                    position += 1
                field_end = position
                at_eol = position == end or buf[position] == eol
                if at_eol and eol == 10 and field_end > field_start and buf[field_end - 1] == 13:
                    field_end -= 1
                if field_end > field_start:
                    content = True
            if fields < wanted:
                starts[count, fields] = field_start
                ends[count, fields] = -1 - field_end if doubled else field_end
            fields += 1
            if position >= end:
                if not final:
                    return count, first, first_line
                complete = True
                break
            if buf[position] == delimiter:
                position += 1
                continue
            position += 1  # the line end
            line += 1
            complete = True
            break
        if complete:
            if not content:
                if fields == 1:
                    continue  # an empty line is no record
                flags |= BLANK
            records[count, 0] = first
            records[count, 1] = position
            records[count, 2] = first_line
            records[count, 3] = fields
            records[count, 4] = flags
            count += 1
    return count, position, line


@numba.njit(cache=True, nogil=True)
def _views(  # noqa: PLR0917 - compiled, so no keywords
    buf: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    column: int,
    side: npt.NDArray[np.uint8],
    views: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.uint8],
) -> int:
    """Arrow string views (16 bytes each) of one column; unescaped text goes to ``side``. Returns bytes used there."""
    used = 0
    for i in range(rows.shape[0]):
        row = rows[i]
        start = starts[row, column]
        end = ends[row, column]
        source = 0
        if end < 0:
            end = -1 - end
            place = used
            j = start
            while j < end:
                side[used] = buf[j]
                used += 1
                j += 2 if buf[j] == _QUOTE else 1
            start, end, source = place, used, 1
        size = end - start
        if size == 0:
            continue
        valid[i >> 3] |= np.uint8(1 << (i & 7))
        base = i * 16
        for k in range(4):
            views[base + k] = (size >> (8 * k)) & 0xFF
        data = side if source else buf
        if size <= 12:
            for k in range(size):
                views[base + 4 + k] = data[start + k]
        else:
            for k in range(4):
                views[base + 4 + k] = data[start + k]
                views[base + 8 + k] = (source >> (8 * k)) & 0xFF
                views[base + 12 + k] = (start >> (8 * k)) & 0xFF
    return used


def column(
    buf: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    number: int,
) -> pl.Series:
    """Column ``number`` of the records ``rows`` as a String series, without copying long texts; empty is null."""
    count = len(rows)
    views = np.zeros(count * 16, dtype=np.uint8)
    valid = np.zeros((count + 7) // 8, dtype=np.uint8)
    doubled = ends[rows, number]
    need = (
        int((-1 - doubled[doubled < 0] - starts[rows, number][doubled < 0]).sum())
        if (doubled < 0).any()
        else 0
    )
    side = np.empty(max(need, 1), dtype=np.uint8)
    _views(buf, starts, ends, rows, number, side, views, valid)
    buffers = [pa.py_buffer(valid), pa.py_buffer(views), pa.py_buffer(buf), pa.py_buffer(side)]
    array: Any = pa.Array.from_buffers(pa.string_view(), count, buffers)
    made = pl.from_arrow(array)
    assert isinstance(made, pl.Series)
    return made


def split(record: bytes, delimiter: bytes) -> list[str]:
    """Fields of one broken record as far as they can be told apart, for people to look at.

    >>> split(b'1,"a ""b"", c",x\\r\\n', b",")
    ['1', 'a "b", c', 'x']
    """
    text = record.rstrip(b"\r\n")
    fields: list[str] = []
    position = 0
    while True:
        if text[position : position + 1] == b'"':
            end = position + 1
            while end < len(text):
                if text[end : end + 1] != b'"':
                    end += 1
                elif text[end + 1 : end + 2] == b'"':
                    end += 2
                else:
                    break
            stop = text.find(delimiter, min(end + 1, len(text)))
            stop = len(text) if stop < 0 else stop
            value = text[position + 1 : end].replace(b'""', b'"') + text[end + 1 : stop]
        else:
            stop = text.find(delimiter, position)
            stop = len(text) if stop < 0 else stop
            value = text[position:stop]
        fields.append(value.decode("utf-8", "replace").replace("\0", "\ufffd"))
        if stop >= len(text):
            return fields
        position = stop + 1

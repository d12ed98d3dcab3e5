"""Bytes of a file in chunks, gunzipped on the way; a file cut short is told from one that ends."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from intake.errors import SourceError

CHUNK = 4 * 2**20
_GZIP_MAGIC = b"\x1f\x8b"


def is_gzip(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) == _GZIP_MAGIC


def chunks(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """Pieces of at most about ``size`` bytes of the (decompressed) content.

    Raises ``SourceError`` ``source.truncated`` or ``source.damaged`` for a broken gzip file, with the offset in the
    decompressed text up to which all is well.
    """
    if is_gzip(path):
        yield from _gunzipped(path, size)
        return
    with path.open("rb") as handle:
        while piece := handle.read(size):
            yield piece


def _gunzipped(path: Path, size: int) -> Iterator[bytes]:
    unzip = zlib.decompressobj(wbits=31)
    offset = 0
    fresh = False  # whether the current member has not begun yet
    with path.open("rb") as handle:
        data = b""
        while True:
            data = data or handle.read(size // 4)
            if not data:
                break
            if unzip.eof or fresh:
                data = data.lstrip(b"\0")  # padding between or after members is allowed
                if not data:
                    continue
                unzip = zlib.decompressobj(wbits=31) if unzip.eof else unzip
                fresh = False
            try:
                piece = unzip.decompress(data, size)
            except zlib.error as problem:
                raise SourceError(
                    "source.damaged", file=str(path), offset=offset, detail=str(problem)
                ) from None
            data = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
            offset += len(piece)
            if piece:
                yield piece
    if not unzip.eof:
        raise SourceError("source.truncated", file=str(path), offset=offset)


def samples(path: Path, head: int = 2**20, further: int = 2**18) -> tuple[bytes, list[bytes]]:
    """The beginning of the content, and pieces from its middle and end (of plain files; gzip has no shortcut there).

    A gzip file that breaks inside the head gives what there is: reading it all will tell.
    """
    if is_gzip(path):
        found = b""
        try:
            for piece in _gunzipped(path, head):
                found += piece
                if len(found) >= head:
                    break
        except SourceError:
            if not found:
                raise
        return found[:head], []
    total = path.stat().st_size
    with path.open("rb") as handle:
        first = handle.read(head)
        more: list[bytes] = []
        for place in (total // 2, total - further):
            if place > head:
                handle.seek(place)
                more.append(handle.read(further))
    return first, more


def line_of(path: Path, offset: int, eol: bytes = b"\n") -> int:
    """Number of the line that holds byte ``offset`` of the content, as far as it can be read."""
    line, seen = 1, 0
    try:
        for piece in chunks(path):
            line += piece.count(eol, 0, max(0, min(len(piece), offset - seen)))
            seen += len(piece)
            if seen >= offset:
                break
    except SourceError:
        pass
    return line

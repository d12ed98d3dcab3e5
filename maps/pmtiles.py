"""PMTiles version 3: many small tiles in one file, found by two look-ups in its own directories.

A tile's number follows a Hilbert curve over each zoom, so neighbours lie together; equal tiles are stored once, and a
run of them takes one directory entry. Tiles are gzip-compressed, as is everything else in the file but its header.

Source: PMTiles Version 3 Specification (protomaps/PMTiles, spec/v3/spec.md).
"""

from __future__ import annotations

import gzip
import hashlib
import mmap
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from maps import varints
from maps.errors import BasemapUnreadableError

_HEADER: Final = struct.Struct("<7sB8Q3Q6B4iB2i")
_MAGIC: Final = b"PMTiles"
_GZIP: Final = 2
_MVT: Final = 1
_ROOT_BYTES: Final = 16_384 - _HEADER.size
_LEAF_ENTRIES: Final = 4_096
_LARGEST_DIRECTORY: Final = 64 << 20


def tile_id(z: int, x: int, y: int) -> int:
    """Number of a tile: all tiles of lower zooms, then its place on the Hilbert curve of its own.

    >>> [tile_id(0, 0, 0), tile_id(1, 0, 0), tile_id(1, 0, 1), tile_id(1, 1, 1), tile_id(1, 1, 0), tile_id(2, 0, 0)]
    [0, 1, 2, 3, 4, 5]
    """
    number: int = (4**z - 1) // 3
    step = 1 << z >> 1
    while step:
        right, low = int(x & step > 0), int(y & step > 0)
        number += step * step * ((3 * right) ^ low)
        if not low:
            if right:
                x, y = step - 1 - x, step - 1 - y
            x, y = y, x
        step >>= 1
    return number


@dataclass(frozen=True)
class Entry:
    """``run`` tiles from number ``tile`` on share ``length`` bytes at ``offset``; run 0: a leaf directory there."""

    tile: int
    run: int
    length: int
    offset: int


def _packed(entries: list[Entry]) -> bytes:
    parts = [varints.one(len(entries))]
    parts += [varints.one(b.tile - a) for a, b in zip([0, *(e.tile for e in entries)], entries, strict=False)]
    parts += [varints.one(entry.run) for entry in entries]
    parts += [varints.one(entry.length) for entry in entries]
    expected = -1
    for entry in entries:
        parts.append(varints.one(0 if entry.offset == expected else entry.offset + 1))
        expected = entry.offset + entry.length
    return gzip.compress(b"".join(parts), mtime=0)


def _unpacked(packed: bytes) -> list[Entry]:
    inflater = zlib.decompressobj(wbits=31)
    data = inflater.decompress(packed, _LARGEST_DIRECTORY)
    if not inflater.eof:
        raise ValueError("directory too large or cut short")
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value, shift = 0, 0
    count = values[0]
    if len(values) != 1 + 4 * count:
        raise ValueError("directory does not hold what it says")
    deltas, runs, lengths, offsets = (values[1 + i * count : 1 + (i + 1) * count] for i in range(4))
    entries, tile, after = [], 0, 0
    for delta, run, length, offset in zip(deltas, runs, lengths, offsets, strict=True):
        tile += delta
        start = after if offset == 0 else offset - 1
        entries.append(Entry(tile, run, length, start))
        after = start + length
    return entries


@dataclass(frozen=True)
class Extent:
    """What an archive says of itself: zooms, and bounds as west, south, east, north in degrees."""

    minzoom: int
    maxzoom: int
    bounds: tuple[float, float, float, float]


def write_archive(
    path: Path, tiles: Iterable[tuple[int, int, int, bytes]], extent: Extent, metadata: dict[str, Any]
) -> None:
    """Write gzip-compressed vector tiles (z, x, y, bytes). The bytes depend on nothing but the content."""
    ordered = sorted((tile_id(z, x, y), data) for z, x, y, data in tiles)
    places: dict[bytes, tuple[int, int]] = {}
    blobs: list[bytes] = []
    entries: list[Entry] = []
    size = 0
    for number, data in ordered:
        mark = hashlib.sha256(data).digest()
        if mark not in places:
            places[mark] = (size, len(data))
            blobs.append(data)
            size += len(data)
        offset, length = places[mark]
        last = entries[-1] if entries else None
        if last is not None and last.offset == offset and last.tile + last.run == number:
            entries[-1] = Entry(last.tile, last.run + 1, length, offset)
        else:
            entries.append(Entry(number, 1, length, offset))
    root, leaves = _directories(entries)
    about = gzip.compress(orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS), mtime=0)
    at_about = _HEADER.size + len(root)
    at_leaves = at_about + len(about)
    west, south, east, north = (round(degrees * 1e7) for degrees in extent.bounds)
    header = _HEADER.pack(
        _MAGIC, 3, _HEADER.size, len(root), at_about, len(about), at_leaves, len(leaves), at_leaves + len(leaves), size,
        len(ordered), len(entries), len(blobs), 1, _GZIP, _GZIP, _MVT, extent.minzoom, extent.maxzoom,
        west, south, east, north, extent.minzoom, (west + east) // 2, (south + north) // 2)  # fmt: skip
    with path.open("wb") as file:
        file.writelines([header, root, about, leaves, *blobs])


def _directories(entries: list[Entry]) -> tuple[bytes, bytes]:
    """Root directory and leaf directories; there are leaves only when the root would not fit the first 16 KiB."""
    root = _packed(entries)
    if len(root) <= _ROOT_BYTES:
        return root, b""
    size = _LEAF_ENTRIES
    while True:
        packed, pointers, offset = [], [], 0
        for start in range(0, len(entries), size):
            leaf = _packed(entries[start : start + size])
            pointers.append(Entry(entries[start].tile, 0, len(leaf), offset))
            packed.append(leaf)
            offset += len(leaf)
        root = _packed(pointers)
        if len(root) <= _ROOT_BYTES:
            return root, b"".join(packed)
        size *= 2


class Archive:
    """A PMTiles file open for reading; safe to share between threads.

    Raises ``BasemapUnreadableError`` when the file is not a PMTiles 3 archive of vector tiles or is cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._open()
        except (OSError, ValueError, struct.error, zlib.error, IndexError) as problem:
            raise BasemapUnreadableError(file=str(path), detail=str(problem)) from problem

    def _open(self) -> None:
        head = _HEADER.unpack(self._data[: _HEADER.size])
        if head[0] != _MAGIC or head[1] != 3:
            raise ValueError("not PMTiles version 3")
        (root, root_length, about, about_length, self._leaves, leaves_length, self._tiles, tiles_length) = (
            head[2:10]
        )
        _, inner, tile_compression, kind, minzoom, maxzoom = head[13:19]
        if kind != _MVT or inner != _GZIP or tile_compression not in (1, _GZIP):
            raise ValueError("not vector tiles in gzip")
        if max(root + root_length, self._leaves + leaves_length, self._tiles + tiles_length) > len(
            self._data
        ):
            raise ValueError("file is cut short")
        self.gzip = tile_compression == _GZIP
        west, south, east, north = (value / 1e7 for value in head[19:23])
        self.extent = Extent(minzoom, maxzoom, (west, south, east, north))
        self.metadata: dict[str, Any] = orjson.loads(
            gzip.decompress(self._data[about : about + about_length])
        )
        self._root = _unpacked(self._data[root : root + root_length])
        self._leaf = lru_cache(maxsize=64)(self._read_leaf)

    def _read_leaf(self, offset: int, length: int) -> list[Entry]:
        start = self._leaves + offset
        return _unpacked(self._data[start : start + length])

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """The tile's bytes as stored (compressed when ``gzip``), None where there is none."""
        if not (0 <= z <= self.extent.maxzoom and 0 <= x < 1 << z and 0 <= y < 1 << z):
            return None
        number = tile_id(z, x, y)
        entries = self._root
        for _ in range(4):
            place = bisect_right(entries, number, key=lambda entry: entry.tile) - 1
            if place < 0:
                return None
            entry = entries[place]
            if entry.run:
                if number >= entry.tile + entry.run:
                    return None
                start = self._tiles + entry.offset
                return self._data[start : start + entry.length]
            entries = self._leaf(entry.offset, entry.length)
        return None

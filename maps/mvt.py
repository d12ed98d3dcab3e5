"""Vector tiles: polygons and their attributes as the bytes of a Mapbox Vector Tile layer.

Written in columns: a layer's features share the arrays below and become bytes in a handful of array operations.

Source: Mapbox Vector Tile Specification 2.1 (mapbox/vector-tile-spec).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from maps import varints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EXTENT: Final = 4096
BUFFER: Final = 64
POINT: Final = 1
LINE: Final = 2
POLYGON: Final = 3


@dataclass(frozen=True)
class Shapes:
    """Shapes of a tile as encoded geometry: ``data`` bytes of all, ``lengths`` of each (0 = nothing to draw).

    ``kind`` is one for all or one for each.
    """

    data: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    kind: int | NDArray[np.uint64] = POLYGON

    def take(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Shapes:
        """Only the shapes where ``keep`` is true, or those of the numbers in ``keep`` in their order."""
        starts = np.cumsum(self.lengths) - self.lengths
        chosen = self.lengths[keep]
        kind = self.kind if isinstance(self.kind, int) else self.kind[keep]
        return Shapes(self.data[varints.ragged(starts[keep], chosen)], chosen, kind)


def points(places: NDArray[np.float64]) -> Shapes:
    """One point a shape, from tile coordinates (n, 2)."""
    whole = np.floor(places + 0.5).astype(np.int64)
    values = np.empty((whole.shape[0], 3), dtype=np.uint64)
    values[:, 0] = 9
    values[:, 1:] = varints.zigzag(whole)
    data, lengths = varints.encode_rows(values.ravel(), np.full(whole.shape[0], 3))
    return Shapes(data, lengths, POINT)


def polygons(
    corners: NDArray[np.float64], ring_ends: NDArray[np.int64], ring_shape: NDArray[np.int64], n: int
) -> Shapes:
    """Geometry of ``n`` shapes from tile coordinates.

    ``corners`` (m, 2): tile units, y down, rings one after the other, not closed, exterior rings clockwise on the
    screen. ``ring_ends``: end of each ring in ``corners``. ``ring_shape``: number of the shape each ring belongs to,
    ascending. Points that fall on the one before are dropped, and rings of fewer than three points with them.
    """
    whole = np.floor(corners + 0.5).astype(np.int64)
    ring_of = np.repeat(np.arange(ring_ends.size), np.diff(ring_ends, prepend=0))
    whole, ring_of = _without_repeats(whole, ring_of, ring_ends.size)
    if ring_of.size == 0:
        return Shapes(np.empty(0, dtype=np.uint8), np.zeros(n, dtype=np.int64))
    rings, starts, counts = np.unique(ring_of, return_index=True, return_counts=True)
    shape_of_ring = ring_shape[rings]
    deltas = np.diff(whole, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    opens = starts[np.concatenate([[True], shape_of_ring[1:] != shape_of_ring[:-1]])]
    deltas[opens] = whole[opens]
    values, lengths = _commands(varints.zigzag(deltas), starts, counts)
    data, ring_bytes = varints.encode_rows(values, lengths)
    return Shapes(data, np.bincount(shape_of_ring, weights=ring_bytes, minlength=n).astype(np.int64))


def lines(
    vertices: NDArray[np.float64], line_ends: NDArray[np.int64], line_shape: NDArray[np.int64], n: int
) -> Shapes:
    """Geometry of ``n`` shapes made of lines, from tile coordinates.

    ``vertices`` (m, 2): tile units, y down, lines one after the other. ``line_ends``: end of each line in
    ``vertices``. ``line_shape``: number of the shape each line belongs to, ascending. Points that fall on the one
    before are dropped, and lines of fewer than two points with them.
    """
    whole = np.floor(vertices + 0.5).astype(np.int64)
    line_of = np.repeat(np.arange(line_ends.size), np.diff(line_ends, prepend=0))
    fresh = np.ones(line_of.size, dtype=bool)
    fresh[1:] = (line_of[1:] != line_of[:-1]) | (whole[1:] != whole[:-1]).any(axis=1)
    keep = fresh & (np.bincount(line_of[fresh], minlength=line_ends.size)[line_of] >= 2)
    whole, line_of = whole[keep], line_of[keep]
    if line_of.size == 0:
        return Shapes(np.empty(0, dtype=np.uint8), np.zeros(n, dtype=np.int64), LINE)
    kept, starts, counts = np.unique(line_of, return_index=True, return_counts=True)
    shape_of_line = line_shape[kept]
    deltas = np.diff(whole, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    opens = starts[np.concatenate([[True], shape_of_line[1:] != shape_of_line[:-1]])]
    deltas[opens] = whole[opens]
    values, lengths = _commands(varints.zigzag(deltas), starts, counts, closed=False)
    data, line_bytes = varints.encode_rows(values, lengths)
    return Shapes(data, np.bincount(shape_of_line, weights=line_bytes, minlength=n).astype(np.int64), LINE)


def _without_repeats(
    whole: NDArray[np.int64], ring_of: NDArray[np.int64], rings: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    same = np.zeros(ring_of.size, dtype=bool)
    same[1:] = (ring_of[1:] == ring_of[:-1]) & (whole[1:] == whole[:-1]).all(axis=1)
    first = np.searchsorted(ring_of, np.arange(rings), side="left")
    last = np.searchsorted(ring_of, np.arange(rings), side="right") - 1
    filled = last > first
    closing = last[filled][(whole[last[filled]] == whole[first[filled]]).all(axis=1)]
    same[closing] = True
    counts = np.bincount(ring_of[~same], minlength=rings)
    keep = ~same & (counts[ring_of] >= 3)
    return whole[keep], ring_of[keep]


def _commands(
    folded: NDArray[np.uint64], starts: NDArray[np.int64], counts: NDArray[np.int64], *, closed: bool = True
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Command integers of each ring or line: MoveTo 1, LineTo n-1, and ClosePath where ``closed``."""
    lengths = 2 * counts + 2 + closed
    at = np.cumsum(lengths) - lengths
    out = np.empty(int(lengths.sum()), dtype=np.uint64)
    place = varints.ragged(at + 2, 2 * counts)
    first = np.zeros(int(counts.sum()), dtype=bool)
    first[np.cumsum(counts) - counts] = True
    place = place - np.repeat(first, 2)
    out[place] = folded[varints.ragged(starts, counts)].ravel()
    out[at] = 9
    out[at + 3] = ((counts - 1).astype(np.uint64) << np.uint64(3)) | np.uint64(2)
    if closed:
        out[at + lengths - 1] = 15
    return out, lengths


@dataclass(frozen=True)
class Column:
    """One attribute: an index into ``table`` of encoded values for each feature, -1 where it has none."""

    name: str
    index: NDArray[np.int64]
    table: bytes
    size: int


def numbers(name: str, values: NDArray[np.float64], present: NDArray[np.bool_]) -> Column:
    """A number for each feature where ``present``: whole numbers as integers, others as doubles."""
    distinct, inverse = np.unique(values[present], return_inverse=True)
    index = np.full(values.size, -1, dtype=np.int64)
    index[present] = inverse
    table = b"".join(_field(4, _number(value)) for value in distinct.tolist())
    return Column(name, index, table, distinct.size)


def flags(name: str, on: NDArray[np.bool_], *, zero: bool = False) -> Column:
    """1 where ``on``; elsewhere nothing, or 0 when ``zero``."""
    table = _field(4, _number(1)) + (_field(4, _number(0)) if zero else b"")
    return Column(name, np.where(on, 0, 1 if zero else -1).astype(np.int64), table, 1 + zero)


def texts(name: str, values: Sequence[str | None]) -> Column:
    """A text for each feature; None leaves it out."""
    places: dict[str, int] = {}
    index = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
    table = b"".join(
        _field(4, b"\x0a" + varints.one(len(raw)) + raw) for raw in (text.encode() for text in places)
    )
    return Column(name, np.array(index, dtype=np.int64), table, len(places))


def hex_texts(name: str, values: NDArray[np.uint64]) -> Column:
    """The value in 15 hexadecimal digits (an H3 index) for each feature; values are distinct."""
    shifts = np.arange(56, -4, -4, dtype=np.uint64)
    digits = ((values[:, None] >> shifts) & np.uint64(0xF)).astype(np.uint8)
    rows = np.empty((values.size, 19), dtype=np.uint8)
    rows[:, :4] = (0x22, 17, 0x0A, 15)
    rows[:, 4:] = np.where(digits < 10, digits + ord("0"), digits + (ord("a") - 10))
    return Column(name, np.arange(values.size, dtype=np.int64), rows.tobytes(), values.size)


def layer(name: str, shapes: Shapes, ids: NDArray[np.uint64], columns: Sequence[Column]) -> bytes:
    """One layer of a tile; empty bytes when there is nothing to draw.

    ``ids``: identifier of each feature, below 2**53 so that a browser reads it exactly.
    """
    drawn = shapes.lengths > 0
    if not drawn.any():
        return b""
    if not drawn.all():
        shapes = shapes.take(drawn)
        ids = ids[drawn]
        columns = [Column(c.name, c.index[drawn], c.table, c.size) for c in columns]
    tags, tag_lengths = (
        _tags(columns) if columns else (np.empty(0, dtype=np.uint8), np.zeros(ids.size, dtype=np.int64))
    )
    head = b"\x78\x02" + b"\x0a" + varints.one(len(name.encode())) + name.encode()
    keys = b"".join(b"\x1a" + varints.one(len(c.name)) + c.name.encode() for c in columns)
    body = b"".join(
        [
            head,
            _features(shapes, ids, tags, tag_lengths),
            keys,
            *(c.table for c in columns),
            b"\x28" + varints.one(EXTENT),
        ]
    )
    return b"\x1a" + varints.one(len(body)) + body


def _tags(columns: Sequence[Column]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    bases = np.cumsum([0, *(c.size for c in columns)])
    index = np.stack([c.index for c in columns], axis=1)
    present = index >= 0
    pairs = np.empty((*index.shape, 2), dtype=np.uint64)
    pairs[..., 0] = np.arange(len(columns))
    pairs[..., 1] = index + bases[: len(columns)]
    return varints.encode_rows(pairs[present].ravel(), 2 * present.sum(axis=1))


def _features(
    shapes: Shapes, ids: NDArray[np.uint64], tags: NDArray[np.uint8], tag_lengths: NDArray[np.int64]
) -> bytes:
    """All features: each is field 2 of the layer, with id, tags, type and geometry inside."""
    n = ids.size
    tags_size = tag_lengths.astype(np.uint64)
    shape_size = shapes.lengths.astype(np.uint64)
    inside = (
        varints.sizes(ids)
        + varints.sizes(tags_size)
        + tag_lengths
        + varints.sizes(shape_size)
        + shapes.lengths
        + 5
    ).astype(np.uint64)
    fixed = np.full(n, 1, dtype=np.uint64)
    first = np.stack([fixed * 0x12, inside, fixed * 0x08, ids, fixed * 0x12, tags_size], axis=1)
    second = np.stack([fixed * 0x18, fixed * shapes.kind, fixed * 0x22, shape_size], axis=1)
    out, _ = varints.interleave(
        varints.encode_rows(first.ravel(), np.full(n, 6)),
        (tags, tag_lengths),
        varints.encode_rows(second.ravel(), np.full(n, 4)),
        (shapes.data, shapes.lengths),
    )
    return out.tobytes()


def _number(value: float) -> bytes:
    if float(value).is_integer() and abs(value) < 2**53:
        whole = int(value)
        return b"\x28" + varints.one(whole) if whole >= 0 else b"\x30" + varints.one((-whole << 1) - 1)
    return b"\x19" + struct.pack("<d", value)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varints.one(len(content)) + content

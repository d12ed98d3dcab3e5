"""The hatch that marks withheld figures, as a small image."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

import numpy as np

from maps.palettes import rgb

SIZE: Final = 8


def hatch_image(colour: str) -> str:
    """Data address of a transparent 8 x 8 PNG with one diagonal line that tiles without a seam.

    >>> hatch_image("#9b9b97")[:22]
    'data:image/png;base64,'
    """
    pixels = np.zeros((SIZE, SIZE, 4), dtype=np.uint8)
    row, column = np.indices((SIZE, SIZE))
    offset = (row + column) % SIZE
    pixels[..., :3] = rgb(colour)
    pixels[..., 3] = np.select([offset == 0, (offset == 1) | (offset == SIZE - 1)], [255, 110], 0)
    raw = b"".join(b"\x00" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(raw))
        + _chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

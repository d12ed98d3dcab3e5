"""The map library that a one-file map carries inside: Leaflet 1.9.4, kept beside this module with its licence.

The files are those of the npm package leaflet 1.9.4, unchanged (BSD-2-Clause); a test holds their checksums.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import Final

from maps.errors import LeafletMissingError

FOLDER: Final = Path(__file__).parent / "assets" / "leaflet"
SHA256: Final = {
    "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
    "layers.png": "1dbbe9d028e292f36fcba8f8b3a28d5e8932754fc2215b9ac69e4cdecf5107c6",
}


def _read(name: str) -> bytes:
    try:
        return (FOLDER / name).read_bytes()
    except FileNotFoundError as missing:
        raise LeafletMissingError(file=str(FOLDER / name)) from missing


@cache
def script() -> str:
    """The library's code, without the address of its source map. Raises LeafletMissingError."""
    return re.sub(r"\n//# sourceMappingURL=.*", "", _read("leaflet.js").decode())


@cache
def stylesheet() -> str:
    """The library's style sheet with its one needed image inside; the others are left out."""
    image = "data:image/png;base64," + base64.b64encode(_read("layers.png")).decode()
    style = _read("leaflet.css").decode().replace("url(images/layers.png)", f"url({image})")
    style = style.replace("url(images/layers-2x.png)", f"url({image})")
    return re.sub(r"(background-image|behavior):\s*url\((images/[^)]*|#default#VML)\);", "", style)

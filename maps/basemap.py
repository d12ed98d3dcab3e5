"""The city's own basemap: vector tiles from a PMTiles file of the demo city or of the city itself.

Layers the app draws: ``landuse`` {class}, ``water``, ``roads`` {class}, ``buildings`` and
``labels`` {name, name_en, rank}.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from maps.pmtiles import Archive

_archives: dict[Path, tuple[tuple[int, int], Archive]] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Facts:
    """Zooms, bounds (west, south, east, north), whether tiles are stored gzip-compressed, names of the layers."""

    minzoom: int
    maxzoom: int
    bounds: tuple[float, float, float, float]
    gzip: bool
    layers: tuple[str, ...]


def archive(path: Path) -> Archive:
    """The archive at ``path``, kept open; opened anew when the file has been replaced.

    Raises ``BasemapUnreadableError`` when there is none or it is not a PMTiles archive of vector tiles.
    """
    try:
        found = path.stat()
    except OSError:
        return Archive(path)
    mark = (found.st_mtime_ns, found.st_size)
    with _lock:
        kept = _archives.get(path)
        if kept is None or kept[0] != mark:
            kept = (mark, Archive(path))
            _archives[path] = kept
    return kept[1]


def facts(path: Path) -> Facts:
    """What the app must know of a basemap before it asks for tiles."""
    opened = archive(path)
    layers = tuple(layer["id"] for layer in opened.metadata.get("vector_layers", []))
    return Facts(opened.extent.minzoom, opened.extent.maxzoom, opened.extent.bounds, opened.gzip, layers)


def tile(path: Path, z: int, x: int, y: int) -> bytes | None:
    """A tile as stored (see ``Facts.gzip`` for the Content-Encoding to send), None where the map is empty."""
    return archive(path).tile(z, x, y)

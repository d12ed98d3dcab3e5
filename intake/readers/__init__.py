"""One module a format; which one reads a file is decided by the file's first bytes, then by its name."""

from __future__ import annotations

from pathlib import Path

from intake.errors import SourceError
from intake.reader import SourceReader

SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".gz",
    ".xlsx",
    ".xls",
    ".gpkg",
    ".geojson",
    ".json",
    ".shp",
    ".zip",
    ".parquet",
)


def reader_for(path: Path) -> type[SourceReader]:
    """The reader class for ``path``. Raises ``SourceError`` for an empty file or an unknown format."""
    from intake.readers.text import TextReader

    with path.open("rb") as handle:
        head = handle.read(4096)
    if not head:
        raise SourceError("source.empty", file=str(path))
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt", ".gz"):
        return TextReader
    raise SourceError("source.unknown_format", file=str(path), allowed=list(SUFFIXES))

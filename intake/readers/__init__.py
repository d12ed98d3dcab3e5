"""One module a format; which one reads a file is decided by the file's first bytes, then by its name."""

from __future__ import annotations

import zipfile
from importlib import import_module
from pathlib import Path

from intake.errors import SourceError
from intake.reader import SourceReader

FORMATS = ("csv", "tsv", "txt", "csv.gz", "xlsx", "xls", "gpkg", "geojson", "shp", "parquet", "zip")

_EXCEL, _TEXT, _ZIP = "excel.ExcelReader", "text.TextReader", "archive.ZipReader"
_PARQUET, _GEOJSON = "parquet.ParquetReader", "spatial.GeoJsonReader"
_GEOPACKAGE, _SHAPEFILE = "spatial.GeoPackageReader", "spatial.ShapefileReader"

_BY_FIRST_BYTES = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": _EXCEL,  # the old xls, and xlsx with a password
    b"PAR1": _PARQUET,
    b"SQLite format 3\0": _GEOPACKAGE,
    b"\0\0\x27\x0a": _SHAPEFILE,
    b"\x1f\x8b": _TEXT,
}
_BY_SUFFIX = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ".tab", ".dat"), _TEXT),
    **dict.fromkeys((".geojson", ".json", ".geojsonl"), _GEOJSON),
    **dict.fromkeys((".xlsx", ".xlsm"), _EXCEL),
    ".gpkg": _GEOPACKAGE,
    ".shp": _SHAPEFILE,
    ".parquet": _PARQUET,
}


def reader_for(path: Path) -> type[SourceReader]:
    """The reader class for ``path``. Raises ``SourceError`` for an empty file or an unknown format."""
    with path.open("rb") as handle:
        head = handle.read(4096)
    if not head:
        raise SourceError("source.empty", file=str(path))
    found = _by_content(head, path) or _by_name(head, path.suffix.lower())
    if found is None:
        raise SourceError("source.unknown_format", file=str(path), allowed=list(FORMATS))
    module, name = found.split(".")  # imported when needed: a CSV file needs no GDAL
    reader: type[SourceReader] = getattr(import_module(f"intake.readers.{module}"), name)
    return reader


def _by_content(head: bytes, path: Path) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        return _EXCEL if path.suffix.lower() != ".zip" and _is_workbook(path) else _ZIP
    return next((reader for first, reader in _BY_FIRST_BYTES.items() if head.startswith(first)), None)


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return path.suffix.lower() in (".xlsx", ".xlsm")


def _by_name(head: bytes, suffix: str) -> str | None:
    if suffix == ".xls" and b"<" not in head[:200]:
        return _TEXT  # tab-separated text that was named .xls, as old programs export it
    return _BY_SUFFIX.get(suffix)

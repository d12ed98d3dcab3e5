"""One module a format; which one reads a file is decided by the file's first bytes, then by its name."""

from __future__ import annotations

from pathlib import Path

from intake.errors import SourceError
from intake.reader import SourceReader

FORMATS = (
    "csv", "tsv", "txt", "csv.gz", "xlsx", "xls", "gpkg", "geojson", "shp", "parquet", "zip",
)  # fmt: skip
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def reader_for(path: Path) -> type[SourceReader]:
    """The reader class for ``path``. Raises ``SourceError`` for an empty file or an unknown format."""
    with path.open("rb") as handle:
        head = handle.read(4096)
    if not head:
        raise SourceError("source.empty", file=str(path))
    suffix = path.suffix.lower()
    found = _by_content(head, suffix, path) or _by_name(head, suffix)
    if found is None:
        raise SourceError("source.unknown_format", file=str(path), allowed=list(FORMATS))
    return found


def _by_content(head: bytes, suffix: str, path: Path) -> type[SourceReader] | None:
    from intake.readers.archive import ZipReader
    from intake.readers.excel import ExcelReader
    from intake.readers.parquet import ParquetReader
    from intake.readers.spatial import GeoPackageReader, ShapefileReader
    from intake.readers.text import TextReader

    if head.startswith(b"PK\x03\x04"):
        return ZipReader if suffix == ".zip" or not _is_workbook(path) else ExcelReader
    if head.startswith(_OLE):
        return ExcelReader
    if head.startswith(b"PAR1"):
        return ParquetReader
    if head.startswith(b"SQLite format 3\0"):
        return GeoPackageReader
    if head.startswith(b"\0\0\x27\x0a"):
        return ShapefileReader
    return TextReader if head.startswith(b"\x1f\x8b") else None


def _is_workbook(path: Path) -> bool:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return path.suffix.lower() in (".xlsx", ".xlsm")


def _by_name(head: bytes, suffix: str) -> type[SourceReader] | None:
    from intake.readers.excel import ExcelReader
    from intake.readers.parquet import ParquetReader
    from intake.readers.spatial import GeoJsonReader, GeoPackageReader, ShapefileReader
    from intake.readers.text import TextReader

    by_suffix: dict[str, type[SourceReader]] = {
        ".xlsx": ExcelReader, ".xlsm": ExcelReader, ".gpkg": GeoPackageReader, ".shp": ShapefileReader,
        ".parquet": ParquetReader, ".geojson": GeoJsonReader, ".json": GeoJsonReader, ".geojsonl": GeoJsonReader,
        ".csv": TextReader, ".tsv": TextReader, ".txt": TextReader, ".tab": TextReader, ".dat": TextReader,
    }  # fmt: skip
    if suffix == ".xls" and b"<" not in head[:200]:
        return TextReader  # tab-separated text that was named .xls, as old programs export it
    return by_suffix.get(suffix)

"""Zip archives: guarded against bombs before anything of them is trusted, and as a wrapping around other formats."""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import polars as pl

from intake.errors import SourceError
from intake.reader import Limits, ReaderOptions, SourceReader

_PIECE = 2**20
_SMALL = 8 * 2**20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)
DATA_SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".gpkg", ".geojson", ".json", ".shp", ".parquet")


def unpacked(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits
) -> Iterator[bytes]:
    """The member's content in pieces, counted: an archive may lie about its sizes."""
    seen = 0
    try:
        with archive.open(member) as handle:
            while piece := handle.read(_PIECE):
                seen += len(piece)
                _refuse_bomb(path, member, seen, limits)
                yield piece
    except _BROKEN as problem:
        raise SourceError(file=str(path), detail=f"{member.filename}: {problem}") from None


def _refuse_bomb(path: Path, member: zipfile.ZipInfo, size: int, limits: Limits) -> None:
    ratio = size // max(member.compress_size, 1)
    if size > limits.archive_bytes or (size > _SMALL and ratio > limits.archive_ratio):
        raise SourceError(
            "source.archive_bomb", file=str(path), member=member.filename, bytes=size, ratio=ratio
        )


def open_archive(path: Path, limits: Limits) -> zipfile.ZipFile:
    """Open ``path`` after a look at what its directory claims. Raises ``SourceError``."""
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as problem:
        raise SourceError(file=str(path), detail=str(problem)) from None
    try:
        _check_directory(path, archive, limits)
    except SourceError:
        archive.close()
        raise
    return archive


def _check_directory(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > limits.archive_members or total > limits.archive_bytes:
        raise SourceError(
            "source.archive_bomb", file=str(path), member=f"{len(members)} files", bytes=total,
            ratio=total // max(path.stat().st_size, 1),
        )  # fmt: skip
    for member in members:
        _refuse_bomb(path, member, member.file_size, limits)
        if member.flag_bits & 1:
            raise SourceError("source.password", file=str(path))


@numba.njit(cache=True, nogil=True)
def _extent(data: npt.NDArray[np.uint8], begin: int, extent: npt.NDArray[np.int64]) -> None:
    """Largest row and column among the cells with content (`` r="AB12"`` in a tag that is not self-closed)."""
    n = len(data)
    i = begin
    while i + 4 < n:
        if not (data[i] == 32 and data[i + 1] == 114 and data[i + 2] == 61 and data[i + 3] == 34):
            i += 1
            continue
        i += 4
        column = 0
        while i < n and 65 <= data[i] <= 90 and column < 20_000:
            column = column * 26 + data[i] - 64
            i += 1
        row = 0
        while i < n and 48 <= data[i] <= 57 and row < 10_000_000:
            row = row * 10 + data[i] - 48
            i += 1
        if column == 0:
            continue  # a <row>
        end = i
        while end < n and data[end] != 62:
            end += 1
        if end < n and data[end - 1] == 47:
            continue  # only a format
        extent[0] = max(extent[0], row)
        extent[1] = max(extent[1], column)


def check_workbook(path: Path, limits: Limits) -> None:
    """Read an xlsx through once, keeping nothing: sizes, and how far out its sheets reach.

    Parsers lay a sheet out as a full rectangle, so one cell in the last corner costs as much as a bomb.
    """
    with open_archive(path, limits) as archive:
        total = 0
        for member in archive.infolist():
            sheet = re.fullmatch(r"xl/worksheets/[^/]+\.xml", member.filename)
            extent = np.zeros(2, dtype=np.int64)
            carry = b""
            for piece in unpacked(path, archive, member, limits):
                total += len(piece)
                _refuse_bomb(path, member, total if total > limits.archive_bytes else 0, limits)
                if sheet:
                    whole = carry + piece
                    _extent(np.frombuffer(whole, dtype=np.uint8), 0, extent)
                    carry = whole[-256:]
            rows, columns = int(extent[0]), int(extent[1])
            if rows * columns > limits.sheet_cells:
                raise SourceError(
                    "source.sheet_too_large", file=str(path), sheet=member.filename, rows=rows, columns=columns,
                    limit=limits.sheet_cells,
                )  # fmt: skip


class ZipReader(SourceReader):
    """A zip archive around one source (a zipped shapefile, most often), unpacked into a temporary folder."""

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        from intake.readers import reader_for

        super().__init__(path, options)
        self._folder = tempfile.TemporaryDirectory(prefix="hexward-zip-")
        try:
            chosen = self._unpack(options)
            self._inner = reader_for(chosen)(chosen, options)
        except SourceError as problem:
            self._folder.cleanup()
            problem.params["file"] = str(path)
            raise
        inner = self._inner
        self.format, self.headers, self.encoding = f"zip+{inner.format}", inner.headers, inner.encoding
        self.crs, self.has_geometry, self.warnings = inner.crs, inner.has_geometry, inner.warnings

    def _unpack(self, options: ReaderOptions) -> Path:
        folder = Path(self._folder.name)
        found: dict[str, Path] = {}
        with open_archive(self.path, options.limits) as archive:
            for member in archive.infolist():
                name = re.sub(r"[^\w.-]", "_", member.filename.rsplit("/", 1)[-1])
                if (
                    member.is_dir()
                    or not name
                    or name.startswith((".", "__"))
                    or "__MACOSX" in member.filename
                ):
                    continue
                target = folder / name
                with target.open("wb") as handle:
                    for piece in unpacked(self.path, archive, member, options.limits):
                        handle.write(piece)
                if target.suffix.lower() in DATA_SUFFIXES:
                    found[member.filename] = target
        named = {n: t for n, t in found.items() if options.layer in (None, n, t.name, t.stem)}
        if not found:
            raise SourceError("source.unknown_format", file=str(self.path), allowed=list(DATA_SUFFIXES))
        if len(named) != 1:
            code = "source.choose_layer" if named else "source.no_such_layer"
            raise SourceError(code, file=str(self.path), value=options.layer, allowed=list(found))
        return next(iter(named.values()))

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        yield from self._inner.batches(rows)
        self.warnings, self.encoding = self._inner.warnings, self._inner.encoding

    def close(self) -> None:
        self._inner.close()
        self._folder.cleanup()

"""One way to read every format: open a source, look at its headers, take its rows in batches.

Example
-------
>>> import tempfile, pathlib
>>> file = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
>>> _ = file.write_bytes("编号,姓名\\n1,王芳\\n\\n2,李伟\\n".encode("gb18030"))
>>> with open_source(file) as reader:
...     reader.headers, reader.encoding
...     [batch.rows() for batch in reader.batches()]
(['编号', '姓名'], 'GB18030')
[[('1', '王芳', 2, None, None), ('2', '李伟', 4, None, None)]]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from intake.city import Source
from intake.errors import SourceError, SourceNotFound
from intake.masking import mask_numbers, masked

LINE = "__line"
"""Int64: first physical line of the record in the file (text), sheet row (Excel), feature number (others); from 1."""
FAULT = "__fault"
"""String: reason code for a record that is broken as such (wrong number of fields, NUL byte), else null."""
REST = "__rest"
"""String: JSON of what ``FAULT`` needs: fields beyond the last column, numbers found and expected."""
WKB = "__wkb"
"""Binary: geometry of spatial formats, in the file's own coordinates (``SourceReader.crs``)."""
FILE = "__file"
"""String: name of the file, only where a source consists of several."""

MARKS = (LINE, FAULT, REST, WKB, FILE)

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What no honest file exceeds; beyond it a source is refused before memory is spent on it."""

    cell_bytes: int = 8 * MIB
    record_bytes: int = 32 * MIB
    columns: int = 5_000
    sheet_cells: int = 24_000_000
    archive_bytes: int = 2_048 * MIB
    archive_ratio: int = 250
    archive_members: int = 10_000


@dataclass(frozen=True)
class ReaderOptions:
    """How to read, as far as somebody said so; None means: find out."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | int | None = None
    layer: str | None = None
    header_rows: int | None = None
    skip_rows: int = 0
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, source: Source) -> Self:
        """The options a city.toml states for ``source``."""
        return cls(
            encoding=source.encoding,
            delimiter=source.delimiter,
            sheet=source.sheet,
            layer=source.layer,
            header_rows=source.header_rows,
            skip_rows=source.skip_rows,
        )


class SourceReader(ABC):
    """One opened source.

    ``headers``: the columns' names as a person reads them, made unique. ``encoding``: of text formats.
    ``crs``: what the file itself declares, e.g. ``EPSG:4326``. ``warnings``: mappings with a ``code`` and its
    parameters, complete after the last batch.
    """

    format: str = ""

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        self.path = path
        self.options = options
        self.headers: list[str] = []
        self.encoding: str | None = None
        self.crs: str | None = None
        self.has_geometry = False
        self.warnings: list[dict[str, Any]] = []

    @abstractmethod
    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        """Frames of about ``rows`` records: one String column per header, then ``LINE``, ``FAULT``, ``REST``
        and, with geometry, ``WKB``. Raises ``SourceError`` naming file and place."""

    def warn(self, code: str, **params: Any) -> None:
        shown = {
            name: mask_numbers(value) if isinstance(value, str) else value for name, value in params.items()
        }
        self.warnings.append({"code": code, **shown})

    def close(self) -> None:  # noqa: B027 - most readers hold nothing between batches
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(
    paths: Path | str | Sequence[Path | str], options: ReaderOptions | None = None
) -> SourceReader:
    """Open one file, or several of the same columns as one source.

    Raises ``SourceNotFound`` and ``SourceError`` (empty, unknown format, unreadable, truncated, too large).
    """
    options = options or ReaderOptions()
    several = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not several:
        raise SourceError("source.no_files")
    for path in several:
        if not path.is_file():
            raise SourceNotFound(file=str(path))
    if len(several) == 1:
        return _open_one(several[0], options)
    return _ManyReader([_open_one(path, options) for path in several], options)


def _open_one(path: Path, options: ReaderOptions) -> SourceReader:
    from intake.readers import reader_for

    return reader_for(path)(path, options)


class _ManyReader(SourceReader):
    """Several files with the same columns, in any order of columns."""

    def __init__(self, parts: list[SourceReader], options: ReaderOptions) -> None:
        super().__init__(parts[0].path, options)
        self.parts = parts
        first = parts[0]
        self.format, self.headers = first.format, first.headers
        self.encoding, self.crs, self.has_geometry = first.encoding, first.crs, first.has_geometry
        for part in parts[1:]:
            missing = [header for header in first.headers if header not in part.headers]
            more = [header for header in part.headers if header not in first.headers]
            if missing or more or part.crs != first.crs:
                raise SourceError(
                    "source.files_differ",
                    file=str(part.path),
                    first=str(first.path),
                    missing=masked(missing),
                    more=masked(more),
                )

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        for part in self.parts:
            marks = [LINE, FAULT, REST, *([WKB] if self.has_geometry else [])]
            for batch in part.batches(rows):
                named = batch.select(*self.headers, *marks)
                yield named.with_columns(pl.lit(part.path.name).alias(FILE))
            self.warnings += [{**warning, "file": part.path.name} for warning in part.warnings]

    def close(self) -> None:
        for part in self.parts:
            part.close()


def with_limits(options: ReaderOptions, **limits: int) -> ReaderOptions:
    """``options`` with other limits, e.g. ``with_limits(options, cell_bytes=1024)``."""
    return replace(options, limits=replace(options.limits, **limits))

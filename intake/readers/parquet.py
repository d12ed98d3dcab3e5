"""Parquet and GeoParquet, streamed by row groups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from intake.errors import SourceError
from intake.reader import WKB, ReaderOptions, SourceReader
from intake.readers.frames import as_text, marked
from intake.readers.headers import name_columns


class ParquetReader(SourceReader):
    """A Parquet file; with GeoParquet metadata its primary geometry too. Lines are row numbers from 1."""

    format = "parquet"

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        super().__init__(path, options)
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as problem:
            raise SourceError(file=str(path), detail=str(problem)[:300]) from None
        if not self._file.metadata.num_rows:
            raise SourceError("source.header_only", file=str(path))
        self._geometry = self._geo()
        self._fields = [name for name in self._file.schema_arrow.names if name != self._geometry]
        self.headers, renamed = name_columns([self._fields], len(self._fields))
        for old, new in renamed:
            self.warn("header_renamed", header=old, name=new)

    def _geo(self) -> str | None:
        """Name of the primary geometry column, by the GeoParquet specification 1.1."""
        raw = (self._file.schema_arrow.metadata or {}).get(b"geo")
        if raw is None:
            return None
        meta: dict[str, Any] = json.loads(raw)
        name = str(meta["primary_column"])
        column = meta["columns"][name]
        if column.get("encoding") != "WKB":
            raise SourceError(
                file=str(self.path), detail=f"GeoParquet encoding {column.get('encoding')}, not WKB"
            )
        crs = column.get("crs", {"id": {"authority": "OGC", "code": "CRS84"}})
        identity = (crs or {}).get("id")
        self.crs = f"{identity['authority']}:{identity['code']}" if identity else None
        self.has_geometry = True
        return name

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        number = 1
        try:
            for batch in self._file.iter_batches(batch_size=rows):
                yield self._frame(batch, number)
                number += batch.num_rows
        except (pa.ArrowException, OSError) as problem:
            detail = str(problem)[:300]
            raise SourceError(
                "source.broken_after", file=str(self.path), line=number - 1, detail=detail
            ) from None

    def _frame(self, batch: Any, number: int) -> pl.DataFrame:
        columns = [
            as_text(_series(batch.column(field))).alias(header)
            for field, header in zip(self._fields, self.headers, strict=True)
        ]
        shapes = [_series(batch.column(self._geometry)).cast(pl.Binary).alias(WKB)] if self._geometry else []
        return marked(columns, number, shapes)

    def close(self) -> None:
        self._file.close()


def _series(array: Any) -> pl.Series:
    plain = array.storage if isinstance(array.type, pa.BaseExtensionType) else array
    made = pl.from_arrow(plain)
    assert isinstance(made, pl.Series)
    return made

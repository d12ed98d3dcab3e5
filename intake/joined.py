"""A key that a source spreads over several columns, as one column more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from intake.errors import MappingError
from intake.reader import SourceReader

BETWEEN = "-"


class JoinedReader(SourceReader):
    """``reader`` with a column for each entry of ``joined``: its parts, in order, with a hyphen between them.

    A part that is empty makes the whole empty. Raises MappingError for a part that is no column.
    """

    def __init__(self, reader: SourceReader, joined: Mapping[str, Sequence[str]]) -> None:
        super().__init__(reader.path, reader.options)
        self.inner, self.joined = reader, dict(joined)
        missing = [part for parts in joined.values() for part in parts if part not in reader.headers]
        if missing:
            problems = [
                {
                    "code": "columns.no_such_header",
                    "field": name,
                    "header": part,
                    "candidates": reader.headers,
                }
                for name, parts in joined.items()
                for part in parts
                if part in missing
            ]
            raise MappingError(file=str(reader.path), problems=problems)
        self.format, self.encoding, self.crs = reader.format, reader.encoding, reader.crs
        self.has_geometry, self.warnings = reader.has_geometry, reader.warnings
        self.headers = [*(header for header in reader.headers if header not in joined), *joined]

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        """The inner reader's batches with the joined columns put after its own."""
        for batch in self.inner.batches(rows):
            made = [
                pl.concat_str([pl.col(part).str.strip_chars() for part in parts], separator=BETWEEN).alias(
                    name
                )
                for name, parts in self.joined.items()
            ]
            whole = batch.with_columns(made)
            marks = [name for name in batch.columns if name not in self.inner.headers]
            yield whole.select(*self.headers, *marks)

    def close(self) -> None:
        """Close the inner reader."""
        self.inner.close()

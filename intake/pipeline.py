"""From an opened source to typed rows, and to rejected rows with their reasons.

Example
-------
>>> import tempfile, pathlib
>>> from intake.reader import open_source
>>> from intake.schema import Field
>>> file = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
>>> _ = file.write_text("编号,出生日期\\n1,1990-05-01\\n2,1990-02-30\\n1,1991-01-01\\n")
>>> fields = (Field("key", synonyms=("编号",)), Field("born", "date", synonyms=("出生日期",)))
>>> schema = Schema("persons", fields, key=("key",))
>>> reading = read_validated(open_source(file), schema, Source(name="people", kind="persons", file="people.csv"))
>>> [(b.accepted.rows(), b.rejected.select("line", "field", "reason").rows()) for b in reading]
[([('1', datetime.date(1990, 5, 1), 2)], [(3, 'born', 'impossible_date'), (4, 'key', 'duplicate_key')])]
>>> reading.rows_read, reading.rows_accepted, reading.rows_rejected
(3, 1, 2)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import polars as pl

from grid.datum import Datum, UnknownDatumError
from intake.city import Source
from intake.columns import ColumnMapping, match_columns
from intake.coordinates import Bounds, effective_datum
from intake.errors import DatumMissing
from intake.findings import REJECTED
from intake.masking import masked
from intake.reader import SourceReader
from intake.reread import rows_as_read
from intake.schema import Schema
from intake.validation import Validator

__all__ = ["REJECTED", "Batch", "Reading", "read_validated"]

_MANY = 10


@dataclass(frozen=True)
class Batch:
    """A slice of a source after validation.

    ``accepted``: one typed column per field of the schema, mapped or not (``lng``/``lat``/``geometry`` in WGS84
    degrees, geometry as WKB), plus ``__line`` (and ``__file`` where a source has several). ``rejected``: see
    ``REJECTED``. ``read`` = accepted + rejected.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def read(self) -> int:
        return self.accepted.height + self.rejected.height


class Reading(Iterator[Batch]):
    """The batches of one source, counted while they pass."""

    def __init__(self, reader: SourceReader, validator: Validator, mapping: ColumnMapping, rows: int) -> None:
        self.reader, self.mapping, self.datum = reader, mapping, validator.datum
        self.rows_read = self.rows_accepted = self.rows_rejected = 0
        self._validator = validator
        self._batches = reader.batches(rows)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        accepted, rejected = self._validator.validate(next(self._batches))
        self.rows_accepted += accepted.height
        self.rows_rejected += rejected.height
        self.rows_read += accepted.height + rejected.height
        return Batch(accepted, rejected)

    def as_read(self, rejected: pl.DataFrame) -> pl.DataFrame:
        """``rejected`` (by a domain, after typing) with ``row`` and ``value`` as they are in the file.

        Reads the file once more. A line that several files have is told apart by its value; where that fails, the row
        stays as the domain gave it.
        """
        return rows_as_read(self.reader, self.mapping, rejected)

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected rows so far by reason."""
        return dict(self._validator.reasons)

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """Warnings so far; complete after the last batch."""
        found = list(self.reader.warnings)
        if self.mapping.unused:
            found.append({"code": "columns_unused", "headers": masked(self.mapping.unused)})
        declared = self.reader.crs
        if self.datum is not None and declared is not None and _datum_of(declared) != self.datum:
            found.append({"code": "crs_disagrees", "declared": declared, "datum": self.datum.key})
        for reason, code in (
            ("columns_shifted", "many_rows_shifted"),
            ("coordinates_swapped", "many_coordinates_swapped"),
        ):
            if self.reasons.get(reason, 0) >= _MANY:
                found.append({"code": code, "rows": self.reasons[reason]})
        return found


def _datum_of(declared: str) -> Datum | None:
    """The datum a file names for itself; None where it is one of the many that nobody has to know."""
    try:
        return Datum.parse(declared)
    except UnknownDatumError:
        return None


def read_validated(
    reader: SourceReader,
    schema: Schema,
    source: Source,
    remembered: Mapping[str, str] | None = None,
    *,
    bounds: Bounds | None = None,
    rows: int = 200_000,
) -> Reading:
    """Match the columns of ``reader``, then read and validate it batch by batch.

    ``remembered`` is what a person corrected (header -> field), ``bounds`` the city's extent in WGS84: with it,
    places outside are rejected and swapped coordinates recognised. Raises ``MappingError`` and ``DatumMissing`` before
    the first row, ``SourceError`` wherever the file breaks.
    """
    given = [f.name for f in schema.fields if reader.has_geometry and f.type in ("lng", "lat", "geometry")]
    mapping = match_columns(reader.headers, schema, source, remembered, file=str(reader.path), given=given)
    used = reader.has_geometry and bool(schema.coordinates)
    used = used or any(name in mapping.columns for name in schema.coordinates)
    if used and source.datum is None:
        raise DatumMissing(source=source.name, declared=reader.crs or "-")
    datum = effective_datum(source.datum, reader.crs) if used and source.datum else None
    validator = Validator(
        schema, source, mapping, reader.headers,
        datum=datum, has_geometry=reader.has_geometry and bool(schema.coordinates), bounds=bounds,
    )  # fmt: skip
    return Reading(reader, validator, mapping, rows)

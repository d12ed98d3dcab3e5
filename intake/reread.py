"""The rows that a domain refused, as they stand in the file: what a person must see to correct them."""

from __future__ import annotations

import json

import polars as pl

from intake.columns import ColumnMapping
from intake.findings import REJECTED, VALUE_CHARACTERS
from intake.reader import FILE, LINE, SourceReader


def rows_as_read(reader: SourceReader, mapping: ColumnMapping, rejected: pl.DataFrame) -> pl.DataFrame:
    """``rejected`` (see ``REJECTED``) with ``row`` and ``value`` replaced by what ``reader`` gives for its lines."""
    wanted = set(rejected["line"].to_list())
    kept: dict[int, list[dict[str, str | None]]] = {}
    for batch in reader.batches():
        hits = batch.filter(pl.col(LINE).is_in(wanted))
        for row in hits.iter_rows(named=True):
            kept.setdefault(row[LINE], []).append(row)
    done = [
        _completed(row, kept.get(row["line"], []), reader.headers, mapping)
        for row in rejected.iter_rows(named=True)
    ]
    return pl.DataFrame(done, schema=REJECTED)


def _completed(
    row: dict[str, str | None], found: list[dict[str, str | None]], headers: list[str], mapping: ColumnMapping
) -> dict[str, str | None]:
    header = mapping.columns.get(row["field"] or "")
    if len(found) > 1 and header is not None:
        found = [cells for cells in found if (cells[header] or "").strip() == (row["value"] or "")]
    if len(found) != 1:
        return row
    cells = found[0]
    made = {**row, "row": json.dumps({h: cells[h] for h in headers}, ensure_ascii=False)}
    if header is not None:
        made["value"] = (cells[header] or "")[:VALUE_CHARACTERS] or None
    if cells.get(FILE):
        made["params"] = json.dumps(
            {**json.loads(row["params"] or "{}"), "file": cells[FILE]}, ensure_ascii=False
        )
    return made

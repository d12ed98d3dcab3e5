"""The Excel file of rejected rows, come back corrected: read as a source like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
from sqlalchemy import text
from sqlalchemy.orm import Session

from intake.errors import SourceError
from intake.reader import FAULT, LINE, REST, ReaderOptions, SourceReader
from intake.readers.excel import ExcelReader
from intake.readers.frames import marked
from intake.rejected import ABOUT, NOTES, NUMBER, SHEET, Rejected, hide, rejected_rows, run_of, sensitive_of
from intake.spreadsheets import restore


class CorrectedReader(SourceReader):
    """A corrected file as a source: the original columns, with the lines of the original file.

    ``run_id`` is the run whose rows these are, ``ids`` their numbers by line. Once its rows are loaded, ``resolve``
    marks them as taken up.
    """

    format = "corrected"

    def __init__(self, session: Session, path: Path, source: str, city_code: str) -> None:
        super().__init__(path, ReaderOptions(sheet=SHEET, header_rows=1))
        about = self._about(path)
        self.run_id = int(about["run"])
        run = run_of(session, self.run_id)
        if (run["source"], run["city_code"]) != (source, city_code):
            raise SourceError("corrected.other_source", file=str(path), found=run["source"], source=source)
        self._stored = {
            row.id: row for row in rejected_rows(session, self.run_id, reveal=True, open_only=True)
        }
        self._sensitive = sensitive_of(run["mapping"])
        with ExcelReader(path, self.options) as reader:
            self.headers = [restore(name) for name in reader.headers if name not in NOTES]
            self._frame = self._restored(pl.concat(list(reader.batches())))
        if not self._frame.height:
            raise SourceError("corrected.empty", file=str(path))

    def _about(self, path: Path) -> dict[str, str]:
        try:
            with ExcelReader(path, ReaderOptions(sheet=ABOUT)) as reader:
                frame = pl.concat(list(reader.batches()))
                pairs = [tuple(reader.headers), *frame.select(reader.headers).rows()]
        except SourceError as problem:
            raise SourceError("corrected.not_ours", file=str(path), detail=problem.code) from None
        about = {str(pair[0]): str(pair[1]) for pair in pairs if len(pair) > 1}
        if not about.get("run", "").isdigit():
            raise SourceError("corrected.not_ours", file=str(path), detail=f"{ABOUT}: run")
        return about

    def _restored(self, frame: pl.DataFrame) -> pl.DataFrame:
        missing = [name for name in NOTES[:1] if name not in frame.columns]
        if missing:
            raise SourceError("corrected.not_ours", file=str(self.path), detail=f"{SHEET}: {missing[0]}")
        rows: list[dict[str, str | None]] = []
        lines: list[int] = []
        self.ids: dict[int, list[int]] = {}
        headers = dict(
            zip([h for h in frame.columns if h not in (*NOTES, LINE, FAULT, REST)], self.headers, strict=True)
        )
        for cells in frame.iter_rows(named=True):
            number = int(cells[NUMBER]) if (cells[NUMBER] or "").isdigit() else -1
            stored = self._stored.get(number)
            if stored is None:
                raise SourceError(
                    "corrected.unknown_rows", file=str(self.path), line=cells[LINE], run=self.run_id
                )
            rows.append({own: self._cell(cells[given], own, stored) for given, own in headers.items()})
            lines.append(stored.line)
            self.ids.setdefault(stored.line, []).append(number)
        columns = [pl.Series(h, [row[h] for row in rows], dtype=pl.String) for h in self.headers]
        return marked(columns, pl.Series(lines, dtype=pl.Int64))

    def _cell(self, value: str | None, header: str, stored: Rejected) -> str | None:
        """What a person left alone keeps its stored value, also where only a mask of it was shown."""
        if value is None:
            return None
        plain = restore(value)
        before = stored.row.get(header)
        sensitive, fields = self._sensitive
        if isinstance(before, str) and plain == hide(before, header in sensitive or header in fields):
            return before
        return plain

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        yield from self._frame.iter_slices(rows)


def resolve(session: Session, reader: CorrectedReader, corrected_run_id: int) -> int:
    """Mark the rows of ``reader`` as taken up by ``corrected_run_id``; returns how many.

    What is still wrong with some of them is now kept with that run, so every row waits for correction in one place.
    """
    numbers = [number for ids in reader.ids.values() for number in ids]
    done = session.execute(
        text(
            "UPDATE ops.rejected_row SET corrected_run_id = :by WHERE run_id = :run AND id = ANY(:ids)"
            " AND corrected_run_id IS NULL RETURNING id"
        ),
        {"by": corrected_run_id, "run": reader.run_id, "ids": numbers},
    )
    return len(done.all())

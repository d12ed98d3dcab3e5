"""Excel workbooks (xlsx, and the old xls): sheet choice, titles above the header, several header rows, merged cells.

Parsed by calamine, about ten times as fast as openpyxl; a sheet is held in memory while it is read, which
``Limits.sheet_cells`` bounds.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import python_calamine as calamine

from intake.errors import SourceError
from intake.reader import FAULT, REST, ReaderOptions, SourceReader
from intake.readers.archive import check_workbook
from intake.readers.frames import marked
from intake.readers.headers import find_layout, name_columns

_LOOK_AT = 14
_EXACT = 10**15
Ranges = list[tuple[tuple[int, int], tuple[int, int]]]


class ExcelReader(SourceReader):
    """One sheet of a workbook; lines are the sheet's row numbers as Excel shows them."""

    format = "xlsx"

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        super().__init__(path, options)
        with path.open("rb") as handle:
            is_zip = handle.read(4) == b"PK\x03\x04"
        if is_zip:
            check_workbook(path, options.limits)
        try:
            self._book = calamine.CalamineWorkbook.from_path(path)
        except calamine.PasswordError:
            raise SourceError("source.password", file=str(path)) from None
        except (calamine.CalamineError, OSError, ValueError) as problem:
            raise SourceError(file=str(path), detail=str(problem)) from None
        self._sheet = self._choose()
        self._left = (self._sheet.start or (0, 0))[1]
        self._merged = self._merged_cells()
        self._read_header()

    def _load(self, name: str) -> calamine.CalamineSheet:
        try:
            return self._book.get_sheet_by_name(name)
        except calamine.CalamineError as problem:
            raise SourceError(file=str(self.path), detail=f"{name}: {problem}") from None

    def _choose(self) -> calamine.CalamineSheet:
        wanted = self.options.sheet
        names = self._book.sheet_names
        if isinstance(wanted, int) and 1 <= wanted <= len(names):
            wanted = names[wanted - 1]
        if wanted is not None:
            if wanted not in names:
                raise SourceError("source.no_such_sheet", file=str(self.path), value=wanted, allowed=names)
            return self._load(str(wanted))
        visible = [
            m.name
            for m in self._book.sheets_metadata
            if m.visible == calamine.SheetVisibleEnum.Visible and m.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        filled = [sheet for sheet in map(self._load, visible) if sheet.start is not None]
        if not filled:
            raise SourceError("source.empty", file=str(self.path))
        if len(filled) > 1:
            raise SourceError("source.choose_sheet", file=str(self.path), allowed=[s.name for s in filled])
        return filled[0]

    def _merged_cells(self) -> dict[int, list[tuple[int, int, tuple[int, int]]]]:
        """Per row: (first column, last column, cell to take the content from), columns counted from the left edge."""
        found: dict[int, list[tuple[int, int, tuple[int, int]]]] = {}
        bottom = (self._sheet.end or (0, 0))[0]
        ranges: Ranges = self._sheet.merged_cell_ranges or []
        for (top, left), (last_row, last_column) in ranges:
            for row in range(top, min(last_row, bottom) + 1):
                found.setdefault(row, []).append(
                    (left - self._left, last_column - self._left, (top, left - self._left))
                )
        return found

    def _rows(self) -> Iterator[tuple[int, list[Any]]]:
        """(row number from 0, cells) with merged cells filled in."""
        corner: dict[tuple[int, int], Any] = {}
        for number, row in enumerate(self._sheet.iter_rows()):
            for first, last, source in self._merged.get(number, ()):
                if source[0] == number:
                    corner[source] = row[first] if first < len(row) else ""
                for column in range(first, min(last + 1, len(row))):
                    row[column] = corner[source]
            yield number, row

    def _read_header(self) -> None:
        first: list[tuple[int, list[str | None]]] = []
        want = max(_LOOK_AT, (self.options.header_rows or 1) + 1)
        for number, row in self._rows():
            texts = [_text(cell) for cell in row]
            if number >= self.options.skip_rows and any(texts):
                first.append((number, texts))
            if len(first) >= want:
                break
        if not first:
            raise SourceError("source.empty", file=str(self.path))
        position = {number: index for index, (number, _) in enumerate(first)}
        continued = frozenset(
            (position[row], column)
            for row, ranges in self._merged.items()
            if row in position
            for left, right, source in ranges
            for column in range(left, right + 1)
            if (row, column) != source or right > left
        )
        rows = [row for _, row in first]
        layout = find_layout(rows, continued)
        titles = layout.titles if self.options.header_rows is None else 0
        height = self.options.header_rows or layout.rows
        header = rows[titles : titles + height]
        width = max((c + 1 for row in rows[titles:] for c, cell in enumerate(row) if cell), default=0)
        if width > self.options.limits.columns:
            limit = self.options.limits.columns
            raise SourceError("source.too_many_columns", file=str(self.path), found=width, limit=limit)
        if len(first) <= titles + height:
            raise SourceError("source.header_only", file=str(self.path))
        self._data_row = first[titles + height][0]
        self.headers, renamed = name_columns(header, width)
        if titles:
            self.warn("title_rows_skipped", rows=titles)
        if height > 1:
            self.warn("header_rows_joined", rows=height)
        for old, new in renamed:
            self.warn("header_renamed", header=old, name=new)
        filled = sum(
            right - left + (0 if source[0] == row else 1)
            for row, ranges in self._merged.items()
            if row >= self._data_row
            for left, right, source in ranges
        )
        if filled:
            self.warn("merged_cells_filled", cells=filled)

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        held: list[list[Any]] = []
        lines: list[int] = []
        for number, row in self._rows():
            if number < self._data_row or all(cell == "" for cell in row):
                continue
            held.append(row)
            lines.append(number + 1)
            if len(held) >= rows:
                yield self._frame(held, lines)
                held, lines = [], []
        if held:
            yield self._frame(held, lines)

    def _frame(self, rows: Sequence[Sequence[Any]], lines: list[int]) -> pl.DataFrame:
        columns = [
            pl.Series(name, [_text(row[c]) if c < len(row) else None for row in rows], dtype=pl.String)
            for c, name in enumerate(self.headers)
        ]
        frame = marked(columns, pl.Series(lines, dtype=pl.Int64))
        width = len(self.headers)
        beyond = [[_text(cell) for cell in row[width:]] for row in rows]
        if not any(any(cells) for cells in beyond):
            return frame
        told = [
            json.dumps({"found": width + len(cells), "expected": width, "rest": cells}, ensure_ascii=False)
            if any(cells)
            else None
            for cells in beyond
        ]
        rest = pl.Series(told, dtype=pl.String)
        fault = pl.when(rest.is_not_null()).then(pl.lit("too_many_fields")).otherwise(FAULT)
        return frame.with_columns(fault.alias(FAULT), rest.alias(REST))

    def close(self) -> None:
        self._book.close()


def _text(cell: Any) -> str | None:
    """A cell as Excel would show it in a column wide enough; numbers keep the 15 digits Excel has.

    >>> _text(440304001.0), _text(4.403041990010112e17), _text(""), _text(dt.datetime(2026, 2, 3))
    ('440304001', '440304199001011000', None, '2026-02-03')
    """
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if cell.is_integer():
            return str(int(cell)) if abs(cell) < _EXACT else str(int(_fifteen_digits(cell)))
        return repr(cell)
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.date().isoformat() if midnight else cell.isoformat(timespec="seconds")
    return str(cell)


def _fifteen_digits(number: float) -> int:
    digits, exponent = f"{number:.14e}".split("e")
    return int(digits.replace(".", "") + "0" * (int(exponent) - 14))

"""Rejected rows: shown with their reasons in words, given out as an Excel file, taken back corrected.

The file holds one row per rejected row: its number here, its line in the source, what is wrong, and then the
source's own columns with the wrong cell marked. A person corrects the cells, deletes what shall stay out, and loads
the file again; what is then right counts as corrected, what is still wrong is rejected anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xlsxwriter
from sqlalchemy import text
from sqlalchemy.orm import Session

from intake.errors import SourceError
from intake.masking import mask, mask_numbers
from intake.spreadsheets import neutralise
from intake.words import describe

NUMBER, SOURCE_LINE, FIELD, REASON = "no. / 退回号", "line / 行号", "field / 字段", "reason / 原因"
NOTES = (NUMBER, SOURCE_LINE, FIELD, REASON)
SHEET, ABOUT = "rejected", "about"
MOST_ROWS = 1_000_000
_CELL = 32_767


@dataclass(frozen=True)
class Rejected:
    """One rejected row. ``row`` maps the source's headers to its texts; ``more`` are further findings."""

    id: int
    line: int
    field: str | None
    reason: str
    params: dict[str, Any]
    value: str | None
    row: dict[str, str | None]
    corrected_run_id: int | None

    def words(self, language: str) -> str:
        """All that is wrong with the row, one finding a line."""
        said = [describe(self.reason, self.params, language)]
        said += [f"{m['field']}: {describe(m['reason'], m, language)}" for m in self.params.get("more", [])]
        return "\n".join(said)

    def masked(self, sensitive: Sequence[str], fields: Sequence[str]) -> Rejected:
        """For views: columns that are ``sensitive`` (and ``fields``, by their names here) masked, and whatever has the
        shape of an ID number wherever it stands."""
        row = {h: hide(v, h in sensitive or h in fields) for h, v in self.row.items()}
        params = dict(self.params)
        if "more" in params:
            params["more"] = [
                {**m, "value": hide(m.get("value"), m.get("field") in fields)} for m in params["more"]
            ]
        value = hide(self.value, self.field in fields)
        return Rejected(
            self.id, self.line, self.field, self.reason, params, value, row, self.corrected_run_id
        )


def hide(value: Any, sensitive: bool) -> Any:
    if isinstance(value, list):
        return [hide(v, sensitive) for v in value]
    if not isinstance(value, str):
        return value
    return mask(value) if sensitive else mask_numbers(value)


def sensitive_of(mapping: Mapping[str, Any] | None) -> tuple[list[str], list[str]]:
    """(headers, fields) of a run's ``mapping`` that views must mask."""
    if not mapping:
        return [], []
    headers = list(mapping.get("sensitive", []))
    return headers, [name for name, header in mapping.get("columns", {}).items() if header in headers]


def run_of(session: Session, run_id: int) -> Mapping[str, Any]:
    found = session.execute(
        text(
            "SELECT id, city_code, source, kind, file, file_sha256, mapping FROM ops.import_run WHERE id = :id"
        ),
        {"id": run_id},
    )
    row = found.mappings().one_or_none()
    if row is None:
        raise SourceError("run.unknown", run=run_id)
    return dict(row)


def rejected_rows(
    session: Session,
    run_id: int,
    *,
    reveal: bool,
    open_only: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> Iterator[Rejected]:
    """Rejected rows of a run in order of line; ``reveal`` False masks what is sensitive, ``open_only`` leaves out what
    has been corrected since. Raises ``SourceError`` ``run.unknown``."""
    sensitive, fields = sensitive_of(run_of(session, run_id)["mapping"])
    found = session.execute(
        text(
            'SELECT id, line, field, reason, params, value, "row", corrected_run_id FROM ops.rejected_row'
            " WHERE run_id = :id AND (NOT :open OR corrected_run_id IS NULL)"
            " ORDER BY line, id LIMIT :limit OFFSET :offset"
        ).execution_options(yield_per=5_000),
        {"id": run_id, "open": open_only, "limit": limit, "offset": offset},
    )
    for row in found.mappings():
        made = Rejected(**{**row, "params": row["params"] or {}, "row": row["row"] or {}})
        yield made if reveal else made.masked(sensitive, fields)


def export_rejected(session: Session, run_id: int, path: Path, language: str, *, reveal: bool) -> int:
    """Write the rows of ``run_id`` still to be corrected as an Excel file; returns how many.

    Cells are texts, never formulas; whatever would become one in a spreadsheet gets an apostrophe in front, taken off
    when the file comes back. Masked cells (``reveal`` False) that come back untouched keep what they had.
    """
    run = run_of(session, run_id)
    columns = (run["mapping"] or {}).get("columns", {})
    headers = _headers(session, run)
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False}) as book:
        sheet, about = book.add_worksheet(SHEET), book.add_worksheet(ABOUT)
        bold = book.add_format({"bold": True, "bottom": 1})
        plain, wrong = (
            book.add_format({"num_format": "@"}),
            book.add_format({"num_format": "@", "bg_color": "#FFE08A"}),
        )
        sheet.freeze_panes(1, len(NOTES))
        sheet.set_column(0, 2, 12)
        sheet.set_column(3, 3, 48)
        sheet.set_column(len(NOTES), len(NOTES) + len(headers), 18, plain)
        for column, name in enumerate((*NOTES, *headers)):
            sheet.write_string(0, column, neutralise(name), bold)
        count = 0
        rows = rejected_rows(session, run_id, reveal=reveal, open_only=True, limit=MOST_ROWS)
        for count, row in enumerate(rows, start=1):
            notes = (str(row.id), str(row.line), row.field or "", row.words(language))
            for column, value in enumerate(notes):
                sheet.write_string(count, column, neutralise(value)[:_CELL], plain)
            marked_headers = _wrong_headers(row, columns)
            for column, header in enumerate(headers, start=len(NOTES)):
                shape = wrong if header in marked_headers else plain
                cell = row.row.get(header)
                if cell is None:
                    sheet.write_blank(count, column, None, shape)
                else:
                    sheet.write_string(count, column, neutralise(_flat(cell))[:_CELL], shape)
        about.set_column(0, 1, 40)
        for number, (name, value) in enumerate(_about(run, language)):
            about.write_string(number, 0, name, bold)
            about.write_string(number, 1, value)
    return count


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _headers(session: Session, run: Mapping[str, Any]) -> list[str]:
    """The source's columns in the file's order; those of rows that only a domain knows come last."""
    found = session.execute(
        text(
            'SELECT DISTINCT jsonb_object_keys("row") AS name FROM ops.rejected_row'
            " WHERE run_id = :id AND corrected_run_id IS NULL AND jsonb_typeof(\"row\") = 'object'"
        ),
        {"id": run["id"]},
    )
    present = {name for (name,) in found if not name.startswith("__")}
    known = [header for header in (run["mapping"] or {}).get("headers", []) if header in present]
    return [*known, *sorted(present - set(known))]


def _wrong_headers(row: Rejected, columns: Mapping[str, str]) -> set[str]:
    names = [row.field, *(m.get("field") for m in row.params.get("more", []))]
    if "from_column" in row.params:
        return {row.params["from_column"]}
    wrong = {columns.get(name, name) for name in names if name}
    if {"lng", "lat"} & set(names):
        wrong |= {columns[name] for name in ("lng", "lat") if name in columns}
    return wrong


def _about(run: Mapping[str, Any], language: str) -> list[tuple[str, str]]:
    return [
        ("run", str(run["id"])),
        ("city", run["city_code"]),
        ("source", run["source"]),
        ("file", Path(run["file"].split(", ")[0]).name),
        ("help", describe("corrected.help", {"source": run["source"]}, language)),
    ]

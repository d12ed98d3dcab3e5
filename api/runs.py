"""Load runs and their rejected rows: what the app lists, and the Excel file that is corrected and loaded again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import xlsxwriter
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.words import say
from db.errors import HexwardError
from intake.words import describe

PAGE = 50
MOST_ROWS = 1_000_000  # of an Excel sheet, with room for the header

# First columns of the Excel file; the load of a corrected file leaves them out by these names.
NOTE_COLUMNS = ("_line", "_field", "_reason")


class RunNotFound(HexwardError):
    """There is no such load run."""

    code = "run.not_found"


@dataclass(frozen=True)
class Page:
    """One page of a list and the number of all its rows."""

    rows: list[dict[str, Any]]
    page: int
    total: int

    def as_json(self, name: str) -> dict[str, Any]:
        """The page as the API states it."""
        return {name: self.rows, "page": self.page, "pages": -(-self.total // PAGE), "total": self.total}


_RUN = """id, source, kind, regexp_replace(file, '^.*/', '') AS file, file_sha256, file_bytes, actor, started_at,
  finished_at, state, rows_read, rows_accepted, rows_rejected, rows_unchanged, warnings, error, datum, encoding"""


def list_runs(session: Session, page: int = 1) -> Page:
    """Load runs, newest first."""
    total = session.execute(text("SELECT count(*) FROM ops.import_run")).scalar_one()
    rows = session.execute(
        text(f"SELECT {_RUN} FROM ops.import_run ORDER BY id DESC LIMIT :most OFFSET :skip"),  # noqa: S608
        {"most": PAGE, "skip": (page - 1) * PAGE},
    ).mappings()
    return Page([dict(row) for row in rows], page, total)


def run(session: Session, run_id: int) -> dict[str, Any]:
    """One load run with the mapping it used. Raises ``RunNotFound``."""
    row = (
        session.execute(
            text(f"SELECT {_RUN}, mapping FROM ops.import_run WHERE id = :id"),  # noqa: S608
            {"id": run_id},
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise RunNotFound(id=run_id)
    return dict(row)


def explained(row: dict[str, Any], language: str) -> dict[str, Any]:
    """A rejected row with its reason in words."""
    return {**row, "reason_text": describe(row["reason"], row.get("params") or {}, language)}


def rejected(session: Session, run_id: int, page: int, language: str, *, content: bool) -> Page:
    """Rejected rows of a run: line, field, reason; with ``content`` also the value and the row as read."""
    table = "ops.rejected_row" if content else "ops.rejected_note"
    columns = "line, field, reason, corrected_run_id" + (', params, value, "row"' if content else "")
    total = session.execute(text(f"SELECT count(*) FROM {table} WHERE run_id = :id"), {"id": run_id})  # noqa: S608
    rows = session.execute(
        text(f"SELECT {columns} FROM {table} WHERE run_id = :id ORDER BY line, id LIMIT :most OFFSET :skip"),  # noqa: S608
        {"id": run_id, "most": PAGE, "skip": (page - 1) * PAGE},
    ).mappings()
    return Page([explained(dict(row), language) for row in rows], page, total.scalar_one())


def rejected_counts(session: Session, run_id: int, language: str) -> list[dict[str, Any]]:
    """How many rows of a run were rejected for which reason in which field, most first."""
    rows = session.execute(
        text(
            """SELECT reason, field, count(*) AS rows FROM ops.rejected_note WHERE run_id = :id
               GROUP BY reason, field ORDER BY count(*) DESC, reason, field LIMIT 100"""
        ),
        {"id": run_id},
    ).mappings()
    return [explained(dict(row), language) for row in rows]


def rejected_file(session: Session, run_id: int, language: str) -> bytes:
    """The rejected rows as an Excel file: notes first, then the columns as read, every cell a text.

    Texts are never written as formulas or links, so a value like ``=HYPERLINK(...)`` stays a value.
    """
    run(session, run_id)
    headers: dict[str, int] = {}
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"constant_memory": False, "in_memory": True})
    sheet = book.add_worksheet("rejected")
    text_format = book.add_format({"num_format": "@"})
    for number, row in enumerate(_all_rejected(session, run_id), start=1):
        notes = (str(row["line"]), row["field"] or "", describe(row["reason"], row["params"] or {}, language))
        for column, value in enumerate(notes):
            sheet.write_string(number, column, value, text_format)
        for name, value in (row["row"] or {}).items():
            column = headers.setdefault(name, len(NOTE_COLUMNS) + len(headers))
            if value is not None:
                sheet.write_string(number, column, str(value)[:32_767], text_format)
    bold = book.add_format({"bold": True})
    for column, name in enumerate((*NOTE_COLUMNS, *headers)):
        sheet.write_string(0, column, name, bold)
    sheet.freeze_panes(1, len(NOTE_COLUMNS))
    sheet.set_column(0, 0, 8)
    sheet.set_column(1, len(NOTE_COLUMNS) - 1, 24)
    guide = book.add_worksheet("help")
    guide.write_string(0, 0, say(language, "runs.how_to_correct"))
    book.close()
    return made.getvalue()


def _all_rejected(session: Session, run_id: int) -> Iterator[dict[str, Any]]:
    rows = session.execute(
        text(
            """SELECT line, field, reason, params, "row" FROM ops.rejected_row
               WHERE run_id = :id AND corrected_run_id IS NULL ORDER BY line, id LIMIT :most"""
        ).execution_options(yield_per=5000),
        {"id": run_id, "most": MOST_ROWS},
    )
    for row in rows.mappings():
        yield dict(row)


def mapping(session: Session, source: str) -> dict[str, Any]:
    """How the columns of a source were mapped: what the last run did and what a person corrected."""
    last = session.execute(
        text(
            "SELECT mapping FROM ops.import_run WHERE source = :s AND mapping IS NOT NULL ORDER BY id DESC LIMIT 1"
        ),
        {"s": source},
    ).scalar()
    kept = session.execute(
        text(
            """SELECT m.header, m.field, m.set_by, m.set_at FROM ops.column_mapping m
               JOIN ops.city c ON c.code = m.city_code WHERE m.source = :s ORDER BY m.header"""
        ),
        {"s": source},
    ).mappings()
    return {"source": source, "last_run": last, "corrected": [dict(row) for row in kept]}

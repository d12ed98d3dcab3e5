"""Load runs and their rejected rows, as the app lists them and takes them back corrected."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api import loading
from api.words import say
from db.errors import HexwardError
from intake import rejected as rows_of
from intake.city import City, load_city
from intake.schema import Field, Schema
from intake.words import describe

PAGE = 50


class RunNotFound(HexwardError):
    """There is no such load run."""

    code = "run.not_found"


class CityFileGone(HexwardError):
    """The city's file is no longer where the city was loaded from."""

    code = "run.city_file_gone"


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
    found = session.execute(
        text(f"SELECT {_RUN}, mapping FROM ops.import_run WHERE id = :id"),  # noqa: S608
        {"id": run_id},
    )
    row = found.mappings().one_or_none()
    if row is None:
        raise RunNotFound(id=run_id)
    return dict(row)


def in_words(found: dict[str, Any], language: str) -> dict[str, Any]:
    """The run with the words of its warnings and of what it failed with as ``text`` beside their codes."""
    warnings = [{**w, "text": _words(w, language)} for w in found["warnings"] or []]
    error = found["error"]
    return found | {"warnings": warnings, "error": error and {**error, "text": _words(error, language)}}


def _words(told: dict[str, Any], language: str) -> str:
    params = told.get("params") or {name: value for name, value in told.items() if name != "code"}
    return say(language, str(told.get("code", "")), **params)


def rejected_counts(
    session: Session, run_id: int, language: str, *, as_owner: bool = False
) -> list[dict[str, Any]]:
    """How many rows of a run were rejected for which reason in which field, most first.

    A request reads the view without content, which asks who is acting; the owner (command line) is nobody to it.
    """
    table = "ops.rejected_row" if as_owner else "ops.rejected_note"
    rows = session.execute(
        text(
            f"""SELECT reason, field, count(*) AS rows, count(corrected_run_id) AS corrected
                FROM {table} WHERE run_id = :id
                GROUP BY reason, field ORDER BY count(*) DESC, reason, field LIMIT 100"""  # noqa: S608
        ),
        {"id": run_id},
    ).mappings()
    return [{**row, "reason_text": describe(row["reason"], {}, language)} for row in rows]


def _pages(session: Session, run_id: int) -> int:
    found = session.execute(text("SELECT count(*) FROM ops.rejected_note WHERE run_id = :id"), {"id": run_id})
    return int(found.scalar_one())


def rejected_notes(session: Session, run_id: int, page: int, language: str) -> Page:
    """Line, field and reason of the rejected rows of a run, without anything of their content."""
    rows = session.execute(
        text(
            """SELECT line, field, reason, corrected_run_id FROM ops.rejected_note WHERE run_id = :id
               ORDER BY line, id LIMIT :most OFFSET :skip"""
        ),
        {"id": run_id, "most": PAGE, "skip": (page - 1) * PAGE},
    ).mappings()
    told = [{**row, "reason_text": describe(row["reason"], {}, language)} for row in rows]
    return Page(told, page, _pages(session, run_id))


def rejected_rows(session: Session, run_id: int, page: int, language: str, *, reveal: bool) -> Page:
    """The rejected rows of a run as they were read; numbers of persons masked unless ``reveal``."""
    found = rows_of.rejected_rows(session, run_id, reveal=reveal, limit=PAGE, offset=(page - 1) * PAGE)
    told = [
        {
            "line": row.line,
            "field": row.field,
            "reason": row.reason,
            "reason_text": row.words(language),
            "value": row.value,
            "row": row.row,
            "corrected_run_id": row.corrected_run_id,
        }
        for row in found
    ]
    return Page(told, page, _pages(session, run_id))


def rejected_file(session: Session, run_id: int, language: str, *, reveal: bool) -> tuple[bytes, int]:
    """The rows still to be corrected as an Excel file, and how many they are."""
    run(session, run_id)
    with tempfile.TemporaryDirectory(prefix="hexward-rejected-") as folder:
        path = Path(folder) / "rejected.xlsx"
        rows = rows_of.export_rejected(session, run_id, path, language, reveal=reveal)
        return path.read_bytes(), rows


def load_corrected(owner: Engine, run_id: int, file: bytes, actor: str) -> list[loading.Report]:
    """Load a corrected Excel file of the run's rejected rows. Raises what the load refuses, and ``CityFileGone``."""
    with Session(owner) as session, session.begin():
        source = run(session, run_id)["source"]
        city = _city(session)
    with tempfile.TemporaryDirectory(prefix="hexward-corrected-") as folder:
        path = Path(folder) / "corrected.xlsx"
        path.write_bytes(file)
        order = loading.Order(actor, only=source, corrected=path)
        return loading.load_city(city, order, engine=owner)


def _city(session: Session) -> City:
    """The city as its file describes it now. Raises ``CityFileGone``."""
    config = session.execute(text("SELECT config FROM ops.city")).scalar() or {}
    toml = Path(config.get("toml") or "")
    if not toml.is_file():
        raise CityFileGone(file=toml.name)
    return load_city(toml)


def schema_of(session: Session, source: str) -> Schema:
    """The fields that the columns of ``source``, loaded before, can be.

    A table of figures has those of the city's file. Raises ``CityFileGone`` and what an unreadable file raises.
    """
    kind = session.execute(
        text("SELECT kind FROM ops.import_run WHERE source = :s ORDER BY id DESC LIMIT 1"), {"s": source}
    ).scalar()
    known = loading.schema_of_kind(kind or "")
    return known or loading.schema_for(_city(session).source(source))


def field_names(schema: Schema) -> list[dict[str, Any]]:
    """The fields as a person chooses among them: name, title in both languages, whether it must be there."""
    return [
        {"name": one.name, "title": {"zh": _chinese(one), "en": _english(one)}, "required": one.required}
        for one in schema.fields
        if one.type != "geometry"
    ]


def _chinese(one: Field) -> str:
    return next((name for name in one.synonyms if any(c > "\u3400" for c in name)), one.name)


def _english(one: Field) -> str:
    said = one.name.replace("_", " ")
    return said[:1].upper() + said[1:]


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

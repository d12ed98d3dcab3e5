"""The record of each load: who, when, which file, how many rows and why not all; and that a load is all or nothing.

A load's data, its rejected rows and the word 'done' are written in one transaction. Before it, a row 'running' is
written for itself, and an advisory lock of the server is held for as long as the load lives. A load that is killed
loses the lock with its connection, so the next one knows the row for dead and says so. Nothing half-loaded can stay.

Example
-------
.. code-block:: python

    with loading(engine, "990100", source, paths, actor="steward", configuration=configuration) as run:
        if run.unchanged:
            return
        with write_session(engine) as session:
            ...                                   # write the data
            run.record_rejected(session, batch.rejected)
            run.finish(session, reading)
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.copy import copy_frame
from db.engine import raw_copy
from db.errors import HexwardError
from db.settings import DbSettings
from intake.city import Source
from intake.errors import IntakeError
from intake.findings import REJECTED
from intake.pipeline import Reading

_T = TypeVar("_T")
_LACKING = ("unknown_reference", "unknown_parent")
"""Reasons for which a row may be right as soon as another source is complete."""
_SIDECARS = (".dbf", ".shx", ".prj", ".cpg")


class AlreadyRunning(IntakeError):
    """Another process loads the same source at this moment."""

    code = "run.already_running"


class DatabaseGone(IntakeError):
    """The connection to the database broke; the transaction is undone."""

    code = "run.database_gone"


@dataclass(frozen=True)
class Fingerprint:
    """``sha256`` of the content (of all files, where there are several) and its size in ``bytes``."""

    sha256: str
    bytes: int


def fingerprint(paths: Sequence[Path]) -> Fingerprint:
    """Checksum of a source's files, the parts of a shapefile included."""
    files = [part for path in paths for part in _parts(path)]
    sums = []
    for file in files:
        with file.open("rb") as handle:
            sums.append(hashlib.file_digest(handle, "sha256").hexdigest())
    whole = sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    return Fingerprint(whole, sum(file.stat().st_size for file in files))


def _parts(path: Path) -> list[Path]:
    if path.suffix.lower() != ".shp":
        return [path]
    beside = sorted(
        other for other in path.parent.glob(f"{path.stem}.*") if other.suffix.lower() in _SIDECARS
    )
    return [path, *beside]


def configuration_of(source: Source, remembered: Mapping[str, str], *more: str) -> str:
    """Checksum of what, beside the files, decides about a load: the source's entry, the remembered columns, ``more``
    (such as the version of the areas its places depend on)."""
    said = source.model_dump(mode="json", exclude={"file", "files"})
    whole = json.dumps([said, dict(sorted(remembered.items())), *more], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()


@dataclass
class Run:
    """A run in the making. ``unchanged`` is True where there is nothing to do; then nothing may be written."""

    id: int
    unchanged: bool
    configuration: str
    corrects: int | None = None
    rejected: int = 0
    finished: bool = False
    mapping: dict[str, Any] = field(default_factory=dict)

    def record_rejected(
        self, session: Session, rejected: pl.DataFrame, reading: Reading | None = None
    ) -> None:
        """Keep rejected rows, in the transaction of the data. With ``reading``, rows that a domain refused get the
        content they had in the file."""
        if reading is not None and rejected.height:
            rejected = reading.as_read(rejected)
        record_rejected(session, self.id, rejected)
        self.rejected += rejected.height

    def finish(
        self,
        session: Session,
        reading: Reading,
        *,
        unchanged_rows: int = 0,
        warnings: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """The word 'done' with its numbers, in the transaction of the data."""
        mapping = {**reading.mapping.as_json(), "configuration": self.configuration}
        if self.corrects is not None:
            mapping["corrects"] = self.corrects
        finish_run(
            session, self.id, rows_read=reading.rows_read, rows_accepted=reading.rows_read - self.rejected,
            rows_rejected=self.rejected, rows_unchanged=unchanged_rows,
            warnings=[*reading.warnings, *map(dict, warnings)], mapping=mapping,
            datum=reading.datum.key if reading.datum else None, encoding=reading.reader.encoding,
        )  # fmt: skip
        self.finished = True


@contextmanager
def loading(
    engine: Engine,
    city_code: str,
    source: Source,
    paths: Sequence[Path],
    *,
    actor: str,
    configuration: str,
    corrects: int | None = None,
) -> Iterator[Run]:
    """Hold the source for this load, write its record, and say in it how the load ended.

    ``corrects`` is the run whose rejected rows the file brings back corrected. Raises ``AlreadyRunning``;
    ``DatabaseGone`` when the connection breaks on the way; whatever the block raises, after noting it: an
    ``IntakeError`` as 'refused', anything else as 'failed'.
    """
    try:
        with engine.connect() as guard, _held(guard, city_code, source.name):
            run = start_run(
                engine, city_code, source, paths, actor=actor, configuration=configuration, corrects=corrects
            )
            try:
                yield run
            except BaseException as problem:
                with suppress(DBAPIError):
                    fail_run(engine, run.id, problem)
                raise
            if not (run.unchanged or run.finished):
                fail_run(engine, run.id, None)
    except (DBAPIError, psycopg.Error) as problem:
        if connection_lost(problem):
            raise DatabaseGone(source=source.name) from problem
        raise


@contextmanager
def _held(guard: Connection, city_code: str, source: str) -> Iterator[None]:
    """The server's lock on (city, source) for as long as this connection lives. Runs found 'running' are dead."""
    key = {"key": f"hexward load {city_code} {source}"}
    with guard.begin():
        free = guard.execute(text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key).scalar_one()
    if not free:
        raise _already_running(guard, city_code, source)
    try:
        with guard.begin():
            guard.execute(
                text(
                    "UPDATE ops.import_run SET state = 'failed', finished_at = clock_timestamp(),"
                    " error = jsonb_build_object('code', 'run.killed') WHERE city_code = :city"
                    " AND source = :source AND state = 'running'"
                ),
                {"city": city_code, "source": source},
            )
        yield
    finally:
        with suppress(DBAPIError), guard.begin():
            guard.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 0))"), key)


def _already_running(guard: Connection, city_code: str, source: str) -> AlreadyRunning:
    with guard.begin():
        other = guard.execute(
            text(
                "SELECT id, actor FROM ops.import_run WHERE city_code = :city AND source = :source"
                " AND state = 'running' ORDER BY id DESC LIMIT 1"
            ),
            {"city": city_code, "source": source},
        ).one_or_none()
    return AlreadyRunning(source=source, run=other.id if other else "?", actor=other.actor if other else "?")


def start_run(
    engine: Engine,
    city_code: str,
    source: Source,
    paths: Sequence[Path],
    *,
    actor: str,
    configuration: str,
    corrects: int | None = None,
) -> Run:
    """Write the record's first half, in its own transaction: 'running', or 'unchanged' where the last load of this
    source had the same content and configuration."""
    print_ = fingerprint(paths)
    with engine.begin() as connection:
        last = _last_done(connection, city_code, source.name, corrects)
        same = (
            last is not None
            and last["file_sha256"] == print_.sha256
            and (last["mapping"] or {}).get("configuration") == configuration
            and not _may_fit_now(connection, city_code, source.name, last["id"])
        )
        run_id = connection.execute(
            text(
                "INSERT INTO ops.import_run (city_code, source, kind, file, file_sha256, file_bytes, actor, state,"
                " finished_at, rows_read, rows_accepted, rows_rejected, rows_unchanged, mapping, datum, encoding)"
                " VALUES (:city, :source, :kind, :file, :sha, :bytes, :actor, :state,"
                " CASE WHEN :same THEN clock_timestamp() END, :read, :accepted, :rejected, :unchanged,"
                " CAST(:mapping AS jsonb), :datum, :encoding) RETURNING id"
            ),
            {
                "city": city_code, "source": source.name, "kind": source.kind, "file": ", ".join(map(str, paths)),
                "sha": print_.sha256, "bytes": print_.bytes, "actor": actor,
                "state": "unchanged" if same else "running", "same": same,
                "read": last["rows_read"] if same and last else None,
                "accepted": 0 if same else None, "rejected": 0 if same else None,
                "unchanged": last["rows_accepted"] if same and last else None,
                "mapping": json.dumps(last["mapping"]) if same and last else None,
                "datum": source.datum, "encoding": source.encoding,
            },
        ).scalar_one()  # fmt: skip
    return Run(int(run_id), same, configuration, corrects)


def _last_done(
    connection: Connection, city: str, source: str, corrects: int | None
) -> Mapping[str, Any] | None:
    """The newest complete load: of the source itself, or of corrections to one of its runs."""
    found = (
        connection.execute(
            text(
                "SELECT id, file_sha256, mapping, rows_read, rows_accepted FROM ops.import_run"
                " WHERE city_code = :city AND source = :source AND state = 'done'"
                " AND (mapping ->> 'corrects') IS NOT DISTINCT FROM :corrects ORDER BY id DESC LIMIT 1"
            ),
            {"city": city, "source": source, "corrects": None if corrects is None else str(corrects)},
        )
        .mappings()
        .one_or_none()
    )
    return None if found is None else dict(found)


def _may_fit_now(connection: Connection, city: str, source: str, run_id: int) -> bool:
    """Whether rows of that run were rejected for what another source lacked, and another has been loaded since."""
    return bool(
        connection.execute(
            text(
                "SELECT EXISTS (SELECT FROM ops.import_run WHERE city_code = :city AND source <> :source"
                " AND state = 'done' AND id > :run) AND EXISTS (SELECT FROM ops.rejected_row WHERE run_id = :run"
                " AND reason = ANY(:reasons) AND corrected_run_id IS NULL)"
            ),
            {"city": city, "source": source, "run": run_id, "reasons": list(_LACKING)},
        ).scalar_one()
    )


def record_rejected(session: Session, run_id: int, rejected: pl.DataFrame) -> None:
    """Write a frame of rejected rows (see ``intake.findings.REJECTED``) for ``run_id`` by COPY."""
    if not rejected.height:
        return
    rows = rejected.select(
        pl.lit(run_id, dtype=pl.Int64).alias("run_id"),
        *[pl.col(name).cast(kind) for name, kind in REJECTED.items() if name != "value"],
        pl.col("value").cast(pl.String).str.head(500),
    ).with_columns(pl.col("params").fill_null("{}"))
    copy_frame(raw_copy(session), "ops.rejected_row", rows)


def finish_run(
    session: Session,
    run_id: int,
    *,
    rows_read: int,
    rows_accepted: int,
    rows_rejected: int,
    rows_unchanged: int = 0,
    warnings: Sequence[Mapping[str, Any]] = (),
    mapping: Mapping[str, Any] | None = None,
    datum: str | None = None,
    encoding: str | None = None,
) -> None:
    """Mark ``run_id`` 'done' with its numbers; belongs into the transaction that writes the data.

    Raises ``IntakeError`` ``run.lost`` where the run is no longer 'running': another process took it for dead, and
    this one's data must not be committed.
    """
    done = session.execute(
        text(
            "UPDATE ops.import_run SET state = 'done', finished_at = clock_timestamp(), rows_read = :read,"
            " rows_accepted = :accepted, rows_rejected = :rejected, rows_unchanged = :unchanged,"
            " warnings = CAST(:warnings AS jsonb), mapping = CAST(:mapping AS jsonb), datum = :datum,"
            " encoding = :encoding WHERE id = :id AND state = 'running' RETURNING id"
        ),
        {
            "id": run_id, "read": rows_read, "accepted": rows_accepted, "rejected": rows_rejected,
            "unchanged": rows_unchanged, "warnings": json.dumps(list(warnings), ensure_ascii=False, default=str),
            "mapping": json.dumps(dict(mapping), ensure_ascii=False) if mapping is not None else None,
            "datum": datum, "encoding": encoding,
        },
    )  # fmt: skip
    if done.one_or_none() is None:
        raise IntakeError("run.lost", run=run_id)


def fail_run(engine: Engine, run_id: int, problem: BaseException | None) -> None:
    """Note in its own transaction how ``run_id`` ended: 'refused' for an ``IntakeError``, else 'failed'.

    Of other exceptions only the kind is kept: their text may hold personal data.
    """
    if isinstance(problem, HexwardError):
        error = {"code": problem.code, **problem.params}
    else:
        kind = "interrupted" if isinstance(problem, KeyboardInterrupt) else type(problem).__name__
        error = {"code": "run.failed", "kind": kind if problem is not None else "not finished"}
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE ops.import_run SET state = :state, finished_at = clock_timestamp(),"
                " error = CAST(:error AS jsonb) WHERE id = :id AND state = 'running'"
            ),
            {
                "id": run_id,
                "state": "refused" if isinstance(problem, IntakeError) else "failed",
                "error": json.dumps(error, ensure_ascii=False, default=str),
            },
        )


def connection_lost(problem: BaseException) -> bool:
    """Whether ``problem`` means that the server is gone, rather than that it said no."""
    if isinstance(problem, DBAPIError):
        if problem.connection_invalidated:
            return True
        problem = problem.orig or problem
    if not isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = problem.sqlstate
    return state is None or state.startswith("08") or state in ("57P01", "57P02", "57P03")


def with_patience(
    attempt: Callable[[], _T],
    *,
    waits_s: Sequence[float] | None = None,
    tell: Callable[[DatabaseGone, float], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> _T:
    """Call ``attempt`` until it ends otherwise than by ``DatabaseGone``, waiting longer each time.

    ``waits_s`` are seconds; without them, as long as the setting ``HEXWARD_PATIENCE_S`` says.

    ``tell`` hears of each failure and how long the wait is. Raises the last ``DatabaseGone``.
    """
    for wait in _waits(DbSettings().patience_s) if waits_s is None else waits_s:
        try:
            return _attempted(attempt)
        except DatabaseGone as gone:
            if tell is not None:
                tell(gone, wait)
            sleep(wait)
    return _attempted(attempt)


def _waits(altogether_s: float) -> list[float]:
    """Waits that grow up to 30 seconds and add up to ``altogether_s`` at most.

    >>> _waits(60), _waits(0)
    ([1.0, 2.0, 5.0, 10.0, 30.0], [])
    """
    waits: list[float] = []
    growing = chain((1.0, 2.0, 5.0, 10.0), repeat(30.0))
    for wait in growing:
        if sum(waits) + wait > altogether_s:
            break
        waits.append(wait)
    return waits


def _attempted(attempt: Callable[[], _T]) -> _T:
    try:
        return attempt()
    except (DBAPIError, psycopg.Error) as problem:
        if connection_lost(problem):
            raise DatabaseGone(source="") from problem
        raise

"""Loading a city: its sources in the order in which they depend on each other, each all or nothing.

``load_city`` is the use case behind ``hexward load``. What comes after the sources (crosswalk, proposed grids, places,
weights, statistics) is in ``api.settling``; what a person sees of it is a ``Watcher``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text

import db.engine
from api import fitting, settling
from db import migrate
from db.ahead import ahead
from db.engine import raw_copy, read_session, write_session
from db.errors import HexwardError
from grid import loaders as layers
from grid import repository as areas
from grid.place import Placer
from intake import layers as layer_schemas
from intake.city import City, Source
from intake.columns import remembered_mapping
from intake.corrected import CorrectedReader, resolve
from intake.joined import JoinedReader
from intake.pipeline import Batch, Reading, read_validated
from intake.reader import ReaderOptions, SourceReader, open_source
from intake.runs import DatabaseGone, configuration_of, loading, with_patience
from intake.schema import Schema
from population.register import loaders as register
from population.register.schemas import SCHEMAS as REGISTER
from population.statistics.areal_tables import columns_of, load_areal, schema_of
from population.statistics.kept import Kept
from population.statistics.rebuild import city_today

LAYERS = ("areas", "grids", "land_use")
KINDS = (*LAYERS, "buildings", "dwellings", "persons", "employers", "employment", "schooling", "areal")
"""The order in which kinds of sources depend on each other."""


class OtherCity(HexwardError):
    """The database holds another city."""

    code = "load.other_city"


class NothingCorrected(HexwardError):
    """A file of corrected rows needs the source that it corrects."""

    code = "load.corrected_needs_only"


@dataclass
class Report:
    """What became of one source. ``state``: done, unchanged, skipped."""

    source: str
    kind: str
    state: str = "done"
    run: int | None = None
    read: int = 0
    accepted: int = 0
    rejected: int = 0
    unchanged: int = 0
    inserted: int = 0
    updated: int = 0
    seconds: float = 0.0
    warnings: list[dict[str, Any]] = field(default_factory=list)


class Watcher(Protocol):
    """Sees a load as it goes; every method may do nothing."""

    def begin(self, source: str, kind: str) -> None: ...
    def rows(self, read: int, rejected: int) -> None: ...
    def warn(self, source: str, warning: dict[str, Any]) -> None: ...
    def end(self, report: Report) -> None: ...
    def step(self, name: str, seconds: float | None) -> None: ...
    def waiting(self, source: str, seconds: float) -> None: ...


class Silent:
    """A watcher that does nothing."""

    def begin(self, source: str, kind: str) -> None: ...
    def rows(self, read: int, rejected: int) -> None: ...
    def warn(self, source: str, warning: dict[str, Any]) -> None: ...
    def end(self, report: Report) -> None: ...
    def step(self, name: str, seconds: float | None) -> None: ...
    def waiting(self, source: str, seconds: float) -> None: ...


@dataclass(frozen=True)
class Order:
    """What is asked for: ``only`` one source, ``repair`` faults of layers, ``corrected`` rows of one source."""

    actor: str
    only: str | None = None
    repair: bool = False
    corrected: Path | None = None


def load_city(
    city: City, order: Order, watcher: Watcher | None = None, engine: Engine | None = None
) -> list[Report]:
    """Load the sources of ``city``; returns a report for each.

    The database is migrated first. Each source is one transaction: a source that fails leaves the ones before it loaded
    and itself as it was. A broken connection is waited for and the source begun again. Raises ``HexwardError`` for
    what a person can mend.
    """
    watcher = watcher or Silent()
    if order.corrected is not None and order.only is None:
        raise NothingCorrected()
    if engine is None:
        migrate.upgrade(db.engine.database_url())
        engine = db.engine.engine("owner")
    describe_city(engine, city)
    reports: list[Report] = []
    settle = settling.Settling(engine, city, watcher.step, watcher.waiting)
    try:
        for source in plan(city, order.only):
            if source.kind not in LAYERS:
                settle.after_layers()
            if source.kind == "areal":
                settle.after_register()
            one = _Load(engine, city, source, order, watcher)
            report = with_patience(one.run, tell=one.waiting)
            settle.kept = one.kept or settle.kept
            reports.append(report)
            watcher.end(report)
    except DatabaseGone:
        raise
    except HexwardError:
        settle.finish()
        raise
    settle.finish()
    return reports


def plan(city: City, only: str | None = None) -> list[Source]:
    """The sources in the order in which they are loaded: by kind, areas by level from the root down."""
    if only is not None:
        return [city.source(only)]
    depth = {level.key: number for number, level in enumerate(city.levels)}
    return sorted(city.sources, key=lambda one: (KINDS.index(one.kind), depth.get(one.level or "", 0)))


def describe_city(engine: Engine, city: City) -> None:
    """Write the city's own row and its levels; refuses when the database holds another city."""
    said = city.city
    names = {"zh": said.name.zh, "en": said.name.en}
    with write_session(engine) as session:
        there = session.execute(text("SELECT code FROM ops.city")).scalar()
        if there is not None and there != said.code:
            raise OtherCity(there=there, given=said.code)
        conn = raw_copy(session)
        configuration = city.model_dump(mode="json", exclude={"sources"})
        configuration |= {
            "toml": str(city.path),
            "folder": str(city.folder),
        }  # where corrected rows and the map find it
        conn.execute(
            "INSERT INTO ops.city (id, code, name, zone, languages, datum, base_resolution, config, is_demo, loaded_at)"
            " VALUES (1, %s, %s, %s, %s, %s, %s, %s, %s, now()) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
            " zone = excluded.zone, languages = excluded.languages, datum = excluded.datum,"
            " base_resolution = excluded.base_resolution, is_demo = excluded.is_demo, loaded_at = now(),"
            " config = excluded.config"
            " || jsonb_strip_nulls(jsonb_build_object('pending', ops.city.config -> 'pending'))",
            (said.code, Jsonb(names), said.zone, list(said.languages), said.datum, said.base_resolution,
             Jsonb(configuration), said.is_demo),
        )  # fmt: skip
        conn.execute(
            "SELECT stats.advance(day) FROM stats.state, CAST(%s AS date) AS day WHERE day > as_of",
            (city_today(conn),),
        )
        areas.set_levels(conn, [(one.key, {"zh": one.name.zh, "en": one.name.en}) for one in city.levels])


class _Load:
    """One source on its way into the database."""

    def __init__(self, engine: Engine, city: City, source: Source, order: Order, watcher: Watcher) -> None:
        self.engine, self.city, self.order, self.watcher = engine, city, order, watcher
        self.source = source if source.kind != "areal" else _with_columns(source)
        self.kept: Kept | None = None

    def waiting(self, _gone: DatabaseGone, seconds: float) -> None:
        """Say that the database is waited for."""
        self.watcher.waiting(self.source.name, seconds)

    def run(self) -> Report:
        """Load it; a second call begins from the start."""
        report = Report(self.source.name, self.source.kind)
        started = time.perf_counter()
        code = self.city.city.code
        paths = [self.order.corrected] if self.order.corrected else _paths(self.source)
        if not paths:
            report.state = "skipped"
            return report
        self.watcher.begin(self.source.name, self.source.kind)
        with read_session(self.engine) as session:
            remembered = remembered_mapping(session, code, self.source.name)
            self.corrected = (
                CorrectedReader(session, self.order.corrected, self.source.name, code)
                if self.order.corrected
                else None
            )
            version = (
                areas.version(raw_copy(session)) if self.source.kind not in LAYERS else str(self.order.repair)
            )
        rules = schema_for(self.source).fingerprint
        configuration = configuration_of(self.source, remembered, version, rules)
        corrects = self.corrected.run_id if self.corrected else None
        with loading(
            self.engine,
            code,
            self.source,
            paths,
            actor=self.order.actor,
            configuration=configuration,
            corrects=corrects,
        ) as run:
            report.run = run.id
            if run.unchanged:
                report.state = "unchanged"
            else:
                self._into_database(run, paths, remembered, report)
        report.seconds = time.perf_counter() - started
        return report

    def _into_database(
        self, run: Any, paths: Sequence[Path], remembered: dict[str, str], report: Report
    ) -> None:
        with self._open(paths) as reader, write_session(self.engine) as session:
            conn = raw_copy(session)
            reading = read_validated(
                reader, schema_for(self.source), self.source, remembered, bounds=self._bounds(conn)
            )
            result = self._load(conn, reading, run, session)
            refused = result.rejected_df
            run.record_rejected(session, refused, reading)
            warnings = [*self._noted, *result.warnings]
            changed = bool(result.inserted or result.updated) or getattr(result, "places_changed", False)
            if self.corrected is not None:
                resolve(session, self.corrected, run.id)
            settling.mark(conn, self.source.kind, changed, result.rebuild)
            run.finish(session, reading, unchanged_rows=result.unchanged, warnings=warnings)
        self.kept = getattr(result, "kept", None)
        report.read, report.rejected, report.unchanged = reading.rows_read, run.rejected, result.unchanged
        report.accepted = report.read - report.rejected
        report.inserted, report.updated = result.inserted, result.updated
        report.warnings = [*reading.warnings, *warnings]
        for warning in [*reading.warnings, *result.warnings]:
            self.watcher.warn(self.source.name, warning)

    def _open(self, paths: Sequence[Path]) -> SourceReader:
        reader = self.corrected or open_source(paths, ReaderOptions.of(self.source))
        return JoinedReader(reader, self.source.joined) if self.source.joined else reader

    def _bounds(self, conn: Any) -> tuple[float, float, float, float] | None:
        return None if self.source.kind in ("areas", "areal") else fitting.extent(conn)

    def _load(self, conn: Any, reading: Reading, run: Any, session: Any) -> Any:
        self._noted: list[dict[str, Any]] = []
        batches = self._watched(reading, run, session)
        if reading.datum is not None:
            known = fitting.known_areas(conn, self.source)
            batches = fitting.hold_against(batches, reading.datum, known, self._note)
        if self.source.kind in LAYERS:
            return layers.load(conn, self.source, batches, run.id, repair=self.order.repair)
        if self.source.kind == "areal":
            return load_areal(conn, self.source, batches, run.id)
        return register.load(conn, self.source, batches, run.id, Placer.for_city(conn))

    def _note(self, warning: dict[str, Any]) -> None:
        self._noted.append(warning)
        self.watcher.warn(self.source.name, warning)

    def _watched(self, reading: Reading, run: Any, session: Any) -> Iterator[Batch]:
        """The batches, with their rejected rows kept and their numbers shown."""
        for batch in ahead(reading):
            run.record_rejected(session, batch.rejected)
            self.watcher.rows(reading.rows_read, reading.rows_rejected)
            yield batch


def _with_columns(source: Source) -> Source:
    return source.model_copy(update={"columns": columns_of(source)})


def _paths(source: Source) -> list[Path]:
    """The source's files; none when it is optional and they are not there."""
    try:
        return source.paths()
    except HexwardError:
        if source.optional:
            return []
        raise


def schema_for(source: Source) -> Schema:
    """The schema by which ``source`` is read."""
    if source.kind == "areal":
        return schema_of(source)
    return (layer_schemas.SCHEMAS | REGISTER)[source.kind]


def schema_of_kind(kind: str) -> Schema | None:
    """The schema of every source of ``kind``; None where each source has its own."""
    return (layer_schemas.SCHEMAS | REGISTER).get(kind)

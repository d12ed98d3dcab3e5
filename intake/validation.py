"""Turns raw batches of one source into typed rows, and the rest into rejected rows with reasons."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from grid.datum import Datum
from intake.casting import Cast, CastOptions, cast
from intake.city import Source
from intake.columns import ColumnMapping
from intake.coordinates import Bounds, place_geometries, place_points, points_of
from intake.errors import DatumMissing
from intake.findings import Findings
from intake.reader import FAULT, FILE, LINE, REST, WKB
from intake.schema import Field, Schema
from intake.seen import SeenKeys

_SHIFT_ROWS_LOOKED_AT = 5_000


class Validator:
    """Validates batch after batch of one source; remembers the keys it has seen.

    ``reasons`` counts rejected rows by their first reason.
    """

    def __init__(
        self,
        schema: Schema,
        source: Source,
        mapping: ColumnMapping,
        headers: list[str],
        *,
        datum: Datum | None,
        has_geometry: bool = False,
        bounds: Bounds | None = None,
    ) -> None:
        self.schema, self.source, self.mapping, self.headers = schema, source, mapping, headers
        self.datum, self.has_geometry, self.bounds = datum, has_geometry, bounds
        self.reasons: Counter[str] = Counter()
        self._seen: defaultdict[tuple[str, ...], SeenKeys] = defaultdict(SeenKeys)
        self._constants = {
            name: self._constant(schema[name], value) for name, value in source.constants.items()
        }
        self.points_from_geometry = has_geometry and "lng" in schema and "lng" not in mapping.columns
        if datum is None and self.uses_coordinates:
            raise DatumMissing(source=source.name, declared="?")

    @property
    def uses_coordinates(self) -> bool:
        return self.has_geometry or any(name in self.mapping.columns for name in self.schema.coordinates)

    def _options(self, name: str) -> CastOptions:
        source = self.source
        return CastOptions(source.date_order, tuple(source.null_values), source.codes.get(name, {}))

    def _constant(self, wanted: Field, value: Any) -> pl.Series:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        made = cast(pl.Series([text], dtype=pl.String), wanted, self._options(wanted.name))
        if made.bad.any():
            from intake.errors import MappingError

            problem = {
                "code": "columns.bad_constant",
                "field": wanted.name,
                "reason": {"code": made.reasons[0]},
            }
            raise MappingError(file=self.source.name, source=self.source.name, problems=[problem])
        return made.values

    def validate(self, raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """(accepted, rejected) of one batch as ``SourceReader.batches`` gives it."""
        findings = Findings(raw, self.headers)
        numbers = pl.Series(np.arange(raw.height))
        if raw[FAULT].null_count() < raw.height:
            self._faults(raw, findings)
            numbers = numbers.filter(raw[FAULT].is_null())
            raw = raw.filter(pl.col(FAULT).is_null())
        made = {wanted.name: self._cast(wanted, raw) for wanted in self.schema.fields}
        self._place(made, raw)
        self._collect(made, raw, numbers, findings)
        typed = pl.DataFrame({name: found.values.alias(name) for name, found in made.items()}).with_columns(
            raw[LINE], *([raw[FILE]] if FILE in raw.columns else [])
        )
        right = ~numbers.is_in(findings.rows.implode()) if len(findings.rows) else None
        if right is not None:
            typed, numbers = typed.filter(right), numbers.filter(right)
        typed, numbers = self._row_checks(typed, numbers, findings)
        typed = self._duplicates(typed, numbers, findings)
        rejected = findings.frame()
        self.reasons.update(rejected["reason"].to_list())
        return typed, rejected

    def _faults(self, raw: pl.DataFrame, findings: Findings) -> None:
        rows = raw[FAULT].is_not_null().arg_true()
        told = [json.loads(text) if text else {} for text in raw[REST][rows].to_list()]
        params = [{k: v for k, v in one.items() if k != "rest"} for one in told]
        findings.add(rows, raw[FAULT][rows], None, rows_params=params)

    def _cast(self, wanted: Field, raw: pl.DataFrame) -> Cast:
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, raw.height)
        if wanted.name in self.mapping.columns:
            return cast(raw[self.mapping.columns[wanted.name]], wanted, self._options(wanted.name))
        if wanted.name in self._constants:
            return Cast(self._constants[wanted.name].new_from_index(0, raw.height), nothing)
        if wanted.type == "geometry" and self.has_geometry:
            reasons = nothing
            if wanted.required:
                reasons = pl.select(pl.when(raw[WKB].is_null()).then(pl.lit("required_missing"))).to_series()
            return Cast(raw[WKB], reasons)
        if self.points_from_geometry and wanted.type in ("lng", "lat"):
            return Cast(points_of(raw[WKB])[0 if wanted.type == "lng" else 1], nothing)
        return cast(nothing, replace(wanted, required=False))

    def _place(self, made: dict[str, Cast], raw: pl.DataFrame) -> None:
        """Coordinates to WGS84, with what is wrong about them."""
        if self.datum is None or not raw.height:
            return
        kinds = {wanted.type: wanted.name for wanted in self.schema.fields}
        if "lng" in kinds and "lat" in kinds:
            lng, lat = made[kinds["lng"]], made[kinds["lat"]]
            readable = lng.reasons.is_null() & lat.reasons.is_null()
            x, y, reasons = place_points(lng.values, lat.values, self.datum, self.bounds)
            reasons = reasons.to_frame("r").select(pl.when(readable).then("r")).to_series()
            wrong = reasons.is_null()
            lng.values, lat.values = (pl.select(pl.when(wrong).then(v)).to_series() for v in (x, y))
            lng.reasons = lng.reasons.fill_null(reasons)
            lng.params["coordinates_impossible"] = {"datum": self.datum.key}
        if "geometry" in kinds:
            geometry = made[kinds["geometry"]]
            placed, reasons = place_geometries(geometry.values, self.datum, self.bounds)
            geometry.values, geometry.reasons = placed, geometry.reasons.fill_null(reasons)
            geometry.params["coordinates_impossible"] = {"datum": self.datum.key}

    def _collect(
        self, made: dict[str, Cast], raw: pl.DataFrame, numbers: pl.Series, findings: Findings
    ) -> None:
        wrong = {name: found for name, found in made.items() if found.reasons.null_count() < raw.height}
        for name, found in wrong.items():
            bad = found.bad
            header = self.mapping.columns.get(name)
            values = raw[header].filter(bad) if header else None
            if name in ("lng",) and header and "lat" in self.mapping.columns:
                both = pl.concat_str(header, self.mapping.columns["lat"], separator=" ", ignore_nulls=True)
                values = raw.filter(bad).select(both).to_series()
            findings.add(
                numbers.filter(bad), found.reasons.filter(bad), name, values=values, params=found.params
            )
        typed = [
            name for name in wrong if self.schema[name].type != "text" or self.schema[name].check is not None
        ]
        if len(typed) > 1:
            self._shifts({name: wrong[name] for name in typed}, raw, numbers, findings)

    def _shifts(
        self, wrong: dict[str, Cast], raw: pl.DataFrame, numbers: pl.Series, findings: Findings
    ) -> None:
        """Rows that fail in several fields, and in none once their values are moved by one column."""
        position = {name: self.headers.index(h) for name, h in self.mapping.columns.items()}
        names = [name for name in wrong if name in position]
        bad = np.column_stack([wrong[name].bad.to_numpy() for name in names]) if names else np.zeros((0, 0))
        rows = (
            np.flatnonzero(bad.sum(axis=1) > 1)[:_SHIFT_ROWS_LOOKED_AT]
            if bad.size
            else np.zeros(0, dtype=int)
        )
        if not len(rows):
            return
        places = np.array([position[name] for name in names])
        first = np.where(bad[rows], places, len(self.headers)).min(axis=1)
        looked_at = raw[rows]
        for by in (1, -1):
            fits = self._fits_moved(looked_at, position, first, by) & (bad[rows].sum(axis=1) > 1)
            if not fits.any():
                continue
            hits = numbers[rows[fits]]
            findings.drop(hits)
            told = [{"from_column": self.headers[int(p)], "by": by} for p in first[fits]]
            reasons = pl.Series(["columns_shifted"]).new_from_index(0, len(hits))
            findings.add(hits, reasons, None, rows_params=told)
            keep = ~fits
            rows, first, looked_at = rows[keep], first[keep], looked_at.filter(pl.Series(keep))
            if not len(rows):
                return

    def _fits_moved(
        self, raw: pl.DataFrame, position: dict[str, int], first: npt.NDArray[np.int64], by: int
    ) -> npt.NDArray[np.bool_]:
        """Whether every field from column ``first`` on can be read ``by`` columns further, two of them with content."""
        fits = np.ones(raw.height, dtype=bool)
        content = np.zeros(raw.height, dtype=int)
        for name, place in position.items():
            if not 0 <= place + by < len(self.headers):
                continue
            wanted = replace(self.schema[name], required=False, default=None)
            moved = cast(raw[self.headers[place + by]], wanted, self._options(name))
            counts = (
                place >= first if by > 0 else place > first
            )  # moved left: the first one's own value is lost
            fits &= ~counts | ~moved.bad.to_numpy()
            if wanted.type != "text" or wanted.check is not None:
                content += counts & moved.values.is_not_null().to_numpy()
        return fits & (content > 1)

    def _row_checks(
        self, typed: pl.DataFrame, numbers: pl.Series, findings: Findings
    ) -> tuple[pl.DataFrame, pl.Series]:
        for check in self.schema.checks:
            if not typed.height:
                break
            passed = check.passes(typed).fill_null(value=True)
            if passed.all():
                continue
            reasons = pl.Series([check.reason]).new_from_index(0, int((~passed).sum()))
            header = self.mapping.columns.get(check.field)
            values = findings.raw[header][numbers.filter(~passed)] if header else None
            findings.add(numbers.filter(~passed), reasons, check.field, values=values)
            typed, numbers = typed.filter(passed), numbers.filter(passed)
        return typed, numbers

    def _duplicates(self, typed: pl.DataFrame, numbers: pl.Series, findings: Findings) -> pl.DataFrame:
        keep = self.source.repeated == "keep"
        rules = [] if keep or not self.schema.key else [(self.schema.key, "duplicate_key")]
        rules += [((name,), "duplicate_value") for name in self.schema.unique]
        for names, reason in rules:
            again = self._seen_before(typed, names)
            if again is None:
                continue
            rows = again > 0
            told = [{"first_line": line} for line in again.filter(rows).to_list()]
            values = typed[names[0]].filter(rows)
            reasons = pl.Series([reason]).new_from_index(0, len(told))
            findings.add(numbers.filter(rows), reasons, names[0], values=values, rows_params=told)
            typed, numbers = typed.filter(~rows), numbers.filter(~rows)
        return typed

    def _seen_before(self, typed: pl.DataFrame, names: tuple[str, ...]) -> pl.Series | None:
        """Per row the line of an earlier one with the same values, 0 for none; None when there is none at all."""
        if not typed.height:
            return None
        keys = typed.select(names)
        there = pl.select(pl.any_horizontal(*[column.is_not_null() for column in keys])).to_series()
        if there.all():
            earlier = self._seen[names].add(keys, typed[LINE])
            return earlier if (earlier > 0).any() else None
        earlier = self._seen[names].add(keys.filter(there), typed[LINE].filter(there))
        if not (earlier > 0).any():
            return None
        return pl.Series(np.zeros(typed.height, dtype=np.int64)).scatter(there.arg_true(), earlier)

"""What the readers of typed formats share: any column as text, and the marks beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from intake.reader import FAULT, LINE, REST

_EXACT = 10**15


def as_text(values: pl.Series) -> pl.Series:
    """Any column as people would type it: whole numbers without ``.0``, dates as 2026-02-03, empty as null.

    >>> as_text(pl.Series([440304001.0, None])).to_list(), as_text(pl.Series([0.5, 2.0])).to_list()
    (['440304001', None], ['0.5', '2'])
    """
    kind = values.dtype
    if kind == pl.String:
        return pl.select(pl.when(values != "").then(values)).to_series()
    if kind in (pl.Float32, pl.Float64):
        return _float_text(values.cast(pl.Float64))
    if kind == pl.Datetime:
        midnight = (values.dt.date().cast(values.dtype) == values).all(ignore_nulls=True)
        return values.dt.to_string("%Y-%m-%d" if midnight else "%Y-%m-%dT%H:%M:%S")
    if kind == pl.Binary:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
    if kind.is_nested():
        texts = [
            None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in values.to_list()
        ]
        return pl.Series(texts, dtype=pl.String)
    return values.cast(pl.String)


def _float_text(values: pl.Series) -> pl.Series:
    whole = (values == values.round()) & (values.abs() < _EXACT)
    return pl.select(
        pl.when(values.is_nan()).then(None)
        .when(whole).then(values.cast(pl.Int64, strict=False).cast(pl.String))
        .otherwise(values.cast(pl.String))
    ).to_series()  # fmt: skip


def marked(
    columns: Sequence[pl.Series], first_line: int | pl.Series, extra: Sequence[pl.Series] = ()
) -> pl.DataFrame:
    """``columns`` (String, named) with ``LINE`` from ``first_line`` on and ``FAULT`` where a NUL byte is inside."""
    height = len(columns[0]) if columns else len(extra[0]) if extra else 0
    lines: Any = first_line
    if isinstance(first_line, int):
        lines = pl.int_range(first_line, first_line + height, eager=True, dtype=pl.Int64)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, height)
    frame = pl.DataFrame([*columns, lines.alias(LINE), nothing.alias(FAULT), nothing.alias(REST), *extra])
    names = [column.name for column in columns]
    if names and height:
        nul = frame.select(
            pl.any_horizontal(pl.col(names).str.contains("\0", literal=True)).fill_null(value=False)
        )
        if nul.to_series().any():
            frame = frame.with_columns(
                pl.when(nul.to_series()).then(pl.lit("nul_byte")).otherwise(FAULT).alias(FAULT)
            )
            frame = frame.with_columns(pl.col(names).str.replace_all("\0", "\ufffd", literal=True))
    return frame

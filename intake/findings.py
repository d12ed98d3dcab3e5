"""Collects what is wrong with the rows of a batch and makes the frame of rejected rows out of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from intake.reader import FILE, LINE, REST

REJECTED = pl.Schema(
    {
        "line": pl.Int64(),
        "field": pl.String(),
        "reason": pl.String(),
        "params": pl.String(),
        "value": pl.String(),
        "row": pl.String(),
    }
)
"""Columns of a frame of rejected rows, one row each. ``params`` and ``row`` are JSON: ``params`` fills the reason's
words and holds further findings of the row under ``more``; ``row`` is the whole row as it was read."""

VALUE_CHARACTERS = 500


@dataclass
class Findings:
    """Findings about the rows of ``raw`` (as read, marks included), by row number."""

    raw: pl.DataFrame
    headers: Sequence[str]
    _parts: list[pl.DataFrame] = field(default_factory=list)

    def add(
        self,
        rows: pl.Series,
        reasons: pl.Series,
        field_name: str | None,
        *,
        values: pl.Series | None = None,
        params: dict[str, dict[str, Any]] | None = None,
        rows_params: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """``reasons`` for the row numbers ``rows``; ``params`` by reason, or ``rows_params`` one a row."""
        texts = {reason: json.dumps(p, ensure_ascii=False) for reason, p in (params or {}).items()}
        given = (
            pl.Series([json.dumps(p, ensure_ascii=False) for p in rows_params], dtype=pl.String)
            if rows_params is not None
            else reasons.replace_strict(texts, default="{}", return_dtype=pl.String)
        )
        empty = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
        self._parts.append(
            pl.DataFrame(
                {
                    "number": rows.cast(pl.Int64),
                    "field": pl.Series([field_name], dtype=pl.String).new_from_index(0, len(rows)),
                    "reason": reasons,
                    "params": given,
                    "value": empty if values is None else values.cast(pl.String).str.head(VALUE_CHARACTERS),
                }
            )
        )

    @property
    def rows(self) -> pl.Series:
        """Numbers of the rows with findings, ascending."""
        if not self._parts:
            return pl.Series("number", [], dtype=pl.Int64)
        return pl.concat([part["number"] for part in self._parts]).unique().sort()

    def drop(self, rows: pl.Series) -> None:
        """Forget what was found about ``rows``: something better explains it."""
        self._parts = [part.filter(~pl.col("number").is_in(rows.implode())) for part in self._parts]

    def frame(self) -> pl.DataFrame:
        """See ``REJECTED``; in order of line."""
        if not self._parts:
            return pl.DataFrame(schema=REJECTED)
        one = pl.struct("field", "reason", "params", "value")
        grouped = (
            pl.concat(self._parts)
            .group_by("number", maintain_order=True)
            .agg(pl.col("field", "reason", "params", "value").first(), one.slice(1).alias("more"))
            .sort("number")
        )
        raw = self.raw[grouped["number"]]
        found = pl.DataFrame(
            {
                "line": raw[LINE],
                "field": grouped["field"],
                "reason": grouped["reason"],
                "params": self._with_more(grouped, raw),
                "value": grouped["value"],
                "row": self._row_json(raw),
            },
            schema=REJECTED,
        )
        return found.sort("line", maintain_order=True)

    @staticmethod
    def _with_more(grouped: pl.DataFrame, raw: pl.DataFrame) -> pl.Series:
        """Add the further findings, and the file's name where there are several files."""
        several = grouped["more"].list.len() > 0
        if not several.any() and FILE not in raw.columns:
            return grouped["params"]
        params = grouped["params"].to_list()
        for number in range(len(params)):
            whole = json.loads(params[number])
            if FILE in raw.columns:
                whole["file"] = raw[FILE][number]
            if several[number]:
                whole["more"] = [
                    {
                        "field": m["field"],
                        "reason": m["reason"],
                        "value": m["value"],
                        **json.loads(m["params"]),
                    }
                    for m in grouped["more"][number].to_list()
                ]
            params[number] = json.dumps(whole, ensure_ascii=False)
        return pl.Series(params, dtype=pl.String)

    def _row_json(self, raw: pl.DataFrame) -> pl.Series:
        if not self.headers:
            return pl.Series(["{}"]).new_from_index(0, raw.height)
        made = raw.select(pl.struct(self.headers)).to_series().struct.json_encode()
        if REST not in raw.columns or raw[REST].null_count() == raw.height:
            return made
        rest = [json.loads(text)["rest"] if text else [] for text in raw[REST].to_list()]
        return pl.Series(
            [
                text
                if not extra
                else text[:-1] + ', "__rest": ' + json.dumps(extra, ensure_ascii=False) + "}"
                for text, extra in zip(made.to_list(), rest, strict=True)
            ],
            dtype=pl.String,
        )

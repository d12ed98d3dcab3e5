"""From an opened source to typed rows, and to rejected rows with their reasons."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

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
"""Columns of a frame of rejected rows: one row each; ``params`` and ``row`` are JSON, ``row`` as it was read."""


@dataclass(frozen=True)
class Batch:
    """A slice of a source after validation.

    ``accepted``: one typed column per field of the schema (``lng``/``lat``/``geometry`` in WGS84, degrees;
    geometry as WKB) plus ``__line``. ``rejected``: see ``REJECTED``. ``read`` = accepted + rejected.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def read(self) -> int:
        return self.accepted.height + self.rejected.height

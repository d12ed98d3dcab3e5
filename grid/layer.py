"""Rows of a layer in hand: collected from batches, dissolved by code, refused with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from grid.measure import only_polygons

Shapes = npt.NDArray[np.object_]

REJECTED = {
    "line": pl.Int64,
    "field": pl.String,
    "reason": pl.String,
    "params": pl.String,
    "value": pl.String,
    "row": pl.String,
}
_COLUMNS: dict[str, Any] = {
    "code": pl.String,
    "name": pl.String,
    "name_en": pl.String,
    "parent_code": pl.String,
    "area_code": pl.String,
    "officer_patch": pl.String,
    "class": pl.String,
    "urban_rural_class": pl.Int64,
    "valid_from": pl.Date,
    "geometry": pl.Binary,
    "__line": pl.Int64,
}


class _Accepted(Protocol):
    @property
    def accepted(self) -> pl.DataFrame: ...


@dataclass
class LoadResult:
    """What became of the rows of a source: `accepted` counts all that are there now, `unchanged` those of them that
    were there before in the same words.

    `places_changed` asks for the register's places to be found again, `rebuild` for statistics to be made anew.
    """

    accepted: int = 0
    unchanged: int = 0
    inserted: int = 0
    updated: int = 0
    rejected: list[pl.DataFrame] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    places_changed: bool = False
    rebuild: bool = False

    @property
    def rejected_df(self) -> pl.DataFrame:
        """Refused rows: line, field, reason, params (JSON), value, row (JSON as read)."""
        filled = [one for one in self.rejected if one.height]
        return pl.concat(filled) if filled else pl.DataFrame(schema=REJECTED)

    def warn(self, code: str, **params: Any) -> None:
        """Notes something a person should know."""
        self.warnings.append({"code": code, **params})


def refuse(
    rows: pl.DataFrame, name: str, reason: str, params: str = "{}", shows: str | None = None
) -> pl.DataFrame:
    """`rows` as rejected rows: `reason` (a code) at the field `name`; shapes are left out.

    `params` (JSON) fills the words of the reason; `shows` names a parameter that takes the refused value instead.
    """
    if not rows.height:
        return pl.DataFrame(schema=REJECTED)
    shown = [c for c in rows.columns if not c.startswith("__") and rows.schema[c] != pl.Binary]
    value = (
        pl.lit(None, pl.String)
        if rows.schema[name] == pl.Binary
        else pl.col(name).cast(pl.String).str.slice(0, 500)
    )
    return rows.select(
        pl.col("__line").alias("line"),
        pl.lit(name).alias("field"),
        pl.lit(reason).alias("reason"),
        (pl.lit(params) if shows is None else _named(shows, value)).alias("params"),
        value.alias("value"),
        pl.struct(shown).struct.json_encode().alias("row"),
    )


def _named(parameter: str, value: pl.Expr) -> pl.Expr:
    return pl.struct(value.fill_null("-").alias(parameter)).struct.json_encode()


def collect(
    batches: Iterable[_Accepted], result: LoadResult, code: str | None = None
) -> tuple[pl.DataFrame, Shapes]:
    """All accepted rows with every column of a layer (null where the source has none), and their polygons.

    Rows without a shape, with an unreadable one, or without any ground in it are refused. Rows without `code`, if that
    is named, are refused too.
    """
    frames = [batch.accepted for batch in batches]
    filled = [_complete(f) for f in frames if f.height]
    rows = pl.concat(filled) if filled else pl.DataFrame(schema=_COLUMNS)
    shapes = shapely.from_wkb(np.array(rows["geometry"].to_list(), dtype=object), on_invalid="ignore")
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    finite = np.ones(rows.height, dtype=np.bool_)
    points, of = shapely.get_coordinates(shapes, return_index=True)
    finite[of[~np.isfinite(points).all(axis=1)]] = False
    flat = np.isin(shapely.get_type_id(shapes), (3, 6, 7))
    for wrong, reason in (
        (missing, "geometry_missing"),
        (~missing & ~finite, "coordinates_impossible"),
        (~missing & finite & ~flat, "not_an_area"),
    ):
        result.rejected.append(refuse(rows.filter(pl.Series(wrong)), "geometry", reason))
    good = ~missing & finite & flat
    if code is not None:
        bare = rows[code].is_null().to_numpy()
        result.rejected.append(refuse(rows.filter(pl.Series(good & bare)), code, "required_missing"))
        good &= ~bare
    rows, shapes = rows.filter(pl.Series(good)), only_polygons(shapely.force_2d(shapes[good]))
    result.accepted = rows.height
    return rows, shapes


def _complete(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        (pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind)).alias(name)
        for name, kind in _COLUMNS.items()
    )


def dissolve(rows: pl.DataFrame, shapes: Shapes, result: LoadResult) -> tuple[pl.DataFrame, Shapes]:
    """Features of one code as one: the first row's words, all rows' ground; says how many there were."""
    first = rows.with_row_index("__at").group_by("code", maintain_order=True).agg(pl.col("__at"))
    if first.height == rows.height:
        return rows, shapes
    groups = first["__at"].to_list()
    whole = [_united(shapes[g]) for g in groups]
    several = first.filter(pl.col("__at").list.len() > 1)["code"].to_list()
    result.warn("dissolved", codes=several[:20], count=len(several), rows=rows.height)
    return rows[[g[0] for g in groups]], only_polygons(np.array([*whole, None], dtype=object)[:-1])


def _united(shapes: Shapes) -> Any:
    """One shape of several; side by side where one is invalid, so that the check of the layer finds the fault."""
    if len(shapes) == 1:
        return shapes[0]
    if shapely.is_valid(shapes).all():
        return shapely.union_all(shapes)
    return shapely.multipolygons(shapely.get_parts(shapes))

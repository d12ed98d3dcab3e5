"""Tables of counts by area: loaded, kept, and spread over the cells of their areas."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from db.copy import copy_frame
from intake.schema import Field, Schema
from population.register.keys import read_frame
from population.register.merge import LoadResult, refuse
from population.statistics.areal import Spread, spread

if TYPE_CHECKING:
    import psycopg

    from intake.city import Source
    from intake.pipeline import Batch

    Connection = psycopg.Connection[Any]

AREA: Final = "area"
WEIGHTS: Final = ("dwellings", "residential", "area")
_FIGURES: Final = {"variable": pl.String, "source": pl.Int64, "value": pl.Float64, "moe": pl.Float64}
_LINKS: Final = {"source": pl.Int64, "target": pl.Int64} | dict.fromkeys(WEIGHTS, pl.Float64)


def schema_of(source: Source) -> Schema:
    """The fields of an areal source: its area, and an estimate and a margin (``<id>__moe``) for each variable."""
    fields = [Field(AREA, "code", required=True)]
    for variable in source.variables:
        fields.append(Field(variable.id, "float", minimum=0))
        if variable.moe:
            fields.append(Field(f"{variable.id}__moe", "float"))
    return Schema(kind="areal", fields=tuple(fields), key=(AREA,))


def columns_of(source: Source) -> dict[str, str]:
    """The column mapping that the source's ``area_key`` and ``variables`` state."""
    columns = {AREA: source.area_key or AREA}
    for variable in source.variables:
        columns[variable.id] = variable.column
        if variable.moe:
            columns[f"{variable.id}__moe"] = variable.moe
    return columns


def load_areal(conn: Connection, source: Source, batches: Iterable[Batch], run_id: int) -> LoadResult:
    """Load a table of counts by area and spread it over cells.

    A row whose area is unknown is refused; a negative margin (the survey's mark for "none") is no margin. Areas that
    the file no longer mentions keep their figures.
    """
    result = LoadResult()
    areas = _areas(conn, source)
    parts, marks = [], 0
    for batch in batches:
        rows, missing = _with_area(batch.accepted, areas)
        what = json.dumps({"source": source.area_level})
        result.rejected.append(refuse(missing, AREA, "unknown_reference", what))
        figures = _long(rows, source)
        marks += figures.filter(pl.col("moe") < 0).height
        parts.append(figures.with_columns(moe=pl.when(pl.col("moe") >= 0).then("moe")))
        result.accepted += rows.height
    new = pl.concat(parts) if parts else pl.DataFrame(schema=_FIGURES)
    if marks:
        result.warn("margins_marked_as_none", values=marks)
    table = _table(conn, source, run_id)
    old = _stored(conn, table)
    _count(result, old, new)
    kept = old.join(new, on=["variable", "source"], how="anti")
    _write(conn, table, pl.concat([kept, new]), source, result)
    return result


def respread(conn: Connection) -> int:
    """Spread every areal table over cells again, after dwellings or areas changed; returns the tables done."""
    tables = conn.execute("select id, weights from stats.areal_table order by id").fetchall()
    for table, weights in tables:
        figures = _stored(conn, table)
        links = _links(conn)
        for _, one in figures.group_by("variable", maintain_order=True):
            name = one["variable"][0]
            _put_cells(conn, table, name, spread(one.drop("variable"), links, _order(weights)))
    return len(tables)


def _areas(conn: Connection, source: Source) -> pl.DataFrame:
    found = conn.execute(
        "select a.id, a.code, a.name, a.name_en from geo.area a join geo.area_level l using (level)"
        " where l.key = %s and a.valid_to is null",
        (source.area_level,),
    ).fetchall()
    return pl.DataFrame(
        found,
        schema={"source": pl.Int64, "code": pl.String, "name": pl.String, "name_en": pl.String},
        orient="row",
    )


def _with_area(rows: pl.DataFrame, areas: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with their area's id as ``source``, by code, else by a name that only one area has; and the others."""
    by = [areas.select("source", pl.col("code").alias(AREA))]
    for name in ("name", "name_en"):
        unique = areas.filter(pl.col(name).is_not_null() & pl.col(name).is_unique())
        by.append(unique.select("source", pl.col(name).alias(AREA)))
    lookup = pl.concat(by).unique(AREA, keep="first", maintain_order=True)
    joined = rows.join(lookup, on=AREA, how="left", maintain_order="left")
    known = pl.col("source").is_not_null()
    return joined.filter(known), joined.filter(~known).drop("source")


def _long(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    parts = [
        rows.select(
            pl.lit(variable.id).alias("variable"),
            "source",
            pl.col(variable.id).alias("value"),
            (pl.col(f"{variable.id}__moe") if variable.moe else pl.lit(None, pl.Float64)).alias("moe"),
        ).filter(pl.col("value").is_not_null())
        for variable in source.variables
    ]
    return pl.concat(parts)


def _table(conn: Connection, source: Source, run_id: int) -> int:
    """The id of the source's table, made or brought up to date."""
    name = source.title.model_dump() if source.title else {"zh": source.name, "en": source.name}
    variables = [
        {"id": one.id, "name": one.name.model_dump(), "unit": one.unit.model_dump() if one.unit else None}
        for one in source.variables
    ]
    row = conn.execute(
        "insert into stats.areal_table (source, name, period, level, weights, variables, run_id)"
        " select %s, %s::jsonb, %s, level, %s, %s::jsonb, %s from geo.area_level where key = %s"
        " on conflict (source) do update set name = excluded.name, period = excluded.period, level = excluded.level,"
        " weights = excluded.weights, variables = excluded.variables, run_id = excluded.run_id returning id",
        (source.name, json.dumps(name), source.period, source.weights or "dwellings", json.dumps(variables), run_id,
         source.area_level),
    ).fetchone()  # fmt: skip
    if row is None:
        raise KeyError(source.area_level)
    return int(row[0])


def _stored(conn: Connection, table: int) -> pl.DataFrame:
    query = (
        "select variable, area_id as source, estimate as value, moe from stats.areal_figure"  # noqa: S608
        f" where table_id = {table:d} order by 1, 2"
    )
    return read_frame(conn, query, _FIGURES)


def _count(result: LoadResult, old: pl.DataFrame, new: pl.DataFrame) -> None:
    """Areas that are new, changed and the same."""
    both = new.join(old, on=["variable", "source"], how="left", suffix="_old")
    same = pl.col("value").eq_missing(pl.col("value_old")) & pl.col("moe").eq_missing(pl.col("moe_old"))
    by_area = both.group_by("source").agg(
        same.all().alias("same"), pl.col("value_old").is_null().all().alias("new")
    )
    result.unchanged = int(by_area["same"].sum())
    result.inserted = int((by_area["new"] & ~by_area["same"]).sum())
    result.updated = by_area.height - result.unchanged - result.inserted


def _write(conn: Connection, table: int, figures: pl.DataFrame, source: Source, result: LoadResult) -> None:
    """Replace the table's figures and their spread; tell which areas fell to which weight."""
    conn.execute("delete from stats.areal_figure where table_id = %s", (table,))
    names = {variable.id for variable in source.variables}
    gone = figures.filter(~pl.col("variable").is_in(list(names)))["variable"].unique().to_list()
    for name in gone:
        conn.execute("delete from stats.areal_cell where table_id = %s and variable = %s", (table, name))
        conn.execute("delete from stats.areal_part where table_id = %s and variable = %s", (table, name))
    links, told = _links(conn), False
    for variable in source.variables:
        mine = figures.filter(pl.col("variable") == variable.id).drop("variable")
        done = spread(mine, links, _order(source.weights))
        stored = mine.join(done.weight_used, on="source", how="left")
        columns = {"source": "area_id", "value": "estimate"}
        frame = stored.rename(columns).with_columns(
            pl.lit(table).alias("table_id"), pl.lit(variable.id).alias("variable")
        )
        copy_frame(conn, "stats.areal_figure", frame)
        _put_cells(conn, table, variable.id, done)
        if not told:
            _tell(conn, done, source, result)
            told = True


def _tell(conn: Connection, done: Spread, source: Source, result: LoadResult) -> None:
    first = _order(source.weights)[0]
    named = dict(conn.execute("select id, code from geo.area").fetchall())
    people = done.parts.group_by("source").agg(pl.col("value").sum())
    fallen = done.weight_used.filter(pl.col("weight") != first).join(people, on="source")
    for (weight,), group in fallen.group_by("weight", maintain_order=True):
        wanted = group.filter(pl.col("value") > 0)
        if wanted.height:
            codes = sorted(str(named[one]) for one in wanted["source"])
            result.warn(
                "areal_other_weight", weight=weight, areas=len(codes), codes=codes[:20], instead_of=first
            )
    lost = done.unplaced.filter(pl.col("value") > 0)
    if lost.height:
        codes = sorted(str(named[one]) for one in lost["source"])
        result.warn("areal_without_cells", areas=len(codes), codes=codes[:20])


def _put_cells(conn: Connection, table: int, variable: str, done: Spread) -> None:
    for name in ("areal_part", "areal_cell"):
        conn.execute(f"delete from stats.{name} where table_id = %s and variable = %s", (table, variable))  # noqa: S608
    marks = (pl.lit(table).alias("table_id"), pl.lit(variable).alias("variable"))
    parts = done.parts.select(
        *marks, pl.col("source").alias("area_id"), pl.col("target").alias("cell"), "value", "moe"
    )
    copy_frame(conn, "stats.areal_part", parts)
    cells = done.by_target().select(*marks, pl.col("target").alias("cell"), "value", "moe")
    copy_frame(conn, "stats.areal_cell", cells)


def _order(first: str | None) -> list[str]:
    return list(WEIGHTS[WEIGHTS.index(first or "dwellings") :])


def _links(conn: Connection) -> pl.DataFrame:
    """Which cells an area has, and what weighs in each: dwellings, m2 of residential land, m2 of land."""
    query = (
        "select x.area_id as source, x.cell as target, x.dwellings, c.residential_m2 * x.share_of_cell as residential,"
        " c.land_m2 * x.share_of_cell as area"
        " from geo.area_cell x join geo.cell c using (cell) order by 1, 2"
    )
    return read_frame(conn, query, _LINKS)

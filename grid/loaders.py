"""Layers into the database: areas of one level, legal grids, land use.

A loader takes validated batches (shapes in WGS84), the open transaction's connection and the run they belong to.
Loaded again, the same layer changes nothing. A changed boundary closes the old version and opens a new one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from grid import codes as area_codes
from grid import repository, tree, versions
from grid.layer import LoadResult, Shapes, collect, dissolve, refuse
from grid.measure import area_m2, local_plane
from grid.topology import Finding, Tolerance, check, largest_first

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

__all__ = ["LoadResult", "load", "load_areas", "load_grids", "load_land_use"]

_SHOWN = 10
_OUTSIDE_SHARE = 0.02


class LayerSource(Protocol):
    """What a loader reads of a source's description."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Any: ...
    @property
    def level(self) -> str | None: ...


class LayerBatch(Protocol):
    """Accepted rows: typed columns with `geometry` as WKB in WGS84 and `__line`."""

    @property
    def accepted(self) -> pl.DataFrame: ...


def load(
    conn: Connection,
    source: LayerSource,
    batches: Iterable[LayerBatch],
    run_id: int,
    *,
    repair: bool = False,
    on: date | None = None,
) -> LoadResult:
    """Loads a source of kind areas, grids or land_use; KeyError for any other kind.

    `repair` mends faults of the topology and records what was done; without it an invalid shape is a rejected row and
    the rest is a warning. `on` is the day from which changed boundaries hold (default: today).
    """
    day = on or date.today()
    if source.kind == "areas":
        return load_areas(conn, source, batches, run_id, repair=repair, on=day)
    if source.kind == "grids":
        return load_grids(conn, source, batches, run_id, repair=repair, on=day)
    return {"land_use": load_land_use}[source.kind](conn, source, batches, run_id)


def load_areas(
    conn: Connection,
    source: LayerSource,
    batches: Iterable[LayerBatch],
    run_id: int,
    *,
    repair: bool,
    on: date,
) -> LoadResult:
    """Areas of one level by code: columns code, name, name_en, parent_code, urban_rural_class, valid_from, geometry.

    Features with the same code become one area. The parent is the area whose code is given; else the one that the
    digits of a statistics code name; else the one of the level above that holds most of the area.
    """
    result = LoadResult()
    level = repository.level_number(conn, str(source.level))
    if level is None:
        raise tree.UnknownLevelError(level=str(source.level), source=source.name)
    rows, shapes = collect(batches, result)
    rows, shapes = dissolve(rows, shapes, result)
    rows, shapes = _on_this_level(conn, level, rows, shapes, result)
    known = repository.areas(conn, level)
    rows, shapes = _sound(
        conn, f"areas:{source.level}", rows, shapes, known, run_id=run_id, repair=repair, result=result
    )
    rows, shapes, parents = _with_parents(conn, level, rows, shapes, result)
    staged = rows.with_columns(
        pl.lit(level, pl.Int16).alias("level"),
        pl.Series("parent_id", parents, dtype=pl.Int64).replace(0, None),
        pl.col("name").fill_null(pl.col("code")),
        pl.Series("area_m2", area_m2(shapes)),
        pl.lit(run_id, pl.Int64).alias("run_id"),
    )
    versions.merge_areas(conn, staged, shapes, on, result)
    tree.settle(conn, below=level)
    _missing(known.codes, rows["code"].to_list(), result)
    return result


def _on_this_level(
    conn: Connection, level: int, rows: pl.DataFrame, shapes: Shapes, result: LoadResult
) -> tuple[pl.DataFrame, Shapes]:
    """Refuses codes that another level already has: a code names one area."""
    found = conn.execute(
        "SELECT code FROM geo.area WHERE valid_to IS NULL AND level <> %s", (level,)
    ).fetchall()
    taken = rows["code"].is_in([code for (code,) in found])
    result.rejected.append(refuse(rows.filter(taken), "code", "code_of_another_level"))
    return rows.filter(~taken), shapes[(~taken).to_numpy()]


def _with_parents(
    conn: Connection, level: int, rows: pl.DataFrame, shapes: Shapes, result: LoadResult
) -> tuple[pl.DataFrame, Shapes, npt.NDArray[np.int64]]:
    above = tree.units_above(conn, level)
    if not len(above):
        return rows, shapes, np.zeros(rows.height, dtype=np.int64)
    parents = tree.parents_of(rows["code"].to_list(), rows["parent_code"].to_list(), shapes, above)
    lost = pl.Series(parents == 0)
    result.rejected.append(refuse(rows.filter(lost), "parent_code", "unknown_parent", shows="parent"))
    kept = (~lost).to_numpy()
    rows, shapes, parents = rows.filter(~lost), shapes[kept], parents[kept]
    _nesting(rows["code"].to_list(), shapes, parents, above, result)
    return rows, shapes, parents


def _nesting(
    codes: list[str],
    shapes: Shapes,
    parents: npt.NDArray[np.int64],
    above: repository.Units,
    result: LoadResult,
) -> None:
    """Says which areas reach out of their parent with a notable part of their ground; nothing is cut off."""
    order = np.argsort(above.ids)
    parent = order[np.searchsorted(above.ids[order], parents)]
    inner = np.flatnonzero(shapely.is_valid(shapes))
    beyond = area_m2(shapely.difference(shapes[inner], above.shapes[parent[inner]]))
    share = beyond / np.maximum(area_m2(shapes[inner]), 1e-9)
    notable = [k for k in np.argsort(-share, kind="stable").tolist() if share[k] > _OUTSIDE_SHARE]
    if notable:
        shown = [
            {
                "code": "topology.reaches_out",
                "area": codes[inner[k]],
                "other": above.codes[parent[inner[k]]],
                "percent": round(float(share[k]) * 100, 1),
            }
            for k in notable[:_SHOWN]
        ]
        result.warn("areas_reach_out", count=len(notable), largest=shown)


def load_grids(
    conn: Connection,
    source: LayerSource,
    batches: Iterable[LayerBatch],
    run_id: int,
    *,
    repair: bool,
    on: date,
) -> LoadResult:
    """Legal grids: columns code, name, area_code, officer_patch, valid_from, geometry.

    The community is the one stated by area_code, else the one the code's first 12 digits name, else the one that holds
    most of the grid. A grid without a code is numbered within its community, west to east from the north.
    """
    result = LoadResult()
    rows, shapes = collect(batches, result)
    leaf = repository.leaf_level(conn)
    communities = repository.areas(conn, -1 if leaf is None else leaf)
    stated = _community_codes(rows, set(communities.codes))
    parents = tree.parents_of([""] * rows.height, stated, shapes, communities)
    lost = pl.Series(parents == 0)
    result.rejected.append(refuse(rows.filter(lost), "area_code", "unknown_parent", shows="parent"))
    kept = (~lost).to_numpy()
    rows = rows.filter(~lost).with_columns(pl.Series("area_id", parents[kept], dtype=pl.Int64))
    rows, shapes = _numbered(rows, shapes[kept], communities, repository.grids(conn))
    rows, shapes = dissolve(rows, shapes, result)
    rows, shapes = _sound(
        conn, "grids", rows, shapes, repository.grids(conn), run_id=run_id, repair=repair, result=result
    )
    staged = rows.with_columns(
        pl.col("name").fill_null(pl.col("code")),
        pl.Series("area_m2", area_m2(shapes)),
        pl.lit("uploaded").alias("origin"),
        pl.lit(run_id, pl.Int64).alias("run_id"),
    )
    versions.merge_grids(conn, staged, shapes, on, result)
    return result


def _community_codes(rows: pl.DataFrame, known: set[str]) -> list[str | None]:
    stated: list[str | None] = []
    for code, community in zip(rows["code"].to_list(), rows["area_code"].to_list(), strict=True):
        by_digits = code[:12] if code and len(code) == 15 and code[:12] in known else None
        stated.append(community or by_digits)
    return stated


def _numbered(
    rows: pl.DataFrame, shapes: Shapes, communities: repository.Units, present: repository.Units
) -> tuple[pl.DataFrame, Shapes]:
    """Gives grids without a code the next free ones of their community."""
    codes = rows["code"].to_list()
    bare = np.array([not c for c in codes], dtype=np.bool_)
    if not bare.any():
        return rows, shapes
    code_of = dict(zip(communities.ids.tolist(), communities.codes, strict=True))
    same = {shape.wkb: code for shape, code in zip(present.shapes, present.codes, strict=True)}
    taken = Counter(c[:-3] for c in [*present.codes, *(c for c in codes if c)])
    community_ids = rows["area_id"].to_numpy()
    middle = shapely.get_coordinates(shapely.centroid(shapes))
    row_height = float(np.sqrt(np.median(area_m2(shapes[bare])))) / local_plane(*middle[0])[1]
    for community in np.unique(community_ids[bare]).tolist():
        own = np.flatnonzero(bare & (community_ids == community))
        for k in own[area_codes.reading_order(middle[own, 0], middle[own, 1], row_height)].tolist():
            known_as = same.get(shapes[k].wkb)
            if known_as is None:
                stem = area_codes.grid_code(code_of[community], 1)[:-3]
                taken[stem] += 1
                known_as = area_codes.grid_code(code_of[community], taken[stem])
            codes[k] = known_as
    return rows.with_columns(pl.Series("code", codes, dtype=pl.String)), shapes


def load_land_use(
    conn: Connection, source: LayerSource, batches: Iterable[LayerBatch], run_id: int
) -> LoadResult:
    """Land use: columns class, name, geometry; a source's patches are replaced as a whole when any differs."""
    result = LoadResult()
    rows, shapes = collect(batches, result, code="class")
    versions.replace_land_use(conn, source.name, rows, shapes, run_id=run_id, result=result)
    return result


def _sound(
    conn: Connection,
    layer: str,
    rows: pl.DataFrame,
    shapes: Shapes,
    known: repository.Units,
    *,
    run_id: int,
    repair: bool,
    result: LoadResult,
) -> tuple[pl.DataFrame, Shapes]:
    """Checks the new shapes together with those present; refuses invalid ones unless they are to be repaired."""
    codes = rows["code"].to_list()
    new = set(codes)
    others = [k for k, code in enumerate(known.codes) if code not in new]
    every = np.concatenate([shapes, known.shapes[others]])
    names = [*codes, *(known.codes[k] for k in others)]
    checked = check(every, names, repair=repair, tolerance=Tolerance())
    found = [f for f in checked.findings if {f.code, f.other_code} & new]
    repository.record_findings(conn, layer, run_id, found)
    if found:
        result.warn("topology", **_summary(found))
    if repair:
        return rows, checked.shapes[: rows.height]
    bad = {f.code: f for f in found if f.kind == "invalid"}
    invalid = np.array([code in bad for code in codes], dtype=np.bool_)
    for k in np.flatnonzero(invalid).tolist():
        fault = bad[codes[k]]
        params = f'{{"detail": "{fault.detail}", "lng": {fault.lng:.7f}, "lat": {fault.lat:.7f}}}'
        result.rejected.append(refuse(rows[[k]], "geometry", "geometry_invalid", params))
    return rows.filter(pl.Series(~invalid)), shapes[~invalid]


def _summary(findings: list[Finding]) -> dict[str, Any]:
    counts = Counter(f.kind for f in findings)
    shown = [
        {
            "code": f"topology.{f.kind}",
            "area": f.code or "-",
            "other": f.other_code or "-",
            "lng": round(f.lng, 7),
            "lat": round(f.lat, 7),
            "area_m2": round(f.area_m2, 1),
            "repair": _repair(f),
        }
        for f in largest_first(findings, _SHOWN)
    ]
    repaired = sum(f.repair is not None for f in findings)
    return {"counts": dict(counts), "found": len(findings), "repaired": repaired, "largest": shown}


_DONE = {"invalid": "rebuilt", "overlap": "cut", "gap": "filled", "hole": "filled"}


def _repair(found: Finding) -> dict[str, Any]:
    """What was done about a fault, as a code with its parameters."""
    if found.repair is None:
        return {"code": "repair.too_large" if found.detail.startswith("larger") else "repair.none"}
    return {
        "code": f"repair.{_DONE[found.kind]}",
        "area": found.code,
        "other": found.other_code,
        "area_m2": round(found.area_m2, 1),
    }


def _missing(before: list[str], now: list[str], result: LoadResult) -> None:
    gone = sorted(set(before) - set(now))
    if gone and len(gone) < len(before):
        result.warn("areas_not_in_file", count=len(gone), codes=gone[:_SHOWN])

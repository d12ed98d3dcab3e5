"""The only SQL on areas, grids and cells; callers bring the connection and its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Current areas or grids in columns, ordered by code; `shapes` are shapely multipolygons in WGS84."""

    ids: Ints
    codes: list[str]
    levels: Ints
    parents: Ints
    names: list[str]
    shapes: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.codes)


def _units(rows: Sequence[tuple[Any, ...]]) -> Units:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    ids, codes, levels, parents, names, shapes = columns
    return Units(
        np.array(ids, dtype=np.int64),
        list(codes),
        np.array(levels, dtype=np.int64),
        np.array([p or 0 for p in parents], dtype=np.int64),
        list(names),
        np.asarray(shapely.from_wkb(np.array([bytes(s) for s in shapes], dtype=object))),
    )


def set_levels(conn: Connection, levels: Sequence[tuple[str, dict[str, str]]]) -> None:
    """Declares the levels of the tree, root first: (key, {"zh":.., "en":..}); levels in use are never dropped."""
    with conn.cursor() as cursor:
        cursor.execute("UPDATE geo.area_level SET key = '~' || level || key")
        cursor.executemany(
            "INSERT INTO geo.area_level (level, key, name) VALUES (%s, %s, %s)"
            " ON CONFLICT (level) DO UPDATE SET key = excluded.key, name = excluded.name",
            [(number, key, Jsonb(name)) for number, (key, name) in enumerate(levels)],
        )
        cursor.execute("DELETE FROM geo.area_level WHERE level >= %s", (len(levels),))


def level_number(conn: Connection, key: str) -> int | None:
    """Number of the level called `key`."""
    row = conn.execute("SELECT level FROM geo.area_level WHERE key = %s", (key,)).fetchone()
    return None if row is None else int(row[0])


def leaf_level(conn: Connection) -> int | None:
    """The deepest level that has areas."""
    row = conn.execute("SELECT geo.leaf_level()").fetchone()
    return None if row is None or row[0] is None else int(row[0])


def base_resolution(conn: Connection) -> int:
    """The city's base cell resolution; 10 where no city is described yet."""
    row = conn.execute("SELECT base_resolution FROM ops.city").fetchone()
    return 10 if row is None else int(row[0])


def areas(conn: Connection, level: int | None = None) -> Units:
    """Current areas, of one level or all."""
    return _units(
        conn.execute(
            "SELECT id, code, level, parent_id, name, ST_AsBinary(geom) FROM geo.area"
            ' WHERE valid_to IS NULL AND (%(level)s::int IS NULL OR level = %(level)s) ORDER BY code COLLATE "C"',
            {"level": level},
            binary=True,
        ).fetchall()
    )


def grids(conn: Connection) -> Units:
    """Current legal grids; `parents` are their communities."""
    return _units(
        conn.execute(
            "SELECT id, code, -1, area_id, name, ST_AsBinary(geom) FROM geo.grid"
            ' WHERE valid_to IS NULL ORDER BY code COLLATE "C"',
            binary=True,
        ).fetchall()
    )


def version(conn: Connection) -> str:
    """A hash of all that places depend on: leaf areas and grids (ids, codes, shapes) and the base resolution."""
    row = conn.execute(
        """SELECT md5(concat_ws('|', %s::text,
             (SELECT string_agg(md5(concat_ws(':', id, code, ST_AsBinary(geom))), '' ORDER BY id) FROM geo.area
              WHERE valid_to IS NULL AND level = geo.leaf_level()),
             (SELECT string_agg(md5(concat_ws(':', id, code, ST_AsBinary(geom))), '' ORDER BY id) FROM geo.grid
              WHERE valid_to IS NULL)))""",
        (base_resolution(conn),),
    ).fetchone()
    assert row is not None
    return str(row[0])


def record_findings(conn: Connection, layer: str, run_id: int | None, findings: Sequence[Any]) -> None:
    """Keeps what a topology check found (`grid.topology.Finding`)."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO geo.topology_finding"
            " (run_id, layer, kind, code, other_code, lng, lat, area_m2, detail, repair)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    run_id,
                    layer,
                    f.kind,
                    f.code,
                    f.other_code,
                    f.lng,
                    f.lat,
                    f.area_m2,
                    f.detail or None,
                    f.repair,
                )
                for f in findings
            ],
        )

"""The tree of areas: who lies in whom, the root where no layer gives one, and the paths from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely

from db.errors import HexwardError
from grid import codes as area_codes
from grid import repository
from grid.measure import area_m2, only_polygons

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

Ints = npt.NDArray[np.int64]

_PATHS = """
WITH RECURSIVE walk (id, path) AS (
  SELECT id, ARRAY[id] FROM geo.area WHERE parent_id IS NULL
  UNION ALL SELECT a.id, w.path || a.id FROM geo.area a JOIN walk w ON a.parent_id = w.id)
UPDATE geo.area a SET path = w.path FROM walk w WHERE w.id = a.id AND a.path IS DISTINCT FROM w.path
"""


class UnknownLevelError(HexwardError):
    """A source names a level that the city does not declare."""

    code = "areas.unknown_level"


def units_above(conn: Connection, level: int) -> repository.Units:
    """Current areas of the nearest level above that has any."""
    row = conn.execute(
        "SELECT max(level) FROM geo.area WHERE valid_to IS NULL AND level < %s", (level,)
    ).fetchone()
    return repository.areas(conn, -1 if row is None or row[0] is None else int(row[0]))


def parents_of(
    codes: Sequence[str],
    stated: Sequence[str | None],
    shapes: npt.NDArray[np.object_],
    above: repository.Units,
) -> Ints:
    """Id of each area's parent among `above`, 0 where there is none.

    A stated parent's code counts alone (0 when it is unknown); else the parent that the digits of a statistics code
    name; else the one that holds most of the area's ground.
    """
    by_code = dict(zip(above.codes, above.ids.tolist(), strict=True))
    by_digits = {
        "".join(area_codes.split(code)): number
        for code, number in by_code.items()
        if area_codes.is_statistics_code(code)
    }
    found = np.zeros(len(codes), dtype=np.int64)
    open_ones = []
    for k, (code, said) in enumerate(zip(codes, stated, strict=True)):
        if said:
            found[k] = by_code.get(said, 0)
            continue
        digits = area_codes.parent(code) if area_codes.is_statistics_code(code) else None
        found[k] = by_digits.get(digits or "", 0)
        if not found[k]:
            open_ones.append(k)
    at = np.array(open_ones, dtype=np.int64)
    if at.size and len(above):
        found[at] = _holders(shapes[at], above)
    return found


def _holders(shapes: npt.NDArray[np.object_], above: repository.Units) -> Ints:
    sound = np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes))
    own, candidate = shapely.STRtree(above.shapes).query(sound, predicate="intersects")
    several = np.bincount(own, minlength=shapes.size)[own] > 1
    ground = np.full(own.size, np.inf)
    ground[several] = area_m2(shapely.intersection(sound[own[several]], above.shapes[candidate[several]]))
    order = np.lexsort((-candidate, ground))  # the largest last; of equal ones the smallest code
    holders = np.zeros(shapes.size, dtype=np.int64)
    holders[own[order]] = above.ids[candidate[order]]
    return holders


def settle(conn: Connection, below: int) -> None:
    """Finds parents again for areas under level `below` that have none there, and every area's path."""
    row = conn.execute(
        "SELECT min(level) FROM geo.area WHERE valid_to IS NULL AND level > %s", (below,)
    ).fetchone()
    if row is not None and row[0] is not None:
        children = repository.areas(conn, int(row[0]))
        above = units_above(conn, int(row[0]))
        orphan = ~np.isin(children.parents, above.ids)
        at = np.flatnonzero(orphan)
        if at.size:
            codes = [children.codes[k] for k in at.tolist()]
            parents = parents_of(codes, [None] * at.size, children.shapes[at], above)
            with conn.cursor() as cursor:
                cursor.executemany(
                    "UPDATE geo.area SET parent_id = nullif(%s, 0) WHERE id = %s",
                    list(zip(parents.tolist(), children.ids[at].tolist(), strict=True)),
                )
    conn.execute(_PATHS)


def ensure_root(
    conn: Connection, code: str, name: str, name_en: str | None, run_id: int | None = None
) -> None:
    """Makes the city itself (level 0) out of the areas below it, when no layer gives it; again when they change."""
    roots = conn.execute(
        "SELECT id, code, ST_AsBinary(geom), run_id FROM geo.area WHERE level = 0 AND valid_to IS NULL",
        binary=True,
    ).fetchall()
    row = conn.execute("SELECT min(level) FROM geo.area WHERE valid_to IS NULL AND level > 0").fetchone()
    given = len(roots) > 1 or (roots and (roots[0][1] != code or roots[0][3] is not None))
    if given or row is None or row[0] is None:
        return
    below = repository.areas(conn, int(row[0]))
    whole = only_polygons(np.array([shapely.union_all(below.shapes)], dtype=object))
    ground = float(area_m2(whole)[0])
    if not roots:
        conn.execute(
            "INSERT INTO geo.area (code, level, name, name_en, path, geom, area_m2, run_id)"
            " VALUES (%s, 0, %s, %s, '{}', ST_GeomFromWKB(%s, 4326), %s, %s)",
            (code, name, name_en, whole[0].wkb, ground, run_id),
        )
    elif bytes(roots[0][2]) != whole[0].wkb:
        conn.execute(
            "UPDATE geo.area SET geom = ST_GeomFromWKB(%s, 4326), area_m2 = %s WHERE id = %s",
            (whole[0].wkb, ground, roots[0][0]),
        )
    settle(conn, below=0)

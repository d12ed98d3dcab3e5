"""Who is acting in a transaction, and for which part of the city. The database decides; this module only asks.

A transaction begins with ``enter``: the database looks up the session's token hash and remembers the user for the
length of the transaction. Without it every protected table is empty (see ``db/migrations/access.py``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from grid.names import english_sql


@dataclass(frozen=True)
class Acting:
    """The signed-in person as the database knows it; ``territory`` lists the given areas and grids by id."""

    id: UUID
    account: str
    role: str
    name: dict[str, str]
    is_demo: bool
    unseen_seconds: float
    whole_city: bool
    territory: str


_ENTER = text("SELECT * FROM ops.enter(:hash, :idle)")


def enter(session: Session, token_hash: bytes, idle_seconds: float) -> Acting | None:
    """Begin to act as the owner of the session with ``token_hash``; None when it has ended or never was."""
    row = session.execute(_ENTER, {"hash": token_hash, "idle": idle_seconds}).one()
    return None if row.id is None else Acting(**row._mapping)


def touch(session: Session, token_hash: bytes) -> None:
    """Note that the session is in use, so that it does not end for idleness."""
    session.execute(text("SELECT ops.touch(:hash)"), {"hash": token_hash})


def grant(session: Session, user_id: UUID, area_ids: list[int], grid_ids: list[int]) -> None:
    """Replace the territory of an account. ``session`` must be the owner's."""
    session.execute(text("DELETE FROM ops.user_territory WHERE user_id = :id"), {"id": user_id})
    session.execute(
        text(
            """INSERT INTO ops.user_territory (user_id, area_id, grid_id)
               SELECT :id, x, NULL FROM unnest(CAST(:areas AS bigint[])) x
               UNION SELECT :id, NULL, x FROM unnest(CAST(:grids AS bigint[])) x"""
        ),
        {"id": user_id, "areas": area_ids, "grids": grid_ids},
    )


def describe(session: Session, acting: Acting, *, published: bool) -> dict[str, Any]:
    """The territory for a person to read: areas, grids, and its extent [west, south, east, north] (WGS84).

    ``published``: read outlines through ``pub`` (for roles without duty), whose territory is the whole city.
    """
    schema = "pub" if published else "geo"
    whole = published or acting.whole_city
    mine = "true" if published else "a.id IN (SELECT area_id FROM ops.my_territory())"
    root = " AND a.parent_id IS NULL" if published else ""
    areas = session.execute(
        text(
            f"""SELECT a.id, a.code, a.name, a.name_en, a.level, {_BOX.format("a")} FROM {schema}.area a
                WHERE {mine}{root} ORDER BY a.level, a.code"""  # noqa: S608 - fixed words only
        )
    ).mappings()
    found_areas = [dict(row) for row in areas]
    found_grids: list[dict[str, Any]] = []
    if not published:
        grids = session.execute(
            text(
                f"""SELECT a.id, a.code, a.name, {english_sql("a", "up")} AS name_en, {_BOX.format("a")}
                    FROM geo.grid a LEFT JOIN geo.area up ON up.id = a.area_id
                    WHERE a.id IN (SELECT grid_id FROM ops.my_territory()) ORDER BY a.code"""  # noqa: S608
            )
        ).mappings()
        found_grids = [dict(row) for row in grids]
    boxes = [row.pop("box") for row in (*found_areas, *found_grids)]
    return {
        "whole_city": whole,
        "bounds": _together([box for box in boxes if box]) or _city_bounds(session, schema),
        "areas": found_areas,
        "grids": found_grids,
        "geometry": None if whole else _outline(session),
    }


def _outline(session: Session) -> dict[str, Any] | None:
    """The given areas and grids as one GeoJSON geometry (WGS84, about 1 m), for the map to draw around."""
    found = session.execute(
        text(
            """SELECT ST_AsGeoJSON(ST_SimplifyPreserveTopology(ST_Union(mine.geom), 1e-5), 6) FROM (
                 SELECT geom FROM geo.area WHERE id IN (SELECT area_id FROM ops.my_territory())
                 UNION ALL SELECT geom FROM geo.grid WHERE id IN (SELECT grid_id FROM ops.my_territory())) mine"""
        )
    ).scalar()
    return None if found is None else dict(json.loads(found))


_BOX = """CASE WHEN {0}.geom IS NULL THEN NULL ELSE
  ARRAY[ST_XMin({0}.geom), ST_YMin({0}.geom), ST_XMax({0}.geom), ST_YMax({0}.geom)] END AS box"""


def _together(boxes: list[list[float]]) -> list[float] | None:
    """The smallest box around all boxes.

    >>> _together([[1, 1, 2, 2], [0, 1.5, 1, 3]])
    [0, 1, 2, 3]
    """
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return [min(west), min(south), max(east), max(north)]


def _city_bounds(session: Session, schema: str) -> list[float] | None:
    row = session.execute(
        text(
            f"""SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) FROM
                (SELECT ST_Extent(geom) AS e FROM {schema}.area WHERE valid_to IS NULL) x"""  # noqa: S608
        )
    ).one()
    return None if row[0] is None else list(row)

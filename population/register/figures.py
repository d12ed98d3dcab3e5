"""How many people lived somewhere on a day, as it was known on a day: counted from the versions of episodes.

Today's figures come from the statistics (``population.statistics``); these are for the question "what did we say then,
and what do we know of then now", which no aggregate can answer for every pair of days.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from population.register.records import Moment, believed, holds

Unit = Literal["area", "grid"]
_WHERE: dict[str, str] = {
    "grid": "r.grid_id = :unit",
    "area": "r.community_id IN (SELECT a.id FROM geo.area a WHERE a.path @> ARRAY[CAST(:unit AS bigint)])",
}


def counted(session: Session, kind: Unit, unit_id: int, moment: Moment) -> dict[str, Any]:
    """``residents``, ``registered``, ``floating`` and ``households`` of a unit, within the own territory."""
    row = session.execute(
        text(
            f"""SELECT count(*) AS residents, count(*) FILTER (WHERE r.status = 'registered') AS registered,
                  count(*) FILTER (WHERE r.status = 'floating') AS floating,
                  count(DISTINCT r.household_id) AS households
                FROM register.residence r WHERE {_WHERE[kind]} AND {believed("r", moment)} AND {holds("r")}"""
        ),
        {"unit": unit_id, **moment.params},
    ).mappings().one()  # fmt: skip
    return {"kind": kind, "id": unit_id, **moment.params, **row}

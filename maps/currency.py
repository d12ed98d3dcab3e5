"""How current the register is, as layers for those on duty: residents confirmed in 30, 90, 180 days, and capacity.

The windows move with every day, so they are no columns of the figures: they are added up over days when read, from
the places the viewer may see (``stats.place_confirmed``). They are not published: they tell of officers' work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from grid.cells import parent as parents
from maps.columns import read_columns
from maps.territory import own_places

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.figures import Places
    from maps.viewer import Viewer

Words = dict[str, str]
COLUMNS: Final = ("residents_seen", "confirmed_30", "confirmed_90", "confirmed_180", "capacity")
GROUP: Final = "currency"
GROUP_TITLE: Final = {"zh": "数据新鲜度", "en": "How current the data is"}
SOURCE: Final = {
    "zh": "居住登记与网格员核实",
    "en": "Register of residence, confirmed by officers and departments",
}
_PLACES: Final = """
SELECT c.cell, c.grid_id, c.community_id, c.n AS residents_seen,
  CASE WHEN c.confirmed_on > s.as_of - 30 THEN c.n ELSE 0 END AS confirmed_30,
  CASE WHEN c.confirmed_on > s.as_of - 90 THEN c.n ELSE 0 END AS confirmed_90,
  CASE WHEN c.confirmed_on > s.as_of - 180 THEN c.n ELSE 0 END AS confirmed_180, 0 AS capacity
FROM stats.place_confirmed c CROSS JOIN stats.state s
UNION ALL SELECT cell, grid_id, community_id, 0, 0, 0, 0, capacity FROM stats.place_capacity
"""


def read(session: Session, viewer: Viewer, places: Places) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Ids (n,) of ``places`` in the viewer's territory and their COLUMNS (n, 5)."""
    sums = [f"sum(x.{name})" for name in COLUMNS]
    if places.geography == "cell":
        cells, matrix = read_columns(session, "x.cell", sums, f"FROM ({_PLACES}) x GROUP BY x.cell")
        into = parents(cells.view(np.uint64), places.resolution or 0)
        found, inverse = np.unique(into, return_inverse=True)
        whole = np.zeros((found.size, len(COLUMNS)))
        np.add.at(whole, inverse, matrix)
        return found.view(np.int64), whole
    params: dict[str, Any] = {"level": places.level}
    join = "JOIN geo.grid p ON p.id = x.grid_id"
    if places.geography == "area":
        join = "JOIN geo.area a ON a.id = x.community_id JOIN geo.area p ON p.id = ANY (a.path) AND p.level = %(level)s"
    inside = "p.valid_to IS NULL"
    if places.bbox is not None:
        inside += " AND p.geom && ST_MakeEnvelope(%(w)s, %(s)s, %(e)s, %(n)s, 4326)"
        params |= dict(zip(("w", "s", "e", "n"), places.bbox, strict=True))
    ids, matrix = read_columns(
        session, "p.id", sums, f"FROM ({_PLACES}) x {join} WHERE {inside} GROUP BY p.id", params
    )
    # of an area that is only partly one's own the sum of the visible places would be a wrong figure
    own = own_places(session, viewer, places.geography, ids)
    return ids[own], matrix[own]


def _share(above: str, below: str, title: Words, definition: Words) -> dict[str, Any]:
    unit = {"zh": "%", "en": "%"}
    return {"title": title, "unit": unit, "definition": definition, "above": (above,), "below": (below,)}


LAYERS: Final[dict[str, dict[str, Any]]] = {
    **{
        f"confirmed_{days}_share": _share(
            f"confirmed_{days}",
            "residents_seen",
            {"zh": f"{days}天内核实的居民占比", "en": f"Residents confirmed in {days} days"},
            {
                "zh": f"居住登记在最近{days}天内核实过的居民占常住居民的比例。",
                "en": f"Residents confirmed within the last {days} days as a share of all residents.",
            },
        )
        for days in (30, 90, 180)
    },
    "capacity_share": _share(
        "residents_seen",
        "capacity",
        {"zh": "居民与可住人数之比", "en": "Residents against housing capacity"},
        {
            "zh": "常住居民除以住房的可住人数之和；远低于100说明漏登或空置，高于100说明拥挤。",
            "en": "Residents divided by the people that dwellings are meant for; far below 100 means missing records"
            " or empty homes, above 100 crowding.",
        },
    ),
}

"""The viewer's own part of the city, as the database knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import text

from maps.errors import BadGeographyError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.viewer import Viewer


def base_resolution(session: Session, viewer: Viewer) -> int:
    """H3 resolution of the city's finest cells. Raises BadGeographyError when no city is loaded."""
    found = session.scalar(text(f"SELECT base_resolution FROM {viewer.schema('ops')}.city"))  # noqa: S608
    if found is None:
        raise BadGeographyError(geography="city", layer="")
    return int(found)


def own_places(session: Session, viewer: Viewer, kind: str, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these areas or grids lie wholly in the viewer's territory."""
    if viewer.exactness != "duty":
        return np.zeros(ids.size, dtype=bool)
    if viewer.whole_city:
        return np.ones(ids.size, dtype=bool)
    own = "ops.my_grids()" if kind == "grid" else "ops.my_areas()"
    mine = session.scalars(text(f"SELECT unnest({own})")).all()
    return np.isin(ids, np.array(mine, dtype=np.int64))

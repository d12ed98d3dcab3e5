"""Whether a source lies where the city is: its extent, and the datum that fits its known areas best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from grid import repository, tree
from grid.datum import Datum, better_datum, from_wgs84, suggest_datum

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from intake.city import Source
    from intake.pipeline import Batch

    Connection = psycopg.Connection[Any]
    Shapes = NDArray[np.object_]

MARGIN_DEG = 0.05
SAMPLE_POINTS = 20_000


def extent(conn: Connection) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the city's areas with a margin of 0.05 degrees; None before there are any."""
    row = conn.execute(
        "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e)"
        " FROM (SELECT ST_Extent(geom) AS e FROM geo.area WHERE valid_to IS NULL) x"
    ).fetchone()
    if row is None or row[0] is None:
        return None
    west, south, east, north = (float(value) for value in row)
    return west - MARGIN_DEG, south - MARGIN_DEG, east + MARGIN_DEG, north + MARGIN_DEG


def known_areas(conn: Connection, source: Source) -> Shapes:
    """The areas that ``source`` must lie in: for areas those of the level above, else those of the deepest level."""
    if source.kind == "areas":
        level = repository.level_number(conn, str(source.level))
        if level is None:
            return np.empty(0, dtype=object)
        above = tree.units_above(conn, level)
        return above.shapes
    leaf = repository.leaf_level(conn)
    return repository.areas(conn, -1 if leaf is None else leaf).shapes


def hold_against(
    batches: Iterable[Batch], datum: Datum, known: Shapes, note: Callable[[dict[str, Any]], None]
) -> Iterator[Batch]:
    """``batches`` again, after ``note`` has heard, before the first of them, which datum would fit ``known`` better.

    Layers are looked at whole, since their rows are few; of points the first batch is enough.
    """
    following = iter(batches)
    first = next(following, None)
    if first is None:
        return
    ahead = [first]
    if "geometry" in first.accepted.columns:
        ahead += list(following)
    if known.size:
        warning = _warning(ahead, datum, known)
        if warning is not None:
            note(warning)
    yield from chain(ahead, following)


def _warning(batches: list[Batch], datum: Datum, known: Shapes) -> dict[str, Any] | None:
    shapes = np.concatenate([_shapes(batch) for batch in batches])
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    if not shapes.size:
        return None
    own = shapely.transform(shapes, lambda at: np.column_stack(from_wgs84(at[:, 0], at[:, 1], datum)))
    fits = suggest_datum(own, known, datum)
    better = better_datum(fits, datum)
    if better is None:
        return None
    overlap = {fit.datum.key: round(fit.overlap, 3) for fit in fits}
    return {
        "code": "datum_fits_better",
        "datum": datum.key,
        "overlap": overlap.get(datum.key, 0.0),
        "better": better.key,
        "better_overlap": overlap[better.key],
    }


def _shapes(batch: Batch) -> Shapes:
    rows = batch.accepted
    if "geometry" in rows.columns:
        return np.asarray(shapely.from_wkb(rows["geometry"].to_numpy(), on_invalid="ignore"), dtype=object)
    points = rows.filter(rows["lng"].is_not_null() & rows["lat"].is_not_null()).gather_every(
        max(1, rows.height // SAMPLE_POINTS)
    )
    return np.asarray(shapely.points(points["lng"].to_numpy(), points["lat"].to_numpy()), dtype=object)

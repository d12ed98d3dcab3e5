"""A layer as one HTML file: the map, its legend with unit and date, and the city below it, without any network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from grid.cells import outlines
from maps.errors import MapTooLargeError
from maps.exports import in_language, word
from maps.frames import found_values, layer_frame
from maps.ground import ground, rings
from maps.legend import breaks_of, describe
from maps.one_file import Data, Ground, OneFileMap
from maps.palettes import GROUND
from maps.territory import base_resolution
from maps.tilejson import bounds

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from sqlalchemy.orm import Session

    from maps.classes import Breaks
    from maps.figures import Geography
    from maps.values import LayerValues
    from maps.viewer import Viewer

COMFORTABLE: Final = 20_000
MOST: Final = 120_000


def one_file_map(
    session: Session,
    viewer: Viewer,
    layer_id: str,
    geography: Geography = "cell",
    *,
    resolution: int | None = None,
    level: int | None = None,
    at: date | None = None,
    lang: str = "zh-CN",
    scheme: str = "quantiles",
    classes: int = 5,
    basemap: Path | None = None,
) -> OneFileMap:
    """A folium map of a layer; ``save(path)`` writes the one file.

    ``basemap``: the city's PMTiles file, for its roads. Without a ``resolution`` the finest that a browser draws at
    ease is taken. Raises MapTooLargeError, and what ``layer_values`` raises.
    """
    if geography == "cell" and resolution is None:
        found = _comfortable(session, viewer, layer_id, at)
    else:
        found = found_values(session, viewer, layer_id, geography, resolution=resolution, level=level, at=at)
    if found.ids.size > MOST:
        raise MapTooLargeError(count=int(found.ids.size), limit=MOST, resolution=found.places.resolution)
    classed = breaks_of(found, scheme, classes)
    drawn = found
    if found.layer.blank_zero:
        drawn = found.where(found.withheld | (found.values != 0))
    title = in_language(found.layer.title, lang)
    made = OneFileMap(_bounds(session, viewer, drawn), title, GROUND["light"])
    made.add_child(Ground(ground(session, viewer, lang, basemap), names_from=11))
    made.add_child(Data(_data(session, viewer, drawn, (classed, describe(found, classed)), lang), lang))
    return made


def _comfortable(session: Session, viewer: Viewer, layer_id: str, at: date | None) -> LayerValues:
    """Cells as fine as a browser draws them at ease."""
    base = base_resolution(session, viewer)
    for finest in range(base, base - 4, -1):
        found = found_values(session, viewer, layer_id, "cell", resolution=finest, at=at)
        if found.ids.size <= COMFORTABLE:
            break
    return found


def _bounds(session: Session, viewer: Viewer, drawn: LayerValues) -> list[float]:
    if drawn.places.geography == "cell" and drawn.ids.size:
        return [float(v) for v in shapely.total_bounds(outlines(drawn.ids.view(np.uint64)))]
    return bounds(session, viewer)


def _data(
    session: Session, viewer: Viewer, drawn: LayerValues, legend: tuple[Breaks, dict[str, Any]], lang: str
) -> dict[str, Any]:
    classed, told = legend
    frame = layer_frame(session, viewer, drawn)
    names = frame["name"].fillna(frame["code"]).tolist() if "name" in frame.columns else frame.index.tolist()
    unit = in_language(drawn.layer.unit, lang)
    kinds = np.where(drawn.withheld, -1, classed.classify(drawn.values))
    return {
        "shapes": rings(np.asarray(frame.geometry.values, dtype=object)),
        "classes": kinds.tolist(),
        "colors": told["colors"],
        "names": names,
        "values": [None if np.isnan(v) else round(float(v), 4) for v in drawn.values],
        "unit": unit,
        "withheld": word("withheld", lang),
        "line": 0.3 if drawn.ids.size > 5000 else 0.6,
        "legend": _legend(drawn, classed, told, lang),
    }


def _legend(drawn: LayerValues, classed: Breaks, told: dict[str, Any], lang: str) -> dict[str, Any]:
    unit = in_language(drawn.layer.unit, lang)
    whole = all(float(upper).is_integer() for upper in classed.upper)
    rows = []
    low = classed.minimum
    for upper, colour, count in zip(classed.upper, told["colors"], classed.counts, strict=True):
        between = number(upper) if low == upper else f"{number(low)} – {number(upper)}"
        rows.append({"color": colour, "text": between, "count": count})
        low = upper + 1 if whole else upper
    if told["withheld_n"]:
        rows.append({"color": "", "text": word("withheld", lang), "count": told["withheld_n"]})
    exactness = word(drawn.exactness, lang)
    place = f"H3 r{drawn.places.resolution}" if drawn.places.geography == "cell" else ""
    notes = [" · ".join(n for n in (unit, drawn.as_of.isoformat(), place) if n), exactness]
    return {"title": in_language(drawn.layer.title, lang), "notes": notes, "rows": rows}


def number(value: float | None) -> str:
    """A figure with its thousands grouped.

    >>> number(12345.0), number(0.25)
    ('12,345', '0.25')
    """
    if value is None:
        return ""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.3g}"

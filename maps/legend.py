"""The legend of a layer: classes, colours, how many units in each, unit of measure, day and exactness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from maps.catalogue import catalogue
from maps.classes import Breaks, breaks
from maps.errors import BadGeographyError
from maps.figures import GEOGRAPHIES, Geography, Places
from maps.palettes import Theme, sequential
from maps.territory import base_resolution
from maps.values import LayerValues, layer_values

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from maps.viewer import Viewer


def places_for(
    session: Session, viewer: Viewer, geography: Geography, resolution: int | None, level: int | None
) -> Places:
    """The places a legend is made from; without a resolution, cells one step above the finest.

    Raises BadGeographyError for anything but "cell", "grid" and "area", and for areas without a level.
    """
    if geography not in GEOGRAPHIES or (geography == "area" and level is None):
        raise BadGeographyError(geography=geography, layer="level" if geography == "area" else "")
    if geography == "cell" and resolution is None:
        resolution = base_resolution(session, viewer) - 1
    return Places(
        geography, resolution if geography == "cell" else None, level if geography == "area" else None
    )


def legend(
    session: Session,
    viewer: Viewer,
    layer_id: str,
    geography: Geography = "cell",
    *,
    resolution: int | None = None,
    level: int | None = None,
    at: date | None = None,
    scheme: str = "quantiles",
    classes: int = 5,
    theme: Theme = "light",
) -> dict[str, Any]:
    """The legend the API answers with; ``breaks`` are upper bounds, inclusive, of the classes.

    Raises UnknownLayerError, BadSchemeError, BadGeographyError and what ``layer_values`` raises.
    """
    layer = catalogue(session, viewer).layer(layer_id)
    places = places_for(session, viewer, geography, resolution, level)
    found = layer_values(session, viewer, layer, places, at)
    return describe(found, breaks_of(found, scheme, classes), theme)


def breaks_of(found: LayerValues, scheme: str = "quantiles", classes: int = 5) -> Breaks:
    """Class breaks of a layer's values; structural zeros and zero counts are left blank."""
    return breaks(found.values[~found.blank], scheme, classes, blank_zero=found.layer.blank_zero)


def describe(found: LayerValues, classed: Breaks, theme: Theme = "light") -> dict[str, Any]:
    """The legend of values already classed."""
    return {
        "breaks": list(classed.upper),
        "colors": sequential(len(classed.upper), theme) if classed.upper else [],
        "counts": list(classed.counts),
        "min": classed.minimum,
        "max": classed.maximum,
        "zeros": classed.zeros,
        "unit": found.layer.unit,
        "title": found.layer.title,
        "as_of": found.as_of.isoformat(),
        "basis": found.basis,
        "exactness": cast("str", found.exactness),
        "withheld_n": int(found.withheld.sum()),
        "geography": found.places.geography,
        "resolution": found.places.resolution,
        "level": found.places.level,
    }

"""Values of a layer: the figures of places put through the layer's formula, with what is withheld marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from maps import areal
from maps.errors import BadGeographyError
from maps.figures import AREA, Figures, Places, figures
from maps.memory import FIGURES_SECONDS, PUBLIC_TABLE_SECONDS, Memory
from maps.moment import Moment, moment, state

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import date

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from maps.catalogue import Layer
    from maps.moment import Basis
    from maps.viewer import Exactness, Viewer

SMALLEST_BASE: Final = 30
_kept: Final = Memory["LayerValues"](most=48, seconds=FIGURES_SECONDS)
_kept_tables: Final = Memory["LayerValues"](most=16, seconds=PUBLIC_TABLE_SECONDS)


@dataclass(frozen=True)
class LayerValues:
    """A layer's values at places.

    ``ids`` (n,): cells (as signed integers), areas or grids. ``values`` (n,): NaN where withheld or undefined (a share
    of nobody). ``withheld`` (n,): true where the figure exists but is not published. ``blank`` (n,): nothing to draw
    (a structural zero). ``same_places``: equal for values of the same ``ids``. ``basis``: of the
    asked day, or of the last kept month end before it.
    """

    layer: Layer
    places: Places
    as_of: date
    exactness: Exactness
    ids: NDArray[np.int64]
    values: NDArray[np.float64]
    withheld: NDArray[np.bool_]
    blank: NDArray[np.bool_]
    same_places: Hashable
    moe: NDArray[np.float64] | None = None
    basis: Basis = "day"

    def where(self, keep: NDArray[np.bool_]) -> LayerValues:
        """Only the places where ``keep`` is true."""
        moe = None if self.moe is None else self.moe[keep]
        return LayerValues(
            self.layer, self.places, self.as_of, self.exactness, self.ids[keep], self.values[keep],
            self.withheld[keep], self.blank[keep], None, moe, self.basis,
        )  # fmt: skip


def layer_values(
    session: Session, viewer: Viewer, layer: Layer, places: Places, at: date | None = None
) -> LayerValues:
    """Values of ``layer`` at ``places`` on the day ``at`` (None: today's state).

    Kept in memory, for viewers with a ``memory_key``, until a figure of the city changes (a public table of counts:
    for some seconds). Raises BadGeographyError, NoHistoryError,
    OutsideHistoryError.
    """
    stands = state(session, viewer)
    when = moment(stands, at)
    who = viewer.memory_key
    key = None if who is None else (stands.database, stands.version, who, layer.id, places, when)
    kept = _kept if layer.areal is None else _kept_tables
    return kept.get(key, lambda: _make(session, viewer, layer, places, when))


def _make(session: Session, viewer: Viewer, layer: Layer, places: Places, when: Moment) -> LayerValues:
    if layer.areal is not None:
        return _areal(session, viewer, layer, places, when)
    found = figures(session, viewer, places, layer.columns, when)
    values = formula(layer, found)
    withheld: NDArray[np.bool_] = np.asarray(np.isnan(found.matrix).any(axis=1))
    if layer.below and viewer.exactness == "threshold" and AREA not in layer.below:
        base = found.total(layer.below)
        withheld |= ~np.isnan(base) & (base > 0) & (base < SMALLEST_BASE)
    blank = np.zeros(found.ids.size, dtype=bool) if found.structural is None else found.structural
    exactness = layer.exactness(viewer)
    values = np.where(withheld, np.nan, values)
    key = same_places(found.ids)
    return LayerValues(
        layer, places, when.as_of, exactness, found.ids, values, withheld, blank, key, basis=when.basis
    )


def same_places(ids: NDArray[np.int64]) -> Hashable:
    """A key that is equal for equal ``ids``."""
    return ids.size, hash(ids.tobytes())


def formula(layer: Layer, found: Figures) -> NDArray[np.float64]:
    """The layer's figure of each place; NaN where a part is withheld or the denominator is zero."""
    above = found.total(layer.above) * layer.factor
    if not layer.below:
        return above
    below = found.total(layer.below)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _areal(session: Session, viewer: Viewer, layer: Layer, places: Places, when: Moment) -> LayerValues:
    if layer.areal is None:
        raise BadGeographyError(geography=places.geography, layer=layer.id)
    ids, matrix = areal.values(session, viewer, layer.areal, places)
    nothing = np.zeros(ids.size, dtype=bool)
    return LayerValues(
        layer,
        places,
        when.as_of,
        "public",
        ids,
        matrix[:, 0],
        nothing,
        nothing,
        same_places(ids),
        matrix[:, 1],
        when.basis,
    )

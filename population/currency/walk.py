"""The order of a walk: what is urgent is chosen first, and the way between the chosen buildings is short."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

EARTH_M: Final = 6_371_008.8
STOPS_A_WALK: Final = 40


def distance_m(
    lng: float, lat: float, lngs: NDArray[np.float64], lats: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Great-circle metres from one point to others (degrees, WGS84).

    >>> distance_m(120.0, 30.0, np.array([120.0]), np.array([30.001])).round(1).tolist()
    [111.2]
    """
    half_lat, half_lng = np.radians(lats - lat) / 2, np.radians(lngs - lng) / 2
    h = np.sin(half_lat) ** 2 + np.cos(np.radians(lat)) * np.cos(np.radians(lats)) * np.sin(half_lng) ** 2
    return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(h)), dtype=np.float64)


def walk(
    stops: Sequence[Hashable],
    lng: NDArray[np.float64],
    lat: NDArray[np.float64],
    start: tuple[float, float] | None = None,
    stops_a_walk: int = STOPS_A_WALK,
) -> list[tuple[int, float | None]]:
    """Items in the order of walking: (index, metres from the stop before; None where there is none).

    ``stops`` names the building of each item, and the items come most urgent first: the first ``stops_a_walk``
    buildings they name are one walk, nearest next from ``start`` (or from the most urgent one); the next buildings
    are the next walk. Items of one building keep their order and are 0 m apart.
    """
    buildings: dict[Hashable, list[int]] = {}
    for index, stop in enumerate(stops):
        buildings.setdefault(stop, []).append(index)
    groups = list(buildings.values())
    at, ordered = start, list[tuple[int, float | None]]()
    for first in range(0, len(groups), stops_a_walk):
        left = groups[first : first + stops_a_walk]
        xs = np.array([lng[group[0]] for group in left])
        ys = np.array([lat[group[0]] for group in left])
        open_ = np.ones(len(left), dtype=bool)
        for _ in left:
            if at is None:
                nearest, metres = 0, None
            else:
                away = np.where(open_, distance_m(at[0], at[1], xs, ys), np.inf)
                nearest = int(away.argmin())
                metres = float(away[nearest])
            open_[nearest] = False
            at = (float(xs[nearest]), float(ys[nearest]))
            for number, index in enumerate(left[nearest]):
                ordered.append((index, metres if number == 0 else 0.0))
    return ordered

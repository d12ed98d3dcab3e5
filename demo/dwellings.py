"""Dwellings of a set of buildings: floor, unit, room, area, rooms, capacity, tenure; and which are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.buildings import Buildings
from demo.grouping import spread_out
from demo.types import Flags, Floats, Ints

#: Kinds of ground people live on, in the order of the numbers used for them.
LIVED_ON = ("oldtown", "danwei", "estate", "village", "dormitory", "campus", "farmland")
OLDTOWN, DANWEI, ESTATE, VILLAGE, DORMITORY, CAMPUS, FARMLAND = range(len(LIVED_ON))
TENURES = ("own", "rent", "public", "dormitory", "other")
OWN, RENT, PUBLIC, DORM, OTHER = range(len(TENURES))
TENURE_WORDS = ("自有", "租赁", "公租房", "宿舍", "其他")
#: Share of own, rent, public, dormitory and other by kind of ground.
_TENURE = np.array([
    [0.54, 0.26, 0.17, 0.00, 0.03], [0.63, 0.29, 0.06, 0.00, 0.02], [0.64, 0.30, 0.05, 0.00, 0.01],
    [0.07, 0.92, 0.00, 0.00, 0.01], [0.00, 0.00, 0.00, 1.00, 0.00], [0.00, 0.00, 0.00, 1.00, 0.00],
    [0.86, 0.12, 0.00, 0.00, 0.02],
])  # fmt: skip


@dataclass
class Dwellings:
    """One entry a dwelling. `building` is the index in `Buildings`, `number` the dwelling's number in the city."""

    number: Ints
    building: Ints
    kind: Ints
    unit: Ints
    floor: Ints
    room: Ints
    area_m2: Floats
    rooms: Ints
    capacity: Ints
    tenure: Ints
    taken: Flags

    def __len__(self) -> int:
        return len(self.number)


def furnish(buildings: Buildings, chosen: Ints, first_number: Ints, rng: np.random.Generator) -> Dwellings:
    """The dwellings of the buildings `chosen` (indexes); `first_number` is each building's first dwelling number."""
    count = buildings.dwellings[chosen]
    local, place = spread_out(count)
    building = chosen[local]
    per_floor = buildings.per_floor[building]
    floor, door = place // per_floor + 1, place % per_floor
    kind = np.searchsorted(_SORTED, buildings.kind[building])
    kind = _ORDER[kind]
    stairs = np.isin(kind, (DANWEI, ESTATE)) & (per_floor >= 4)
    unit = np.where(stairs, door // 2 + 1, 0)
    room = floor * 100 + np.where(stairs, door % 2, door) + 1
    size = buildings.flat_m2[building] * np.exp(rng.normal(0, 1, len(local)) * _SPREAD[kind])
    size = np.where(kind == VILLAGE, np.where(rng.random(len(local)) < 0.12, size * 2.1, size), size)
    area = np.round(np.clip(size, 9.0, 320.0), 1)
    rooms = np.clip(np.round(area / 31.0 + rng.normal(0, 0.35, len(local))), 1, 8).astype(np.int64)
    collective = (kind == DORMITORY) | (kind == CAMPUS)
    rooms[collective] = 1
    capacity = np.where(
        collective,
        np.where(kind == CAMPUS, 4, 6) + 2 * (rng.random(len(local)) < 0.25),
        np.maximum(1, np.round(area / 11.0).astype(np.int64)),
    )
    tenure = _pick(_TENURE[kind], rng)
    # the landlord's family keeps the top floor of a house in an urban village
    tenure[(kind == VILLAGE) & (tenure == OWN) & (floor < buildings.floors[building] - 1)] = RENT
    taken = rng.random(len(local)) < buildings.occupied[building]
    return Dwellings(
        first_number[local] + place,
        building,
        kind,
        unit,
        floor,
        room,
        area,
        rooms,
        capacity.astype(np.int64),
        tenure,
        taken,
    )


_SORTED = np.array(sorted(LIVED_ON))
_ORDER = np.array([LIVED_ON.index(name) for name in sorted(LIVED_ON)])
_SPREAD = np.array([0.33, 0.20, 0.19, 0.26, 0.10, 0.08, 0.25])


def _pick(shares: Floats, rng: np.random.Generator) -> Ints:
    """One column number a row, drawn by the shares in the row."""
    total = np.cumsum(shares, axis=1)
    drawn: Ints = (rng.random(len(shares))[:, None] * total[:, -1:] > total).sum(axis=1)
    return drawn

"""The whole ground of a demo city, before its people: streets, buildings, areas, addresses, employers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from demo.addresses import Addresses, address
from demo.areas import Areas, divide
from demo.buildings import Buildings, build
from demo.chunk import Rows, World, people_of
from demo.employers import Employers, settle
from demo.grouping import totals
from demo.network import Network, lay_out
from demo.sizes import Size
from demo.types import Ints, Shapes
from demo.words import Namer
from demo.work import LabourMarket, Schools


@dataclass
class Ground:
    """Everything that stands still."""

    size: Size
    seed: int
    network: Network
    parcels: Shapes
    buildings: Buildings
    areas: Areas
    addresses: Addresses
    employers: Employers
    schools: Schools


def draw_ground(size: Size, seed: int) -> Ground:
    """Draw the city of that size and seed. Each stage has its own stream of random numbers."""
    streams = [np.random.default_rng([seed, size.people, stage]) for stage in range(5)]
    network = lay_out(size, streams[0])
    buildings, parcels = build(network, size.people, streams[1])
    namer = Namer(streams[2])
    people = totals(buildings.plot, buildings.residents, len(network.plots))
    areas = divide(network, people, size, namer)
    addresses = address(network, buildings, areas, namer)
    employers = settle(buildings, areas, addresses, people=size.people, namer=namer, rng=streams[3])
    schools = Schools(areas, network.plots, network.plot_kind, addresses.plot_place)
    return Ground(size, seed, network, parcels, buildings, areas, addresses, employers, schools)


def populate(ground: Ground) -> Iterator[Rows]:
    """The people, chunk by chunk; a chunk holds whole streets from all over the city, so that moves cross it."""
    homes = ground.buildings.dwellings
    world = World(
        ground.buildings,
        ground.areas,
        LabourMarket(ground.employers, ground.areas),
        ground.schools,
        np.cumsum(homes) - homes,
    )
    for number, chosen in enumerate(_chunks(ground)):
        yield people_of(
            world, chosen, number, np.random.default_rng([ground.seed, ground.size.people, 100 + number])
        )


def chunk_count(ground: Ground) -> int:
    """Number of chunks `populate` will yield."""
    return max(1, -(-ground.size.people // ground.size.chunk_people))


def _chunks(ground: Ground) -> list[Ints]:
    """Buildings with dwellings, dealt out by street."""
    count = chunk_count(ground)
    community = ground.areas.plot_community[ground.buildings.plot]
    street = ground.areas.community_street[community]
    by_street = totals(street, ground.buildings.residents)
    filled, chunk_of = np.zeros(count), np.zeros(len(by_street), dtype=np.int64)
    rng = np.random.default_rng([ground.seed, ground.size.people, 50])
    # the heaviest street always goes where there is most room
    for number in np.lexsort([rng.random(len(by_street)), -by_street]):
        chunk_of[number] = int(np.argmin(filled))
        filled[chunk_of[number]] += by_street[number]
    lived = ground.buildings.dwellings > 0
    return [np.flatnonzero(lived & (chunk_of[street] == number)) for number in range(count)]

"""Employers: firms, shops, schools and offices in the buildings that hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.addresses import Addresses
from demo.areas import CITY_NAME, Areas
from demo.buildings import Buildings
from demo.calendar import TODAY, day
from demo.grouping import totals
from demo.identity import credit_codes
from demo.types import Floats, Ints, Texts
from demo.words import Namer, lists

#: Sections of GB/T 4754-2017 found here: no mining (B), no international organisations (T).
SECTIONS = "ACDEFGHIJKLMNOPQRS"
#: Jobs for each resident in the city, and floor area in m2 for each job by use of the building.
JOBS_PER_RESIDENT = 0.6
_M2_PER_JOB = {
    "factory": 38.0,
    "office": 21.0,
    "shop": 26.0,
    "public": 42.0,
    "mixed": 120.0,
    "residential": 700.0,
    "dormitory": 0.0,
    "other": 80.0,
}
#: Sections found in each use of building, with their weight against the city's share of the section.
_FITS = {
    "factory": {"C": 10.0, "G": 1.2, "E": 0.6, "D": 0.7, "N": 0.2, "F": 0.1},
    "office": {"I": 2, "J": 2, "K": 2, "L": 2, "M": 2, "E": 1.3, "F": 0.35, "G": 0.5, "C": 0.06,
               "R": 1, "N": 1, "A": 1, "O": 0.3},
    "shop": {"F": 2, "H": 2, "O": 2, "R": 2, "J": 0.6, "L": 0.3, "I": 0.2},
    "public": {"P": 2, "Q": 2, "S": 2, "N": 1, "R": 0.7, "G": 0.5},
    "residential": {"F": 2, "H": 1.6, "O": 2.4, "K": 0.8, "E": 0.5, "L": 0.4},
}  # fmt: skip
_OF_KIND = {
    "school": "P",
    "kindergarten": "P",
    "campus": "P",
    "hospital": "Q",
    "government": "S",
    "stadium": "R",
    "station": "G",
    "park": "N",
    "market": "F",
}


@dataclass
class Employers:
    """One entry an employer; `jobs` is its weight when people look for work, `building` where it is."""

    key: Texts
    uscc: Texts
    name: Texts
    industry: Texts
    address: Texts
    x: Floats
    y: Floats
    community: Ints
    building: Ints
    jobs: Floats
    insured: Floats
    founded: Ints

    def __len__(self) -> int:
        return len(self.key)


def sections() -> dict[str, tuple[float, float, float]]:
    """Section of industry -> share of the jobs, mean size of an employer, share of its people insured."""
    table = {}
    for entry in lists()["jobs"]["sections"].split():
        section, share, size, insured = entry.split(":")
        table[section] = (int(share) / 1000, float(size), int(insured) / 100)
    return table


def settle(
    buildings: Buildings,
    areas: Areas,
    addresses: Addresses,
    *,
    people: int,
    namer: Namer,
    rng: np.random.Generator,
) -> Employers:
    """Fill the buildings with employers, so many that they hold `JOBS_PER_RESIDENT` jobs for each resident."""
    room = (
        buildings.floor_area_m2
        / np.array([_M2_PER_JOB[use] or np.inf for use in _USES])[_use_number(buildings.use)]
    )
    room[(buildings.kind == "village")] *= 4.0
    room[(buildings.kind == "oldtown")] *= 3.0
    wanted = JOBS_PER_RESIDENT * people
    building, industry = [], []
    table = sections()
    for letter, (share, size, _) in table.items():
        weight = room * _fit(buildings, letter)
        if weight.sum() == 0:
            continue
        count = max(1, round(share * wanted / size))
        drawn = np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(count))
        building.append(np.minimum(drawn, len(room) - 1))
        industry.append(np.full(count, letter))
    where, section = np.concatenate(building), np.concatenate(industry)
    order = np.argsort(where, kind="stable")
    where, section = where[order], section[order]
    mean = np.array([table[s][1] for s in SECTIONS])[_section_number(section)]
    jobs = mean * np.exp(rng.normal(0, 1.05, len(where)) - 0.55)
    jobs *= np.clip(room[where] / np.maximum(totals(where, jobs, len(room))[where], 1), 0.6, 1.6)
    community = areas.plot_community[buildings.plot[where]]
    district = areas.streets.parent[areas.community_street[community]]
    area = areas.districts.code[district].astype("U6").astype(np.int64)
    spread = rng.uniform(-4, 4, (2, len(where)))
    built = buildings.built_year[where]
    first = np.array([day(int(year), 1, 1) for year in range(1950, 2027)])[np.clip(built, 1980, 2026) - 1950]
    founded = first + (rng.random(len(where)) ** 0.6 * np.maximum(TODAY - 60 - first, 1)).astype(np.int64)
    number = np.arange(len(where))
    return Employers(
        np.char.add("E", np.char.zfill((number + 1).astype(str), 7)),
        credit_codes(area, number + 1),
        _names(section, len(where), namer, rng),
        section,
        addresses.address[where],
        buildings.x[where] + spread[0],
        buildings.y[where] + spread[1],
        community,
        where,
        np.maximum(jobs, 0.5),
        np.array([table[s][2] for s in SECTIONS])[_section_number(section)],
        founded,
    )


_USES = tuple(sorted(_M2_PER_JOB))


def _use_number(use: Texts) -> Ints:
    return np.searchsorted(np.array(_USES), use).astype(np.int64)


def _section_number(section: Texts) -> Ints:
    return np.searchsorted(np.array(list(SECTIONS)), section).astype(np.int64)


def _fit(buildings: Buildings, section: str) -> Floats:
    """How well each building suits the section; the building of a school is for teaching only."""
    fit = np.array([_FITS.get(use, {}).get(section, 0.0) for use in _USES])[_use_number(buildings.use)]
    if section in _OF_KIND.values():
        own = np.isin(buildings.kind, [kind for kind, of in _OF_KIND.items() if of == section])
        fit = np.where(own, 3.0, fit)
    other = np.isin(
        buildings.kind, [kind for kind, of in _OF_KIND.items() if of != section and kind != "market"]
    )
    fit[other] = 0.0
    return fit


def _names(section: Texts, count: int, namer: Namer, rng: np.random.Generator) -> Texts:
    """City or brand name and the word of the trade."""
    roots = np.array([zh for zh, _ in namer.roots(min(count, 4000))])
    brand = roots[rng.integers(0, len(roots), count)]
    tail = np.full(count, "", dtype="U12")
    draw = rng.random(count)
    for letter in SECTIONS:
        here = section == letter
        options = np.array(lists()["jobs"]["names"].get(letter, "商行").split())
        tail[here] = options[(draw[here] * len(options)).astype(np.int64)]
    formal = np.char.endswith(tail, "公司")
    return np.where(formal, np.char.add(np.char.add(CITY_NAME, brand), tail), np.char.add(brand, tail))

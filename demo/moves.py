"""Who lived where since when: stays of the present residents, of those who moved inside the city, of those who left.

A slot is a place to live that one unit holds at a time: a dwelling for a family, a bed for a flat-sharer or a
dormitory resident. History is built backwards from today: a slot's earlier tenant either lives elsewhere in the
city now or has left it, and no two ever hold a slot at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.calendar import SINCE, TODAY, arrivals, day, departures
from demo.dwellings import DORM, OWN, PUBLIC, VILLAGE, Dwellings
from demo.households import MATES, NAMES, STUDENTS, WORKERS, People, members, templates
from demo.types import Flags, Floats, Ints

FAMILY, LODGER, WORKER, STUDENT, SHARER = range(5)
_YEAR = 365.25
#: Share of floating residents by kind of ground: owners and tenants.
_FLOATING_OWN = np.array([0.05, 0.05, 0.11, 0.03, 0.95, 0.7, 0.02])
_FLOATING_RENT = np.array([0.50, 0.52, 0.62, 0.96, 0.95, 0.7, 0.30])
#: Mean stay in years by class of slot, tenants; owners and public tenants stay longer.
_STAY = np.array([3.2, 2.7, 2.2, 3.0, 2.3])
_LEFT_BEFORE = np.array([0.62, 0.86, 0.86, 0.92, 0.75])


@dataclass
class Stays:
    """Stays of units: dwelling (index in the chunk), first day, day after the last (-1: still there), generation."""

    unit: Ints
    dwelling: Ints
    start: Ints
    end: Ints
    turn: Ints


@dataclass
class Lives:
    """Units with their people and stays. `floating` and `settled` (day of becoming registered, 0 never) are per unit,
    `died` (day, 0 alive) per person; per unit, whether it is in a `collective` household, and whether it holds one of
    several places in a household that goes on when it leaves (`shared`)."""

    people: People
    floating: Flags
    settled: Ints
    died: Ints
    collective: Flags
    shared: Flags
    stays: Stays


class _Slots:
    """What the walk backwards through time needs to know of each slot."""

    def __init__(self, dwelling: Ints, sort: Ints, free_before: Ints) -> None:
        self.dwelling, self.sort, self.free_before = dwelling, sort, free_before


def live(homes: Dwellings, built_year: Ints, place: Ints, rng: np.random.Generator) -> Lives:
    """Fill the taken dwellings and tell their history. `place` is a neighbourhood number per dwelling."""
    dwelling, template = _units(homes, rng)
    kind, tenure = homes.kind[dwelling], homes.tenure[dwelling]
    sort = _sort(template, kind)
    start = _starts(sort, kind, tenure, built_year[dwelling], rng)
    floating = rng.random(len(dwelling)) < _floating_share(kind, tenure)
    people = members(template, kind, rng)
    empty = np.flatnonzero(~homes.taken & (homes.tenure != DORM))
    slots = _Slots(
        np.concatenate([dwelling, empty]),
        np.concatenate([sort, np.where(homes.kind[empty] == VILLAGE, LODGER, FAMILY)]),
        np.concatenate([start, _empty_since(len(empty), rng)]),
    )
    units = np.arange(len(dwelling))
    parts = [Stays(units, dwelling, start, np.full(len(units), -1), np.zeros(len(units), np.int64))]
    parts += _moved_here(homes, slots, place, start=start, floating=floating, rng=rng)
    gone, gone_floating, gone_sort, gone_stays = _left(homes, slots, len(dwelling), rng)
    parts += gone_stays
    settled = _settled(floating, start, sort, rng)
    everyone = _joined([people, *gone])
    died = _deaths(everyone, floating, start, template, rng)
    sorts = np.concatenate([sort, gone_sort])
    collective = np.isin(sorts, (WORKER, STUDENT))
    everyone, died = _by_unit(everyone, died)
    return Lives(
        everyone,
        np.concatenate([floating, gone_floating]),
        np.concatenate([settled, np.zeros(len(gone_floating), np.int64)]),
        died,
        collective,
        collective | (sorts == SHARER),
        Stays(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("unit", "dwelling", "start", "end", "turn")
            )
        ),
    )


def _units(homes: Dwellings, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Dwelling and template of every unit living here today."""
    taken = np.flatnonzero(homes.taken)
    template = templates(homes.kind[taken], homes.tenure[taken], rng)
    beds = np.ones(len(taken), dtype=np.int64)
    room = np.isin(template, (WORKERS, STUDENTS))
    beds[room] = rng.binomial(homes.capacity[taken][room], np.where(template[room] == STUDENTS, 0.93, 0.71))
    mates = template == MATES
    beds[mates] = np.clip(np.minimum(2 + rng.poisson(0.55, mates.sum()), homes.capacity[taken][mates]), 2, 5)
    return np.repeat(taken, beds), np.repeat(template, beds)


def _empty_since(count: int, rng: np.random.Generator) -> Ints:
    """Day since which each vacant dwelling has been empty: new to the market, or unsold for years."""
    return (TODAY - 4 - rng.exponential(1.0, count) * 500).astype(np.int64)


def _sort(template: Ints, kind: Ints) -> Ints:
    sort = np.where(kind == VILLAGE, LODGER, FAMILY)
    for one, of_sort in ((WORKERS, WORKER), (STUDENTS, STUDENT), (MATES, SHARER)):
        sort[template == one] = of_sort
    return sort


def _floating_share(kind: Ints, tenure: Ints) -> Floats:
    share = np.where(tenure == OWN, _FLOATING_OWN[kind], _FLOATING_RENT[kind])
    result: Floats = np.where(tenure == PUBLIC, 0.12, share)
    return result


def _starts(sort: Ints, kind: Ints, tenure: Ints, built: Ints, rng: np.random.Generator) -> Ints:
    """First day of the present stay of each unit."""
    start = np.zeros(len(sort), dtype=np.int64)
    for number, years in enumerate(_STAY):
        here = sort == number
        start[here] = arrivals(float(years), int(here.sum()), rng)
    for one, years in ((OWN, 13.0), (PUBLIC, 8.0)):
        here = tenure == one
        start[here] = arrivals(years, int(here.sum()), rng)
    finished = (built - 1970) * _YEAR + 90 + rng.integers(0, 500, len(sort))
    early = (tenure == OWN) & (built < 2008) & (rng.random(len(sort)) < 0.42)
    long_ago = finished + rng.random(len(sort)) * np.maximum(day(2008, 1, 1) - finished, 1)
    start = np.where(early, long_ago, start)
    start = np.maximum(start, np.minimum(finished, TODAY - 40)).astype(np.int64)
    enrolled = rng.integers(0, 4, len(sort))
    students = sort == STUDENT
    start[students] = np.array([day(2023 + year, 9, 1) for year in range(4)])[enrolled[students]]
    start[students] += rng.integers(0, 9, students.sum())
    days: Ints = start
    return days


def _moved_here(
    homes: Dwellings, slots: _Slots, place: Ints, *, start: Ints, floating: Flags, rng: np.random.Generator
) -> list[Stays]:
    """Earlier stays of units that came from elsewhere in the city; unit and slot numbers of the present agree."""
    units, sort = np.arange(len(start)), slots.sort[: len(start)]
    near = place[slots.dwelling[: len(start)]]
    moved = np.where(floating, 0.34, 0.86)
    moved = np.where(sort == WORKER, 0.22, np.where(sort == STUDENT, 0.0, moved))
    mover = units[(start > SINCE) & (rng.random(len(units)) < moved)]
    when, parts = start[mover], []
    for turn in (1, 2):
        want = np.where(rng.random(len(mover)) < 0.8, sort[mover], FAMILY)
        want = np.where(np.isin(sort[mover], (WORKER, SHARER)), sort[mover], want)
        slot = np.full(len(mover), -1)
        near_first = rng.random(len(mover)) < 0.55
        for by_place in (True, False):
            open_ = np.flatnonzero((slot < 0) & (near_first if by_place else True))
            used = np.isin(np.arange(len(slots.sort)), slot)
            free = np.flatnonzero((slots.free_before > SINCE) & ~used)
            here, there = near[mover[open_]] * by_place, place[slots.dwelling[free]] * by_place
            wanted = _place_key(want[open_], here, when[open_] + 3)
            offered = _place_key(slots.sort[free], there, slots.free_before[free])
            matched = _match(wanted, offered)
            slot[open_] = np.where(matched >= 0, free[matched], -1)
        found = slot >= 0
        mover, when, slot = mover[found], when[found], slot[found]
        years = np.where(homes.tenure[slots.dwelling[slot]] == OWN, 6.0, _STAY[slots.sort[slot]])
        before = (when - 20 - rng.exponential(1.0, len(when)) * years * _YEAR).astype(np.int64)
        slots.free_before[slot] = before
        parts.append(Stays(mover, slots.dwelling[slot], before, when, np.full(len(mover), turn)))
        again = (before > SINCE) & (rng.random(len(before)) < 0.35)
        mover, when = mover[again], before[again]
    return parts


_SPAN = 1_000_000


def _place_key(sort: Ints, place: Ints, day_number: Ints) -> Ints:
    """Sort of slot, place and day in one number that sorts by them."""
    return (sort * _SPAN + place) * _SPAN + day_number


def _match(wanted: Ints, offered: Ints) -> Ints:
    """For each wanted key an offered one of the same sort and place and no earlier day, none twice; -1 for none."""
    result = np.full(len(wanted), -1, dtype=np.int64)
    if not len(wanted) or not len(offered):
        return result
    offer_order, want_order = np.argsort(offered, kind="stable"), np.argsort(wanted, kind="stable")
    sorted_offers, sorted_wants = offered[offer_order], wanted[want_order]
    first = np.searchsorted(sorted_offers, sorted_wants)
    rank = np.arange(len(first))
    group = np.unique(sorted_wants // _SPAN, return_inverse=True)[1]
    # in each group the next wish takes the first offer that is late enough and not yet taken
    step = group * (len(offered) + len(wanted) + 1)
    taken = np.maximum.accumulate(first - rank + step) - step + rank
    fits = taken < len(offered)
    fits[fits] = sorted_offers[taken[fits]] // _SPAN == sorted_wants[fits] // _SPAN
    result[want_order[fits]] = offer_order[taken[fits]]
    return result


def _left(
    homes: Dwellings, slots: _Slots, units: int, rng: np.random.Generator
) -> tuple[list[People], Flags, Ints, list[Stays]]:
    """People who lived in a slot before its present tenant and have left the city since."""
    units_now = units
    groups, floating, sorts, parts = [], [np.zeros(0, bool)], [np.zeros(0, np.int64)], []
    for turn in range(3, 7):
        chance = _LEFT_BEFORE[slots.sort]
        tenure = homes.tenure[slots.dwelling]
        chance = np.where(tenure == OWN, 0.20, chance) * (1.0 if turn < 5 else 0.9)
        # most dwellings that stand empty were never let; without this the city would seem to shrink
        chance = np.where(np.arange(len(chance)) >= units_now, chance * 0.3, chance)
        slot = np.flatnonzero((slots.free_before > SINCE + 20) & (rng.random(len(chance)) < chance))
        if not len(slot):
            break
        where, sort = slots.dwelling[slot], slots.sort[slot]
        end = departures(slots.free_before[slot], 130, rng)
        years = np.where(homes.tenure[where] == OWN, 7.0, _STAY[sort])
        start = (end - 12 - rng.exponential(1.0, len(slot)) * years * _YEAR).astype(np.int64)
        slots.free_before[slot] = start
        keep = end > SINCE
        where, sort, end, start = where[keep], sort[keep], end[keep], start[keep]
        kind = homes.kind[where]
        template = templates(kind, homes.tenure[where], rng)
        shared = np.isin(template, (MATES, WORKERS, STUDENTS))
        template[shared & np.isin(sort, (FAMILY, LODGER))] = NAMES.index("young couple")
        for one, of_sort in ((WORKERS, WORKER), (STUDENTS, STUDENT), (MATES, SHARER)):
            template[sort == of_sort] = one
        people = members(template, kind, rng)
        people.unit += units
        groups.append(people)
        floating.append(rng.random(len(where)) < np.maximum(_floating_share(kind, homes.tenure[where]), 0.4))
        sorts.append(sort)
        parts.append(Stays(units + np.arange(len(where)), where, start, end, np.full(len(where), turn)))
        units += len(where)
    return groups, np.concatenate(floating), np.concatenate(sorts), parts


def _settled(floating: Flags, start: Ints, sort: Ints, rng: np.random.Generator) -> Ints:
    """Day on which a family that came as floating was registered here, 0 for all others."""
    chance = (
        (~floating)
        & (sort == FAMILY)
        & (start < TODAY - 500)
        & (start > SINCE - 2200)
        & (rng.random(len(start)) < 0.07)
    )
    low = np.maximum(start + 366, SINCE)
    when = low + rng.random(len(start)) * np.maximum(TODAY - 20 - low, 1)
    result: Ints = np.where(chance & (low < TODAY - 30), when, 0).astype(np.int64)
    return result


def _deaths(people: People, floating: Flags, start: Ints, template: Ints, rng: np.random.Generator) -> Ints:
    """Widows and widowers had a spouse: some of them died in these years. Adds them to `people`; day of death each."""
    old = np.flatnonzero((template == NAMES.index("old single")) & ~floating & (start < SINCE - 30))
    old = old[rng.random(len(old)) < 0.24]
    first = np.searchsorted(people.unit[: np.searchsorted(people.unit, len(template))], old)
    people.unit = np.concatenate([people.unit, old])
    people.role = np.concatenate([people.role, np.ones(len(old), np.int64)])
    people.age = np.concatenate(
        [
            people.age,
            np.minimum(people.age[first] + rng.normal(1, 3, len(old)), 100 + 4 * rng.random(len(old))),
        ]
    )
    people.sex = np.concatenate([people.sex, 3 - people.sex[first]])
    died = np.zeros(len(people), dtype=np.int64)
    died[len(people) - len(old) :] = rng.integers(SINCE + 1, TODAY - 1, len(old))
    return died


def _joined(groups: list[People]) -> People:
    return People(
        *(
            np.concatenate([getattr(group, name) for group in groups])
            for name in ("unit", "role", "age", "sex")
        )
    )


def _by_unit(people: People, died: Ints) -> tuple[People, Ints]:
    order = np.argsort(people.unit, kind="stable")
    return People(people.unit[order], people.role[order], people.age[order], people.sex[order]), died[order]

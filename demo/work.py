"""Employment and schooling: who works where since when, insured or not; which child goes to which school."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from demo.areas import Areas
from demo.calendar import SINCE, TODAY, day
from demo.employers import SECTIONS, Employers
from demo.types import Flags, Floats, Ints, Shapes, Texts
from demo.words import lists

_NEAR_M = 2_200.0
STAGES = ("幼儿园", "小学", "初中", "高中", "大学")


@dataclass
class Posts:
    """Employment episodes: person (index in the chunk), employer, occupation, insured, first day, last (-1 open)."""

    person: Ints
    employer: Ints
    occupation: Texts
    insured: Flags
    start: Ints
    end: Ints


@dataclass
class Seekers:
    """People who work: number, street of the home, whether they live in a factory's dormitory, floating or not,
    first day here as an adult, day after the last (-1: still here)."""

    person: Ints
    street: Ints
    factory: Flags
    floating: Flags
    since: Ints
    until: Ints

    def taken(self, keep: Ints | Flags) -> Seekers:
        """Some of them."""
        return Seekers(
            self.person[keep],
            self.street[keep],
            self.factory[keep],
            self.floating[keep],
            self.since[keep],
            self.until[keep],
        )


class LabourMarket:
    """Employers by street, so that a person finds work with a chance that falls with distance."""

    def __init__(self, employers: Employers, areas: Areas) -> None:
        street = areas.community_street[employers.community]
        self.order = np.argsort(street, kind="stable")
        jobs = employers.jobs[self.order]
        self._total = np.concatenate([[0.0], np.cumsum(jobs)])
        count = len(areas.streets.code)
        self._first = np.searchsorted(street[self.order], np.arange(count + 1))
        by_street = self._total[self._first[1:]] - self._total[self._first[:-1]]
        centre = shapely.get_coordinates(shapely.centroid(areas.streets.shape))
        apart = np.hypot(*(centre[:, None] - centre[None]).transpose(2, 0, 1))
        pull = by_street[None] * np.exp(-apart / _NEAR_M) + by_street[None] * 0.02
        self._cumulative = np.cumsum(pull / pull.sum(axis=1, keepdims=True), axis=1)
        self._cumulative[:, -1] = 1.0
        # a dormitory's people work in the factories of its own street
        factory = np.where(employers.industry[self.order] == "C", jobs, 0.0)
        self._factories = np.concatenate([[0.0], np.cumsum(factory)])
        self._industry = employers.industry
        self._insured = employers.insured
        self._founded = employers.founded

    def find(self, home_street: Ints, factory: Flags, rng: np.random.Generator) -> Ints:
        """An employer for each person by the street of the home."""
        row = home_street + rng.random(len(home_street)) * (1 - 1e-12)
        stacked = (self._cumulative + np.arange(len(self._cumulative))[:, None]).ravel()
        target = np.searchsorted(stacked, row, side="left")
        work_street = np.minimum(
            target - home_street * self._cumulative.shape[1], self._cumulative.shape[1] - 1
        )
        at_home = factory & (
            self._factories[self._first[home_street + 1]] > self._factories[self._first[home_street]]
        )
        result = np.empty(len(home_street), dtype=np.int64)
        for here, street, total in (
            (~at_home, work_street, self._total),
            (at_home, home_street, self._factories),
        ):
            low, high = total[self._first[street[here]]], total[self._first[street[here] + 1]]
            draw = low + rng.random(len(low)) * (high - low)
            spot = np.searchsorted(total, draw, side="right") - 1
            result[here] = self.order[np.clip(spot, 0, len(self.order) - 1)]
        return result

    def post(self, seekers: Seekers, rng: np.random.Generator) -> Posts:
        """Their jobs: the present one, and for some an earlier one."""
        employer = self.find(seekers.street, seekers.factory, rng)
        last = np.where(seekers.until < 0, TODAY, seekers.until)
        length = rng.exponential(1.0, len(last)) * np.where(seekers.floating, 1.7, 5.0) * 365.25
        first = np.maximum(seekers.since + rng.integers(1, 40, len(last)), self._founded[employer])
        started = np.maximum(last - length, first).astype(np.int64)
        keep = started < last - 3
        seekers, employer, started = seekers.taken(keep), employer[keep], started[keep]
        long_here = (started > SINCE) & (started - seekers.since > 200)
        earlier = np.flatnonzero(long_here & (rng.random(len(started)) < 0.7))
        past = seekers.taken(earlier)
        before = self.find(past.street, past.factory, rng)
        ended = started[earlier] - rng.integers(3, 45, len(earlier))
        begun = np.maximum(past.since + 10, ended - (rng.exponential(1.0, len(earlier)) * 700 + 30))
        begun = np.maximum(begun, self._founded[before]).astype(np.int64)
        valid = (begun < ended - 2) & (ended > SINCE)
        employers = np.concatenate([employer, before[valid]])
        floating = np.concatenate([seekers.floating, past.floating[valid]])
        chance = self._insured[employers] * np.where(floating, 0.74, 1.0)
        return Posts(
            np.concatenate([seekers.person, past.person[valid]]),
            employers,
            self._occupations(employers, rng),
            rng.random(len(employers)) < chance,
            np.concatenate([started, begun[valid]]),
            np.concatenate([seekers.until, ended[valid]]),
        )

    def _occupations(self, employer: Ints, rng: np.random.Generator) -> Texts:
        result = np.full(len(employer), "", dtype="U8")
        draw, industry = rng.random(len(employer)), self._industry[employer]
        for section in SECTIONS:
            options = np.array(lists()["jobs"]["occupations"].get(section, "职员").split())
            here = industry == section
            result[here] = options[(draw[here] * len(options)).astype(np.int64)]
        return result


def works(age: Floats, sex: Ints, floating: Flags, student: Flags, rng: np.random.Generator) -> Flags:
    """Who has a job, by age, sex and status."""
    chance = np.interp(
        age,
        [15.9, 16, 18, 22, 25, 50, 55, 60, 65, 72],
        [0, 0.12, 0.45, 0.80, 0.92, 0.91, 0.82, 0.45, 0.18, 0],
    )
    women = np.interp(age, [16, 22, 27, 33, 49, 52, 56, 62], [1.0, 1.0, 0.91, 0.88, 0.90, 0.70, 0.48, 0.40])
    chance = chance * np.where(sex == 2, women, 1.0) * np.where(floating, 1.05, 1.0)
    result: Flags = ~student & (rng.random(len(age)) < chance)
    return result


@dataclass
class Places:
    """Places at school: person (index in the chunk), school, stage number, first day, last day (-1 open)."""

    person: Ints
    school: Texts
    stage: Ints
    start: Ints
    end: Ints


class Schools:
    """The schools of each stage, and which is nearest to each community."""

    def __init__(self, areas: Areas, shapes: Shapes, kind: Texts, name: Texts) -> None:
        home = shapely.centroid(areas.communities.shape)
        self._name: list[Texts] = []
        roots = np.char.replace(name, "小学", "")
        for stage, ground, step, suffix in (
            (0, "kindergarten", 1, ""),
            (1, "school", 1, "小学"),
            (2, "school", 2, "初级中学"),
            (3, "school", 4, "高级中学"),
            (4, "campus", 1000, ""),
        ):
            plots = np.flatnonzero(kind == ground)
            if not len(plots):
                plots = np.arange(1)
            plots = plots[::step]
            found = plots[shapely.STRtree(shapely.centroid(shapes[plots])).nearest(home)]
            self._name.append(name[found] if stage in (0, 4) else np.char.add(roots[found], suffix))

    def enrol(
        self, born: Ints, student: Flags, community: Ints, *, since: Ints, rng: np.random.Generator
    ) -> Places:
        """The present school place of everyone of school age (the school year began on 1 September 2026)."""
        term = day(2026, 9, 1)
        age = np.floor((term - born) / 365.25).astype(np.int64)
        stage = np.select(
            [
                student,
                (age >= 3) & (age < 6),
                (age >= 6) & (age < 12),
                (age >= 12) & (age < 15),
                (age >= 15) & (age < 18),
                (age >= 18) & (age < 22),
            ],
            [4, 0, 1, 2, 3, 4],
            -1,
        )
        share = np.array([0.88, 1.0, 0.995, 0.93, 0.34, 0.0])[stage]
        person = np.flatnonzero((stage >= 0) & (student | (rng.random(len(born)) < share)))
        stage = stage[person]
        years = np.where(student[person], 0, age[person] - np.array([3, 6, 12, 15, 18])[stage])
        start = np.array([day(2026 - gone, 9, 1) for gone in range(7)])[np.clip(years, 0, 6)]
        late = since[person] > start
        start = np.where(late, np.minimum(since[person] + 7, TODAY - 1), start)
        names = np.stack(self._name)
        return Places(person, names[stage, community[person]], stage, start, np.full(len(person), -1))

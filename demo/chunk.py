"""One chunk of the city's people as the rows that departments deliver: dwellings, people, employment, schooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.areas import Areas
from demo.buildings import Buildings
from demo.calendar import SINCE, TODAY
from demo.dwellings import CAMPUS, DORMITORY, TENURE_WORDS, Dwellings, furnish
from demo.grouping import spread_out
from demo.households import SPOUSE
from demo.identity import family_surnames, full_names, id_numbers, phones
from demo.moves import Lives, live
from demo.types import Flags, Floats, Ints, Texts
from demo.words import lists
from demo.work import STAGES, LabourMarket, Schools, Seekers, works

DAYS_PER_YEAR = 365.2425


@dataclass
class World:
    """What every chunk needs of the city."""

    buildings: Buildings
    areas: Areas
    market: LabourMarket
    schools: Schools
    first_dwelling: Ints
    first_person: int = 0


@dataclass
class Rows:
    """The four tables of a chunk, and how many people live in it today."""

    dwellings: pl.DataFrame
    people: pl.DataFrame
    employment: pl.DataFrame
    schooling: pl.DataFrame
    residents: int


@dataclass
class _Crowd:
    """The people of a chunk: unit, role, age in years, sex, day of birth, key, floating or not."""

    unit: Ints
    role: Ints
    age: Floats
    sex: Ints
    born: Ints
    key: Texts
    floating: Flags


@dataclass
class _Episodes:
    """Episodes of residence: person, dwelling, turn (for the household's key), first day, day after the last."""

    person: Ints
    dwelling: Ints
    turn: Ints
    start: Ints
    end: Ints


@dataclass
class _Homes:
    """The dwellings of a chunk with their community."""

    dwellings: Dwellings
    community: Ints


def people_of(world: World, chosen: Ints, number: int, rng: np.random.Generator) -> Rows:
    """The rows of the buildings `chosen`; `number` is the chunk's, it keeps ID numbers of chunks apart."""
    dwellings = furnish(world.buildings, chosen, world.first_dwelling[chosen], rng)
    homes = _Homes(dwellings, world.areas.plot_community[world.buildings.plot[dwellings.building]])
    lives = live(dwellings, world.buildings.built_year[dwellings.building], homes.community, rng)
    people = lives.people
    crowd = _Crowd(
        people.unit,
        people.role,
        people.age,
        people.sex,
        np.floor(TODAY - people.age * DAYS_PER_YEAR).astype(np.int64),
        _keys("P", world.first_person + np.arange(len(people)) + 1, 9),
        lives.floating[people.unit],
    )
    world.first_person += len(people)
    episodes = _episodes(lives, crowd)
    home = np.zeros(len(people), dtype=np.int64)
    home[episodes.person] = homes.community[episodes.dwelling]
    who = _who(crowd, world.areas, home, number, rng)
    rows = _episode_rows(lives, crowd, episodes, dwellings, rng).join(who, on="人员编号").select(_PEOPLE)
    posts, places = _work_and_school(lives, crowd, episodes, homes, world=world, rng=rng)
    residents = int((episodes.end < 0).sum())
    return Rows(_dwelling_rows(dwellings), rows.sort("人员编号", "起始日期"), posts, places, residents)


_PEOPLE = (
    "人员编号", "身份证号", "姓名", "性别", "出生日期", "户籍地代码", "手机号", "房屋编号", "户编号", "户类型",
    "居住类别", "居住证", "居住证有效期", "起始日期", "终止日期",
)  # fmt: skip


def _keys(letter: str, number: Ints, digits: int) -> Texts:
    return np.char.add(letter, np.char.zfill(number.astype(str), digits))


def _episodes(lives: Lives, crowd: _Crowd) -> _Episodes:
    """Stays of units as episodes of their people: from birth at the earliest, until death at the latest."""
    stays = lives.stays
    first = np.searchsorted(crowd.unit, stays.unit, side="left")
    stay, place = spread_out(np.searchsorted(crowd.unit, stays.unit, side="right") - first)
    person = first[stay] + place
    start = np.maximum(stays.start[stay], crowd.born[person])
    end, died = stays.end[stay], lives.died[person]
    end = np.where(died > 0, np.where(end < 0, died, np.minimum(end, died)), end)
    valid = ((end < 0) & (start <= TODAY)) | (end > np.maximum(start, SINCE))
    order = np.flatnonzero(valid)
    order = order[np.lexsort([start[order], person[order]])]
    return _Episodes(
        person[order], stays.dwelling[stay[order]], stays.turn[stay[order]], start[order], end[order]
    )


def _who(crowd: _Crowd, areas: Areas, home: Ints, number: int, rng: np.random.Generator) -> pl.DataFrame:
    """What stays the same of each person, `home` being the community of the last dwelling."""
    origin, prefix = _origins(crowd, areas, home, number, rng)
    surname = family_surnames(crowd.unit, crowd.role, crowd.sex, rng)
    year = crowd.born.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return pl.DataFrame(
        {
            "人员编号": crowd.key,
            "身份证号": id_numbers(prefix, crowd.born, crowd.sex),
            "姓名": full_names(surname, crowd.sex, year, rng),
            "性别": np.where(crowd.sex == 1, "男", "女"),
            "出生日期": pl.Series(crowd.born.astype(np.int32)).cast(pl.Date),
            "户籍地代码": origin,
            "手机号": np.where(crowd.age < 10, "", phones(len(crowd.age), rng)),
        }
    )


def _episode_rows(
    lives: Lives, crowd: _Crowd, episodes: _Episodes, homes: Dwellings, rng: np.random.Generator
) -> pl.DataFrame:
    """A row an episode; who was registered here while living in one place has two."""
    settled = lives.settled[crowd.unit[episodes.person]]
    before = (episodes.end > 0) & (episodes.end <= settled)
    splits = (settled > 0) & (settled > episodes.start) & ~before
    index = np.concatenate([np.arange(len(settled)), np.flatnonzero(splits)])
    again = np.arange(len(index)) >= len(settled)
    start = np.where(again, settled[index], episodes.start[index])
    end = np.where(splits[index] & ~again, settled[index], episodes.end[index])
    floating = (crowd.floating[episodes.person] | ((settled > 0) & (before | splits)))[index] & ~again
    person, dwelling = episodes.person[index], episodes.dwelling[index]
    permit, permit_until = _permits(floating, start, end, crowd.age[person], rng)
    collective = lives.collective[crowd.unit[person]]
    turn = np.where(lives.shared[crowd.unit[person]], 0, episodes.turn[index])
    number = homes.number[dwelling] + 1
    return pl.DataFrame(
        {
            "人员编号": crowd.key[person],
            "房屋编号": _keys("F", number, 9),
            "户编号": np.char.add(_keys("H", number, 9), turn.astype("U1")),
            "户类型": np.where(collective, "集体户", "家庭户"),
            "居住类别": np.where(floating, "流动人口", "户籍人口"),
            "居住证": np.array(["无", "有", "过期"])[permit],
            "居住证有效期": _dates(permit_until, 0),
            "起始日期": _dates(start, -(10**6)),
            "终止日期": _dates(end, -1),
        }
    )


def _dates(days: Ints, missing: int) -> pl.Series:
    """A column of dates; `missing` stands for none."""
    column = pl.Series(days.astype(np.int32))
    return column.set(column == missing, None).cast(pl.Date)


def _origins(
    crowd: _Crowd, areas: Areas, home: Ints, number: int, rng: np.random.Generator
) -> tuple[Texts, Ints]:
    """Place of registration (6 digits), and the fictional area prefix of the ID number: 88, province, chunk."""
    entries = [entry.split(":") for entry in lists()["origins"]["shares"].split()]
    province = np.array([int(code) for code, _ in entries])
    share = np.cumsum([float(value) for _, value in entries])
    drawn = rng.random(int(crowd.unit.max(initial=0)) + 1)
    of_unit = province[np.searchsorted(share / share[-1], drawn)][crowd.unit]
    codes = areas.districts.code.astype("U6")
    own = codes[areas.streets.parent[areas.community_street[home]]]
    elsewhere = rng.random(len(own)) < 0.12
    own = np.where(elsewhere, codes[rng.integers(0, len(codes), len(own))], own)
    origin = np.where(crowd.floating, (of_unit * 10_000).astype("U6"), own)
    born_here = ~crowd.floating & ~((crowd.role == SPOUSE) & (rng.random(len(own)) < 0.3))
    return origin, 880_000 + np.where(born_here, 1, of_unit) * 100 + number % 100


def _permits(
    floating: Flags, start: Ints, end: Ints, age: Floats, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Permit (0 none, 1 valid, 2 expired) and until when: half a year's stay is needed, renewal is yearly."""
    last = np.where(end < 0, TODAY, end)
    stayed = last - start
    draw = rng.random(len(start))
    adult = np.where(age < 16, 0.55, 1.0)
    valid = floating & (draw < np.where(stayed > 183, 0.60, 0.06) * adult)
    expired = floating & ~valid & (stayed > 560) & (rng.random(len(start)) < 0.34)
    renewed = last + rng.integers(5, 366, len(start))
    lapsed = last - rng.integers(2, 190, len(start))
    until = np.where(valid, renewed, np.where(expired, lapsed, 0))
    over = expired | (valid & (end > 0) & (until < TODAY))
    return np.where(over, 2, np.where(valid, 1, 0)), until


def _dwelling_rows(homes: Dwellings) -> pl.DataFrame:
    collective = np.isin(homes.kind, (DORMITORY, CAMPUS))
    return pl.DataFrame(
        {
            "房屋编号": _keys("F", homes.number + 1, 9),
            "楼栋编号": _keys("B", homes.building + 1, 7),
            "单元": np.where(homes.unit > 0, np.char.add(homes.unit.astype(str), "单元"), ""),
            "楼层": homes.floor.astype(str),
            "房号": homes.room.astype(str),
            "建筑面积": homes.area_m2,
            "房间数": homes.rooms,
            "可住人数": homes.capacity,
            "住房性质": np.array(TENURE_WORDS)[homes.tenure],
            "用途": np.where(collective, "宿舍", "住宅"),
        }
    )


def _work_and_school(
    lives: Lives, crowd: _Crowd, episodes: _Episodes, homes: _Homes, *, world: World, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Employment and school places of everyone who lives or lived here."""
    count = len(crowd.unit)
    home, since, until = np.full(count, -1), np.full(count, TODAY), np.full(count, TODAY)
    home[episodes.person] = episodes.dwelling
    until[episodes.person] = episodes.end
    since[episodes.person[::-1]] = episodes.start[::-1]
    here = home >= 0
    kind = np.where(here, homes.dwellings.kind[home], -1)
    community = homes.community[home]
    student = kind == CAMPUS
    able = here & works(crowd.age, crowd.sex, crowd.floating, student, rng) & (lives.died == 0)
    worker = np.flatnonzero(able | (here & (kind == DORMITORY) & (crowd.age >= 17)))
    adult = np.floor(crowd.born + 16 * DAYS_PER_YEAR).astype(np.int64)
    seeking = Seekers(
        worker,
        world.areas.community_street[community[worker]],
        kind[worker] == DORMITORY,
        crowd.floating[worker],
        np.maximum(since[worker], adult[worker]),
        until[worker],
    )
    posts = world.market.post(seeking, rng)
    present = np.flatnonzero(here & (until < 0))
    places = world.schools.enrol(
        crowd.born[present], student[present], community[present], since=since[present], rng=rng
    )
    employment = pl.DataFrame(
        {
            "人员编号": crowd.key[posts.person],
            "单位编号": _keys("E", posts.employer + 1, 7),
            "职业": posts.occupation,
            "参保": np.where(posts.insured, "是", "否"),
            "入职日期": _dates(posts.start, -(10**6)),
            "离职日期": _dates(posts.end, -1),
        }
    )
    schooling = pl.DataFrame(
        {
            "人员编号": crowd.key[present[places.person]],
            "学校名称": places.school,
            "学段": np.array(STAGES)[places.stage],
            "入学日期": _dates(places.start, -(10**6)),
            "毕业日期": _dates(places.end, -1),
        }
    )
    return employment.sort("人员编号", "入职日期"), schooling

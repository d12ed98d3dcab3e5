"""One chunk of the city's people as the rows that departments deliver: dwellings, people, employment, schooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.areas import Areas
from demo.buildings import Buildings
from demo.calendar import SINCE, TODAY
from demo.dwellings import CAMPUS, DORMITORY, TENURE_WORDS, Dwellings, furnish
from demo.households import SPOUSE
from demo.identity import family_surnames, full_names, id_numbers, phones
from demo.moves import Lives, live
from demo.types import Flags, Floats, Ints, Texts
from demo.words import lists
from demo.work import STAGES, LabourMarket, Schools, works

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
    """The people of a chunk with what is needed of them again and again."""

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


def people_of(world: World, chosen: Ints, number: int, rng: np.random.Generator) -> Rows:
    """The rows of the buildings `chosen`; `number` is the chunk's, it keeps ID numbers of chunks apart."""
    homes = furnish(world.buildings, chosen, world.first_dwelling[chosen], rng)
    community = world.areas.plot_community[world.buildings.plot[homes.building]]
    lives = live(homes, world.buildings.built_year[homes.building], community, rng)
    people = lives.people
    crowd = _Crowd(people.unit, people.role, people.age, people.sex,
                   np.floor(TODAY - people.age * DAYS_PER_YEAR).astype(np.int64),
                   _keys("P", world.first_person + np.arange(len(people)) + 1, 9), lives.floating[people.unit])
    world.first_person += len(people)
    episodes = _episodes(lives, crowd)
    rows = _person_rows(lives, crowd, episodes, homes, world, community, number, rng)
    home, since, until = _latest(episodes, len(people))
    posts, places = _work_and_school(lives, crowd, homes, community, home, since, until, world, rng)
    residents = int(((episodes.end < 0)).sum())
    return Rows(_dwelling_rows(homes), rows, posts, places, residents)


def _keys(letter: str, number: Ints, digits: int) -> Texts:
    return np.char.add(letter, np.char.zfill(number.astype(str), digits))


def _episodes(lives: Lives, crowd: _Crowd) -> _Episodes:
    """Stays of units as episodes of their people: from birth at the earliest, until death at the latest."""
    stays = lives.stays
    first = np.searchsorted(crowd.unit, stays.unit, side="left")
    count = np.searchsorted(crowd.unit, stays.unit, side="right") - first
    stay = np.repeat(np.arange(len(count)), count)
    person = first[stay] + np.arange(len(stay)) - np.repeat(np.cumsum(count) - count, count)
    start = np.maximum(stays.start[stay], crowd.born[person])
    end, died = stays.end[stay], lives.died[person]
    end = np.where(died > 0, np.where(end < 0, died, np.minimum(end, died)), end)
    valid = ((end < 0) & (start <= TODAY)) | (end > np.maximum(start, SINCE))
    order = np.flatnonzero(valid)
    order = order[np.lexsort([start[order], person[order]])]
    return _Episodes(person[order], stays.dwelling[stay[order]], stays.turn[stay[order]], start[order], end[order])


def _latest(episodes: _Episodes, people: int) -> tuple[Ints, Ints, Ints]:
    """Dwelling of the last episode of each person (-1 for none), first day in the city, day after the last."""
    home, since, until = np.full(people, -1), np.full(people, TODAY), np.full(people, TODAY)
    home[episodes.person] = episodes.dwelling
    until[episodes.person] = episodes.end
    since[episodes.person[::-1]] = episodes.start[::-1]
    return home, since, until


def _person_rows(lives: Lives, crowd: _Crowd, episodes: _Episodes, homes: Dwellings, world: World, community: Ints,
                 number: int, rng: np.random.Generator) -> pl.DataFrame:
    origin, prefix = _origins(crowd, episodes, world.areas, community, number, rng)
    surname = family_surnames(crowd.unit, crowd.role, crowd.sex, rng)
    year = crowd.born.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    who = pl.DataFrame({
        "人员编号": crowd.key, "身份证号": id_numbers(prefix, crowd.born, crowd.sex),
        "姓名": full_names(surname, crowd.sex, year, rng), "性别": np.where(crowd.sex == 1, "男", "女"),
        "出生日期": crowd.born.astype(np.int32), "户籍地代码": origin,
        "手机号": np.where(crowd.age < 10, "", phones(len(crowd.age), rng)),
    })
    settled = lives.settled[crowd.unit[episodes.person]]
    splits = (settled > 0) & (settled > episodes.start) & ((episodes.end < 0) | (settled < episodes.end))
    was = crowd.floating[episodes.person] | ((settled > 0) & ((episodes.end > 0) & (episodes.end <= settled) | splits))
    index = np.concatenate([np.arange(len(settled)), np.flatnonzero(splits)])
    again = np.arange(len(index)) >= len(settled)
    start = np.where(again, settled[index], episodes.start[index])
    end = np.where(splits[index] & ~again, settled[index], episodes.end[index])
    floating = np.where(again, False, was[index])
    permit, permit_until = _permits(floating, start, end, crowd.age[episodes.person[index]], rng)
    person, dwelling = episodes.person[index], episodes.dwelling[index]
    collective = lives.collective[crowd.unit[person]]
    turn = np.where(collective, 0, episodes.turn[index])
    rows = who[person].with_columns(
        pl.Series("房屋编号", _keys("F", homes.number[dwelling] + 1, 9)),
        pl.Series("户编号", np.char.add(_keys("H", homes.number[dwelling] + 1, 9), turn.astype("U1"))),
        pl.Series("户类型", np.where(collective, "集体户", "家庭户")),
        pl.Series("居住类别", np.where(floating, "流动人口", "户籍人口")),
        pl.Series("居住证", np.array(["无", "有", "过期"])[permit]),
        _dates("居住证有效期", permit_until, 0), pl.Series("起始日期", start.astype(np.int32)).cast(pl.Date),
        _dates("终止日期", end, -1))
    return rows.with_columns(pl.col("出生日期").cast(pl.Date)).sort("人员编号", "起始日期")


def _dates(name: str, days: Ints, missing: int) -> pl.Series:
    """A column of dates; `missing` stands for none."""
    column = pl.Series(name, days.astype(np.int32))
    return column.set(column == missing, None).cast(pl.Date)


def _origins(crowd: _Crowd, episodes: _Episodes, areas: Areas, community: Ints, number: int,
             rng: np.random.Generator) -> tuple[Texts, Ints]:
    """Place of registration (6 digits), and the fictional area prefix of the ID number: 88, province, chunk."""
    entries = [entry.split(":") for entry in lists()["origins"]["shares"].split()]
    province = np.array([int(code) for code, _ in entries])
    share = np.cumsum([float(value) for _, value in entries])
    of_unit = province[np.searchsorted(share / share[-1], rng.random(int(crowd.unit.max(initial=0)) + 1))][crowd.unit]
    home = np.zeros(len(crowd.unit), dtype=np.int64)
    home[episodes.person] = community[episodes.dwelling]
    district = areas.streets.parent[areas.community_street[home]]
    own = areas.districts.code[district].astype("U6")
    elsewhere = rng.random(len(own)) < 0.12
    own = np.where(elsewhere, areas.districts.code[rng.integers(0, len(areas.districts.code), len(own))].astype("U6"), own)
    origin = np.where(crowd.floating, (of_unit * 10_000).astype("U6"), own)
    born_here = ~crowd.floating & ~((crowd.role == SPOUSE) & (rng.random(len(own)) < 0.3))
    return origin, 880_000 + np.where(born_here, 1, of_unit) * 100 + number % 100


def _permits(floating: Flags, start: Ints, end: Ints, age: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Permit (0 none, 1 valid, 2 expired) and until when: half a year's stay is needed, renewal is yearly."""
    last = np.where(end < 0, TODAY, end)
    stayed = last - start
    draw = rng.random(len(start))
    adult = np.where(age < 16, 0.55, 1.0)
    valid = floating & (draw < np.where(stayed > 183, 0.60, 0.06) * adult)
    expired = floating & ~valid & (stayed > 560) & (rng.random(len(start)) < 0.34)
    permit = np.where(valid, 1, np.where(expired, 2, 0))
    until = np.where(valid, last + rng.integers(5, 366, len(start)), np.where(expired, last - rng.integers(2, 190, len(start)), 0))
    over = valid & (end > 0) & (until < TODAY)
    return np.where(over, 2, permit), until


def _dwelling_rows(homes: Dwellings) -> pl.DataFrame:
    building = _keys("B", homes.building + 1, 7)
    collective = np.isin(homes.kind, (DORMITORY, CAMPUS))
    return pl.DataFrame({
        "房屋编号": _keys("F", homes.number + 1, 9), "楼栋编号": building,
        "单元": np.where(homes.unit > 0, np.char.add(homes.unit.astype(str), "单元"), ""), "楼层": homes.floor.astype(str),
        "房号": homes.room.astype(str), "建筑面积": homes.area_m2, "房间数": homes.rooms, "可住人数": homes.capacity,
        "住房性质": np.array(TENURE_WORDS)[homes.tenure], "用途": np.where(collective, "宿舍", "住宅"),
    })


def _work_and_school(lives: Lives, crowd: _Crowd, homes: Dwellings, community: Ints, home: Ints, since: Ints, until: Ints,
                     world: World, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    here = home >= 0
    kind = np.where(here, homes.kind[np.maximum(home, 0)], -1)
    where = community[np.maximum(home, 0)]
    student = kind == CAMPUS
    adult = np.floor(crowd.born + 16 * DAYS_PER_YEAR).astype(np.int64)
    able = here & works(crowd.age, crowd.sex, crowd.floating, student, rng) & (lives.died == 0)
    worker = np.flatnonzero(able | (here & (kind == DORMITORY) & (crowd.age >= 17)))
    posts = world.market.post(worker, world.areas.community_street[where[worker]], kind[worker] == DORMITORY,
                              crowd.floating[worker], np.maximum(since[worker], adult[worker]), until[worker], rng)
    present = np.flatnonzero(here & (until < 0))
    places = world.schools.enrol(crowd.born[present], student[present], where[present], since[present], rng)
    employer = _keys("E", posts.employer + 1, 7)
    employment = pl.DataFrame({"人员编号": crowd.key[posts.person], "单位编号": employer, "职业": posts.occupation,
                               "参保": np.where(posts.insured, "是", "否")}).with_columns(
        pl.Series("入职日期", posts.start.astype(np.int32)).cast(pl.Date), _dates("离职日期", posts.end, -1))
    schooling = pl.DataFrame({"人员编号": crowd.key[present[places.person]], "学校名称": places.school,
                              "学段": np.array(STAGES)[places.stage]}).with_columns(
        pl.Series("入学日期", places.start.astype(np.int32)).cast(pl.Date), _dates("毕业日期", places.end, -1))
    return employment.sort("人员编号", "入职日期"), schooling



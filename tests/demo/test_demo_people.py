"""The people of a district: numbers a statistician would believe, episodes that fit together."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from stdnum.cn import uscc

from demo.calendar import EPOCH, SINCE, TODAY
from demo.city import Ground, populate
from demo.identity import credit_codes
from population.register import documents

ON = EPOCH + dt.timedelta(days=TODAY)
FROM = EPOCH + dt.timedelta(days=SINCE)


@dataclass
class District:
    people: pl.DataFrame
    now: pl.DataFrame
    homes: pl.DataFrame
    jobs: pl.DataFrame
    school: pl.DataFrame


@pytest.fixture(scope="module")
def district(ground: Ground) -> District:
    chunks = list(populate(ground))
    people, homes, jobs, school = (
        pl.concat([getattr(chunk, name) for chunk in chunks])
        for name in ("people", "dwellings", "employment", "schooling")
    )
    kinds = pl.DataFrame(
        {"楼栋编号": [f"B{i + 1:07d}" for i in range(len(ground.buildings))], "kind": ground.buildings.kind}
    )
    homes = homes.join(kinds, on="楼栋编号", how="left")
    now = people.filter(pl.col("终止日期").is_null()).join(homes, on="房屋编号", how="left")
    now = now.with_columns(age=(pl.lit(ON) - pl.col("出生日期")).dt.total_days() / 365.25)
    assert now["kind"].null_count() == 0
    return District(people, now, homes, jobs, school)


def test_size_and_shares(district: District) -> None:
    now = district.now
    assert 57_000 < len(now) < 63_000
    floating = (now["居住类别"] == "流动人口").mean()
    assert 0.33 < floating < 0.47
    families = now.group_by("户编号").len()["len"]
    assert 2.2 < families.mean() < 2.9
    jobs = district.jobs.filter(pl.col("离职日期").is_null())
    assert 0.5 < len(jobs) / len(now) < 0.7
    rooms = now.group_by("房屋编号").agg(pl.len().alias("n"), pl.col("建筑面积", "kind").first())
    per_head = dict(rooms.group_by("kind").agg(pl.col("建筑面积").sum() / pl.col("n").sum()).iter_rows())
    assert 24 < rooms["建筑面积"].sum() / rooms["n"].sum() < 34
    assert per_head["dormitory"] < 9
    assert per_head["village"] < 0.6 * per_head["estate"]


def test_pyramids_differ_by_neighbourhood(district: District) -> None:
    kind = {
        row["kind"]: row
        for row in district.now.group_by("kind").agg(
            pl.col("age").mean().alias("mean"),
            (pl.col("age") >= 65).mean().alias("old"),
            (pl.col("age") < 15).mean().alias("young"),
            (pl.col("性别") == "男").mean().alias("male"),
            (pl.col("居住类别") == "流动人口").mean().alias("floating"),
        ).to_dicts()
    }  # fmt: skip
    assert kind["oldtown"]["old"] > 0.15 > 0.1 > kind["estate"]["old"] > kind["village"]["old"]
    assert kind["estate"]["young"] > kind["village"]["young"]
    assert kind["dormitory"]["male"] > 0.55
    assert kind["village"]["floating"] > 0.8 > 0.4 > kind["estate"]["floating"]
    assert 18 < kind["campus"]["mean"] < 22


def test_no_birthday_piles_up(district: District) -> None:
    assert district.now["出生日期"].value_counts()["count"].max() < 25


def test_episodes_of_a_person_follow_each_other(district: District) -> None:
    people = district.people.sort("人员编号", "起始日期")
    before = people["终止日期"].shift(1)
    same = people["人员编号"] == people["人员编号"].shift(1)
    assert people.filter(same & (before.is_null() | (before > people["起始日期"]))).is_empty()
    assert people.filter(pl.col("终止日期") <= pl.col("起始日期")).is_empty()
    assert people.filter(pl.col("起始日期") < pl.col("出生日期")).is_empty()
    assert people["起始日期"].max() <= ON
    ends = people["终止日期"].drop_nulls()
    assert ends.min() > FROM
    assert ends.max() <= ON
    several = people.group_by("人员编号").len().filter(pl.col("len") > 1)
    assert len(several) > 0.1 * people["人员编号"].n_unique()


def test_nobody_lives_in_another_familys_home(district: District) -> None:
    """In a dwelling let to families, one household is gone before the next comes."""
    stays = (
        district.people.filter(pl.col("户类型") == "家庭户")
        .group_by("房屋编号", "户编号")
        .agg(pl.col("起始日期").min(), pl.col("终止日期").fill_null(ON).max(), pl.col("人员编号").n_unique())
        .sort("房屋编号", "起始日期")
    )
    shared = district.now.group_by("房屋编号").agg(pl.col("户编号").n_unique().alias("n"))
    assert (shared["n"] == 1).mean() > 0.97
    overlap = (stays["房屋编号"] == stays["房屋编号"].shift(1)) & (
        stays["终止日期"].shift(1) > stays["起始日期"]
    )
    assert overlap.sum() < 0.03 * len(stays)


def test_arrivals_follow_the_spring_festival(district: District) -> None:
    floating = district.people.filter((pl.col("居住类别") == "流动人口") & (pl.col("起始日期") > FROM))
    month = floating.group_by(pl.col("起始日期").dt.strftime("%Y-%m")).len()
    arrived = dict(month.iter_rows())
    assert arrived["2026-03"] > 1.4 * arrived["2026-01"]
    assert arrived["2025-02"] > 1.3 * arrived["2025-01"]
    left = district.people.filter(pl.col("终止日期").is_not_null())
    gone = dict(left.group_by(pl.col("终止日期").dt.strftime("%Y-%m")).len().iter_rows())
    assert gone["2025-01"] > gone["2025-04"]


def test_identity_numbers_check_and_cannot_be_anyones(district: District) -> None:
    one = district.people.unique("人员编号")
    assert documents.find_document_problems(one["身份证号"]).is_null().all()
    assert one["身份证号"].n_unique() == len(one)
    assert one["身份证号"].str.starts_with("88").all()
    assert (one["身份证号"].str.slice(6, 8) == one["出生日期"].dt.strftime("%Y%m%d")).all()
    phones = one["手机号"].filter(one["手机号"] != "")
    assert phones.str.contains(r"^120\d{8}$").all()


def test_credit_codes_check_by_the_library_and_are_distinct(ground: Ground) -> None:
    codes = ground.employers.uscc
    assert len(set(codes)) == len(codes)
    assert all(uscc.is_valid(code) for code in codes[::7])
    assert {code[2:4] for code in codes} == {"88"}
    many = credit_codes(np.full(3, 880102), np.array([0, 31**4, 2_000_000]))
    assert all(uscc.is_valid(code) for code in many)


def test_permits_belong_to_those_who_may_have_one(district: District) -> None:
    registered = district.people.filter(pl.col("居住类别") == "户籍人口")
    assert (registered["居住证"] == "无").all()
    now = district.now.filter(pl.col("居住类别") == "流动人口")
    assert now.filter((pl.col("居住证") == "有") & (pl.col("居住证有效期") <= ON)).is_empty()
    assert now.filter((pl.col("居住证") == "过期") & (pl.col("居住证有效期") > ON)).is_empty()
    assert now.filter((pl.col("居住证") == "无") & pl.col("居住证有效期").is_not_null()).is_empty()
    assert 0.35 < (now["居住证"] == "有").mean() < 0.65


def test_jobs_and_school_places_are_of_people_and_employers_there_are(
    district: District, ground: Ground
) -> None:
    keys = set(district.people["人员编号"].unique())
    assert set(district.jobs["人员编号"]) <= keys
    assert set(district.school["人员编号"]) <= keys
    assert set(district.jobs["单位编号"]) <= set(ground.employers.key.tolist())
    ages = district.school.join(district.now.select("人员编号", "age"), on="人员编号")
    assert ages.filter(pl.col("学段") == "小学")["age"].is_between(5.5, 13).all()
    insured = (district.jobs["参保"] == "是").mean()
    assert 0.35 < insured < 0.75
    assert district.jobs.filter(pl.col("离职日期") <= pl.col("入职日期")).is_empty()


def test_nothing_is_generated_that_is_never_held(district: District) -> None:
    headers = {
        h
        for table in (district.people, district.homes, district.jobs, district.school)
        for h in table.columns
    }
    for word in (
        "民族",
        "宗教",
        "信仰",
        "政治",
        "党",
        "婚",
        "生育",
        "车牌",
        "人脸",
        "ethnic",
        "religion",
        "party",
        "marital",
    ):
        assert not [header for header in headers if word in header], word


def test_every_list_of_words_is_spelled_once() -> None:
    words = tomllib.loads((Path(__file__).parents[2] / "demo" / "words.toml").read_text(encoding="utf-8"))
    for name, value in words["people"].items():
        entries = value.split()
        assert len(set(entries)) == len(entries), name
    shares = [int(entry.split(":")[1]) for entry in words["origins"]["shares"].split()]
    assert 950 < sum(shares) < 1050 * 1.1

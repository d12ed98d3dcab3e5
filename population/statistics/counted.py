"""What is counted for a row, packed into one integer: the rules of the triggers, in columns.

The SQL functions ``stats.residence_counted`` and its neighbours (migration 0004) say the same a row at a time; a test
holds both against each other. Days are int32 since 2000-01-01; ``NEVER`` stands for an open end or an unknown date.

Bits. Residence: 0 counted, 1 floating, 2 permit valid, 3-4 sex (1 male, 2 female), 5-9 age band (1..18, 0 unknown),
10 without a dwelling. Employment and employer: 0 counted, 1 insured, 2-6 section of GB/T 4754 (1..20), from 8 on the
jobs an employer states. Occupied dwelling: 0-2 class of floor space, 3-5 class of people a room, from 8 people.
Household: 0 counted, 1-3 size (6 and more), 4-6 tenure, 7 collective, from 8 members. Person: 0 employed, 1 insured,
2 student.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Days = NDArray[np.int32]
Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]

NEVER: Final = 2_147_483_647
EPOCH: Final = date(2000, 1, 1)
TENURES: Final = {"own": 1, "rent": 2, "dormitory": 3, "public": 4, "other": 5}
PERMITS: Final = {"none": 0, "valid": 1, "expired": 2}
_EPOCH_FROM_1970: Final = 10_957


def days_of(day: date) -> int:
    """Days since 2000-01-01.

    >>> days_of(date(2000, 1, 2))
    1
    """
    return (day - EPOCH).days


def holds(valid_from: Days, ended: Days, today: int) -> Flags:
    """Whether a half-open period covers the day."""
    return (valid_from <= today) & (ended > today)


def next_change(valid_from: Days, ended: Days, today: int) -> Days:
    """The next day after ``today`` on which a period begins or ends; NEVER if none."""
    chosen = np.where(valid_from > today, valid_from, np.where(ended > today, ended, NEVER))
    return np.where(ended <= valid_from, NEVER, chosen).astype(np.int32)


def _as_number(days: Days) -> NDArray[np.int64]:
    """20231231 for 2023-12-31."""
    dates = pl.Series((days.astype(np.int64) + _EPOCH_FROM_1970).astype(np.int32)).cast(pl.Date)
    year, month, day = dates.dt.year(), dates.dt.month(), dates.dt.day()
    return (year.cast(pl.Int64) * 10_000 + month.cast(pl.Int64) * 100 + day.cast(pl.Int64)).to_numpy()


def age_band(birth: Days, today: int) -> Ints:
    """1..18 by five completed years (85 and over 18), 0 for unknown or not yet born.

    Born on 29 February: a year older on 1 March in common years.

    >>> age_band(np.array([days_of(date(2018, 11, 24)), NEVER], np.int32), days_of(date(2023, 11, 23))).tolist()
    [1, 0]
    """
    known = birth <= today
    safe = np.where(known, birth, today).astype(np.int32)
    now = int(_as_number(np.array([today], np.int32))[0])
    band = np.minimum((now - _as_number(safe)) // 50_000, 17) + 1
    return np.where(known, band, 0).astype(np.int32)


def residence(columns: dict[str, NDArray[Any]], today: int) -> tuple[Days, Days, Ints]:
    """``ended``, ``changes_on`` and ``counted`` of residences.

    Needs: floating, superseded (bool), permit (PERMITS), permit_until, valid_from, valid_to (days), and of the person
    sex, birth, gone (days: the person's valid_to); in_dwelling (bool).
    """
    c = columns
    ended = np.where(c["superseded"], c["valid_from"], np.minimum(c["valid_to"], c["gone"])).astype(np.int32)
    here = holds(c["valid_from"], ended, today)
    dated = c["permit_until"] != NEVER
    valid = np.where(dated, c["permit_until"] >= today, c["permit"] == 1) & (c["permit"] != 0) & c["floating"]
    sex = np.where(np.isin(c["sex"], (1, 2)), c["sex"], 0).astype(np.int32)
    counted = 1 + 2 * c["floating"].astype(np.int32) + 4 * valid.astype(np.int32) + 8 * sex
    counted += 32 * age_band(c["birth"], today) + 1024 * (~c["in_dwelling"]).astype(np.int32)
    changes = next_change(c["valid_from"], ended, today)
    running = here & valid & dated
    changes = np.where(running, np.minimum(changes, np.where(dated, c["permit_until"], 0) + 1), changes)
    return ended, changes.astype(np.int32), np.where(here, counted, 0).astype(np.int32)


def employment(columns: dict[str, NDArray[Any]], today: int) -> tuple[Days, Days, Ints]:
    """``ended``, ``changes_on`` and ``counted`` of employments.

    Needs: insured, superseded (bool), valid_from, valid_to, gone (the person's end), closed (the employer's end),
    section (0..20).
    """
    c = columns
    end = np.minimum(np.minimum(c["valid_to"], c["gone"]), c["closed"])
    ended = np.where(c["superseded"], c["valid_from"], end).astype(np.int32)
    counted = 1 + 2 * c["insured"].astype(np.int32) + 4 * c["section"].astype(np.int32)
    here = holds(c["valid_from"], ended, today)
    return ended, next_change(c["valid_from"], ended, today), np.where(here, counted, 0).astype(np.int32)


def employer(here: Flags, section: Ints, stated_jobs: Ints, has_employments: Flags) -> Ints:
    """``counted`` of employers; the stated jobs count only while no employment is on record."""
    jobs = np.where(has_employments, 0, np.maximum(stated_jobs, 0))
    return np.where(here, 1 + 4 * section + 256 * jobs, 0).astype(np.int32)


def dwelling(area_m2: NDArray[np.float32], rooms: NDArray[np.int16], people: NDArray[np.int64]) -> Ints:
    """Packed count of occupied dwellings; unknown area NaN, unknown rooms 0."""
    area = area_m2.astype(np.float64)
    space = np.select(
        [np.isnan(area), *(area < limit * people for limit in (8, 15, 30, 50))], [6, 1, 2, 3, 4], 5
    )
    room = np.select([rooms == 0, people <= rooms, people <= 2 * rooms.astype(np.int64)], [4, 1, 2], 3)
    return np.asarray(256 * people + space + 8 * room, dtype=np.int32)


def household(collective: Flags, tenure: Ints, people: NDArray[np.int64]) -> Ints:
    """Packed count of households with members; unknown tenure 5."""
    whole = 1 + 2 * np.minimum(people, 6) + 16 * tenure + 128 * collective + 256 * people
    return np.asarray(whole, dtype=np.int32)


# Loaders work on frames with dates and words; these give them the derived columns before a COPY.


def days(frame: pl.DataFrame, column: str) -> Days:
    """A column of dates as days since 2000-01-01; null, and a column that is not there, as NEVER."""
    if column not in frame.columns:
        return np.full(frame.height, NEVER, np.int32)
    physical = frame[column].cast(pl.Date).to_physical().cast(pl.Int64) - _EPOCH_FROM_1970
    return np.asarray(physical.fill_null(NEVER).to_numpy(), dtype=np.int32)


def _dates(days: Days) -> pl.Series:
    shifted = pl.Series(np.where(days == NEVER, 0, days).astype(np.int64) + _EPOCH_FROM_1970).cast(pl.Int32)
    return pl.select(
        pl.when(pl.Series(days != NEVER)).then(shifted.cast(pl.Date)).otherwise(None).alias("d")
    ).to_series()


def _flags(frame: pl.DataFrame, column: str) -> Flags:
    if column not in frame.columns:
        return np.zeros(frame.height, np.bool_)
    series = frame[column]
    if series.dtype != pl.Boolean:
        series = series.is_not_null()
    return np.asarray(series.fill_null(False).to_numpy(), dtype=np.bool_)


def coded(frame: pl.DataFrame, column: str, codes: dict[str, int], otherwise: int) -> Ints:
    """A column of words as the numbers that ``codes`` gives them, ``otherwise`` for the rest."""
    if column not in frame.columns:
        return np.full(frame.height, otherwise, np.int32)
    mapped = frame[column].replace_strict(codes, default=otherwise, return_dtype=pl.Int32)
    return np.asarray(mapped.fill_null(otherwise).to_numpy(), dtype=np.int32)


SECTIONS: Final = {chr(64 + n): n for n in range(1, 21)}


def residence_columns(frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """``frame`` with ended, changes_on and counted added.

    Needs status, permit, permit_until, valid_from, valid_to, sex, birth_date, dwelling_id; uses superseded_at and
    person_valid_to (the person's own end) where present.
    """
    sex = frame["sex"].cast(pl.Int32).fill_null(0).to_numpy()
    columns: dict[str, NDArray[Any]] = {
        "floating": (frame["status"] == "floating").fill_null(False).to_numpy(),
        "superseded": _flags(frame, "superseded_at"),
        "permit": coded(frame, "permit", PERMITS, 0),
        "permit_until": days(frame, "permit_until"),
        "valid_from": days(frame, "valid_from"),
        "valid_to": days(frame, "valid_to"),
        "gone": days(frame, "person_valid_to"),
        "sex": sex,
        "birth": days(frame, "birth_date"),
        "in_dwelling": _flags(frame, "dwelling_id"),
    }
    ended, changes, counted = residence(columns, days_of(as_of))
    return frame.with_columns(
        _dates(ended).alias("ended"), _dates(changes).alias("changes_on"), pl.Series("counted", counted)
    )


def employment_columns(frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """``frame`` with ended, changes_on and counted added.

    Needs insured, valid_from, valid_to, industry (of the employer); uses superseded_at, person_valid_to and
    employer_valid_to where present.
    """
    columns: dict[str, NDArray[Any]] = {
        "insured": _flags(frame, "insured"),
        "superseded": _flags(frame, "superseded_at"),
        "valid_from": days(frame, "valid_from"),
        "valid_to": days(frame, "valid_to"),
        "gone": days(frame, "person_valid_to"),
        "closed": days(frame, "employer_valid_to"),
        "section": coded(frame, "industry", SECTIONS, 0),
    }
    ended, changes, counted = employment(columns, days_of(as_of))
    return frame.with_columns(
        _dates(ended).alias("ended"), _dates(changes).alias("changes_on"), pl.Series("counted", counted)
    )


def period_columns(frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Dwellings and schooling: ``frame`` with changes_on and counted from valid_from (null: always) and valid_to."""
    today = days_of(as_of)
    valid_from, valid_to = _begins(frame), days(frame, "valid_to")
    return frame.with_columns(
        _dates(next_change(valid_from, valid_to, today)).alias("changes_on"),
        pl.Series("counted", holds(valid_from, valid_to, today).astype(np.int32)),
    )


def household_columns(frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """``frame`` with changes_on from valid_from and valid_to."""
    return period_columns(frame, as_of).drop("counted")


def building_columns(frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """``frame`` with changes_on, counted, counted_dwellings, counted_residents, for buildings without dwelling rows.

    Where single dwellings follow, the rebuild takes the stated number out again.
    """
    made = period_columns(frame, as_of)
    stands = pl.col("counted") == 1
    stated = {"counted_dwellings": "dwellings_count", "counted_residents": "residents_estimate"}
    return made.with_columns(
        (pl.when(stands).then(pl.col(column).fill_null(0)).otherwise(0) if column in made.columns else pl.lit(0))
        .alias(name)
        for name, column in stated.items()
    )  # fmt: skip


def employer_columns(frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """``frame`` with changes_on and counted, for employers without employment rows; needs industry, uses jobs_count."""
    today = days_of(as_of)
    valid_from, valid_to = _begins(frame), days(frame, "valid_to")
    has_jobs = "jobs_count" in frame.columns
    jobs = (
        frame["jobs_count"].cast(pl.Int32).fill_null(0).to_numpy()
        if has_jobs
        else np.zeros(frame.height, np.int32)
    )
    here = holds(valid_from, valid_to, today)
    counted = employer(here, coded(frame, "industry", SECTIONS, 0), jobs, np.zeros(frame.height, np.bool_))
    return frame.with_columns(
        _dates(next_change(valid_from, valid_to, today)).alias("changes_on"), pl.Series("counted", counted)
    )


def _begins(frame: pl.DataFrame) -> Days:
    begins = days(frame, "valid_from")
    return np.where(begins == NEVER, days_of(date(1900, 1, 1)), begins).astype(np.int32)

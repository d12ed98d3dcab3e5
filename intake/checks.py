"""Rules for single values that several domains share: resident ID numbers and unified social credit codes.

Vectorised; held against python-stdnum's ``stdnum.cn.ric`` and ``stdnum.cn.uscc`` in the tests.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import polars as pl

from intake.schema import Check

_ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int32)
_ID_CHECK = np.frombuffer(b"10X98765432", dtype=np.uint8)
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = np.array([3**i % 31 for i in range(17)], dtype=np.int32)
_USCC_VALUE = np.full(256, -1, dtype=np.int32)
_USCC_VALUE[np.frombuffer(_USCC_ALPHABET.encode(), dtype=np.uint8)] = np.arange(31)
_DAYS = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int32)


def _characters(values: pl.Series) -> npt.NDArray[np.uint8]:
    """(n, 18) bytes of texts that all are 18 ASCII characters long."""
    joined = values.str.join("")[0] or ""
    return np.frombuffer(joined.encode("ascii"), dtype=np.uint8).reshape(-1, 18)


def find_id_problems(values: pl.Series) -> pl.Series:
    """Reason codes for resident ID numbers (GB 11643-1999), null where right. Lower-case x counts as X.

    >>> find_id_problems(pl.Series(["11010519491231002X", "110105194912310021", "110105491231002"])).to_list()
    [None, 'id_wrong_check_digit', 'id_old_15']
    """
    frame = values.str.to_uppercase().to_frame("v")
    long = frame.select(pl.col("v").str.contains(r"^\d{17}[\dX]$"))["v"]
    reasons = frame.select(
        pl.when(long).then(None)
        .when(pl.col("v").str.contains(r"^\d\.\d*E\+?\d\d$")).then(pl.lit("id_rounded"))
        .when(pl.col("v").str.contains(r"^\d{15}$")).then(pl.lit("id_old_15"))
        .when(pl.col("v").str.len_chars() != 18).then(pl.lit("id_wrong_length"))
        .otherwise(pl.lit("id_wrong_check_digit"))
    )["literal"].alias("reason")  # fmt: skip
    if not long.any():
        return reasons
    data = _characters(frame["v"].filter(long))
    digits = data[:, :17].astype(np.int32) - 48
    right = _ID_CHECK[digits @ _ID_WEIGHTS % 11] == data[:, 17]
    rounded = ~right & (data[:, 15:18] == 48).all(axis=1)
    found = np.where(right, "", np.where(rounded, "id_rounded", "id_wrong_check_digit"))
    found = np.where(right & ~_date_exists(digits), "id_impossible_date", found)
    codes = pl.Series(found).replace("", None)
    return reasons.scatter(long.arg_true(), codes)


def _date_exists(digits: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    year = digits[:, 6:10] @ np.array([1000, 100, 10, 1])
    month = digits[:, 10:12] @ np.array([10, 1])
    day = digits[:, 12:14] @ np.array([10, 1])
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = _DAYS[np.clip(month, 1, 12) - 1] - ((month == 2) & ~leap)
    right: npt.NDArray[np.bool_] = (
        (year >= 1850)
        & (year <= dt.date.today().year)
        & (month >= 1)
        & (month <= 12)
        & (day >= 1)
        & (day <= last)
    )
    return right


def find_uscc_problems(values: pl.Series) -> pl.Series:
    """``uscc_wrong`` for unified social credit codes (GB 32100-2015) that are none, else null.

    >>> find_uscc_problems(pl.Series(["91110000600037341L", "91110000600037341A"])).to_list()
    [None, 'uscc_wrong']
    """
    frame = values.str.to_uppercase().to_frame("v")
    shaped = frame.select(pl.col("v").str.contains(r"^[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}$"))[
        "v"
    ]
    right = np.zeros(len(values), dtype=bool)
    if shaped.any():
        digits = _USCC_VALUE[_characters(frame["v"].filter(shaped))]
        right[shaped.to_numpy()] = (31 - digits[:, :17] @ _USCC_WEIGHTS % 31) % 31 == digits[:, 17]
    return pl.Series(np.where(right, "", "uscc_wrong")).replace("", None)


def id_birth_date(values: pl.Series) -> pl.Series:
    """Birth dates (Date) inside right resident ID numbers; null elsewhere."""
    return values.str.slice(6, 8).str.to_date("%Y%m%d", strict=False)


def id_sex(values: pl.Series) -> pl.Series:
    """1 for male, 2 for female (Int64), as the 17th digit of a resident ID number says."""
    digit = values.str.slice(16, 1).cast(pl.Int64, strict=False)
    return 2 - digit % 2


RESIDENT_ID = Check("id_wrong_check_digit", find_id_problems)
USCC = Check("uscc_wrong", find_uscc_problems)

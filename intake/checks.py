"""Rules for single values that several domains share: resident ID numbers and unified social credit codes.

Vectorised; held against python-stdnum's ``stdnum.cn.ric`` and ``stdnum.cn.uscc`` in the tests.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from intake.compiled import ID_PROBLEMS, id_births, id_problems
from intake.schema import Check

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = np.array([3**i % 31 for i in range(17)], dtype=np.int32)
_USCC_VALUE = np.full(256, -1, dtype=np.int32)
_USCC_VALUE[np.frombuffer(_USCC_ALPHABET.encode(), dtype=np.uint8)] = np.arange(31)


def _characters(values: pl.Series) -> npt.NDArray[np.uint8]:
    """(n, 18) bytes of texts that all are 18 ASCII characters long."""
    joined = values.str.join("")[0] or ""
    return np.frombuffer(joined.encode("ascii"), dtype=np.uint8).reshape(-1, 18)


def find_id_problems(values: pl.Series) -> pl.Series:
    """Reason codes for resident ID numbers (GB 11643-1999), null where right. Lower-case x counts as X.

    >>> find_id_problems(pl.Series(["11010519491231002X", "110105194912310021", "110105491231002"])).to_list()
    [None, 'id_wrong_check_digit', 'id_old_15']
    """
    return _named(id_problems(values), ID_PROBLEMS)


def _named(codes: npt.NDArray[np.uint8], names: tuple[str, ...]) -> pl.Series:
    """Codes as names, 0 as null."""
    if not codes.any():
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(codes))
    return pl.Series(codes).replace_strict(dict(enumerate((None, *names[1:]))), return_dtype=pl.String)


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
    return _named((~right).astype(np.uint8), ("", "uscc_wrong"))


def id_birth_date(values: pl.Series) -> pl.Series:
    """Birth dates (Date) inside resident ID numbers; null for anything else."""
    return id_births(values)


def id_sex(values: pl.Series) -> pl.Series:
    """1 for male, 2 for female (Int64), as the 17th digit of a resident ID number says."""
    digit = values.str.slice(16, 1).cast(pl.Int64, strict=False)
    return 2 - digit % 2


RESIDENT_ID = Check("id_wrong_check_digit", find_id_problems)
USCC = Check("uscc_wrong", find_uscc_problems)

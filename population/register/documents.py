"""Numbers on documents: whether they are well formed, and what a resident's number says about its holder.

Sources: GB 11643-1999 (resident identity number: ISO 7064 MOD 11-2 check character, date of birth in places 7 to 14,
sex in place 17), GB 32100-2015 (unified social credit code, MOD 31 check character).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

RESIDENT: Final = r"^[1-9]\d{16}[\dX]$"
FOREIGN: Final = r"^[A-Z]{1,3}[A-Z0-9]{5,14}$"
CREDIT: Final = r"^[0-9A-HJ-NPQRTUWXY]{18}$"
_ID_WEIGHTS: Final = np.array([pow(2, 17 - place, 11) for place in range(18)], dtype=np.int64)
_CREDIT_ALPHABET: Final = b"0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS: Final = np.array([*(pow(3, place, 31) for place in range(17)), 1], dtype=np.int64)


def id_number_ok(numbers: pl.Series) -> pl.Series:
    """Whether each is a resident's number with the right check character, or another document's number.

    18 characters that begin like a resident's number must check; 15 digits (before 1999) and numbers that begin with
    a letter (passports, travel permits) have no check character and pass by their form.

    >>> id_number_ok(pl.Series(["11010519491231002X", "110105194912310021", "E12345678"])).to_list()
    [True, False, True]
    """
    clean = numbers.str.strip_chars().str.to_uppercase()
    resident = clean.str.contains(RESIDENT)
    passes = (clean.str.contains(r"^\d{15}$") | clean.str.contains(FOREIGN)).to_numpy().copy()
    mask = resident.to_numpy()
    if mask.any():
        digits = _characters(clean.filter(resident), 18)
        value = np.where(digits == ord("X"), 10, digits.astype(np.int64) - ord("0"))
        passes[mask] = (value @ _ID_WEIGHTS) % 11 == 1
    return pl.Series(numbers.name, passes)


def credit_code_ok(codes: pl.Series) -> pl.Series:
    """Whether each unified social credit code has the right check character.

    >>> credit_code_ok(pl.Series(["91110000600037341L", "91110000600037342L"])).to_list()
    [True, False]
    """
    clean = codes.str.strip_chars().str.to_uppercase()
    formed = clean.str.contains(CREDIT)
    passes = formed.to_numpy().copy()
    if passes.any():
        place = np.full(256, 0, dtype=np.int64)
        place[np.frombuffer(_CREDIT_ALPHABET, dtype=np.uint8)] = np.arange(31)
        value = place[_characters(clean.filter(formed), 18)]
        passes[passes] = (value @ _CREDIT_WEIGHTS) % 31 == 0
    return pl.Series(codes.name, passes)


def check_character(digits: str) -> str:
    """The 18th character of a resident's number from its first 17 digits.

    >>> check_character("11010519491231002")
    'X'
    """
    total = sum(int(digit) * int(weight) for digit, weight in zip(digits, _ID_WEIGHTS, strict=False))
    return "10X98765432"[total % 11]


def born(numbers: pl.Expr) -> pl.Expr:
    """Date of birth inside a resident's number, null for any other number."""
    return pl.when(numbers.str.contains(r"^\d{17}[\dXx]$")).then(
        numbers.str.slice(6, 8).str.to_date("%Y%m%d", strict=False)
    )


def sex(numbers: pl.Expr) -> pl.Expr:
    """1 male, 2 female by a resident's number, null for any other number."""
    place = numbers.str.slice(16, 1).cast(pl.Int64, strict=False)
    return pl.when(numbers.str.contains(r"^\d{17}[\dXx]$")).then(2 - place % 2)


def _characters(texts: pl.Series, width: int) -> NDArray[np.uint8]:
    return np.frombuffer("".join(texts.to_list()).encode(), dtype=np.uint8).reshape(-1, width)

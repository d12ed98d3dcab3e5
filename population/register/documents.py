"""What the number of a document says about its holder.

Source: GB 11643-1999 (resident identity number: ISO 7064 MOD 11-2 check character, date of birth in places 7 to 14,
sex in place 17).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from intake.checks import find_id_problems

FOREIGN: Final = r"^[A-Z]{1,3}[A-Z0-9]{5,14}$"
_ID_WEIGHTS: Final = tuple(pow(2, 17 - place, 11) for place in range(17))


def find_document_problems(numbers: pl.Series) -> pl.Series:
    """Reason codes for numbers that are no resident's number, null where right; a number that begins with letters
    (passports, travel permits) has no check character and passes by its form.

    >>> find_document_problems(pl.Series(["11010519491231002X", "110105194912310021", "E12345678"])).to_list()
    [None, 'id_wrong_check_digit', None]
    """
    foreign = numbers.str.to_uppercase().str.contains(FOREIGN)
    return find_id_problems(numbers).set(foreign, None)


def check_character(digits: str) -> str:
    """The 18th character of a resident's number from its first 17 digits.

    >>> check_character("11010519491231002")
    'X'
    """
    total = sum(int(digit) * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=True))
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

"""What of a personal value may be shown: enough to find it again, not enough to use it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PERSONAL = re.compile(r"(?<![0-9])(?:[0-9]{14}(?:[0-9]{3}[0-9Xx]|[0-9])|1[3-9][0-9]{9})(?![0-9])")
_DATA = re.compile(
    r"\d{6,}[Xx]?|\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2}日?)?([ T]\d{1,2}:\d{2}.*)?|[+-]?\d+\.\d+|[^@\s]+@[^@\s]+\.\w+"
)


def mask(value: str) -> str:
    """What a view shows of a sensitive value: first 6 and last 2 characters of long ones, less of shorter ones.

    >>> mask("11010519491231002X"), mask("13800138000"), mask("1234")
    ('110105**********2X', '138******00', '****')
    """
    first, last = (6, 2) if len(value) >= 15 else (3, 2) if len(value) >= 7 else (0, 0)
    return value[:first] + "*" * (len(value) - first - last) + value[len(value) - last :]


def mask_numbers(value: str) -> str:
    """``value`` with everything in it masked that has the shape of a resident ID number or a mobile number.

    >>> mask_numbers("见11010519491231002X")
    '见110105**********2X'
    """
    return _PERSONAL.sub(lambda found: mask(found[0]), value)


def masked(values: Iterable[str]) -> list[str]:
    """``mask_numbers`` of each."""
    return [mask_numbers(value) for value in values]


def look_like_data(headers: Iterable[str]) -> bool:
    """Whether ``headers`` are a row of data rather than names: a personal number among them, or values in most.

    >>> look_like_data(["P1", "11010519491231002X", "王芳"]), look_like_data(["code", "2020", "2021"])
    (True, False)
    """
    listed = [header.strip() for header in headers]
    values = sum(1 for header in listed if _DATA.fullmatch(header))
    return any(_PERSONAL.fullmatch(header) for header in listed) or values * 2 > len(listed)

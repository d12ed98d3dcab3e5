"""On which side of a line a point lies, exactly, for the compiled kernels.

A plain double computation with its error bound decides almost always; the rest is summed without any rounding.
Source: J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates, 1997.
"""

# Compiled functions take plain arrays and many of them, and carry no types of their own.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np
from numba import njit

_BOUND = 3.3306690738754716e-16
_SPLIT = 134217729.0  # 2**27 + 1


@njit(cache=True, inline="always")
def _two_product(a, b):
    product = a * b
    big = _SPLIT * a
    a_high = big - (big - a)
    a_low = a - a_high
    big = _SPLIT * b
    b_high = big - (big - b)
    b_low = b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


@njit(cache=True)
def _grow(parts, count, value):
    """Adds `value` to the expansion in `parts`, exactly."""
    carry = value
    for k in range(count):
        total = carry + parts[k]
        seen = total - carry
        parts[k] = (carry - (total - seen)) + (parts[k] - seen)
        carry = total
    parts[count] = carry
    return count + 1


@njit(cache=True)
def _exact_side(ax, ay, bx, by, cx, cy):
    parts = np.zeros(12)
    count = 0
    for term in range(6):
        if term == 0:
            high, low = _two_product(ax, by)
        elif term == 1:
            high, low = _two_product(-ax, cy)
        elif term == 2:
            high, low = _two_product(-cx, by)
        elif term == 3:
            high, low = _two_product(-ay, bx)
        elif term == 4:
            high, low = _two_product(ay, cx)
        else:
            high, low = _two_product(cy, bx)
        count = _grow(parts, count, low)
        count = _grow(parts, count, high)
    for k in range(count - 1, -1, -1):
        if parts[k] > 0.0:
            return 1
        if parts[k] < 0.0:
            return -1
    return 0


@njit(cache=True)
def side(ax, ay, bx, by, cx, cy):
    """1 where c lies left of the line from a to b, -1 right of it, 0 exactly on it.

    >>> side(0.0, 0.0, 1.0, 1.0, 0.5, 0.6), side(0.1, 0.1, 0.3, 0.3, 0.2, 0.2)
    (1, 0)
    """
    left = (ax - cx) * (by - cy)
    right = (ay - cy) * (bx - cx)
    det = left - right
    bound = _BOUND * (abs(left) + abs(right))
    if det > bound:
        return 1
    if -det > bound:
        return -1
    return _exact_side(ax, ay, bx, by, cx, cy)

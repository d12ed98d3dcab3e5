"""Arrays by group: totals, first members, ranks. Groups are numbered from 0."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from demo.types import Floats, Ints

Value = TypeVar("Value", bound=np.generic)


def totals(group: Ints, weight: npt.NDArray[np.generic], count: int = 0) -> Floats:
    """Sum of `weight` in each group; at least `count` groups.

    >>> totals(np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0])).tolist()
    [4.0, 0.0, 2.0]
    """
    result: Floats = np.bincount(group, weights=weight.astype(np.float64), minlength=count).astype(np.float64)
    return result


def first_of(group: Ints, value: npt.NDArray[Value]) -> npt.NDArray[Value]:
    """The value of the first member of each group.

    >>> first_of(np.array([1, 0, 1]), np.array([5, 6, 7])).tolist()
    [6, 5]
    """
    return value[np.unique(group, return_index=True)[1]]


def rank_within(group: Ints) -> Ints:
    """Rank of each among the members of its group, in order of appearance, from 0.

    >>> rank_within(np.array([4, 1, 4, 4])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(group, kind="stable")
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.searchsorted(group[order], group[order], side="left")
    return rank


def spread_out(count: Ints) -> tuple[Ints, Ints]:
    """For counts a list of owners, each repeated so often, and the place of each entry with its owner.

    >>> [part.tolist() for part in spread_out(np.array([2, 0, 1]))]
    [[0, 0, 2], [0, 1, 0]]
    """
    owner = np.repeat(np.arange(len(count)), count)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)

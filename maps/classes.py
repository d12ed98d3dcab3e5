"""Class breaks of a layer, and the legend they make.

The schemes follow mapclassify (quantiles, Fisher-Jenks, head/tail, equal interval) and a test holds each against it.
They are computed here because importing mapclassify compiles its kernels anew in every process (DECISIONS.md).

Sources: W. D. Fisher, On grouping for maximum homogeneity (1958); G. F. Jenks, Optimal data classification for
choropleth maps (1977); B. Jiang, Head/tail breaks (2013).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from maps.errors import BadSchemeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Scheme = Literal["quantiles", "jenks", "headtail", "equal"]
JENKS_SAMPLE: Final = 1_500
SIGNIFICANT: Final = 3


@dataclass(frozen=True)
class Breaks:
    """Classes from low to high.

    ``upper``: upper bound of each class, inclusive, the last is at least the maximum. ``counts``: units in each
    class. ``minimum``, ``maximum`` of the classified values; ``zeros``: values left blank because they are zero.
    """

    upper: tuple[float, ...]
    counts: tuple[int, ...]
    minimum: float | None
    maximum: float | None
    zeros: int

    def classify(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Class of each value, 0 the lowest; -1 for missing.

        >>> Breaks((2.0, 5.0), (1, 1), 1, 5, 0).classify(np.array([1.0, 2.0, 2.5, float("nan")])).tolist()
        [0, 0, 1, -1]
        """
        found = np.searchsorted(np.asarray(self.upper), values, side="left")
        return np.where(np.isnan(values), -1, np.minimum(found, len(self.upper) - 1))


def breaks(
    values: NDArray[np.float64], scheme: str = "quantiles", classes: int = 5, *, blank_zero: bool = True
) -> Breaks:
    """Breaks of ``values`` (NaN = missing) into at most ``classes`` classes by ``scheme``.

    ``blank_zero`` leaves zeros out of the classes: they are drawn blank. Ties and few distinct values give fewer
    classes, never an empty one or the same bound twice. Raises BadSchemeError.

    >>> breaks(np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8]), "quantiles", 4).upper
    (2.0, 4.0, 6.0, 8.0)
    """
    if scheme not in _SCHEMES or not 2 <= classes <= 9:
        raise BadSchemeError(scheme=scheme, classes=classes)
    known = np.sort(values[np.isfinite(values)])
    zeros = int(np.count_nonzero(known == 0)) if blank_zero else 0
    if blank_zero:
        known = known[known != 0]
    if known.size == 0:
        return Breaks((), (), None, None, zeros)
    distinct = np.unique(known)
    upper = distinct if distinct.size <= classes else _SCHEMES[scheme](known, classes)
    upper = _readable(np.unique(upper), known)
    counts = np.diff(np.searchsorted(known, upper, side="right"), prepend=0)
    kept = counts > 0
    return Breaks(
        tuple(upper[kept].tolist()), tuple(counts[kept].tolist()), float(known[0]), float(known[-1]), zeros
    )


def _readable(upper: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bounds a person can read: whole for whole values (same classes), else a few significant digits."""
    if np.array_equal(known, np.round(known)):
        return np.unique(np.floor(upper))
    rounded = np.array([_significant(value) for value in upper])
    rounded[-1] = max(rounded[-1], _significant_up(float(known[-1])))
    return np.unique(rounded)


def _significant(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT}g}")


def _significant_up(value: float) -> float:
    """``value`` rounded up to the significant digits, so that it still holds ``value``."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - SIGNIFICANT + 1)
    up = _significant(math.ceil(value / step) * step)
    return up if up >= value else _significant(up + step)


def quantiles(ordered: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Upper bounds that put about the same number of values in each class."""
    bounds: NDArray[np.float64] = np.quantile(ordered, np.arange(1, k + 1) / k)
    return bounds


def equal_interval(ordered: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Upper bounds the same distance apart."""
    bounds: NDArray[np.float64] = np.linspace(ordered[0], ordered[-1], k + 1)[1:]
    return bounds


def head_tail(ordered: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Upper bounds at the mean, the mean of what lies above it, and so on, ``k`` classes at most."""
    bounds: list[float] = []
    head = ordered
    while len(bounds) < k - 1 and head.size > 1 and head[0] < head[-1]:
        mean = float(head.mean())
        bounds.append(mean)
        head = head[np.searchsorted(head, mean, side="right") :]
    return np.array([*bounds, float(ordered[-1])])


def fisher_jenks(ordered: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Upper bounds with the least squared deviation within classes; of an even sample when there are many values."""
    if ordered.size > JENKS_SAMPLE:
        at = np.round(np.linspace(0, ordered.size - 1, JENKS_SAMPLE)).astype(np.int64)
        ordered = ordered[at]
    n = ordered.size
    centred = ordered - ordered.mean()
    total = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred * centred)])
    start = np.arange(n)[:, None]
    end = np.arange(1, n + 1)[None, :]
    size = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = squares[end] - squares[start] - (total[end] - total[start]) ** 2 / size
    cost = np.where(size >= 1, np.maximum(cost, 0.0), np.inf)
    best = cost[0]
    choice = np.zeros((k, n), dtype=np.int64)
    for c in range(1, k):
        way = np.concatenate([[np.inf], best[:-1]])[:, None] + cost
        choice[c] = np.argmin(way, axis=0)
        best = way[choice[c], np.arange(n)]
    bounds = [float(ordered[-1])]
    last = n - 1
    for c in range(k - 1, 0, -1):
        last = int(choice[c][last]) - 1
        bounds.append(float(ordered[last]))
    return np.array(bounds[::-1])


_SCHEMES: Final[dict[str, Callable[[NDArray[np.float64], int], NDArray[np.float64]]]] = {
    "quantiles": quantiles,
    "jenks": fisher_jenks,
    "headtail": head_tail,
    "equal": equal_interval,
}

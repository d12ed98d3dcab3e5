"""Counts of one set of units brought to another: areas to cells by dasymetric weights, and cells back to areas.

Method. A count that is known for an area only is spread over the parts of the area in proportion to where people can
live: dwellings, else residential land, else plain area (dasymetric mapping; Eicher and Brewer 2001, "Dasymetric Mapping
and Areal Interpolation", CaGIS 28(2)). The parts of an area add up to the area's count (Tobler's pycnophylactic
property, JASA 74, 1979), and to the unit: whole numbers are given out by largest remainder (Balinski and Young 1982,
"Fair Representation"), ties going to the smaller identifier, so that the same input always gives the same output.

Margins of error. The area's variance is shared like its count: a part with the share s of the weight gets the margin
m * sqrt(s). Adding the parts up by the rule for sums, the root of the sum of squares (U.S. Census Bureau 2020,
"Understanding and Using American Community Survey Data", chapter 8), gives back the area's margin. The margin carries
the survey's sampling error only; how far the weights miss where people live is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DECIMALS: Final = 6


@dataclass(frozen=True)
class Spread:
    """Counts brought from sources to targets.

    ``parts``: source, target, value, moe (null where the source has none), share (of the source's weight).
    ``weight_used``: source, weight - the name of the weight that decided for it.
    ``unplaced``: source, value - sources with no target at all; their counts are not in ``parts``.
    """

    parts: pl.DataFrame
    weight_used: pl.DataFrame
    unplaced: pl.DataFrame

    def by_target(self) -> pl.DataFrame:
        """target, value, moe: sums over sources; margins add by the root of the sum of squares."""
        return (
            self.parts.group_by("target")
            .agg(
                pl.col("value").sum(),
                pl.when(pl.col("moe").is_not_null().any())
                .then((pl.col("moe") ** 2).sum().sqrt())
                .alias("moe"),
            )
            .sort("target")
        )


def spread(figures: pl.DataFrame, links: pl.DataFrame, weights: Sequence[str]) -> Spread:
    """Spread the counts of sources over targets.

    ``figures``: source (int), value (number, not negative, null = not known), moe (number or null), one row a source.
    ``links``: source, target (int) and one column a weight (not negative); the pairs that overlap.
    ``weights``: the weight columns, best first; each source takes the first with a positive sum, or, when none has
    one, equal shares (weight "equal").

    The values of a source's targets add up to its value exactly, in units of the finest decimal place that any value
    has (at most 6 places). Raises ValueError for negative counts or weights and for a source given twice.

    >>> figures = pl.DataFrame({"source": [1], "value": [10], "moe": [6.0]})
    >>> links = pl.DataFrame({"source": [1, 1, 1], "target": [7, 8, 9], "dwellings": [1.0, 1.0, 1.0]})
    >>> spread(figures, links, ["dwellings"]).parts["value"].to_list()
    [4.0, 3.0, 3.0]
    """
    _check(figures, links, weights)
    known = figures.filter(pl.col("value").is_not_null())
    pairs = known.join(links, on="source", how="inner").sort("source", "target")
    unplaced = known.join(links, on="source", how="anti").select("source", "value").sort("source")
    source = pairs["source"].to_numpy()
    starts = (
        np.flatnonzero(np.concatenate(([True], source[1:] != source[:-1])))
        if len(source)
        else np.empty(0, int)
    )
    share, chosen = _shares(pairs, weights, starts)
    decimals = decimals_of(known["value"])
    totals = np.rint(pairs["value"].cast(pl.Float64).to_numpy() * 10**decimals).astype(np.int64)
    units = largest_remainder(totals[starts], share, starts)
    parts = pairs.select("source", "target", "moe").with_columns(
        pl.Series("value", units / 10**decimals), pl.Series("share", share)
    )
    parts = parts.with_columns(moe=pl.col("moe").cast(pl.Float64) * pl.col("share").sqrt())
    names = np.array([*weights, "equal"])
    used = pl.DataFrame({"source": source[starts], "weight": names[chosen] if len(starts) else []})
    return Spread(parts.select("source", "target", "value", "moe", "share"), used, unplaced)


def back(values: pl.DataFrame, links: pl.DataFrame, weights: Sequence[str]) -> Spread:
    """Bring counts of cells back to areas: ``values`` as ``figures`` of ``spread`` with the cell as source,
    ``links`` (source = area, target = cell) as ``spread`` takes them. Totals are kept in the same way."""
    return spread(values, links.rename({"source": "target", "target": "source"}), weights)


def largest_remainder(
    totals: NDArray[np.int64], share: NDArray[np.float64], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Whole numbers in proportion to ``share`` whose groups add up to ``totals``.

    ``share`` is in groups that begin at ``starts`` (each adds up to 1), ``totals`` has one number a group. The
    largest remainders get one more; ties go to the earlier place.

    >>> largest_remainder(np.array([5]), np.array([0.5, 0.5]), np.array([0])).tolist()
    [3, 2]
    """
    if not len(starts):
        return np.empty(0, dtype=np.int64)
    sizes = np.diff(np.concatenate((starts, [len(share)])))
    group = np.repeat(np.arange(len(starts)), sizes)
    quota = share * totals[group]
    units = np.floor(quota).astype(np.int64)
    missing = totals - np.add.reduceat(units, starts)
    remainder = quota - units
    order = np.lexsort((np.arange(len(share)), -remainder, group))
    rank = np.empty(len(share), dtype=np.int64)
    rank[order] = np.arange(len(share)) - starts[group[order]]
    return units + (missing[group] > rank) - (rank >= sizes[group] + np.minimum(missing, 0)[group])


def decimals_of(values: pl.Series) -> int:
    """Decimal places (0 to 6) that ``values`` need.

    >>> decimals_of(pl.Series([1.0, 2.25]))
    2
    """
    numbers = values.drop_nulls().cast(pl.Float64).to_numpy()
    for places in range(MAX_DECIMALS):
        scaled = numbers * 10**places
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-6 * np.maximum(1.0, np.abs(numbers)) * 10**-3):
            return places
    return MAX_DECIMALS


def _check(figures: pl.DataFrame, links: pl.DataFrame, weights: Sequence[str]) -> None:
    if figures["source"].is_duplicated().any():
        raise ValueError("a source is given twice")
    if (figures["value"] < 0).any():
        raise ValueError("a count is negative")
    if any((links[name] < 0).any() for name in weights):
        raise ValueError("a weight is negative")


def _shares(
    pairs: pl.DataFrame, weights: Sequence[str], starts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Share of each pair in its source, and the ordinal of the weight that each source took."""
    if not len(starts):
        return np.empty(0), np.empty(0, dtype=np.int64)
    columns = [pairs[name].cast(pl.Float64).fill_null(0.0).fill_nan(0.0).to_numpy() for name in weights]
    columns.append(np.ones(pairs.height))
    sizes = np.diff(np.concatenate((starts, [pairs.height])))
    group = np.repeat(np.arange(len(starts)), sizes)
    share, chosen = np.zeros(pairs.height), np.full(len(starts), -1, dtype=np.int64)
    for ordinal, column in enumerate(columns):
        total = np.add.reduceat(column, starts)
        takes = (chosen < 0) & (total > 0)
        chosen[takes] = ordinal
        mine = takes[group]
        share[mine] = column[mine] / total[group][mine]
    return share, chosen

"""Rows found by their keys, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Positions = NDArray[np.int64]


def position(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> Positions:
    """Where each wanted key stands in ``keys``; -1 where it does not.

    >>> position(np.array([7, 3]), np.array([3, 9, 7])).tolist()
    [1, -1, 0]
    """
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    ordered = bool(np.all(keys[1:] > keys[:-1]))
    order = None if ordered else np.argsort(keys, kind="stable")
    ranked = keys if order is None else keys[order]
    at = np.minimum(np.searchsorted(ranked, wanted), len(keys) - 1)
    found = ranked[at] == wanted
    return np.where(found, at if order is None else order[at], -1).astype(np.int64)


def uuid_position(columns: dict[str, NDArray[Any]], wanted: dict[str, NDArray[Any]], name: str) -> Positions:
    """Where the uuids ``wanted[name_hi, name_lo]`` stand among ``columns[id_hi, id_lo]``; -1 where they do not."""
    keys = pl.DataFrame({"hi": columns["id_hi"], "lo": columns["id_lo"]}).with_row_index("at")
    asked = pl.DataFrame({"hi": wanted[f"{name}_hi"], "lo": wanted[f"{name}_lo"]})
    joined = asked.join(keys, on=["hi", "lo"], how="left", maintain_order="left")
    return np.asarray(joined["at"].cast(pl.Int64).fill_null(-1).to_numpy())


def gather(values: NDArray[Any], at: Positions, missing: Any) -> NDArray[Any]:
    """``values[at]`` with ``missing`` where ``at`` is -1."""
    if not len(values):
        return np.full(len(at), missing, dtype=values.dtype)
    return np.where(at >= 0, values[at], missing).astype(values.dtype)

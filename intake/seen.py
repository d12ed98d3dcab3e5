"""Which keys a file has had already, over all its batches, in 20 bytes a key."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt
import polars as pl

from intake.compiled import order_by_part

_PARTS = 64
_START = 1024
_FULL = 0.7


@numba.njit(cache=True, nogil=True)
def _add(  # noqa: PLR0917 - compiled, so no keywords
    hashes: npt.NDArray[np.uint64],
    others: npt.NDArray[np.uint32],
    lines: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint64],
    second: npt.NDArray[np.uint32],
    first_line: npt.NDArray[np.int64],
    found: npt.NDArray[np.int64],
) -> int:
    """Insert into one open-addressing table; ``found[i]`` becomes the line of an earlier equal key, else stays 0."""
    mask = len(table) - 1
    added = 0
    for i in range(len(hashes)):
        key = hashes[i]
        slot = (key >> np.uint64(6)) & np.uint64(mask)
        while True:
            if first_line[slot] == 0:
                table[slot] = key
                second[slot] = others[i]
                first_line[slot] = lines[i]
                added += 1
                break
            if table[slot] == key and second[slot] == others[i]:
                found[i] = first_line[slot]
                break
            slot = (slot + np.uint64(1)) & np.uint64(mask)
    return added


class _Part:
    """One of the tables; each grows on its own, so that growing never needs the room for all of them twice."""

    def __init__(self, size: int = _START) -> None:
        self.used = 0
        self.table = np.zeros(size, dtype=np.uint64)
        self.second = np.zeros(size, dtype=np.uint32)
        self.first_line = np.zeros(size, dtype=np.int64)

    def add(
        self, hashes: npt.NDArray[np.uint64], others: npt.NDArray[np.uint32], lines: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        while self.used + len(hashes) > _FULL * len(self.table):
            self._grow()
        found = np.zeros(len(hashes), dtype=np.int64)
        self.used += _add(hashes, others, lines, self.table, self.second, self.first_line, found)
        return found

    def _grow(self) -> None:
        old = self.first_line > 0
        bigger = _Part(len(self.table) * 2)
        nothing = np.zeros(int(old.sum()), dtype=np.int64)
        _add(
            self.table[old], self.second[old], self.first_line[old],
            bigger.table, bigger.second, bigger.first_line, nothing,
        )  # fmt: skip
        self.table, self.second, self.first_line = bigger.table, bigger.second, bigger.first_line


class SeenKeys:
    """Keys by 96 bits of hash: among 20 million the chance that any two different ones are taken for equal is 5e-15.

    >>> seen = SeenKeys()
    >>> seen.add(pl.DataFrame({"key": ["a", "b", "a"]}), pl.Series([2, 3, 4])).to_list()
    [0, 0, 2]
    >>> seen.add(pl.DataFrame({"key": ["c", "b"]}), pl.Series([5, 6])).to_list()
    [0, 3]
    """

    def __init__(self) -> None:
        self._parts = [_Part() for _ in range(_PARTS)]

    def add(self, keys: pl.DataFrame, lines: pl.Series) -> pl.Series:
        """Remember ``keys``; for each row the line of the first row with the same key, 0 for a new key."""
        hashes = keys.hash_rows(seed=7).to_numpy()
        others = keys.hash_rows(seed=101).to_numpy().astype(np.uint32)
        numbers = lines.to_numpy().astype(np.int64)
        order = np.empty(len(hashes), dtype=np.int64)
        edges = np.zeros(_PARTS + 1, dtype=np.int64)
        order_by_part((hashes & np.uint64(_PARTS - 1)).astype(np.uint8), edges, order)
        found = np.zeros(len(hashes), dtype=np.int64)
        for number, table in enumerate(self._parts):
            rows = order[edges[number] : edges[number + 1]]
            if len(rows):
                found[rows] = table.add(hashes[rows], others[rows], numbers[rows])
        return pl.Series(found)

    def __len__(self) -> int:
        return sum(part.used for part in self._parts)

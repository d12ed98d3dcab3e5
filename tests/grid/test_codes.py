"""Area codes and the numbering of grids."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid import codes


def test_what_is_no_statistics_code() -> None:
    for code in ("", "0403", "44030", "440305-07001", "MN0101", "４４"):
        assert not codes.is_statistics_code(code)
        with pytest.raises(ValueError, match="statistics code"):
            codes.split(code)


def test_a_sequence_of_three_digits_ends() -> None:
    assert codes.grid_code("440305007001", 999) == "440305007001999"
    for number in (0, 1000):
        with pytest.raises(codes.TooManyGridsError):
            codes.grid_code("440305007001", number)


@given(st.lists(st.tuples(st.floats(113, 115), st.floats(22, 23)), max_size=40))
def test_reading_order_is_a_permutation_by_rows(places: list[tuple[float, float]]) -> None:
    lng, lat = np.array([p[0] for p in places]), np.array([p[1] for p in places])
    order = codes.reading_order(lng, lat, 0.1)
    assert sorted(order.tolist()) == list(range(len(places)))
    for a, b in pairwise(order):
        assert lat[b] <= lat[a] + 0.1 + 1e-9
        same_row = np.floor((lat.max() - lat[a]) / 0.1 + 1e-9) == np.floor((lat.max() - lat[b]) / 0.1 + 1e-9)
        assert not same_row or lng[a] <= lng[b]

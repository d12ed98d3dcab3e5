"""Counts brought to cells and back: nothing lost, to the unit, and the same every time."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from population.statistics.areal import back, decimals_of, spread

WEIGHTS = ["dwellings", "residential_m2", "area_m2"]


@st.composite
def cases(draw):
    sources = draw(st.lists(st.integers(1, 50), min_size=1, max_size=8, unique=True))
    figures = pl.DataFrame(
        {
            "source": sources,
            "value": draw(
                st.lists(st.integers(0, 2_000_000) | st.none(), min_size=len(sources), max_size=len(sources))
            ),
            "moe": draw(
                st.lists(st.floats(0, 1e5) | st.none(), min_size=len(sources), max_size=len(sources))
            ),
        },
        schema={"source": pl.Int64, "value": pl.Int64, "moe": pl.Float64},
    )
    pairs = draw(
        st.lists(st.tuples(st.sampled_from(sources), st.integers(100, 130)), max_size=60, unique=True)
    )
    weight = st.sampled_from([0.0, 0.0, 1.0, 3.0]) | st.floats(0, 1e4)
    columns = {name: draw(st.lists(weight, min_size=len(pairs), max_size=len(pairs))) for name in WEIGHTS}
    links = pl.DataFrame(
        {"source": [a for a, _ in pairs], "target": [b for _, b in pairs], **columns},
        schema={"source": pl.Int64, "target": pl.Int64, **dict.fromkeys(WEIGHTS, pl.Float64)},
    )
    return figures, links


@settings(max_examples=300, deadline=None)
@given(cases())
def test_every_total_is_kept_to_the_unit_and_nothing_is_lost(case):
    figures, links = case
    done = spread(figures, links, WEIGHTS)
    sums = dict(done.parts.group_by("source").agg(pl.col("value").sum()).iter_rows())
    lost = dict(done.unplaced.iter_rows())
    for source, value, _ in figures.iter_rows():
        if value is None:
            assert source not in sums
            assert source not in lost
        else:
            assert sums.get(source, lost.get(source)) == value
            assert (source in sums) != (source in lost)
    values = done.parts["value"].to_numpy()
    assert np.all(values >= 0)
    assert np.all(values == np.rint(values))
    assert done.by_target()["value"].sum() == sum(sums.values())


@settings(max_examples=200, deadline=None)
@given(cases())
def test_each_part_is_within_one_of_its_quota_and_margins_add_up_again(case):
    figures, links = case
    parts = spread(figures, links, WEIGHTS).parts.join(figures, on="source", suffix="_whole")
    assert ((parts["value"] - parts["share"] * parts["value_whole"]).abs() < 1 + 1e-6).all()
    again = parts.group_by("source").agg(
        (pl.col("moe") ** 2).sum().sqrt().alias("root"), pl.col("moe_whole").first()
    )
    for _, root, whole in again.iter_rows():
        assert whole is None or root == pytest.approx(whole)
    assert parts.filter(pl.col("moe_whole").is_null())["moe"].null_count() == parts["moe_whole"].null_count()


@settings(max_examples=100, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(case, shuffler):
    figures, links = case
    seed = shuffler.randrange(1000)
    first = spread(figures, links, WEIGHTS).parts
    again = spread(
        figures.sample(fraction=1, shuffle=True, seed=seed),
        links.sample(fraction=1, shuffle=True, seed=seed),
        WEIGHTS,
    )
    assert first.drop("share", "moe").equals(again.parts.drop("share", "moe"))


@settings(max_examples=100, deadline=None)
@given(cases())
def test_there_and_back_keeps_the_city_total(case):
    figures, links = case
    cells = spread(figures, links, WEIGHTS).by_target().rename({"target": "source"})
    areas = back(cells, links, WEIGHTS)
    assert areas.unplaced.is_empty()
    assert areas.parts["value"].sum() == cells["value"].sum()


def test_the_next_weight_is_taken_where_one_is_missing_and_it_says_so():
    figures = pl.DataFrame({"source": [1, 2, 3, 4], "value": [9, 9, 9, 9], "moe": [None, 3.0, None, None]})
    links = pl.DataFrame(
        {
            "source": [1, 1, 2, 2, 3, 3],
            "target": [10, 11, 11, 12, 12, 13],
            "dwellings": [2.0, 1.0, 0.0, 0.0, 0.0, 0.0],
            "residential_m2": [0.0, 5.0, 1.0, 2.0, 0.0, 0.0],
            "area_m2": [1.0, 1.0, 1.0, 1.0, 1.0, 3.5],
        }
    )
    done = spread(figures, links, WEIGHTS)
    assert done.weight_used.rows() == [(1, "dwellings"), (2, "residential_m2"), (3, "area_m2")]
    assert done.unplaced.rows() == [(4, 9)]
    assert done.parts["value"].to_list() == [6, 3, 3, 6, 2, 7]


def test_an_area_with_nobody_and_no_weight_gives_zeros_not_a_division():
    figures = pl.DataFrame({"source": [1], "value": [0], "moe": [12.0]})
    links = pl.DataFrame({"source": [1, 1], "target": [1, 2], "dwellings": [0.0, 0.0]})
    done = spread(figures, links, ["dwellings"])
    assert done.parts["value"].to_list() == [0, 0]
    assert done.weight_used["weight"].to_list() == ["equal"]


def test_decimals_are_kept_exactly_too():
    figures = pl.DataFrame({"source": [1], "value": [10.25], "moe": [None]})
    links = pl.DataFrame({"source": [1] * 3, "target": [1, 2, 3], "w": [1.0, 1.0, 1.0]})
    assert spread(figures, links, ["w"]).parts["value"].to_list() == [3.42, 3.42, 3.41]
    assert decimals_of(pl.Series([0.1 + 0.2, 5.0])) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"value": [-1, 2]}, "negative"), ({"source": [1, 1]}, "twice")],
)
def test_wrong_input_is_refused(change, words):
    figures = pl.DataFrame({"source": [1, 2], "value": [1, 2], "moe": [None, None]} | change)
    links = pl.DataFrame({"source": [1, 2], "target": [1, 2], "w": [1.0, 1.0]})
    with pytest.raises(ValueError, match=words):
        spread(figures, links, ["w"])

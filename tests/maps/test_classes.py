"""Class breaks against mapclassify, and the awkward inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from maps.classes import JENKS_SAMPLE, breaks, equal_interval, fisher_jenks, head_tail, quantiles
from maps.errors import BadSchemeError


@pytest.fixture(scope="module")
def mapclassify():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mapclassify
    return mapclassify


def samples():
    random = np.random.default_rng(11)
    yield np.sort(random.lognormal(4, 1.2, 900))
    yield np.sort(random.normal(0, 3, 400))
    yield np.sort(random.integers(1, 500, 700).astype(float))


@pytest.mark.parametrize("k", [3, 5, 7])
def test_same_bounds_as_mapclassify(mapclassify, k):
    for values in samples():
        np.testing.assert_allclose(quantiles(values, k), mapclassify.Quantiles(values, k=k).bins)
        np.testing.assert_allclose(equal_interval(values, k), mapclassify.EqualInterval(values, k=k).bins)


@pytest.mark.parametrize("k", [2, 4, 6])
def test_jenks_is_the_optimum_mapclassify_finds(mapclassify, k):
    for values in samples():

        def spread(upper, values=values):
            kind = np.searchsorted(upper, values, side="left")
            return sum(((values[kind == c] - values[kind == c].mean()) ** 2).sum() for c in np.unique(kind))

        theirs = mapclassify.FisherJenks(values, k=k).bins
        ours = fisher_jenks(values, k)
        assert spread(ours) <= spread(theirs) * (1 + 1e-9)


def test_headtail_as_mapclassify(mapclassify):
    values = np.sort(np.random.default_rng(3).pareto(1.2, 2000))
    theirs = mapclassify.HeadTailBreaks(values).bins
    ours = head_tail(values, 5)
    np.testing.assert_allclose(ours[:4], theirs[:4])
    assert ours[-1] == values[-1]


@pytest.mark.parametrize("scheme", ["quantiles", "jenks", "headtail", "equal"])
@pytest.mark.parametrize(
    "values",
    [
        [],
        [np.nan, np.nan],
        [0.0, 0.0],
        [5.0],
        [5.0, 5.0, 5.0, 5.0],
        [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0],
        [1.0] * 95 + [2.0, 3.0, 1000.0],
        [0.1, 0.10001, 0.2, 0.30000004, 99.99999],
        [-3.0, -1.0, 0.0, 2.0, 8.0, 9.0],
        list(np.linspace(1, 10, 4000)),
    ],
)
@pytest.mark.parametrize("blank_zero", [True, False])
def test_awkward_values(scheme, values, blank_zero):
    array = np.array(values, dtype=float)
    made = breaks(array, scheme, 5, blank_zero=blank_zero)
    known = array[np.isfinite(array)]
    if blank_zero:
        known = known[known != 0]
    assert len(made.upper) == len(made.counts) <= 5
    assert list(made.upper) == sorted(set(made.upper))
    assert sum(made.counts) == known.size
    assert all(count > 0 for count in made.counts)
    if known.size:
        assert made.upper[-1] >= known.max()
        kinds = made.classify(known)
        assert np.bincount(kinds, minlength=len(made.upper)).tolist() == list(made.counts)
    else:
        assert made.minimum is None


def test_whole_values_get_whole_bounds():
    made = breaks(np.arange(1, 98, dtype=float), "quantiles", 4)
    assert all(float(b).is_integer() for b in made.upper)
    assert made.counts == (25, 24, 24, 24)


def test_many_values_are_sampled_alike_every_time():
    values = np.random.default_rng(5).gamma(1.5, 80, 60_000)
    first, second = breaks(values, "jenks", 5), breaks(values[::-1], "jenks", 5)
    assert first == second
    assert values.size > JENKS_SAMPLE


@pytest.mark.parametrize(("scheme", "k"), [("nonsense", 5), ("quantiles", 1), ("quantiles", 10)])
def test_refused(scheme, k):
    with pytest.raises(BadSchemeError):
        breaks(np.array([1.0]), scheme, k)

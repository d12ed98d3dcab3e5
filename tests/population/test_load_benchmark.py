"""The load benchmark in small: what it measures is a whole load, and its answer has the keys that are promised."""

from __future__ import annotations

from benchmarks.load import run


def test_the_load_benchmark_runs_and_answers():
    found = run(people=1_200, indexed_people=600)
    assert found["x_bare_copy"] > 0
    assert found["x_indexed_load"] > 0
    assert set(found["rows_a_second"]) == {"load", "bare", "indexed"}
    assert set(found["seconds"]) == {"rows", "statistics", "commit"}

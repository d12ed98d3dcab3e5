"""The benchmarks of this room run, agree with their opponents, and report what they promise."""

from __future__ import annotations

import pytest


def test_cell() -> None:
    from benchmarks.cell import run

    found = run(points=20_000, repeats=1)
    assert found["differences"] == 0
    assert found["method"] == "lattice"
    assert {"x_h3py", "x_h3ronpy"} <= set(found)


def test_join() -> None:
    pytest.importorskip("sedonadb", reason="an optional dependency of the benchmarks")
    from benchmarks.join import run

    found = run(points=20_000, areas=150)
    assert found["differences"] == 0
    assert found["sedonadb_rows"] == found["located"] > 15_000
    assert {"x_geopandas", "x_sedonadb", "x_sedonadb_one_shot"} <= set(found)

"""Known answers of New York's lots: every lot in the area it states, and in how many cells they lie."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import polars as pl
import pytest

from grid import cells as h3
from grid.place import Placer


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("borough", "rows", "r10", "r9"),
    [("MN", 42_227, 3_048, 557), ("BX", 88_943, 5_099, 929), ("BK", 275_715, 9_785, 1_609)],
)
def test_lots_lie_where_they_say(shared_data: Path, borough: str, rows: int, r10: int, r9: int) -> None:
    areas = gpd.read_file(shared_data / "nyc/boundary/neighborhood_tabulation_area.geojson")
    lots = pl.read_csv(
        shared_data / f"nyc/housing/bbl-population-estimates_2023.{borough}.csv.gz", infer_schema_length=None
    )
    placer = Placer.from_areas(areas.geometry.values, areas["nta2020"].tolist(), np.arange(1, len(areas) + 1))
    assert placer.indexer.method == "lattice"
    cell, community, _ = placer.place(lots["longitude"].to_numpy(), lots["latitude"].to_numpy())
    assert lots.height == rows
    assert (areas["nta2020"].to_numpy()[community - 1] == lots["nta"].to_numpy()).all()
    assert (community > 0).all()
    assert np.unique(cell).size == r10
    assert np.unique(h3.parent(cell, 9)).size == r9

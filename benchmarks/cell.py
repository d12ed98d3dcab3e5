"""Point -> cell, one thread: our indexer against h3-py's int loop and h3ronpy, and whether all three agree.

The points are scattered over Shenzhen's rectangle at random, so the table is met in random order. `differences`
counts points whose cell is not the one h3-py gives.
"""

from __future__ import annotations

import time
from typing import Any

import h3.api.basic_int as h3_int
import numpy as np
from h3ronpy import vector as h3_vector

from grid.cells import CellIndexer

CITY = (113.75, 22.40, 114.63, 22.87)


def run(points: int = 10_000_000, resolution: int = 10, repeats: int = 3) -> dict[str, Any]:
    """Measures `points` random points; the result's required keys are x_h3py, x_h3ronpy and differences."""
    rng = np.random.default_rng(20)
    lng, lat = rng.uniform(CITY[0], CITY[2], points), rng.uniform(CITY[1], CITY[3], points)
    began = time.perf_counter()
    indexer = CellIndexer.for_bounds(CITY, resolution)
    prepared_s = time.perf_counter() - began
    indexer.cells(lng[:10], lat[:10])  # compiled code is read here, not in the measurement
    ours_s = []
    for _ in range(repeats):
        began = time.perf_counter()
        ours = indexer.cells(lng, lat)
        ours_s.append(time.perf_counter() - began)
    began = time.perf_counter()
    h3_vector.coordinates_to_cells(lat, lng, resolution)
    h3ronpy_s = time.perf_counter() - began
    lng_list, lat_list = lng.tolist(), lat.tolist()
    began = time.perf_counter()
    library = [h3_int.latlng_to_cell(lat_list[k], lng_list[k], resolution) for k in range(points)]
    h3py_s = time.perf_counter() - began
    return {
        "points": points,
        "method": indexer.method,
        "prepared_s": round(prepared_s, 2),
        "ns_a_point": round(min(ours_s) / points * 1e9, 1),
        "x_h3py": round(h3py_s / min(ours_s), 1),
        "x_h3ronpy": round(h3ronpy_s / min(ours_s), 1),
        "differences": int((np.array(library, dtype=np.uint64) != ours).sum()),
    }

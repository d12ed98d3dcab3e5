"""Names for the arrays that walk through the generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
#: Object array of shapely geometries.
Shapes = npt.NDArray[Any]


def shapes_of(made: Any) -> Shapes:
    """What shapely made from arrays, as an array of geometries even where its type says it may be a single one."""
    return np.atleast_1d(np.asarray(made, dtype=object))

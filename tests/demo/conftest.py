"""Demo cities generated once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.city import Ground, draw_ground
from demo.generate import generate
from demo.sizes import size_named


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the town of seed 1."""
    return generate("town", 1, tmp_path_factory.mktemp("demo") / "town")


@pytest.fixture(scope="session")
def ground() -> Ground:
    """The ground of a district."""
    return draw_ground(size_named("district"), 5)

"""The styles pass the validator that MapLibre itself uses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from maps.styles import Look, style

HERE = Path(__file__).parent
SPEC = HERE.parents[1] / "web" / "node_modules" / "@maplibre" / "maplibre-gl-style-spec"


def problems(made: dict) -> list[str]:
    node = shutil.which("node")
    if node is None or not SPEC.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("the front end's packages are not installed")
        pytest.skip("the front end's packages are not installed")
    told = subprocess.run(
        [node, str(HERE / "validate_style.mjs")],
        input=json.dumps(made),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


@pytest.mark.parametrize(
    ("geography", "heat", "theme"),
    [("cell", False, "light"), ("cell", True, "dark"), ("area", False, "dark"), ("grid", False, "light")],
)
def test_maplibre_accepts_the_style(as_role, geography, heat, theme):
    session, viewer = as_role("steward")
    look = Look(heat=heat, theme=theme, base_url="http://127.0.0.1:8000")
    made = style(session, viewer, "residents", geography=geography, level=2, look=look)
    assert problems(made) == []


def test_the_validator_finds_faults(as_role):
    session, viewer = as_role("steward")
    made = style(session, viewer, "residents")
    made["layers"][-1]["paint"]["text-color"] = ["nonsense"]
    assert problems(made)

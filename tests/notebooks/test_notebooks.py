"""Every notebook runs from its first cell to its last against the demo city, and shows what it says."""

from __future__ import annotations

import base64
import io
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "notebooks"
OUT = Path(__file__).parents[1] / "browser" / "out"


def outputs(notebook, kind):
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]


@pytest.fixture
def run(demo_city, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", demo_city)
    monkeypatch.delenv("HEXWARD_TOKEN", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))

    def execute(name: str):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the runner's own, not the notebook's
            import nbformat
            from nbclient import NotebookClient

            notebook = nbformat.read(FOLDER / name, as_version=4)
            NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(FOLDER)}}).execute()
        return notebook

    return execute


@pytest.mark.timeout(300)
def test_the_city_in_cells(run):
    notebook = run("01_the_city_in_cells.ipynb")
    streams = [o for c in notebook.cells for o in c.get("outputs", []) if o["output_type"] == "stream"]
    assert not [o["text"] for o in streams if o["name"] == "stderr"]
    figure = base64.b64decode(outputs(notebook, "image/png")[0])
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "notebook-residents.png").write_bytes(figure)
    pixels = np.asarray(Image.open(io.BytesIO(figure)).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 50  # classes, hatch, lines: not an empty frame
    html = outputs(notebook, "text/html")
    shown = next(h for h in html if "hx-legend" in h)
    assert "https://cdn" not in shown
    assert "src=&quot;http" not in shown
    assert any("residents_per_shop" in h for h in html)
    assert any("Share of floating residents" in h for h in html)


def test_notebooks_are_kept_without_outputs():
    for path in FOLDER.glob("*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None, path.name

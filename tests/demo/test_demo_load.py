"""The demo city goes through the real load: nothing rejected, nothing warned of, all of it there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
from sqlalchemy import Engine, text

from api import loading
from demo.city_file import city_file
from demo.generate import generate
from intake.city import load_city


def test_a_town_loads_without_a_single_rejected_row(town: Path, database_engine: Engine) -> None:
    reports = loading.load_city(load_city(town / "city.toml"), loading.Order("test"), engine=database_engine)
    assert [(r.source, r.rejected, r.warnings) for r in reports if r.rejected or r.warnings] == []
    manifest = orjson.loads((town / "manifest.json").read_bytes())
    read = {report.source: report.read for report in reports}
    for name, rows in manifest["rows"].items():
        assert read[name] == rows, name
    with database_engine.connect() as connection:
        residents = connection.execute(
            text("SELECT sum(residents) FROM stats.unit_figures WHERE unit_kind = 'area' AND unit_id ="
                 " (SELECT id FROM geo.area WHERE parent_id IS NULL)")).scalar_one()  # fmt: skip
        assert residents == manifest["residents"]
        nowhere = connection.execute(
            text("SELECT count(*) FROM register.building WHERE community_id IS NULL OR grid_id IS NULL")
        ).scalar_one()
        assert nowhere == 0
        outside = connection.execute(
            text("SELECT count(*) FROM register.employer WHERE community_id IS NULL")
        ).scalar_one()
        assert outside == 0


def test_a_spoiled_town_loads_and_its_flaws_are_found(tmp_path: Path, database_engine: Engine) -> None:
    folder = generate("town", 1, tmp_path / "spoiled", flaws=True)
    reports = loading.load_city(
        load_city(folder / "city.toml"), loading.Order("test"), engine=database_engine
    )
    by_source = {report.source: report for report in reports}
    assert by_source["buildings"].rejected == 0
    for source in ("people", "dwellings", "employers", "employment", "schooling"):
        assert by_source[source].rejected > 0, source
        assert by_source[source].accepted > 0.9 * by_source[source].read, source


def test_the_load_command_generates_what_is_missing_first(database: str, tmp_path: Path) -> None:
    toml = tmp_path / "demo.toml"
    toml.write_text(city_file('[demo]\nsize = "town"\nseed = 4\nfolder = "made"'), encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        "from api.cli import main; main()",
        "load",
        str(toml),
        "--only",
        "city",
        "--lang",
        "en",
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert orjson.loads((tmp_path / "made" / "manifest.json").read_bytes())["seed"] == 4
    assert "city" in done.stdout

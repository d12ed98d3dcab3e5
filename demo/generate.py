"""Write a demo city: draw it, populate it, deliver it as the files of its departments, with basemap and city file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from db.settings import DbSettings
from demo import basemap
from demo.city import Ground, chunk_count, draw_ground, populate
from demo.city_file import city_file
from demo.errors import FolderNotOursError
from demo.flaws import Spoiler
from demo.shapes_out import write_layers
from demo.sizes import size_named
from demo.tables_out import TableFile, employer_table, write_excel

#: Raised whenever the same seed gives other bytes than before, so that kept cities are made anew.
EDITION = 5
MANIFEST = "manifest.json"
Progress = Callable[[str, float], None]


def default_folder(size: str, seed: int, flaws: bool = False) -> Path:
    """Where a generated city is kept: `demo/<size>-<seed>` in the project's home, `-flaws` added for a spoiled one."""
    return DbSettings().home / "demo" / f"{size}-{seed}{'-flaws' if flaws else ''}"


def generate(
    size: str = "district",
    seed: int = 1,
    folder: Path | None = None,
    *,
    flaws: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write the city of that size and seed into `folder` and return it; the same city there already is kept.

    It is written beside and moved into place when complete, so a folder with a manifest is whole. `progress` gets a
    step's name (`ground`, `layers`, `basemap`, `people`) and the share of everything done. Raises `UnknownSizeError`,
    and `FolderNotOursError` when the folder holds anything but a generated city.
    """
    kind = size_named(size)
    folder = folder if folder is not None else default_folder(size, seed, flaws)
    wanted = {"size": size, "seed": seed, "flaws": flaws, "edition": EDITION}
    if _present(folder) == wanted:
        return folder
    tell = progress or (lambda step, share: None)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tell("ground", 0.0)
    ground = draw_ground(kind, seed)
    tell("layers", 0.1)
    write_layers(ground, partial)
    tell("basemap", 0.15)
    basemap.build(partial, ground)
    facts = _write_people(ground, partial, Spoiler(seed) if flaws else None, tell)
    (partial / "city.toml").write_text(city_file(), encoding="utf-8")
    (partial / MANIFEST).write_bytes(orjson.dumps(wanted | facts, option=orjson.OPT_INDENT_2))
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    tell("done", 1.0)
    return folder


def _present(folder: Path) -> dict[str, Any] | None:
    """What city the folder holds; None for a folder that is absent or empty."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise FolderNotOursError(folder=str(folder))
    found = orjson.loads(manifest.read_bytes())
    return {key: found.get(key) for key in ("size", "seed", "flaws", "edition")}


def _write_people(ground: Ground, folder: Path, spoiler: Spoiler | None, tell: Progress) -> dict[str, Any]:
    """Employers, dwellings, people, employment and schooling; returns the numbers for the manifest."""
    form, count = ground.size.files, chunk_count(ground)
    employers = employer_table(ground)
    if spoiler is not None:
        employers = spoiler.spoil("employers", employers)
    if form == "csv":
        write_excel(employers, folder / "employers.xlsx")
    else:
        with TableFile(folder, "employers", form) as file:
            file.add(employers)
    residents = 0
    names = ("dwellings", "people", "employment", "schooling")
    files = {name: TableFile(folder, name, form) for name in names}
    try:
        for number, rows in enumerate(populate(ground)):
            tell("people", 0.3 + 0.7 * number / count)
            residents += rows.residents
            for name in names:
                table = getattr(rows, name)
                files[name].add(spoiler.spoil(name, table) if spoiler is not None else table)
    finally:
        for file in files.values():
            file.__exit__(None, None, None)
    if spoiler is not None:
        spoiler.truth().write_csv(folder / "flaws.csv")
    rows_written = {name: file.rows for name, file in files.items()} | {"employers": len(employers)}
    return {"residents": residents, "rows": rows_written}

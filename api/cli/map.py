"""``hexward map LAYER --out map.html``: a map that opens without any network.

A file leaves the building, so it shows published figures (small personal numbers withheld) unless ``--exact`` is
asked for, which is written to the audit trail.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

import db.engine
from api.cli import language, tell
from db.engine import read_session, write_session
from maps.export_html import one_file_map
from maps.ground import basemap_of
from maps.viewer import CITY, PUBLISHED, Viewer
from privacy import audit

app = typer.Typer(help="写一张离线地图 / Write a map file", add_completion=False)


@app.command("map")
def write_map(
    *,
    layer: Annotated[str, typer.Argument()],
    out: Annotated[Path, typer.Option(help="要写的 HTML 文件 / HTML file to write")],
    geography: Annotated[str, typer.Option(help="cell | grid | area")] = "cell",
    resolution: Annotated[int | None, typer.Option(help="H3 分辨率 / H3 resolution")] = None,
    level: Annotated[int | None, typer.Option(help="区域层级 / level of areas")] = None,
    date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="日期 / day")] = None,
    scheme: Annotated[str, typer.Option(help="quantiles | jenks | headtail | equal")] = "quantiles",
    classes: Annotated[int, typer.Option(min=2, max=9, help="分级数 / number of classes")] = 5,
    lang: Annotated[str, typer.Option(help="zh-CN | en")] = "",
    exact: Annotated[
        bool, typer.Option(help="含小数目的精确值，会记入审计 / exact figures; audited")
    ] = False,
) -> None:
    """Write LAYER as one HTML file / 把图层写成一个 HTML 文件."""

    with read_session(db.engine.engine("app")) as opened:
        basemap = basemap_of(opened)

    def make(session: Session, viewer: Viewer) -> None:
        one_file_map(
            session,
            viewer,
            layer,
            geography,  # type: ignore[arg-type]  # the map room answers a wrong one with its own words
            resolution=resolution,
            level=level,
            at=date.date() if date else None,
            lang=lang or language(),
            scheme=scheme,
            classes=classes,
            basemap=basemap,
        ).save(str(out))

    if exact:
        with write_session(db.engine.engine("owner")) as session:
            audit.write(session, "table.export", resource="table", params={"layer": layer, "form": "html"})
            make(session, CITY)
    else:
        with read_session(db.engine.engine("pub_reader")) as session:
            make(session, PUBLISHED)
    tell("cli.map_written", file=out)

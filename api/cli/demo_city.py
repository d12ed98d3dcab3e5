"""``hexward demo-city``: write the demo city's source files, without loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli import language, tell
from api.words import say
from demo.generate import MANIFEST, generate
from demo.sizes import SIZES

app = typer.Typer(
    help="只生成演示城市的源文件 / Write the demo city's source files only",
    add_completion=False,
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """只生成演示城市的源文件 / Write the demo city's source files only."""


@app.command("generate")
def generate_city(
    *,
    size: Annotated[str, typer.Option(help=f"规模 / size: {' | '.join(SIZES)}")] = "district",
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="随机种子：同一规模与种子得到同一城市 / the same size and seed give the same city"
        ),
    ] = 1,
    out: Annotated[Path | None, typer.Option(help="输出目录 / folder to write to")] = None,
    flaws: Annotated[
        bool,
        typer.Option(
            help="加入真实数据常见的错误，并列出清单 flaws.csv / put in the flaws real data has, listed in flaws.csv"
        ),
    ] = False,
) -> None:
    """Generate a demo city / 生成演示城市."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=1.0)

        def show(step: str, share: float) -> None:
            progress.update(task, completed=share, description=say(language(), f"cli.demo_city_{step}"))

        folder = generate(size, seed, out, flaws=flaws, progress=show)
        show("done", 1.0)
    manifest = orjson.loads((folder / MANIFEST).read_bytes())
    tell(
        "cli.demo_city_written",
        folder=folder,
        residents=f"{manifest['residents']:,}",
        city_file=folder / "city.toml",
    )

"""``hexward demo``: from nothing to the demo city in a browser. Interrupted at any point and run again, it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import text

import db.engine
import db.migrate
from api import demo_accounts, loading
from api.cli import language, tell
from api.cli.load import Screen
from api.cli.serve import listen, run
from api.settings import ApiSettings
from api.words import say
from db.engine import read_session, write_session
from db.errors import HexwardError
from demo.generate import generate
from demo.sizes import SIZES
from intake.city import load_city

app = typer.Typer(add_completion=False)


class OtherCityLoaded(HexwardError):
    """The database holds another city, or another demo city; it is left alone."""

    code = "demo.other_city"


@app.command()
def demo(
    *,
    size: Annotated[str, typer.Option(help=f"规模 / size: {' | '.join(SIZES)}")] = "district",
    seed: Annotated[int, typer.Option(min=0, help="随机种子 / seed")] = 1,
    port: Annotated[int | None, typer.Option(help="端口 / port (HEXWARD_PORT)")] = None,
    host: Annotated[str | None, typer.Option(help="监听地址 / address (HEXWARD_HOST)")] = None,
    serve: Annotated[bool, typer.Option(help="装载后启动网页服务 / serve the app afterwards")] = True,
) -> None:
    """Make the demo city, load it and open it / 生成、装载并打开演示城市."""
    settings = ApiSettings()
    bound = listen(host or settings.host, settings.port if port is None else port) if serve else None
    _tell_step("cli.demo_database")
    db.migrate.upgrade(db.engine.database_url())
    folder = _city(size, seed)
    _refuse_other(folder)
    _load(folder)
    with write_session(db.engine.engine("owner")) as session:
        people = demo_accounts.ensure(session)
    if bound is not None:
        run(bound, demo_accounts=True, quiet=True, ready=lambda url: _ready(url, people))


def _tell_step(key: str) -> None:
    typer.echo(f"== {say(language(), key)}")


def _city(size: str, seed: int) -> Path:
    """The folder of the generated city; kept from an earlier time when it is there."""
    _tell_step("cli.demo_generate")
    columns = (TextColumn("   {task.description}"), BarColumn(bar_width=12), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("", total=1.0)

        def show(step: str, share: float) -> None:
            progress.update(task, completed=share, description=say(language(), f"cli.demo_city_{step}"))

        folder = generate(size, seed, progress=show)
        show("done", 1.0)
    return folder


def _refuse_other(folder: Path) -> None:
    """Raises ``OtherCityLoaded`` when the database holds anything but this demo city."""
    with read_session(db.engine.engine("owner")) as session:
        row = session.execute(text("SELECT name ->> :lang AS name, config FROM ops.city"),
                              {"lang": language()[:2]}).one_or_none()  # fmt: skip
    if row is not None and Path((row.config or {}).get("folder", "")).resolve() != folder.resolve():
        raise OtherCityLoaded(city=row.name)


def _load(folder: Path) -> None:
    _tell_step("cli.demo_load")
    with Screen(Console(highlight=False), language()) as screen:
        loading.load_city(load_city(folder / "city.toml"), loading.Order("demo"), screen)


def _ready(url: str, people: list[demo_accounts.DemoAccount]) -> None:
    """The address and the sign-ins in both languages: whoever looks at the terminal must be able to go on."""
    for lang in ("zh-CN", "en"):
        typer.echo("\n" + say(lang, "cli.demo_ready", url=url))
        for number, person in enumerate(people):
            if number == len(demo_accounts.FIRST):
                typer.echo(say(lang, "cli.demo_more_roles"))
            typer.echo(f"   {person.name[lang[:2]]}  ·  {person.account}  ·  {person.place[lang[:2]]}")
    tell("cli.serving", url=url)

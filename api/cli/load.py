"""``hexward load``: a city's sources into the database, with progress and a summary a person can act on."""

from __future__ import annotations

import getpass
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from api import loading
from api.cli import language
from api.words import say, words
from demo.generate import generate
from intake.city import City, load_city
from intake.words import catalogue, describe

app = typer.Typer(add_completion=False)

MOST_SHOWN = 12
_NARROW = 100
_LEAST_NEEDED_FIRST = ("rate", "unchanged", "changed", "seconds", "accepted")
_COLUMNS = ("source", "state", "read", "accepted", "rejected", "unchanged", "changed", "rate", "seconds")


@app.command()
def load(  # noqa: PLR0917 - options of a command
    city: Annotated[Path, typer.Argument(help="city.toml", metavar="CITY.toml")],
    only: Annotated[
        str | None, typer.Option(help="只装载一个数据源 / One source only", metavar="SOURCE")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="修复区域图层的拓扑错误 / Mend faults of layers")
    ] = False,
    actor: Annotated[str | None, typer.Option(help="谁在装载 / Who loads")] = None,
    corrected: Annotated[
        Path | None,
        typer.Option(help="改正后的退回数据 / Corrected rows of --only SOURCE", metavar="FILE.xlsx"),
    ] = None,
    lang: Annotated[str | None, typer.Option(help="zh-CN / en")] = None,
) -> None:
    """Load a city from its city.toml; the same again changes nothing / 按 city.toml 装载城市数据."""
    if lang:
        os.environ["HEXWARD_LANG"] = lang
    order = loading.Order(actor or getpass.getuser(), only, repair, corrected)
    console = Console(highlight=False)
    said = load_city(city)
    _generate_missing(said, console)
    with Screen(console, language()) as screen:
        reports = loading.load_city(said, order, screen)
    console.print(summary(reports, language(), console.width))


def _generate_missing(said: City, console: Console) -> None:
    """A demo city's sources are generated when they are not there yet."""
    if said.demo is None:
        return
    with console.status("") as status:

        def show(step: str, share: float) -> None:
            status.update(f"{say(language(), f'cli.demo_city_{step}')} {share:.0%}")

        generate(said.demo.size, said.demo.seed, said.folder, flaws=said.demo.flaws, progress=show)


def words_of(code: str, params: dict[str, Any], lang: str) -> str:
    """The words of a code, from intake's list or from the program's."""
    if code in catalogue():
        return describe(code, params, lang)
    return say(lang, code, **{name: _shown(value) for name, value in params.items()})


def _short(value: Any) -> Any:
    """A list cut to what a person reads; the run keeps all of it."""
    if isinstance(value, list) and len(value) > MOST_SHOWN:
        return [*value[:MOST_SHOWN], f"… (+{len(value) - MOST_SHOWN})"]
    return value


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(one.get("code", one)) if isinstance(one, dict) else str(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(
            f"{name}: {one:,}" if isinstance(one, int) else f"{name}: {one}" for name, one in value.items()
        )
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def summary(reports: list[loading.Report], lang: str, width: int) -> Table:
    """One row a source: read, accepted, rejected, unchanged, changed, rows a second, seconds.

    Where ``width`` (columns of the terminal) is too small for all of it, whole columns are left out, the least needed
    first, so that no number is cut.
    """
    cells = [_cells(one, lang) for one in reports]
    headers = {name: say(lang, f"load.column.{name}") for name in _COLUMNS}
    needs = {name: max(map(cell_len, [headers[name], *(row[name] for row in cells)])) for name in _COLUMNS}
    shown = list(_COLUMNS)
    for name in _LEAST_NEEDED_FIRST:
        if sum(needs[one] + 3 for one in shown) + 1 <= width:
            break
        shown.remove(name)
    table = Table(header_style="bold")
    for name in shown:
        words = name in ("source", "state")
        table.add_column(headers[name], justify="left" if words else "right", no_wrap=name != "source",
                         overflow="fold")  # fmt: skip
    for row in cells:
        table.add_row(*(row[name] for name in shown))
    return table


def _cells(one: loading.Report, lang: str) -> dict[str, str]:
    """The summary's cells of one source, as they are shown."""
    done = one.state == "done"
    changed = one.inserted + one.updated
    numbers = (one.read, one.accepted, one.rejected, one.unchanged, changed)
    shown = [f"{number:,}" if done else "" for number in numbers]
    rate = f"{one.read / one.seconds:,.0f}" if one.seconds and done else ""
    state = say(lang, f"load.state.{one.state}")
    return dict(zip(_COLUMNS, (one.source, state, *shown, rate, f"{one.seconds:.1f}"), strict=True))


class Screen:
    """Shows a load on a terminal: a line a source with its rows and rate, and every warning when it is known."""

    def __init__(self, console: Console, lang: str) -> None:
        self.console, self.lang = console, lang
        bar = [BarColumn(bar_width=12)] if console.width >= _NARROW else []
        self.progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            *bar,
            TextColumn("{task.fields[numbers]}"),
            *([TimeElapsedColumn()] if bar else []),
            console=console,
        )
        self.task: TaskID | None = None
        self.started = 0.0

    def __enter__(self) -> Screen:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def begin(self, source: str, kind: str) -> None:
        """A source begins."""
        self.started = time.perf_counter()
        title = f"{source} ({say(self.lang, f'load.kind.{kind}')})"
        self.task = self.progress.add_task(title, total=None, numbers="")

    def rows(self, read: int, rejected: int) -> None:
        """So many rows have been read and rejected."""
        rate = read / max(time.perf_counter() - self.started, 1e-6)
        told = say(self.lang, "load.rows", read=f"{read:,}", rejected=f"{rejected:,}", rate=f"{rate:,.0f}")
        if self.task is not None:
            self.progress.update(self.task, numbers=told)

    def warn(self, source: str, warning: dict[str, Any]) -> None:
        """Something a person should know."""
        params = {name: _short(value) for name, value in warning.items() if name != "code"}
        self.progress.console.print(
            f"! {source}: {words_of(warning['code'], params, self.lang)}", style="yellow", markup=False
        )

    def end(self, report: loading.Report) -> None:
        """A source is in, or had nothing new."""
        if self.task is not None:
            self.progress.update(self.task, total=1, completed=1)
            if report.state == "unchanged":
                self.progress.update(self.task, numbers=say(self.lang, "load.state.unchanged"))
            else:
                self.rows(report.read, report.rejected)
            if report.rejected and report.run:
                told = say(self.lang, "load.rejected_see", rows=f"{report.rejected:,}", run=report.run)
                self.progress.console.print(f"! {report.source}: {told}", style="yellow", markup=False)
        self.task = None

    def step(self, name: str, seconds: float | None) -> None:
        """A step after the sources begins (None) or is done."""
        if seconds is None:
            self.task = self.progress.add_task(say(self.lang, f"load.step.{name}"), total=None, numbers="")
        elif self.task is not None:
            self.progress.update(self.task, total=1, completed=1)
            self.task = None

    def waiting(self, source: str, seconds: float) -> None:
        """The database is gone; the load waits for it."""
        told = say(self.lang, "load.waiting", source=source, seconds=f"{seconds:g}")
        self.progress.console.print(f"! {told}", style="red", markup=False)


def known_words() -> set[str]:
    """The keys of the program's words that this module uses (held against the translation files by a test)."""
    return {key for key in words("en") if key.startswith("load.")}

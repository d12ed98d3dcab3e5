"""``hexward test``: the linters, the type checkers, the front end's own tests, then every Python test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import typer
from rich.console import Console

from db.settings import PROJECT

app = typer.Typer(help="Run the whole suite / 运行全部测试")
_WEB = PROJECT / "web"


def _checks(only_python: bool) -> list[tuple[str, list[str], Path]]:
    scripts = Path(sys.executable).parent
    checks = [
        ("ruff", [str(scripts / "ruff"), "check", "."], PROJECT),
        ("ruff format", [str(scripts / "ruff"), "format", "--check", "."], PROJECT),
        ("import-linter", [str(scripts / "lint-imports")], PROJECT),
        ("mypy", [str(scripts / "mypy")], PROJECT),
    ]
    if not only_python:
        npm = shutil.which("npm") or "npm"
        checks += [
            ("svelte-check", [npm, "run", "--silent", "check"], _WEB),
            ("eslint", [npm, "run", "--silent", "lint"], _WEB),
            ("vitest", [npm, "run", "--silent", "test"], _WEB),
        ]
    return checks


def _run(console: Console, name: str, command: list[str], folder: Path, *, quiet: bool) -> bool:
    console.print(f"[bold]== {name}[/bold]")
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, check=False, text=True, capture_output=quiet)
    passed = done.returncode == 0
    if quiet and not passed:
        sys.stdout.write(done.stdout + done.stderr)
    console.print(f"   {'ok' if passed else 'FAILED'} ({time.monotonic() - start:.0f} s)")
    return passed


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def suite(
    context: typer.Context,
    only_python: bool = typer.Option(False, help="Leave out the front end's checks / 跳过前端检查"),
    workers: int = typer.Option(0, help="Test processes, 0 = one a core / 并行进程数"),
) -> None:
    """Run the whole suite; what follows ``--`` goes to pytest, and then only pytest runs."""
    console = Console(stderr=False, highlight=False)
    count = workers or os.cpu_count() or 2
    pytest = [sys.executable, "-m", "pytest", "-n", str(count), "--dist", "loadfile", *context.args]
    failed = []
    if not context.args:
        failed = [
            name
            for name, command, folder in _checks(only_python)
            if not _run(console, name, command, folder, quiet=True)
        ]
    sys.stdout.flush()
    if not _run(console, "pytest", pytest, PROJECT, quiet=False):
        failed.append("pytest")
    if failed:
        console.print(f"[bold red]!! {', '.join(failed)}[/bold red]")
        raise typer.Exit(1)

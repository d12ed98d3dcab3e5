"""``hexward db``: the project's own database, thin over ``db.cluster``."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from sqlalchemy import make_url

import db.engine
import db.migrate
from api.cli import language, tell
from api.words import say
from db import cluster
from db.errors import HexwardError
from db.settings import DbSettings

app = typer.Typer(
    help="项目自带的数据库 / The project's own database", add_completion=False, no_args_is_help=True
)


class ExternalDatabase(HexwardError):
    """DATABASE_URL names a database that is not ours to start, stop or delete."""

    code = "cli.db_external_refused"


def _ours() -> DbSettings:
    settings = DbSettings()
    if settings.database_url is not None:
        raise ExternalDatabase()
    return settings


@app.command()
def start() -> None:
    """Make the database when there is none, and start it / 创建并启动数据库."""
    running = cluster.ensure(_ours())
    tell("cli.db_running", port=running.port, folder=running.data_dir)


@app.command()
def stop() -> None:
    """Stop the database / 停止数据库."""
    cluster.stop(_ours())
    tell("cli.db_stopped")


@app.command()
def status() -> None:
    """Say whether the database runs; exit code 3 when it does not / 查看数据库状态."""
    settings = DbSettings()
    if settings.database_url is not None:
        address = make_url(settings.database_url.get_secret_value()).render_as_string(hide_password=True)
        tell("cli.db_external", address=address)
        return
    running = cluster.running(settings)
    if running is None:
        tell("cli.db_stopped" if cluster.known(settings) else "cli.db_none")
        raise typer.Exit(3)
    tell("cli.db_running", port=running.port, folder=running.data_dir)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the database; what follows is handed to it / 打开 psql."""
    settings = DbSettings()
    url = make_url(db.engine.database_url(settings))
    environment = dict(os.environ)
    if url.password:
        environment["PGPASSWORD"] = str(url.password)  # not on the command line, where others could read it
    program = "psql"
    if settings.database_url is None:
        found = cluster.find_programs(settings)
        program = str(found.bin_dir / "psql")
        if found.library_path:
            environment["LD_LIBRARY_PATH"] = found.library_path
    address = [
        "-h",
        url.host or "",
        "-p",
        str(url.port or 5432),
        "-U",
        url.username or "",
        "-d",
        url.database or "",
    ]
    os.execvpe(program, [Path(program).name, *address, *context.args], environment)  # noqa: S606


@app.command()
def reset(yes: bool = typer.Option(False, "--yes", help="不再询问 / do not ask")) -> None:
    """Delete the database with all its data and make it anew / 删除并重建数据库."""
    settings = _ours()
    if not yes:
        typer.confirm(say(language(), "cli.db_reset_sure"), abort=True)
    cluster.remove(settings)
    db.migrate.upgrade(db.engine.database_url(settings))
    tell("cli.db_reset_done")


@app.command()
def migrate() -> None:
    """Bring the tables to the newest version / 升级数据库结构."""
    db.migrate.upgrade(db.engine.database_url())
    tell("cli.db_migrated", revision=db.migrate.head())

"""Bring a database's tables to the newest version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, text

MIGRATIONS = Path(__file__).parent / "migrations"


def configuration(url: str) -> Config:
    """Alembic's configuration for the database at ``url``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations that ``url`` lacks, all in one transaction."""
    command.upgrade(configuration(url), revision)


def head() -> str | None:
    """The newest revision in the code."""
    return ScriptDirectory.from_config(configuration("")).get_current_head()


def current(url: str) -> str | None:
    """The revision the database is at, None before the first migration."""
    with create_engine(url, poolclass=NullPool, hide_parameters=True).connect() as connection:
        if connection.execute(text("SELECT to_regclass('ops.alembic_version')")).scalar() is None:
            return None
        return connection.execute(text("SELECT version_num FROM ops.alembic_version")).scalar()

"""A city whose areas are there and whose people come in files: what the tests of loading load."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import psycopg
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from api import accounts
from benchmarks._people import lay_out, write_files
from intake.city import City, load_city
from tests.small_city import PASSWORD

CITY = """
[city]
code = "bench"
name = {{ zh = "测试市", en = "Bench" }}
datum = "WGS84"

[[levels]]
key = "city"
name = {{ zh = "市", en = "City" }}

[[levels]]
key = "community"
name = {{ zh = "社区", en = "Community" }}

[[sources]]
name = "buildings"
kind = "buildings"
file = "buildings.csv"
datum = "WGS84"

[[sources]]
name = "dwellings"
kind = "dwellings"
file = "dwellings.csv"

[[sources]]
name = "people"
kind = "persons"
file = "persons.csv"
{more}
"""


@dataclass
class Files:
    """The files of the city, and the database they go into."""

    folder: Path
    url: str

    @property
    def toml(self) -> Path:
        return self.folder / "city.toml"

    @property
    def city(self) -> City:
        return load_city(self.toml)

    def rows(self, query: str, *params: Any) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as conn:
            return conn.execute(query, params or None).fetchall()

    def value(self, query: str, *params: Any) -> Any:
        ((value,),) = self.rows(query, *params)
        return value

    def edit(self, name: str, change: Any) -> None:
        """Rewrite a file through ``change``, a function of its frame of texts."""
        file = self.folder / f"{name}.csv"
        change(pl.read_csv(file, infer_schema=False)).write_csv(file)

    def command(self, *arguments: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
        """``hexward`` in a process of its own, on this database."""
        return subprocess.run(
            self.words(*arguments), env=self.env(lang), capture_output=True, text=True, check=False
        )

    def words(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from api.cli import main; main()", *arguments]

    def env(self, lang: str = "en") -> dict[str, str]:
        plain = {"DATABASE_URL": self.url, "HEXWARD_LANG": lang, "COLUMNS": "200", "NO_COLOR": "1"}
        return {**os.environ, **plain}


def make(folder: Path, url: str, people: int, more: str = "") -> Files:
    """Write the files of a city of ``people`` and put its areas into the database."""
    write_files(folder, people)
    (folder / "city.toml").write_text(CITY.format(more=more), encoding="utf-8")
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as conn:
        lay_out(conn)
    return Files(folder, address)


def accounts_at_work(session: Session, *roles: str) -> dict[str, UUID]:
    """An account a role under the role's name, that has already chosen the password of the small city itself."""
    made = {
        role: accounts.add(session, role, role, name_zh=role, name_en=role, password=PASSWORD)
        for role in roles
    }
    session.execute(text('UPDATE ops."user" SET must_change_password = false'))
    return made

"""A town small enough to load in a second, written as a department would send it: what the tests of bad input spoil.

Two districts of two communities each, thirty buildings, ninety homes, two hundred people; every file is text that a
test may change before it loads.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import shapely
import structlog
from shapely.geometry import mapping
from sqlalchemy import make_url

import db.engine
from api.cli import main
from intake.city import City, load_city

WEST, SOUTH, SIDE = 114.05, 22.55, 0.012
BUILDINGS, HOMES, PEOPLE = 30, 90, 200
DISTRICTS = {"990101": ("西区", 0.0, 2.0), "990102": ("东区", 2.0, 4.0)}
COMMUNITIES = {
    "990101001001": ("桥头社区", 0.0, 1.0), "990101001002": ("河畔社区", 1.0, 2.0),
    "990102001001": ("新村社区", 2.0, 3.0), "990102001002": ("工业社区", 3.0, 4.0),
}  # fmt: skip

HEAD = """
[city]
code = "990100"
name = { zh = "临江市", en = "Linjiang" }
datum = "WGS84"

[[levels]]
key = "city"
name = { zh = "市", en = "City" }

[[levels]]
key = "district"
name = { zh = "区", en = "District" }

[[levels]]
key = "community"
name = { zh = "社区", en = "Community" }
"""

Rows = list[list[str]]


def id_number(serial: int, born: date) -> str:
    """A well-formed ID number (GB 11643) that nobody has: its first six digits are no place's."""
    body = f"990100{born:%Y%m%d}{serial % 1000:03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def strip(first: float, last: float) -> Any:
    return shapely.box(WEST + first * SIDE, SOUTH, WEST + last * SIDE, SOUTH + SIDE)


def place_of(building: int) -> tuple[float, float]:
    """Longitude and latitude of a building, well inside its community."""
    community, within = building % 4, building // 4
    return WEST + (community + 0.2 + 0.07 * within) * SIDE, SOUTH + (0.3 + 0.05 * within) * SIDE


@dataclass(frozen=True)
class Told:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything a person sees, in one line."""
        return " ".join((self.out + self.err).split())


@dataclass
class Town:
    """The files of the town in ``folder`` and the database they are loaded into."""

    folder: Path
    url: str
    sources: list[str] = field(default_factory=list)

    @property
    def toml(self) -> Path:
        return self.folder / "city.toml"

    @property
    def city(self) -> City:
        return load_city(self.toml)

    @property
    def address(self) -> str:
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)

    def write_toml(self, head: str = HEAD) -> None:
        self.toml.write_text(head + "".join(self.sources), encoding="utf-8")

    def source(self, name: str, kind: str, file: str, **more: Any) -> None:
        """One more ``[[sources]]``; the same name again takes its place."""
        said = {"name": name, "kind": kind, "file": file, **more}
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in said.items()]
        entry = "\n[[sources]]\n" + "\n".join(lines) + "\n"
        self.sources = [one for one in self.sources if f'name = "{name}"' not in one] + [entry]
        self.write_toml()

    def layer(self, name: str, level: str, shapes: dict[str, Any], **more: Any) -> None:
        """A GeoJSON of areas: code -> shape, or (name, shape)."""
        features = [
            {
                "type": "Feature",
                "properties": {"编码": code, "名称": f"区域{code}"},
                "geometry": mapping(shape),
            }
            for code, shape in shapes.items()
        ]
        whole = {"type": "FeatureCollection", "features": features}
        (self.folder / f"{name}.geojson").write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
        self.source(name, "areas", f"{name}.geojson", level=level, **({"datum": "WGS84"} | more))

    def table(self, name: str) -> Rows:
        """Header and rows of a table as it stands."""
        text = (self.folder / f"{name}.csv").read_text(encoding="utf-8")
        return list(csv.reader(io.StringIO(text)))

    def write(self, name: str, rows: Rows, encoding: str = "utf-8") -> Path:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        file = self.folder / f"{name}.csv"
        file.write_bytes(out.getvalue().encode(encoding))
        return file

    def edit(self, name: str, change: Callable[[Rows], Any]) -> Path:
        """Rewrite a table through ``change``, which gets its rows, the header first."""
        rows = self.table(name)
        change(rows)
        return self.write(name, rows)

    def rows(self, query: str, *params: Any) -> list[Any]:
        with psycopg.connect(self.address, autocommit=True) as conn:
            return conn.execute(query, params or None).fetchall()

    def value(self, query: str, *params: Any) -> Any:
        ((value,),) = self.rows(query, *params)
        return value

    def rejected(self, source: str) -> list[Any]:
        """(line, field, reason) of what the newest run of ``source`` rejected."""
        return self.rows(
            "select line, field, reason from ops.rejected_row where run_id = (select max(id) from ops.import_run"
            " where source = %s) order by line, id", source,
        )  # fmt: skip

    def residents(self) -> int:
        """People in the statistics of the whole city."""
        return int(
            self.value(
                "select coalesce(sum(residents), 0) from stats.unit_figures join geo.area on area.id = unit_id"
                " where unit_kind = 'area' and level = 0"
            )
        )

    def people_counted_twice(self) -> tuple[int, int]:
        """Residents of the city in the statistics, and in the register: the same where nothing went wrong."""
        raw = "select count(*) from register.residence where superseded_at is null and valid_to is null"
        return self.residents(), int(self.value(raw))

    def run(self, *arguments: str, lang: str = "en", columns: int = 200) -> Told:
        """``hexward`` in this process: the same entry point, without the seconds a new process takes to start."""
        out, err = io.StringIO(), io.StringIO()
        before, argv = dict(os.environ), sys.argv
        handlers, level, logs = logging.root.handlers[:], logging.root.level, structlog.get_config()
        os.environ.update(self.env(lang, columns))
        sys.argv = ["hexward", *arguments]
        code = 0
        try:
            with redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            db.engine.engine("owner").dispose()
            sys.argv = argv
            os.environ.clear()
            os.environ.update(before)
            logging.root.handlers[:] = handlers
            logging.root.setLevel(level)
            structlog.configure(**logs)
        return Told(code, out.getvalue(), err.getvalue())

    def load(self, *options: str, lang: str = "en") -> Told:
        """``hexward load`` of this town, in this process."""
        return self.run("load", str(self.toml), *options, lang=lang)

    def command(
        self, *arguments: str, lang: str = "en", columns: int = 200, memory: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """``hexward`` in a process of its own on this database; ``memory`` limits its address space (bytes)."""
        limit = None if memory is None else lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        return subprocess.run(
            self.words(*arguments), env=self.env(lang, columns), capture_output=True, text=True, check=False,
            preexec_fn=limit, timeout=120,
        )  # fmt: skip

    def words(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from api.cli import main; main()", *arguments]

    def env(self, lang: str = "en", columns: int = 200) -> dict[str, str]:
        plain = {"DATABASE_URL": self.url, "HEXWARD_LANG": lang, "COLUMNS": str(columns), "NO_COLOR": "1"}
        return {**os.environ, **plain, "POLARS_MAX_THREADS": "1"}


def people() -> Rows:
    rows = [
        [
            "人员编号",
            "身份证号",
            "姓名",
            "性别",
            "出生日期",
            "电话",
            "房屋编号",
            "户号",
            "人口类别",
            "入住日期",
        ]
    ]
    for n in range(1, PEOPLE + 1):
        born = date(1950, 1, 1) + timedelta(days=97 * n)
        home = n % HOMES + 1
        rows.append(
            [f"P{n:04}", id_number(n, born), f"张三{n}", ("男", "女")[n % 2], born.isoformat(), f"1380000{n:04}",
             f"D{home:03}", f"H{home:03}", ("户籍人口", "流动人口")[n % 3 == 0], "2020-01-01"]
        )  # fmt: skip
    return rows


def make(folder: Path, url: str) -> Town:
    """Write the town's files into ``folder``."""
    town = Town(folder, url)
    town.layer("districts", "district", {code: strip(*at) for code, (_, *at) in DISTRICTS.items()})
    town.layer("communities", "community", {code: strip(*at) for code, (_, *at) in COMMUNITIES.items()})
    places = [place_of(n) for n in range(BUILDINGS)]
    town.write(
        "buildings",
        [["楼栋编号", "名称", "用途", "经度", "纬度", "层数"]]
        + [[f"B{n:02}", f"{n}号楼", "住宅", f"{x:.6f}", f"{y:.6f}", "6"] for n, (x, y) in enumerate(places)],
    )
    town.write(
        "homes",
        [["房屋编号", "楼栋编号", "面积", "间数"]]
        + [[f"D{n:03}", f"B{n % BUILDINGS:02}", "75.5", "3"] for n in range(1, HOMES + 1)],
    )
    town.write("people", people())
    town.source("buildings", "buildings", "buildings.csv", datum="WGS84")
    town.source("homes", "dwellings", "homes.csv")
    town.source("people", "persons", "people.csv")
    return town

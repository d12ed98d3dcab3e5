"""A plain fictional city for the benchmarks that need people by the hundred thousand: squares, buildings, CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg
import shapely

SIDE = 10  # communities a side; each has 4 x 4 legal grids
WEST, SOUTH, STEP = 114.0, 22.5, 0.01
PEOPLE_A_DWELLING, DWELLINGS_A_BUILDING = 2.7, 40
_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])


def lay_out(conn: psycopg.Connection[Any]) -> None:
    """A city of 100 communities with 16 legal grids each, in the tables of schema ``geo``."""
    conn.execute(
        "INSERT INTO ops.city (code, name, zone, languages, datum, base_resolution)"
        " VALUES ('bench', '{\"zh\": \"测试市\", \"en\": \"Bench\"}', 'Asia/Shanghai', '{zh-CN,en}', 'WGS84', 10)"
    )
    for level, key in enumerate(("city", "community")):
        conn.execute(
            'INSERT INTO geo.area_level VALUES (%s, %s, \'{"zh": "级", "en": "level"}\')', (level, key)
        )
    add = (
        "INSERT INTO geo.area (id, code, level, parent_id, name, path, geom, area_m2)"
        " VALUES (%s, %s, %s, %s, %s, %s, ST_Multi(ST_GeomFromWKB(%s, 4326)), %s)"
    )
    whole = shapely.box(WEST, SOUTH, WEST + SIDE * STEP, SOUTH + SIDE * STEP)
    conn.execute(add, (1, "440399", 0, None, "市", [1], whole.wkb, 1e8))
    for number in range(SIDE * SIDE):
        west, south = WEST + number % SIDE * STEP, SOUTH + number // SIDE * STEP
        code, area = f"440399001{number:03d}", 2 + number
        shape = shapely.box(west, south, west + STEP, south + STEP)
        conn.execute(add, (area, code, 1, 1, f"社区{number}", [1, area], shape.wkb, 1e6))
        for part in range(16):
            x, y = west + part % 4 * STEP / 4, south + part // 4 * STEP / 4
            conn.execute(
                "INSERT INTO geo.grid (code, area_id, name, geom, area_m2, origin)"
                " VALUES (%s, %s, %s, ST_Multi(ST_GeomFromWKB(%s, 4326)), 70000, 'uploaded')",
                (
                    f"{code}{part + 1:03d}",
                    area,
                    f"网格{part + 1}",
                    shapely.box(x, y, x + STEP / 4, y + STEP / 4).wkb,
                ),
            )


def write_files(folder: Path, people: int, seed: int = 7) -> dict[str, Path]:
    """CSV files of buildings, dwellings and people with Chinese headers, as a department would hand them over."""
    random = np.random.default_rng(seed)
    dwellings = max(1, int(people / PEOPLE_A_DWELLING))
    buildings = max(1, dwellings // DWELLINGS_A_BUILDING)
    at = random.random((buildings, 2)) * SIDE * STEP
    order = np.lexsort((at[:, 0], (at[:, 1] / STEP * 4).astype(int)))
    at = at[order]
    files = {kind: folder / f"{kind}.csv" for kind in ("buildings", "dwellings", "persons")}
    numbers = pl.Series(np.arange(buildings)).cast(pl.String)
    pl.DataFrame(
        {"建筑编号": "B" + numbers, "经度": (WEST + at[:, 0]).round(7), "纬度": (SOUTH + at[:, 1]).round(7)}
    ).with_columns(pl.lit("住宅").alias("用途")).write_csv(files["buildings"])
    of = np.sort(random.integers(0, buildings, dwellings))
    pl.DataFrame(
        {
            "房屋编号": "D" + pl.Series(np.arange(dwellings)).cast(pl.String),
            "建筑编号": "B" + pl.Series(of).cast(pl.String),
            "面积": random.integers(30, 140, dwellings),
            "间数": random.integers(1, 5, dwellings),
        }
    ).write_csv(files["dwellings"])
    _people(random, people, dwellings).write_csv(files["persons"])
    return files


def _people(random: np.random.Generator, people: int, dwellings: int) -> pl.DataFrame:
    home = np.sort(random.integers(0, dwellings, people))
    born = pl.Series(random.integers(-14_600, 20_500, people)).cast(pl.Int32).cast(pl.Date)
    sequence = np.arange(people) % 1000
    first = ("440399" + born.dt.strftime("%Y%m%d")) + pl.Series(sequence).cast(pl.String).str.zfill(3)
    digits = np.frombuffer("".join(first.to_list()).encode(), np.uint8).reshape(-1, 17) - 48
    check = pl.Series(np.array(list("10X98765432"))[digits @ _WEIGHTS % 11])
    floating = random.random(people) < 0.4
    moved_in = np.maximum(born.to_physical().to_numpy(), random.integers(16_500, 20_500, people))
    return pl.DataFrame(
        {
            "人员编号": "P" + pl.Series(np.arange(people)).cast(pl.String),
            "身份证号": first + check,
            "姓名": pl.Series(
                np.array(["王芳", "李伟", "张敏", "刘洋", "陈静", "杨磊"])[random.integers(0, 6, people)]
            ),
            "性别": pl.Series(np.where(sequence % 2 == 1, "男", "女")),
            "出生日期": born,
            "房屋编号": "D" + pl.Series(home).cast(pl.String),
            "户号": "H" + pl.Series(home).cast(pl.String),
            "人口类别": pl.Series(np.where(floating, "流动人口", "户籍人口")),
            "居住证": pl.Series(np.where(floating & (random.random(people) < 0.6), "有效", "无")),
            "入住日期": pl.Series(moved_in).cast(pl.Int32).cast(pl.Date),
        }
    )

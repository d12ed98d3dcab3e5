"""A register of any size made inside the database in seconds to minutes: for benchmarks of figures, not of loading."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg

from db.bulk import bulk
from db.copy import copy_frame
from population.statistics.bulk import counting_off
from population.statistics.rebuild import RebuildReport, rebuild

Connection = psycopg.Connection[Any]

DWELLINGS_A_BUILDING, PEOPLE_A_DWELLING = 40, 2.5
PEOPLE_A_COMMUNITY, COMMUNITIES_A_STREET, STREETS_A_DISTRICT = 5_000, 10, 10
GRIDS_A_COMMUNITY, BUILDINGS_A_CELL = 12, 2
TABLES = ("building", "dwelling", "household", "person", "residence", "employer", "employment")


def cells(count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """``count`` H3 cells of resolution 10 in a row, all below one cell of resolution 3 (base cell 20)."""
    number = np.arange(count, dtype=np.int64)
    cell = np.full(count, (1 << 59) | (10 << 52) | (20 << 45), dtype=np.int64)
    for resolution in range(10, 0, -1):
        cell |= (number % 7) << (3 * (15 - resolution))
        number //= 7
    return cell | ((1 << 15) - 1)


def build(conn: Connection, people: int, today: date = date(2026, 11, 20)) -> RebuildReport:
    """Areas, buildings, homes, people with moves, employers and jobs for ``people``, and all statistics, committed."""
    conn.execute("SELECT setseed(0.5)")
    conn.execute("UPDATE stats.state SET as_of = %s", (today,))
    communities = max(people // PEOPLE_A_COMMUNITY, 1)
    _areas(conn, communities)
    tables = [f"register.{name}" for name in TABLES]
    with counting_off(conn), bulk(conn, tables):
        _buildings(conn, people, communities)
        for statement in _STATEMENTS:
            conn.execute(statement, {"people": people, "today": today})
        for table in tables:
            conn.execute(f"ANALYZE {table}")
    report = rebuild(conn, today)
    conn.commit()
    conn.autocommit = True
    conn.execute("VACUUM ANALYZE")
    conn.autocommit = False
    return report


def _areas(conn: Connection, communities: int) -> None:
    streets = -(-communities // COMMUNITIES_A_STREET)
    districts = -(-streets // STREETS_A_DISTRICT)
    conn.execute("INSERT INTO geo.area_level SELECT n, 'level' || n, '{}' FROM generate_series(0, 3) n")
    rows = [(1, 0, None, [1])]
    rows += [(10 + d, 1, 1, [1, 10 + d]) for d in range(districts)]
    rows += [(1_000 + s, 2, 10 + s // STREETS_A_DISTRICT, [1, 10 + s // STREETS_A_DISTRICT, 1_000 + s])
             for s in range(streets)]  # fmt: skip
    for community in range(communities):
        street = community // COMMUNITIES_A_STREET
        path = [1, 10 + street // STREETS_A_DISTRICT, 1_000 + street, 100_000 + community]
        rows.append((path[-1], 3, path[-2], path))
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO geo.area (id, code, level, parent_id, name, path, geom, area_m2) VALUES (%s, %s, %s, %s,"
            " 'area', %s, ST_Multi(ST_MakeEnvelope(121, 31, 121.1, 31.1, 4326)), 1e6)",
            [(area, str(area), level, parent, path) for area, level, parent, path in rows],
        )


def _buildings(conn: Connection, people: int, communities: int) -> None:
    count = max(int(people / PEOPLE_A_DWELLING / DWELLINGS_A_BUILDING), communities)
    number = np.arange(count)
    community = number * communities // count
    within = number - np.searchsorted(community, community)
    size = np.bincount(community)[community]
    place = {
        "cell": cells(count // BUILDINGS_A_CELL + 1)[number // BUILDINGS_A_CELL],
        "community_id": 100_000 + community,
        "grid_id": 1 + community * GRIDS_A_COMMUNITY + within * GRIDS_A_COMMUNITY // size,
    }
    lng_lat = {"lng": np.full(count, 121.4), "lat": np.full(count, 31.2)}
    key = [f"b{n}" for n in number]
    homes = pl.DataFrame({"id": number + 1, "key": key, "use": ["residential"] * count, **lng_lat, **place})
    copy_frame(conn, "register.building", homes.with_columns(counted=pl.lit(1)))
    firms = homes.filter(pl.col("id") % 2 == 0).drop("use").with_columns(
        id=pl.col("id") // 2, industry=pl.lit("CFGPQ").str.slice(pl.col("id") // 2 % 5, 1),
    )  # fmt: skip
    firms = firms.with_columns(counted=1 + 4 * (pl.col("industry").str.to_integer(base=36) - 9))
    copy_frame(conn, "register.employer", firms)


_STATEMENTS = (
    """INSERT INTO register.dwelling (id, key, building_id, area_m2, rooms, tenure, cell, community_id,
         grid_id, counted)
       SELECT (b.id - 1) * 40 + n, 'd' || (b.id - 1) * 40 + n, b.id, 30 + n * 2, 1 + n %% 4,
         (ARRAY['own','own','rent','dormitory'])[1 + n %% 4], b.cell, b.community_id, b.grid_id, 1
       FROM register.building b, generate_series(1, 40) n""",
    """INSERT INTO register.household (id, key, dwelling_id, kind, cell, community_id, grid_id)
       SELECT gen_random_uuid(), 'h' || d.id, d.id, 'family', d.cell, d.community_id, d.grid_id
       FROM register.dwelling d ORDER BY d.id""",
    """INSERT INTO register.person (id, key, name, sex, birth_date, origin_code)
       SELECT gen_random_uuid(), 'p' || n, '某某' || n, 1 + n %% 2,
         %(today)s::date - (random() * 30000)::integer, '310101' FROM generate_series(1, %(people)s) n""",
    """CREATE TEMP TABLE stay ON COMMIT DROP AS
       SELECT p.id AS person_id, p.sex, p.birth_date, p.n, 1 + (p.n * 2 / 5) %% d.homes AS home,
         1 + (p.n * 2 / 5 + 977) %% d.homes AS old_home
       FROM (SELECT id, sex, birth_date, substr(key, 2)::bigint AS n FROM register.person) p,
            (SELECT count(*) AS homes FROM register.dwelling) d""",
    """INSERT INTO register.residence (person_id, household_id, dwelling_id, cell, community_id, grid_id, status,
         permit, valid_from, counted)
       SELECT s.person_id, h.id, h.dwelling_id, h.cell, h.community_id, h.grid_id,
         CASE WHEN s.n %% 3 = 0 THEN 'floating' ELSE 'registered' END,
         CASE WHEN s.n %% 6 = 0 THEN 'valid' ELSE 'none' END, %(today)s::date - (30 + s.n %% 1700)::integer,
         stats.residence_counted(CASE WHEN s.n %% 3 = 0 THEN 'floating' ELSE 'registered' END,
           CASE WHEN s.n %% 6 = 0 THEN 'valid' ELSE 'none' END, NULL, s.sex, s.birth_date, true, %(today)s)
       FROM stay s JOIN register.household h ON h.dwelling_id = s.home ORDER BY h.cell""",
    """INSERT INTO register.residence (person_id, dwelling_id, cell, community_id, grid_id, status, valid_from,
         valid_to, ended, counted)
       SELECT s.person_id, d.id, d.cell, d.community_id, d.grid_id, 'registered', '2010-01-01',
         %(today)s::date - (30 + s.n %% 1700)::integer, %(today)s::date - (30 + s.n %% 1700)::integer, 0
       FROM stay s JOIN register.dwelling d ON d.id = s.old_home WHERE s.n %% 3 = 0 ORDER BY d.cell""",
    """INSERT INTO register.employment (person_id, employer_id, insured, cell, community_id, grid_id,
         valid_from, counted)
       SELECT s.person_id, e.id, s.n %% 4 > 0, e.cell, e.community_id, e.grid_id, '2024-01-01',
         1 + CASE WHEN s.n %% 4 > 0 THEN 2 ELSE 0 END + 4 * stats.section(e.industry)
       FROM stay s JOIN register.employer e ON e.id = 1 + (s.n * 7919) %% (SELECT count(*) FROM register.employer)
       WHERE s.n %% 2 = 0 ORDER BY e.cell""",
)

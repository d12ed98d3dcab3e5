"""A small city in a real database, written through the real tables and their triggers, with one account a role.

Two districts (west, east), each with one street, two communities, and two legal grids a community: eight grids in a
row of known numbers of residents (``PEOPLE``), a building, an employer and its employees in each.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import h3
import psycopg
import pytest
from shapely import box
from shapely.geometry import MultiPolygon, Polygon
from sqlalchemy import Engine, make_url

from api import signin
from db import testing
from db.engine import make_engine, write_session
from privacy import territory

WEST, SOUTH, SIDE = 120.0, 30.0, 0.005
PEOPLE = (20, 5, 40, 13, 12, 0, 30, 25)
JOBS = (3, 14, 0, 20, 1, 15, 2, 9)
PASSWORD = "correct horse battery staple"
ROLES = ("officer", "manager", "analyst", "steward", "administrator", "auditor", "community_manager",
         "department_reader")  # fmt: skip
DEMO = ("officer", "manager", "analyst", "steward", "auditor")
AS_OF = date(2026, 11, 1)


@dataclass
class SmallCity:
    """Ids of what was written: areas by code, grids in order, accounts by role."""

    url: str
    areas: dict[str, int] = field(default_factory=dict)
    grids: list[int] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    grid_cells: list[str] = field(default_factory=list)
    users: dict[str, UUID] = field(default_factory=dict)

    def address(self, role: str) -> str:
        """Address of the database signed in as ``hexward_<role>`` with that role's own password."""
        return testing_address(self.url, role)


def testing_address(url: str, role: str) -> str:
    """The same database, signed in as another role of the private cluster."""
    from db import cluster
    from db.settings import DbSettings

    running = cluster.ensure(DbSettings())
    name = f"hexward_{role}"
    return (
        make_url(url)
        .set(username=name, password=running.passwords[name])
        .render_as_string(hide_password=False)
    )


def plain(url: str) -> str:
    """The address as psycopg takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _grid_box(number: int) -> Any:
    return box(WEST + number * SIDE, SOUTH, WEST + (number + 1) * SIDE, SOUTH + SIDE)


def _areas(connection: psycopg.Connection, city: SmallCity) -> None:
    for level, (key, zh, en) in enumerate(
        [("city", "市", "City"), ("district", "区", "District"), ("street", "街道", "Street"),
         ("community", "社区", "Community")]
    ):  # fmt: skip
        connection.execute(
            "INSERT INTO geo.area_level VALUES (%s, %s, jsonb_build_object('zh', %s::text, 'en', %s::text))",
            (level, key, zh, en),
        )
    tree = [("3301", 0, None, 0, 8, "小城", "Small City")]
    for d, name in enumerate(("西区", "东区")):
        tree.append((f"33010{d + 1}", 1, "3301", 4 * d, 4 * d + 4, name, ("West", "East")[d]))
        tree.append((f"33010{d + 1}001", 2, f"33010{d + 1}", 4 * d, 4 * d + 4, f"{name}街道", None))
        for c in range(2):
            tree.append(
                (f"33010{d + 1}00100{c + 1}", 3, f"33010{d + 1}001", 4 * d + 2 * c, 4 * d + 2 * c + 2,
                 f"{name}第{c + 1}社区", None)
            )  # fmt: skip
    paths: dict[str, list[int]] = {}
    for number, (code, level, parent, first, last, name, name_en) in enumerate(tree, start=1):
        path = [*paths.get(parent or "", []), number]
        paths[code] = path
        city.areas[code] = number
        shape = MultiPolygon([box(WEST + first * SIDE, SOUTH, WEST + last * SIDE, SOUTH + SIDE)])
        connection.execute(
            """INSERT INTO geo.area (id, code, level, parent_id, name, name_en, path, geom, area_m2)
               VALUES (%s, %s, %s, %s, %s, %s, %s, ST_GeomFromWKB(%s, 4326), %s)""",
            (number, code, level, city.areas.get(parent or ""), name, name_en, path, shape.wkb,
             (last - first) * 267_000.0),
        )  # fmt: skip
    for number in range(8):
        community = f"33010{number // 4 + 1}00100{number % 4 // 2 + 1}"
        row = connection.execute(
            """INSERT INTO geo.grid (code, area_id, name, geom, area_m2, origin)
               VALUES (%s, %s, %s, ST_GeomFromWKB(%s, 4326), 267000, 'uploaded') RETURNING id""",
            (f"{community}{number % 2 + 1:03}", city.areas[community], f"网格{number + 1}",
             MultiPolygon([_grid_box(number)]).wkb),
        ).fetchone()  # fmt: skip
        assert row is not None
        city.grids.append(row[0])


def _cells(connection: psycopg.Connection, city: SmallCity) -> None:
    """Every r10 cell that touches the city; the last one is water (no land)."""
    south, north, west, east = SOUTH - 1e-3, SOUTH + SIDE + 1e-3, WEST - 1e-3, WEST + 8 * SIDE + 1e-3
    outline = h3.LatLngPoly([(south, west), (south, east), (north, east), (north, west)])
    city.cells = sorted(h3.polygon_to_cells(outline, 10))
    inhabited = {h3.latlng_to_cell(*_centre(n), 10) for n in range(8)}
    water = next(c for c in reversed(city.cells) if c not in inhabited)
    city.cells.append(city.cells.pop(city.cells.index(water)))
    for cell in city.cells:
        lat, lng = h3.cell_to_latlng(cell)
        parents = [h3.str_to_int(h3.cell_to_parent(cell, r)) for r in (9, 8, 7)]
        land = 0.0 if cell == water else 10_000.0
        connection.execute(
            "INSERT INTO geo.cell VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (h3.str_to_int(cell), *parents, lng, lat, 10_700.0, land, land),
        )
        _overlaps(connection, city, cell)


def _overlaps(connection: psycopg.Connection, city: SmallCity, cell: str) -> None:
    """Which part of the cell lies in which area and grid, by PostGIS."""
    outline = Polygon([(lng, lat) for lat, lng in h3.cell_to_boundary(cell)])
    for unit in ("area", "grid"):
        connection.execute(
            f"""INSERT INTO geo.{unit}_cell ({unit}_id, cell, overlap_m2, share_of_cell, share_of_{unit})
                SELECT u.id, %(cell)s, ST_Area(p.g::geography), ST_Area(p.g) / ST_Area(c.g),
                  ST_Area(p.g) / ST_Area(u.geom)
                FROM (SELECT ST_GeomFromWKB(%(wkb)s, 4326) AS g) c, geo.{unit} u,
                LATERAL (SELECT ST_Intersection(u.geom, c.g) AS g) p WHERE ST_Area(p.g) > 0""",
            {"cell": h3.str_to_int(cell), "wkb": outline.wkb},
        )


def _centre(number: int) -> tuple[float, float]:
    """Latitude and longitude of the middle of a grid."""
    return SOUTH + SIDE / 2, WEST + (number + 0.5) * SIDE


def _people(connection: psycopg.Connection, city: SmallCity) -> None:
    serial = itertools.count(1)
    for number, residents in enumerate(PEOPLE):
        lat, lng = _centre(number)
        cell = h3.latlng_to_cell(lat, lng, 10)
        city.grid_cells.append(cell)
        community = city.areas[f"33010{number // 4 + 1}00100{number % 4 // 2 + 1}"]
        place = {"cell": h3.str_to_int(cell), "community": community, "grid": city.grids[number],
                 "lng": lng, "lat": lat, "key": f"B{number}"}  # fmt: skip
        connection.execute(
            """INSERT INTO register.building (key, use, lng, lat, cell, community_id, grid_id, floors)
               VALUES (%(key)s, 'residential', %(lng)s, %(lat)s, %(cell)s, %(community)s, %(grid)s, 6)""",
            place,
        )
        connection.execute(
            """INSERT INTO register.employer (key, name, industry, lng, lat, cell, community_id, grid_id)
               VALUES (%(key)s, '工厂', 'C', %(lng)s, %(lat)s, %(cell)s, %(community)s, %(grid)s)""",
            place,
        )
        for start in range(0, residents, 4):
            _household(connection, number, [next(serial) for _ in range(min(4, residents - start))])
        people = connection.execute(
            "SELECT id FROM register.person ORDER BY key LIMIT %s", (JOBS[number],)
        ).fetchall()
        for (person,) in people:
            connection.execute(
                """INSERT INTO register.employment (person_id, employer_id, insured, valid_from, cell)
                   SELECT %s, id, true, '2020-01-01', cell FROM register.employer WHERE key = %s""",
                (person, f"B{number}"),
            )


def _household(connection: psycopg.Connection, building: int, people: list[int]) -> None:
    key = f"D{building}-{people[0]}"
    connection.execute(
        """INSERT INTO register.dwelling (key, building_id, area_m2, rooms, tenure, cell)
           SELECT %s, id, 80, 3, 'own', cell FROM register.building WHERE key = %s""",
        (key, f"B{building}"),
    )
    connection.execute(
        """INSERT INTO register.household (key, dwelling_id, cell)
           SELECT %s, id, cell FROM register.dwelling WHERE key = %s""",
        (key, key),
    )
    for person in people:
        connection.execute(
            """INSERT INTO register.person (key, name, sex, birth_date, id_number_enc, id_number_hash)
               VALUES (%s, %s, %s, %s, %s, sha256(%s::bytea))""",
            (f"P{person:05}", f"张{person}", 1 + person % 2, date(1950 + person % 70, 1, 1), b"secret",
             str(person).encode()),
        )  # fmt: skip
        connection.execute(
            """INSERT INTO register.residence (person_id, household_id, dwelling_id, status, valid_from, cell)
               SELECT p.id, h.id, d.id, %s, '2020-01-01', d.cell
               FROM register.person p, register.household h, register.dwelling d
               WHERE p.key = %s AND h.key = %s AND d.key = %s""",
            ("floating" if person % 3 == 0 else "registered", f"P{person:05}", key, key),
        )


def _accounts(connection: psycopg.Connection, city: SmallCity) -> None:
    hashed = signin.hash_password(PASSWORD)
    for role in ROLES:
        row = connection.execute(
            """INSERT INTO ops."user" (account, name, role, password_hash, is_demo, department)
               VALUES (%s, jsonb_build_object('zh', %s::text, 'en', %s::text), %s, %s, %s, %s) RETURNING id""",
            (
                role,
                role,
                role,
                role,
                hashed,
                role in DEMO,
                "education" if role == "department_reader" else None,
            ),
        ).fetchone()
        assert row is not None
        city.users[role] = row[0]


def _load_run(connection: psycopg.Connection) -> None:
    row = connection.execute(
        """INSERT INTO ops.import_run (city_code, source, kind, file, actor, state, rows_read, rows_accepted,
             rows_rejected, mapping)
           VALUES ('3301', 'people', 'persons', 'people.csv', 'test', 'done', 147, 145, 2,
             '{"columns": {"id_number": "身份证号", "name": "姓名"}, "sensitive": ["身份证号"]}')
           RETURNING id"""
    ).fetchone()
    assert row is not None
    for line, value in ((7, "11010519491231002Y"), (9, "=HYPERLINK(0)")):
        connection.execute(
            """INSERT INTO ops.rejected_row (run_id, line, field, reason, value, "row")
               VALUES (%s, %s, 'id_number', 'id_wrong_check_digit', %s,
                 jsonb_build_object('身份证号', %s::text, '姓名', '王五'))""",
            (row[0], line, value, value),
        )


def build(url: str) -> SmallCity:
    """Write the small city into the database at ``url``."""
    city = SmallCity(url)
    with psycopg.connect(plain(url)) as connection:
        connection.execute(
            """INSERT INTO ops.city (code, name, zone, languages, datum, base_resolution, is_demo, loaded_at)
               VALUES ('3301', '{"zh": "小城", "en": "Small City"}', 'Asia/Shanghai', '{zh-CN,en}', 'CGCS2000', 10,
                 true, now())"""
        )
        connection.execute("UPDATE stats.state SET as_of = %s, series_from = '2024-01-01'", (AS_OF,))
        _areas(connection, city)
        _cells(connection, city)
        _people(connection, city)
        _accounts(connection, city)
        _load_run(connection)
    engine = make_engine(url)
    with write_session(engine) as session:
        territory.grant(session, city.users["officer"], [], city.grids[:2])
        territory.grant(session, city.users["manager"], [city.areas["330101"]], [])
        territory.grant(session, city.users["community_manager"], [city.areas["330101001001"]], [])
    engine.dispose()
    return city


@pytest.fixture(scope="session")
def small_city_template(template_db: str) -> Iterator[SmallCity]:
    """The small city, built once a test process; tests get copies."""
    url = testing.create_clone(template_db, "small")
    yield build(url)
    testing.drop(url)


@pytest.fixture
def small_city(small_city_template: SmallCity) -> Iterator[SmallCity]:
    """A copy of the small city that the test may change."""
    name = make_url(small_city_template.url).database
    assert name is not None
    url = testing.create_clone(name)
    made = SmallCity(**{**vars(small_city_template), "url": url})
    yield made
    testing.drop(url)


@pytest.fixture
def owner(small_city: SmallCity) -> Iterator[Engine]:
    """The owner's engine on the copy."""
    made = make_engine(small_city.url, pool_size=4)
    yield made
    made.dispose()


__all__ = ["owner", "small_city", "small_city_template"]

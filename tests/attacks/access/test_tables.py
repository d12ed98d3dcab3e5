"""Every role reads every table directly, as the server's own database role and without any WHERE."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine

from api import signin
from db.engine import write_session
from tests.small_city import SmallCity, plain

TOLD = tomllib.loads((Path(__file__).parent / "tables.toml").read_text("utf-8"))
EXPECTED = {table: group["expected"] for group in (v for v in TOLD.values() if isinstance(v, dict))
            for table in group["tables"]}  # fmt: skip
READABLE = """
SELECT n.nspname || '.' || quote_ident(c.relname),
  (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
   AND NOT a.attisdropped AND has_column_privilege('hexward_app', c.oid, a.attnum, 'SELECT'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname IN ('register', 'ops', 'audit', 'stats', 'cases', 'crowd')
  AND has_schema_privilege('hexward_app', n.oid, 'USAGE')
  AND has_any_column_privilege('hexward_app', c.oid, 'SELECT')"""
SEALED = {"id_number_enc", "id_number_hash", "phone_enc", "phone_hash", "number_enc", "secret_enc", "password_hash",
          "token_hash", "code_hash"}  # fmt: skip


def _territory(city: SmallCity, role: str) -> set[int]:
    return {"officer": set(city.grids[:2]), "community_manager": set(city.grids[:2]),
            "manager": set(city.grids[:4])}.get(role, set())  # fmt: skip


def _fill(owner: Engine) -> None:
    """A row for each person in the tables that the small city leaves empty, so that "none" proves something."""
    with owner.begin() as connection:
        for statement in (
            "INSERT INTO register.schooling (person_id, school, stage) "
            "SELECT id, '学校', 'primary' FROM register.person",
            "INSERT INTO register.insurance (person_id, kind, valid_from) "
            "SELECT id, 'medical', '2020-01-01' FROM register.person",
            "INSERT INTO register.permit (person_id, valid_from) SELECT id, '2020-01-01' FROM register.person",
            "INSERT INTO register.tenancy (dwelling_id, tenure, valid_from) "
            "SELECT id, 'rent', '2020-01-01' FROM register.dwelling",
            "INSERT INTO register.act (kind, role, purpose, from_grid_id, to_grid_id) "
            "SELECT 'confirm', 'officer', 'duty', id, id FROM geo.grid",
            "INSERT INTO register.notice (grid_id, act_id, kind) "
            "SELECT to_grid_id, id, 'moved_in' FROM register.act",
            "INSERT INTO ops.work_item (check_id, person_id, cell, community_id, grid_id, severity, since, due_on) "
            "SELECT 'told', person_id, cell, community_id, grid_id, 1, '2026-11-01', '2026-11-08' "
            "FROM register.residence",
            "INSERT INTO ops.work_event (item_id, state) SELECT id, 'open' FROM ops.work_item",
        ):
            connection.exec_driver_sql(statement)


def _as(connection: psycopg.Connection, owner: Engine, city: SmallCity, role: str) -> None:
    with write_session(owner) as session:
        hashed = signin.token_hash(signin.open_session(session, city.users[role], 1))
    connection.execute("SELECT ops.enter(%s, 3600)", (hashed,))


def test_every_table_of_persons_is_told_and_no_sealed_column_is_open(
    small_city: SmallCity, owner: Engine
) -> None:
    with psycopg.connect(plain(small_city.url)) as connection:
        readable = dict(connection.execute(READABLE).fetchall())
    register = {table for table in readable if table.startswith(("register.", "stats."))} | set(EXPECTED)
    known = set(EXPECTED) | {"stats.state", "stats.kept_month", "stats.unit_month", "stats.areal_table",
                             "stats.areal_figure", "stats.areal_cell"}  # fmt: skip
    missing = sorted(register - known)
    assert not missing, (
        "tests/attacks/access/tables.toml lacks these tables; add each to the group whose letters say what the roles "
        "find in it (a table that tells of persons: [persons]):\n" + "\n".join(missing)
    )
    open_columns = {f"{t}.{c}" for t, columns in readable.items() for c in SEALED & set(columns or [])}
    assert open_columns == set(), "hexward_app must read no sealed number and no secret"


def test_every_role_finds_in_every_table_what_it_may(small_city: SmallCity, owner: Engine) -> None:
    _fill(owner)
    wrong = []
    with psycopg.connect(plain(small_city.address("app"))) as connection:
        readable = dict(connection.execute(READABLE).fetchall())
        for number, role in enumerate(TOLD["roles"]):
            connection.rollback()
            _as(connection, owner, small_city, role)
            grids = _territory(small_city, role)
            for table in sorted(set(EXPECTED) & set(readable)):
                expected = EXPECTED[table][number]
                found = _rows(connection, table, readable[table])
                if expected == "n" and found["rows"]:
                    wrong.append(f"{role} finds {found['rows']} rows in {table}")
                if expected == "o" and not found["grids"] <= grids:
                    wrong.append(f"{role} finds rows of foreign grids in {table}")
                if expected == "o" and table in (
                    "register.schooling",
                    "register.insurance",
                    "register.permit",
                ):
                    mine = _rows(connection, "register.person", ["id"])["rows"]
                    if found["rows"] != mine:
                        wrong.append(f"{role} finds {found['rows']} rows in {table} of {mine} own people")
    assert wrong == []


def _rows(connection: psycopg.Connection, table: str, columns: list[str]) -> dict[str, Any]:
    count = connection.execute(f"SELECT count({columns[0]}) FROM {table}").fetchone()  # type: ignore[call-overload]
    assert count is not None
    grids: set[int] = set()
    if "grid_id" in columns:
        query = f"SELECT DISTINCT grid_id FROM {table} WHERE grid_id IS NOT NULL"
        grids = {row[0] for row in connection.execute(query)}  # type: ignore[call-overload]
    return {"rows": count[0], "grids": grids}

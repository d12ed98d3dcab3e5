"""Attempts to cross a territory: through every route, and by raw SQL as the very role the server signs in with.

What a person may see is decided by the database. So the second half does not use the server at all: it holds a
connection as ``hexward_app`` (or ``hexward_pub_reader``) and says whatever it likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import mapbox_vector_tile
import psycopg
import pytest
from h3 import str_to_int
from sqlalchemy import Engine, text

from api import signin
from db.engine import write_session
from tests.server import Browser, Served
from tests.small_city import PEOPLE, SmallCity, plain

REGISTER = ("building", "dwelling", "household", "person", "residence", "employer", "employment", "schooling")
FILLED = {"layer_id": "residents", "kind": "area", "unit_id": "1", "form": "csv", "z": "13", "x": "6826",
          "y": "3377", "level": "3", "run_id": "1", "source": "people", **dict.fromkeys(
              ("person_id", "declaration_id", "ask_id", "session_id", "act_id", "household_id"),
              "00000000-0000-4000-8000-000000000000")}  # fmt: skip
OWN, FOREIGN = 0, 4  # the officer's first grid in the west; a grid in the east


# ---- through the routes ------------------------------------------------------------------------------------


def _residents(dashboard: dict[str, Any]) -> Any:
    return next(f for f in dashboard["key_figures"] if f["id"] == "residents")


def test_officer_sees_exact_figures_of_the_own_grid_only(served: Served, browser: Browser) -> None:
    officer = browser("officer")
    own = officer.get(f"/api/dashboards/grid/{served.city.grids[OWN]}").json()
    assert own["exactness"] == "duty"
    assert _residents(own)["value"] == PEOPLE[OWN]
    foreign = officer.get(f"/api/dashboards/grid/{served.city.grids[FOREIGN]}").json()
    assert foreign.get("exactness") != "duty"
    assert _residents(foreign)["value"] is None
    assert foreign["pyramid"] is None or not any(foreign["pyramid"]["male"])


def test_no_answer_to_an_officer_holds_a_figure_of_a_foreign_grid(served: Served, browser: Browser) -> None:
    """Every way to figures by grid: table, GeoJSON, dashboard download, tile, legend."""
    officer, grids = browser("officer"), served.city.grids
    table = officer.get("/api/layers/residents/table.json?geography=grid").json()
    named = {str(row[0]) for row in table["rows"]} | {str(row[1]) for row in table["rows"]}
    assert "网格1" in named or "330101001001001" in named
    assert not {"网格5", "330102001001001"} & named
    features = officer.get("/api/layers/residents/export.geojson?geography=grid").json()["features"]
    assert sorted(f["properties"]["value"] for f in features) == sorted(PEOPLE[:2])
    legend = officer.get("/api/layers/residents/legend?geography=grid").json()
    assert legend["max"] == max(PEOPLE[:2])
    file = officer.get(f"/api/dashboards/grid/{grids[FOREIGN]}/export.csv").text
    assert f",{PEOPLE[FOREIGN]}," not in file
    for number, properties in _tile(officer, "grids").items():
        if int(number) not in grids[:2]:
            assert "v" not in properties
            assert not properties["mine"]


def _tile(client: Any, kind: str) -> dict[str, dict[str, Any]]:
    answer = client.get(f"/api/tiles/{kind}/residents/13/6827/3378.mvt")
    found: dict[str, dict[str, Any]] = {}
    for x in range(6826, 6829):
        for y in range(3370, 3390):
            answer = client.get(f"/api/tiles/{kind}/residents/13/{x}/{y}.mvt")
            assert answer.status_code in (200, 204)
            if answer.status_code == 200:
                layer = mapbox_vector_tile.decode(answer.content)[kind]
                found |= {str(f["properties"]["id"]): f["properties"] for f in layer["features"]}
    assert found, "the tiles of the city were not found"
    return found


def test_tiles_of_cells_show_an_officer_the_own_people_only(served: Served, browser: Browser) -> None:
    shown = {name: p["v"] for name, p in _tile(browser("officer"), "cells").items() if "v" in p}
    assert shown == dict(zip(served.city.grid_cells[:2], PEOPLE[:2], strict=True))


def test_manager_sees_the_own_district_only(served: Served, browser: Browser) -> None:
    manager, areas = browser("manager"), served.city.areas
    own = manager.get(f"/api/dashboards/area/{areas['330101']}").json()
    assert own["exactness"] == "duty"
    assert _residents(own)["value"] == sum(PEOPLE[:4])
    other = manager.get(f"/api/dashboards/area/{areas['330102001001']}").json()
    assert other["exactness"] != "duty"
    assert _residents(other)["value"] is None  # 12 people: withheld from everyone without duty there
    shown = {name: p["v"] for name, p in _tile(manager, "cells").items() if "v" in p}
    assert shown == dict(zip(served.city.grid_cells[:4], PEOPLE[:4], strict=True))


def test_analyst_never_gets_a_number_below_the_minimum(served: Served, browser: Browser) -> None:
    analyst = browser("analyst")
    for geography, more in (("cell", "&resolution=10"), ("cell", "&resolution=9"), ("area", "&level=3")):
        table = analyst.get(f"/api/layers/residents/table.json?geography={geography}{more}").json()
        values = [row[headed(table, "Residents")] for row in table["rows"]]
        assert [v for v in values if v is not None]
        assert all(v is None or v >= 13 or v == 0 for v in values)
    assert analyst.get("/api/layers/residents/table.json?geography=grid").json()["rows"] == []


def headed(table: dict[str, Any], word: str) -> int:
    """Column of the figure in a table."""
    return next(i for i, h in enumerate(table["headings"]) if h.startswith((word, "常住居民")))


@pytest.mark.parametrize("role", ["officer", "analyst", "auditor"])
def test_rejected_rows_are_closed_to_those_without_the_care_of_data(browser: Browser, role: str) -> None:
    client = browser(role)
    for address in ("/api/runs", "/api/runs/1", "/api/runs/1/rejected", "/api/runs/1/rejected.xlsx"):
        assert client.get(address).status_code == 403


def test_manager_reads_reasons_but_no_content_of_rejected_rows(browser: Browser) -> None:
    manager = browser("manager")
    body = manager.get("/api/runs/1/rejected").text
    assert "id_wrong_check_digit" in body
    assert "11010519491231002Y" not in body
    assert "王五" not in body
    assert manager.get("/api/runs/1/rejected.xlsx").status_code == 403
    steward = browser("steward")
    assert "110105**********2Y" in steward.get("/api/runs/1/rejected").text
    assert "11010519491231002Y" not in steward.get("/api/runs/1/rejected").text
    assert "11010519491231002Y" in steward.get("/api/runs/1/rejected?reveal=true").text
    assert manager.get("/api/runs/1/rejected?reveal=true").status_code == 403
    assert browser("administrator").get("/api/runs/1/rejected.xlsx?reveal=true").status_code == 403


def test_nobody_signed_in_sees_nothing(served: Served, browser: Browser) -> None:
    client = browser()
    for route, verbs in client.get("/api/openapi.json").json()["paths"].items():
        if (
            "get" not in verbs
            or route in ("/health", "/metrics", "/api/city")
            or "basemap" in route
            or "/hall/" in route
            or "/oidc/" in route
        ):
            continue
        address = route
        for name, value in FILLED.items():
            address = address.replace("{" + name + "}", value)
        for part in verbs["get"].get("parameters", []):
            kind = part["schema"].get("format")
            plain_value = {"uuid": str(UUID(int=0)), "date": "2026-11-24"}.get(kind, "1")
            address = address.replace("{" + part["name"] + "}", plain_value)
        address = address.replace("export.csv", "export.geojson") if "layers" in address else address
        address = address.replace("tiles/area/", "tiles/cells/")
        answer = client.get(
            address, params={"q": "西", "lng": "120", "lat": "30", "bbox": "120,30,120.1,30.1"}
        )
        assert answer.status_code == 401, address


def test_a_forged_or_ended_session_is_nobody(served: Served, browser: Browser, owner: Engine) -> None:
    client = browser()
    client.cookies.set("hexward_session", "A" * 43)
    assert client.get("/api/session").status_code == 401
    officer = browser("officer")
    assert officer.get("/api/session").status_code == 200
    with write_session(owner) as session:
        session.execute(text("UPDATE ops.user_session SET expires_at = now() - interval '1 s'"))
    assert officer.get("/api/session").status_code == 401


def test_a_disabled_account_is_out_at_once(browser: Browser, owner: Engine) -> None:
    officer = browser("officer")
    assert officer.get("/api/layers").status_code == 200
    with write_session(owner) as session:
        session.execute(text("""UPDATE ops."user" SET disabled_at = now() WHERE account = 'officer'"""))
    assert officer.get("/api/layers").status_code == 401


def test_a_role_taken_away_is_gone_at_once(browser: Browser, owner: Engine) -> None:
    """The server remembers roles for speed; the memory must not outlive the database's word."""
    manager = browser("manager")
    assert manager.get("/api/runs").status_code == 200
    with write_session(owner) as session:
        session.execute(text("""UPDATE ops."user" SET role = 'officer' WHERE account = 'manager'"""))
    assert manager.get("/api/runs").status_code == 403
    assert manager.get("/api/runs").status_code == 403


# ---- by raw SQL, as the role the server signs in with ----------------------------------------------------------


@pytest.fixture
def app(small_city: SmallCity) -> Iterator[psycopg.Connection]:
    """A connection signed in as hexward_app, as the server holds it."""
    with psycopg.connect(plain(small_city.address("app"))) as connection:
        yield connection


@pytest.fixture
def pub(small_city: SmallCity) -> Iterator[psycopg.Connection]:
    """A connection signed in as hexward_pub_reader."""
    with psycopg.connect(plain(small_city.address("pub_reader"))) as connection:
        yield connection


def become(connection: psycopg.Connection, owner: Engine, city: SmallCity, role: str) -> bytes:
    """Open a session for the account and enter it, as a request does; returns the token's hash."""
    with write_session(owner) as session:
        hashed = signin.token_hash(signin.open_session(session, city.users[role], 1))
    row = connection.execute("SELECT id FROM ops.enter(%s, 3600)", (hashed,)).fetchone()
    assert row == (city.users[role],)
    return hashed


def one(connection: psycopg.Connection, query: str, *params: Any) -> Any:
    """The single value of a query."""
    row = connection.execute(query, params).fetchone()  # type: ignore[call-overload]
    return row[0] if row else None


def refused(connection: psycopg.Connection, statement: str) -> None:
    """The database must say no, for want of rights."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(statement)  # type: ignore[call-overload]


def test_without_a_user_every_protected_table_is_empty(app: psycopg.Connection) -> None:
    for table in REGISTER:
        columns = "id" if table == "person" else "*"
        assert one(app, f"SELECT count({columns}) FROM register.{table}") == 0
    for table in ("place_figures", "unit_figures", "unit_series", "unit_month"):
        assert one(app, f"SELECT count(*) FROM stats.{table}") == 0
    for table in ("import_run", "rejected_row", "rejected_note", "column_mapping"):
        assert one(app, f"SELECT count(*) FROM ops.{table}") == 0


def test_a_forgotten_where_gives_an_officer_the_own_grids_only(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(app, owner, small_city, "officer")
    for table in ("building", "dwelling", "household", "residence", "employment", "employer"):
        grids = {row[0] for row in app.execute(f"SELECT DISTINCT grid_id FROM register.{table}")}
        assert grids <= set(small_city.grids[:2]), table
        assert grids, table
    assert one(app, "SELECT count(id) FROM register.person") == sum(PEOPLE[:2])
    assert one(app, "SELECT sum(residents) FROM stats.place_figures") == sum(PEOPLE[:2])
    kinds = set(app.execute("SELECT unit_kind, unit_id FROM stats.unit_figures").fetchall())
    assert kinds == {("grid", g) for g in small_city.grids[:2]}


def test_a_forgotten_where_gives_a_manager_the_own_district_only(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(app, owner, small_city, "manager")
    assert one(app, "SELECT count(id) FROM register.person") == sum(PEOPLE[:4])
    areas = {row[0] for row in app.execute("SELECT unit_id FROM stats.unit_figures WHERE unit_kind = 'area'")}
    assert areas == {number for code, number in small_city.areas.items() if code.startswith("330101")}
    assert one(app, "SELECT count(*) FROM stats.unit_figures WHERE unit_kind = 'cell'") == 0
    assert one(app, "SELECT count(*) FROM ops.rejected_row") == 0
    assert one(app, "SELECT count(*) FROM ops.import_run") == 1


def test_asking_for_a_foreign_row_by_its_key_gives_nothing(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(app, owner, small_city, "officer")
    foreign = small_city.grids[FOREIGN]
    assert one(app, "SELECT count(*) FROM register.residence WHERE grid_id = %s OR true", foreign) == sum(
        PEOPLE[:2]
    )
    assert (
        one(app, "SELECT residents FROM stats.unit_figures WHERE unit_kind='grid' AND unit_id=%s", foreign)
        is None
    )
    cell = str_to_int(small_city.grid_cells[FOREIGN])
    assert one(app, "SELECT residents FROM stats.place_figures WHERE cell = %s", cell) is None


def test_the_analyst_sees_no_register_row_whatever_the_role(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(app, owner, small_city, "analyst")
    for table in REGISTER:
        assert one(app, f"SELECT count(id) FROM register.{table}") == 0
    assert one(app, "SELECT count(*) FROM stats.unit_figures") == 0
    assert one(app, "SELECT count(*) FROM stats.place_figures") == 0


def test_the_publication_reader_reads_pub_and_nothing_else(
    pub: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(pub, owner, small_city, "analyst")
    assert one(pub, "SELECT count(*) FROM pub.unit_figures") > 0
    readable = pub.execute(
        """SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname !~ '^pg_|^information_schema$|^public$'
             AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')"""
    ).fetchall()
    assert readable
    assert all(name.startswith("pub.") for (name,) in readable)
    for table in (
        "stats.unit_figures",
        "geo.area",
        "register.person",
        "ops.city",
        "audit.event",
        'ops."user"',
    ):
        refused(pub, f"SELECT 1 FROM {table}")


@pytest.mark.parametrize(
    "target", ["hexward_owner", "hexward_stat_builder", "hexward_auditor", "postgres", "none"]
)
def test_the_role_cannot_be_left(app: psycopg.Connection, pub: psycopg.Connection, target: str) -> None:
    for connection in (app, pub):
        connection.rollback()
        connection.execute("RESET ROLE")
        connection.execute("RESET SESSION AUTHORIZATION")
        if target == "none":
            connection.execute("SET ROLE NONE")
            assert one(connection, "SELECT session_user IN ('hexward_app', 'hexward_pub_reader')")
            continue
        with pytest.raises(psycopg.Error), connection.transaction():
            connection.execute(f"SET ROLE {target}")  # type: ignore[call-overload]
        with pytest.raises(psycopg.Error), connection.transaction():
            connection.execute(f"SET SESSION AUTHORIZATION {target}")  # type: ignore[call-overload]


def test_nobody_can_pose_as_somebody_else_by_a_setting(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    """The user's id is no secret; the hash of a session's token is, and both must agree."""
    hashed = become(app, owner, small_city, "officer")
    for victim in ("manager", "steward"):
        app.execute("SELECT set_config('hexward.user_id', %s, true)", (str(small_city.users[victim]),))
        assert one(app, "SELECT ops.my_role()") is None
        assert one(app, "SELECT count(*) FROM stats.place_figures") == 0
    app.execute("SELECT set_config('hexward.session', %s, true)", ("00" * 32,))
    assert one(app, "SELECT ops.my_role()") is None
    app.execute("SELECT set_config('hexward.session', %s, true)", (hashed.hex(),))
    app.execute("SELECT set_config('hexward.user_id', %s, true)", (str(small_city.users["officer"]),))
    assert one(app, "SELECT ops.my_role()") == "officer"
    refused(app, "SELECT token_hash FROM ops.user_session")
    refused(app, """SELECT password_hash FROM ops."user" """)


def test_the_user_is_forgotten_when_the_transaction_ends(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(app, owner, small_city, "officer")
    assert one(app, "SELECT count(*) FROM stats.place_figures") > 0
    app.commit()
    assert one(app, "SELECT ops.my_role()") is None
    assert one(app, "SELECT count(*) FROM stats.place_figures") == 0


def test_the_app_role_can_change_nothing(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(app, owner, small_city, "officer")
    for statement in (
        "UPDATE register.residence SET status = 'floating'",
        "DELETE FROM register.person",
        "INSERT INTO ops.user_territory SELECT ops.my_id(), id, NULL FROM geo.area",
        """UPDATE ops."user" SET role = 'administrator'""",
        "UPDATE stats.unit_figures SET residents = 0",
        "DELETE FROM audit.event",
        "INSERT INTO audit.event (action, hash) VALUES ('x', '')",
        "ALTER TABLE register.person DISABLE ROW LEVEL SECURITY",
        "DROP POLICY register_person_territory ON register.person",
        "CREATE TABLE public.copy AS SELECT 1",
        "CREATE FUNCTION pub.leak() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT audit.write(NULL, 'x', 'officer', 'x', NULL, NULL, NULL, '{}')",
        "SELECT * FROM stats.counted_person",
        "SELECT * FROM stats.counted_move",
    ):
        refused(app, statement)


def test_id_numbers_are_closed_to_the_app_even_in_the_own_grid(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(app, owner, small_city, "officer")
    for column in ("id_number_enc", "id_number_hash", "phone_enc"):
        refused(app, f"SELECT {column} FROM register.person")
    refused(app, "SELECT * FROM register.person")


def test_a_leaking_function_in_the_condition_sees_no_foreign_row(
    app: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    """A condition that fails or tells on certain rows must not be tried on rows that are not one's own."""
    become(app, owner, small_city, "officer")
    told = one(app, "SELECT count(*) FROM register.residence WHERE 1 / (CASE WHEN grid_id = %s THEN 0 ELSE 1 END) = 1",
               small_city.grids[FOREIGN])  # fmt: skip
    assert told == sum(PEOPLE[:2])


def test_the_published_views_do_not_tell_by_error_or_by_missing_rows(
    pub: psycopg.Connection, owner: Engine, small_city: SmallCity
) -> None:
    become(pub, owner, small_city, "analyst")
    cells = one(pub, "SELECT count(*) FROM pub.unit_figures WHERE unit_kind = 'cell' AND resolution = 10")
    assert cells == len(small_city.cells)  # inhabited or not
    small = one(pub, "SELECT count(*) FROM pub.unit_figures WHERE residents < 13 AND NOT structural")
    assert small == 0
    assert one(pub, "SELECT count(*) FROM pub.unit_figures WHERE 1 / (residents - 5) > 2") == 0
    assert one(pub, "SELECT count(*) FROM pub.unit_figures WHERE structural") >= 1
    assert one(pub, "SELECT count(*) FROM pub.unit_figures WHERE unit_kind = 'grid'") == 0


def test_the_migrated_database_leaves_no_protected_table_open(owner: Engine) -> None:
    """Each table with records or exact figures has forced row-level security, or is granted to no reader."""
    with owner.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT n.nspname || '.' || c.relname, c.relrowsecurity AND c.relforcerowsecurity,
                     has_any_column_privilege('hexward_app', c.oid, 'SELECT')
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'p')
                     AND n.nspname IN ('register', 'stats', 'ops', 'audit', 'cases', 'crowd')"""
            )
        ).all()
    public = {
        "stats.state",
        "stats.areal_table",
        "stats.areal_figure",
        "stats.areal_cell",
        "stats.areal_part",
        "ops.city",
    }
    assert len(rows) > 20
    for name, forced, readable in rows:
        assert forced or not readable or name in public, name


def test_policies_are_restrictive_as_well_as_permissive(owner: Engine) -> None:
    with owner.connect() as connection:
        rows = connection.execute(
            text("SELECT schemaname || '.' || tablename, array_agg(permissive) FROM pg_policies GROUP BY 1")
        ).all()
    kinds = dict(rows)  # type: ignore[arg-type]
    assert {"register.person", "stats.place_figures", "stats.unit_figures", "ops.rejected_row"} <= set(kinds)
    for name, permissive in kinds.items():
        assert "RESTRICTIVE" in permissive, name


def test_json_answers_never_name_another_persons_account(browser: Browser) -> None:
    body = json.dumps(browser("officer").get("/api/session").json())
    assert "steward" not in body
    assert "manager" not in body


def test_the_planner_works_out_no_territory(owner: Engine) -> None:
    """A policy names the territory in a sub-query of its own; else planning costs more than the query."""
    quals = "SELECT o.polname, pg_get_expr(o.polqual, o.polrelid) AS qual FROM pg_policy o"
    with owner.connect() as connection:
        rows = connection.execute(text(quals)).all()
    assert sum("unnest(( SELECT ops.my_" in (row.qual or "") for row in rows) >= 10
    assert [row.polname for row in rows if "unnest(ops.my_" in (row.qual or "")] == []

"""The search as an oracle: whether somebody lives elsewhere shows in nothing: count, order, work, plan."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import psycopg
import pytest
from sqlalchemy import Engine, event, text

from api import signin
from db.engine import write_session
from population.register.identity import vault
from tests.server import Browser, Served
from tests.small_city import SmallCity, plain

FOREIGN = ("慕容雪", "13512340987")


@pytest.fixture
def foreigner(owner: Engine, small_city: SmallCity) -> None:
    """Somebody of a name and a number that nobody else has, far from the officer and the manager."""
    sealed = vault().protect_phones(pl.Series([FOREIGN[1]])).to_list()[0]
    with write_session(owner) as session:
        session.execute(
            text(
                """UPDATE register.person SET name = :name, phone_enc = :phone WHERE id =
                   (SELECT person_id FROM register.person_search WHERE grid_id = :grid LIMIT 1)"""
            ),
            {"name": FOREIGN[0], "phone": sealed, "grid": small_city.grids[7]},
        )
        from db.engine import raw_copy
        from population.register import searchable

        searchable.catch_up(raw_copy(session))


PAIRS = [("慕容雪", "慕容雨"), ("murongxue", "murongque"), ("mrx", "mrq"), ("0987", "0986"),
    ("13512340987", "13512340986"),
         ("慕容", "司空"), ("muron", "muren")]  # fmt: skip


def _work(served: Served, client: Any, query: str) -> tuple[Any, list[str]]:
    """The answer to a query, and every statement the server ran for it."""
    ran: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        ran.append(statement)

    event.listen(served.engines.app, "before_cursor_execute", note)
    try:
        answer = client.get("/api/people/search", params={"q": query})
    finally:
        event.remove(served.engines.app, "before_cursor_execute", note)
    assert answer.status_code == 200
    return answer.json(), ran


@pytest.mark.usefixtures("foreigner")
def test_there_and_nowhere_are_the_same(served: Served, browser: Browser) -> None:
    """Answer, number and text of statements are equal for a person elsewhere and for nobody."""
    for role in ("officer", "manager"):
        client = browser(role)
        _work(served, client, "x1")  # the role is remembered from now on
        for there, nowhere in PAIRS:
            answers = [_work(served, client, query) for query in (there, nowhere)]
            assert answers[0] == answers[1], (role, there)
            assert answers[0][0]["results"] == []
    assert browser("steward").get("/api/people/search?q=慕容雪").json()["results"][0]["name"] == "慕容雪"


def test_the_trail_keeps_kind_and_count_but_no_name(browser: Browser, owner: Engine) -> None:
    browser("officer").get("/api/people/search", params={"q": "张1"})
    browser("officer").get("/api/people/search", params={"q": "张"})
    with owner.connect() as conn:
        rows = (
            conn.execute(
                text("SELECT params FROM audit.event WHERE action = 'person_search.view' ORDER BY id")
            )
            .scalars()
            .all()
        )
    assert [(row["kind"], row["hits"] > 0) for row in rows] == [("name", True), ("surname", True)]
    assert "张" not in json.dumps(rows, ensure_ascii=False)
    assert rows[0]["query"] != rows[1]["query"]


def test_roles_without_persons_cannot_search(browser: Browser) -> None:
    for role in ("analyst", "auditor", "administrator"):
        client = browser(role)
        assert client.get("/api/people/search?q=张").status_code == 403
        assert (
            client.post(
                "/api/people/ask", json={"name": "张", "phone": "13800138000", "reason": "核实信息"}
            ).status_code
            == 403
        )
        assert client.get("/api/asks").status_code == 403


@pytest.mark.usefixtures("foreigner")
def test_the_apps_role_cannot_see_past_the_territory_by_sql(small_city: SmallCity, owner: Engine) -> None:
    with write_session(owner) as session:
        hashed = signin.token_hash(signin.open_session(session, small_city.users["officer"], 1))
        foreign = session.execute(
            text("SELECT person_id FROM register.person_search WHERE name = '慕容雪'")
        ).scalar_one()
    with psycopg.connect(plain(small_city.address("app"))) as app:
        assert app.execute("SELECT count(*) FROM register.person_search").fetchone() == (0,)
        assert app.execute("SELECT count(*) FROM register.sealed(ARRAY[%s])", (foreign,)).fetchone() == (0,)
        app.execute("SELECT ops.enter(%s, 3600)", (hashed,))
        grids = {row[0] for row in app.execute("SELECT DISTINCT grid_id FROM register.person_search")}
        assert grids <= set(small_city.grids[:2])
        assert app.execute("SELECT count(*) FROM register.sealed(ARRAY[%s])", (foreign,)).fetchone() == (0,)
        tells = "SELECT count(*) FROM register.person_search WHERE 1 / "
        tells += "(CASE WHEN name = '慕容雪' THEN 0 ELSE 1 END) = 1"
        assert (
            app.execute(tells).fetchone()
            == app.execute("SELECT count(*) FROM register.person_search").fetchone()
        )
        for closed in (
            "SELECT * FROM register.reading", "SELECT * FROM register.search_due",
            "SELECT code_hash FROM register.declaration",
            "SELECT * FROM ops.hall_rate", "SELECT register.search_refresh(ARRAY[gen_random_uuid()])",
            "UPDATE register.declaration SET state = 'confirmed'", "UPDATE register.person_search SET grid_id = 1",
            "INSERT INTO register.person_ask_to VALUES (gen_random_uuid(), gen_random_uuid())",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(closed)
        app.execute("SELECT register.ask_send('phone', NULL, %s, '慕容雪', 'x', 20)", (_phone_key(),))
        assert app.execute("SELECT count(*) FROM register.person_ask_to").fetchone() == (0,)
        assert app.execute("SELECT count(*) FROM register.person_ask").fetchone() == (1,)


def _phone_key() -> int:
    from population.register.searchable import Tails

    return Tails(vault()).of(FOREIGN[1])[1]

"""Every role tries every route. Who may is written in ``matrix.toml``, which a new route cannot pass by."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, text

from tests.server import Browser, Served
from tests.small_city import ROLES

MATRIX = tomllib.loads((Path(__file__).parent / "matrix.toml").read_text("utf-8"))
LAST = "DELETE /api/session"  # it ends the session that the others need


def _routes(client: httpx.Client) -> list[str]:
    paths = client.get("/api/openapi.json").json()["paths"]
    return [f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs]


def _call(client: httpx.Client, route: str, role: str = "") -> httpx.Response:
    verb, path = route.split(" ", 1)
    values = MATRIX["fill"] | MATRIX["fill_of"].get(route, {})
    filled = re.sub(r"\{(\w+)\}", lambda m: str(values[m.group(1)]), path)
    more: dict[str, Any] = {"params": MATRIX["query"].get(route, {})}
    bodies = MATRIX["body"] | MATRIX["body_of"].get(role, {})
    if route in bodies:
        more["json"] = bodies[route]
    if route in MATRIX["file"]:
        more["files"] = {"file": ("x.xlsx", b"PK", "application/octet-stream")}
    return client.request(verb, filled, **more)


def test_every_route_is_in_the_matrix(browser: Browser) -> None:
    routes = set(_routes(browser()))
    missing = sorted(routes - set(MATRIX["routes"]))
    assert not missing, (
        "tests/attacks/access/matrix.toml lacks these routes; add under [routes] a line with the roles that may use "
        'it (or "everybody" for one without sign-in), and under [fill], [query], [body] what the call needs:\n'
        + "\n".join(f'"{route}" = "officer steward"' for route in missing)
    )
    assert sorted(set(MATRIX["routes"]) - routes) == [], "these routes are gone; take their lines out"


def test_every_role_tries_every_route(served: Served, browser: Browser, owner: Engine) -> None:
    wrong = []
    for role in ROLES:
        client = browser(role)
        for route in sorted(_routes(client), key=lambda r: r == LAST):
            may = MATRIX["routes"].get(route, "").split()
            if may == ["everybody"]:
                continue
            status = _call(client, route, role).status_code
            if (status == 403) == (role in may) or status in (401, 500):
                wrong.append(f"{role} {route}: {status}, the matrix says {'yes' if role in may else 'no'}")
    assert not wrong, "\n".join(wrong)
    with owner.connect() as connection:
        refused = connection.execute(
            text("SELECT count(*) FROM audit.event WHERE action = 'refused'")
        ).scalar()
    asked = [r for r, may in MATRIX["routes"].items() if may != "everybody"]
    assert refused is not None
    assert refused >= sum(len(set(ROLES) - set(MATRIX["routes"][r].split())) for r in asked)


def test_nobody_gets_nothing(browser: Browser) -> None:
    client = browser()
    for route in _routes(client):
        if MATRIX["routes"].get(route) != "everybody":
            assert _call(client, route).status_code in ((204,) if route == LAST else (401,)), route

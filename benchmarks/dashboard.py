"""One grid's whole dashboard out of a large city, against a primary-key lookup and against the raw records.

All three go the same way: HTTP on the loopback interface, the running app, the session's cookie, the role and row-level
security of a signed-in person, the audit row, JSON. The dashboard is the app's own route. The lookup reads one row of
``geo.grid`` by its key. The raw one computes the same figures of the grid and of its community, and the grid's 36
months, from persons, residences, households, dwellings, employers and jobs, by index. They are asked in turns, for
the same random grids; a sample is compared figure by figure, and every difference is counted.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session
from starlette.responses import Response

from api.answers import own_json
from api.app import create_app
from api.logs import configure
from api.scope import COOKIE, Access
from api.state import Engines
from benchmarks._raw_figures import EXTRA_INDEXES, figures, series
from benchmarks._register import GRIDS_A_COMMUNITY, build
from db import testing
from db.engine import acting_as, make_engine
from maps.facts import FIGURE_ARRAY
from population.statistics.indicators import FIGURES

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()  # a running server brings its statistics to this day
TOKEN = "a session of the benchmark"


def run(
    people: int = 5_000_000, requests: int = 1_000, raw: int = 150, role: str = "manager", seed: int = 3
) -> dict[str, Any]:
    """``p99_over_primary_key`` and ``x_raw`` (medians; ``x_raw_p99`` for the slowest), with the times in ms.

    ``role``: "officer" (12 grids), "manager" (a district) or "steward" (the whole city).
    """
    with testing.clone("bench") as url:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as conn:
            start = time.perf_counter()
            build(conn, people, TODAY)
            grids = _finish(conn, role)
            built_s = time.perf_counter() - start
        with _serving(url) as port:
            times = _measure(port, grids, requests, raw, seed)
            differences, compared = _compare(
                url, _Client(port), random.Random(seed).sample(grids, min(20, len(grids)))
            )
            return times | {
                "differences": differences, "compared": compared,
                "people": people, "role": role, "grids": len(grids), "build_s": round(built_s, 1),
            }  # fmt: skip


def _finish(conn: psycopg.Connection[Any], role: str) -> list[int]:
    """What the register's benchmark city lacks for the app: legal grids, the city, an account. Its grids."""
    for statement in EXTRA_INDEXES:
        conn.execute(statement)
    conn.execute(
        """INSERT INTO geo.grid (id, code, area_id, name, geom, area_m2, origin)
           SELECT g, lpad(g::text, 15, '0'), 100000 + (g - 1) / %s, 'grid ' || g,
             ST_Multi(ST_MakeEnvelope(121, 31, 121.001, 31.001, 4326)), 10000, 'uploaded'
           FROM (SELECT DISTINCT grid_id AS g FROM register.building) x""",
        (GRIDS_A_COMMUNITY,),
    )
    conn.execute(
        """INSERT INTO ops.city (id, code, name, zone, languages, datum, base_resolution, loaded_at)
           VALUES (1, 'bench', '{"zh": "测", "en": "Bench"}', 'Asia/Shanghai', '{zh-CN,en}', 'WGS84', 10, now())"""
    )
    row = conn.execute(
        "INSERT INTO ops.\"user\" (id, account, name, role) VALUES (gen_random_uuid(), %s, '{}', %s) RETURNING id",
        (role, role),
    ).fetchone()
    assert row is not None
    conn.execute(
        "INSERT INTO ops.user_session (token_hash, user_id, expires_at) VALUES (%s, %s, now() + interval '1 day')",
        (hashlib.sha256(TOKEN.encode()).digest(), row[0]),
    )
    if role == "officer":
        conn.execute(
            "INSERT INTO ops.user_territory (user_id, grid_id) SELECT %s, id FROM geo.grid ORDER BY id LIMIT 12",
            row,
        )
    elif role == "manager":
        conn.execute("INSERT INTO ops.user_territory (user_id, area_id) VALUES (%s, 10)", row)
    conn.commit()
    conn.autocommit = True
    conn.execute("VACUUM ANALYZE geo.grid")
    own = {
        "officer": "SELECT grid_id FROM ops.user_territory",
        "manager": "SELECT g.id FROM geo.grid g JOIN geo.area a ON a.id = g.area_id WHERE 10 = ANY (a.path)",
    }.get(role, "SELECT id FROM geo.grid")
    return sorted(g for (g,) in conn.execute(own))


def _routes(app: FastAPI) -> None:
    """The two ways the dashboard is measured against, on the same app."""
    router = APIRouter(prefix="/api/bench")

    @router.get("/key/{unit_id}")
    def key(request: Request, access: Access, unit_id: int) -> Response:
        with access.audited("dashboard", kind="grid", unit=unit_id, date=None) as opened:
            query = text("SELECT id, code, name, area_m2 FROM geo.grid WHERE id = :id")
            found = opened.session.execute(query, {"id": unit_id}).one()
        return own_json(request, dict(found._mapping))

    @router.get("/raw/{unit_id}")
    def raw(request: Request, access: Access, unit_id: int) -> Response:
        with access.audited("dashboard", kind="grid", unit=unit_id, date=None) as opened:
            community = 100_000 + (unit_id - 1) // GRIDS_A_COMMUNITY
            found = {
                "own": figures(opened.session, "grid_id", unit_id, TODAY),
                "parent": figures(opened.session, "community_id", community, TODAY),
                "series": series(opened.session, "grid_id", unit_id, TODAY),
            }
        return own_json(request, found)

    app.include_router(router)
    app.router.routes.insert(
        0, app.router.routes.pop()
    )  # before the front end, which answers every other address


@contextmanager
def _serving(url: str) -> Iterator[int]:
    address = make_url(url)
    engines = Engines(
        owner=make_engine(address), app=make_engine(acting_as(address, "app")),
        pub_reader=make_engine(acting_as(address, "pub_reader")),
    )  # fmt: skip
    configure("WARNING")
    app = create_app(engines=engines)
    _routes(app)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


class _Client:
    def __init__(self, port: int) -> None:
        self._open = http.client.HTTPConnection("127.0.0.1", port)

    def get(self, path: str) -> tuple[float, Any]:
        """Seconds until the whole answer was read, and the answer."""
        start = time.perf_counter()
        self._open.request("GET", path, headers={"Cookie": f"{COOKIE}={TOKEN}"})
        answer = self._open.getresponse()
        body = answer.read()
        took = time.perf_counter() - start
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return took, json.loads(body)


def _measure(port: int, grids: list[int], requests: int, raw: int, seed: int) -> dict[str, Any]:
    client, chance = _Client(port), random.Random(seed)
    paths = {"key": "/api/bench/key/{}", "dashboard": "/api/dashboards/grid/{}", "raw": "/api/bench/raw/{}"}
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(40):
        for path in paths.values():
            client.get(path.format(chance.choice(grids)))
    for number in range(requests):
        grid = chance.choice(grids)
        for name, path in paths.items():
            if name == "raw" and number % max(requests // raw, 1):
                continue
            times[name].append(client.get(path.format(grid))[0] * 1e3)
    middle = {name: float(np.median(t)) for name, t in times.items()}
    slowest = {name: float(np.percentile(t, 99)) for name, t in times.items()}
    return {
        "p99_over_primary_key": round(slowest["dashboard"] / slowest["key"], 2),
        "x_raw": round(middle["raw"] / middle["dashboard"], 2),
        "x_raw_p99": round(slowest["raw"] / slowest["dashboard"], 2),
        "p50_ms": {name: round(v, 2) for name, v in middle.items()},
        "p99_ms": {name: round(v, 2) for name, v in slowest.items()},
        "requests": {name: len(t) for name, t in times.items()},
    }


def _compare(url: str, client: _Client, grids: list[int]) -> tuple[int, int]:
    """Figures of the raw records that differ from the kept ones, and how many were compared.

    The raw ones are read by the owner: within a territory a job elsewhere is not to be seen, though its holder is.
    """
    differences = compared = 0
    engine = make_engine(url, pool_size=1)
    kept_row = text(
        f"SELECT {FIGURE_ARRAY} FROM stats.unit_figures WHERE unit_kind = 'grid' AND unit_id = :id"
    )
    for grid in grids:
        with Session(engine) as session:
            raw = figures(session, "grid_id", grid, TODAY)
            above = figures(session, "community_id", 100_000 + (grid - 1) // GRIDS_A_COMMUNITY, TODAY)
            months = {f"{m['month']:%Y-%m}": m for m in series(session, "grid_id", grid, TODAY)}
            kept = dict(zip(FIGURES, session.execute(kept_row, {"id": grid}).scalar_one(), strict=True))
        _, board = client.get(f"/api/dashboards/grid/{grid}")
        pairs = [(kept[name], raw.get(name, 0)) for name in FIGURES]
        shown = board["series"]
        for name in ("residents", "floating", "jobs"):
            pairs += [
                (v, months[m][name]) for m, v in zip(shown["months"], shown[name], strict=True) if m in months
            ]
        first = next(f for f in board["key_figures"] if f["id"] == "residents")
        pairs += [(first["value"], raw["residents"]), (first["parent_value"], above["residents"])]
        compared += len(pairs)
        differences += sum(float(a) != float(b) for a, b in pairs)
    engine.dispose()
    return differences, compared

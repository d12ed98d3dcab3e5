"""Search for people: server time by kind of query for an officer, a manager and a steward, and how good it is.

A city is made in a database of its own, its people are given Chinese names as the demo city has them (so that common
names are as common as in a real city), and everything is asked as each role through row-level security. Quality:
names with one slip (a letter of pinyin wrong, missing or swapped; a character of the same or a similar sound, wrong,
missing or swapped) drawn from people of the territory; ``recall_at_5``: the share found among the first five hits.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg
from sqlalchemy import Engine, make_url, text

from api import signin
from benchmarks._register import build
from db import testing
from db.copy import copy_frame
from db.engine import make_engine, read_session, write_session
from demo.words import lists
from population.register import search, searchable
from population.register.identity import vault
from population.register.names import reading

Connection = psycopg.Connection[Any]
TODAY = date(2026, 11, 24)
SLIPS = "abcdefghijklmnopqrstuvwxyz"


def run(people: int = 1_000_000, queries: int = 40, seed: int = 7) -> dict[str, Any]:
    """Milliseconds (p50, p99) by role and kind of query, and ``recall_at_5`` by kind of slip."""
    chance = random.Random(seed)
    with testing.clone("bench") as url:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as conn:
            build(conn, people)
            _name(conn, people, seed)
            started = time.perf_counter()
            found = searchable.fill(conn)
            conn.commit()
            fill_s = time.perf_counter() - started
            conn.autocommit = True
            conn.execute("VACUUM ANALYZE register.person_search")
            size = conn.execute("SELECT pg_total_relation_size('register.person_search')").fetchone() or (0,)
        engine = make_engine(url, pool_size=1)
        hashes = _accounts(engine)
        report: dict[str, Any] = {}
        recall: dict[str, Any] = {}
        for role, hashed in hashes.items():
            with _asking(_as_app(url), hashed) as asking:
                report[role], recall[role] = _measure(asking, engine, role, queries, chance)
        engine.dispose()
    worst = max(kind["p99_ms"] for kinds in report.values() for kind in kinds.values())
    return {"p99_ms": worst, "people": people, "found": found, "fill_s": round(fill_s, 1), "megabytes": size[0] >> 20,
            "by_role": report, "recall_at_5": recall}  # fmt: skip


def _as_app(url: str) -> str:
    from db import cluster
    from db.settings import DbSettings

    running = cluster.ensure(DbSettings())
    role = "hexward_app"
    return (
        make_url(url)
        .set(username=role, password=running.passwords[role])
        .render_as_string(hide_password=False)
    )


def _name(conn: Connection, people: int, seed: int) -> None:
    """Names by their shares, telephone numbers, doors and addresses."""
    numbers = np.random.default_rng(seed)
    words = lists()["people"]
    shares = [
        (word.rstrip("0123456789"), int("".join(c for c in word if c.isdigit())))
        for word in words["surnames"].split()
    ]
    surnames = np.array([name for name, _ in shares])
    given = np.array(
        sorted({one for key, said in words.items() if key != "surnames" for one in said.split()})
    )
    weight = np.array([share for _, share in shares], dtype=float)
    first = surnames[numbers.choice(len(surnames), people, p=weight / weight.sum())]
    # a third bears one of the usual given names, the others two characters drawn from them
    letters = np.array(sorted({char for one in given for char in one}))
    free = np.char.add(
        letters[numbers.integers(0, len(letters), people)], letters[numbers.integers(0, len(letters), people)]
    )
    second = np.where(numbers.random(people) < 0.35, given[numbers.integers(0, len(given), people)], free)
    phones = pl.Series(13_000_000_000 + numbers.integers(0, 7_000_000_000, people)).cast(pl.String)
    frame = pl.DataFrame(
        {
            "n": np.arange(1, people + 1),
            "name": np.char.add(first, second),
            "phone": vault().protect_phones(phones),
        }
    )
    conn.execute("CREATE TEMP TABLE called (n bigint, name text, phone bytea)")
    copy_frame(conn, "called", frame)
    conn.execute("SET hexward.bulk = 'on'")
    conn.execute("ALTER TABLE register.person DISABLE TRIGGER USER")
    conn.execute(
        "UPDATE register.person p SET name = c.name, phone_enc = c.phone FROM called c WHERE p.key = 'p' || c.n"
    )
    conn.execute("ALTER TABLE register.person ENABLE TRIGGER USER")
    conn.execute("ALTER TABLE register.dwelling DISABLE TRIGGER USER")
    conn.execute(
        "UPDATE register.dwelling SET unit = 1 + id % 40 / 20, room = 101 + id % 20 / 2 * 100 + id % 2"
    )
    conn.execute("ALTER TABLE register.dwelling ENABLE TRIGGER USER")
    conn.execute("ALTER TABLE register.building DISABLE TRIGGER USER")
    conn.execute(
        "UPDATE register.building SET"
        " name = (ARRAY['锦绣','桂苑','江景','翠湖','阳光','金色','书香','碧水'])[1 + id % 8]"
        " || (ARRAY['花园','家园','小区','名邸'])[1 + id / 8 % 4] || 1 + id % 30 || '号楼',"
        " address = (ARRAY['解放','建设','文昌','胜利','和平','新华','长江'])[1 + id / 32 % 7]"
        " || '路' || id % 900 || '号'"
    )
    conn.execute("ALTER TABLE register.building ENABLE TRIGGER USER")
    conn.execute("SET hexward.bulk = 'off'")
    conn.commit()


def _accounts(engine: Engine) -> dict[str, bytes]:
    """An officer with four grids, a manager of the first district, a steward; the hashes of their sessions."""
    made = {}
    with write_session(engine) as session:
        session.execute(text("INSERT INTO ops.city (code, name, zone, languages, datum, base_resolution) VALUES"
                             " ('bench', '{}', 'Asia/Shanghai', '{en}', 'WGS84', 10)"))  # fmt: skip
        session.execute(
            text(
                "INSERT INTO geo.grid (id, code, area_id, name, geom, area_m2, origin) OVERRIDING SYSTEM VALUE"
                " SELECT n, 'g' || n, 100000, 'g', ST_Multi(ST_MakeEnvelope(121, 31, 121.1, 31.1, 4326)), 1, 'uploaded'"
                " FROM generate_series(1, 4) n"
            )
        )
        for role in ("officer", "manager", "steward"):
            who = uuid.uuid4()
            session.execute(
                text("""INSERT INTO ops."user" (id, account, name, role, password_hash)
                        VALUES (:id, :role, '{}', :role, 'x')"""),
                {"id": who, "role": role},
            )
            grids, area = (
                ([1, 2, 3, 4], None) if role == "officer" else ([], 10 if role == "manager" else None)
            )
            for grid in grids:
                session.execute(
                    text("INSERT INTO ops.user_territory VALUES (:u, NULL, :g)"), {"u": who, "g": grid}
                )
            if area:
                session.execute(
                    text("INSERT INTO ops.user_territory VALUES (:u, :a, NULL)"), {"u": who, "a": area}
                )
            made[role] = signin.token_hash(signin.open_session(session, who, 12))
    return made


@contextmanager
def _asking(address: str, hashed: bytes) -> Iterator[Any]:
    engine = make_engine(address, pool_size=1)

    def ask(query: str) -> tuple[float, search.Found]:
        started = time.perf_counter()
        with read_session(engine) as session:
            session.execute(text("SELECT * FROM ops.enter(:hash, 36000)"), {"hash": hashed})
            found = search.search(session, query, 20, TODAY)
        return (time.perf_counter() - started) * 1000, found

    yield ask
    engine.dispose()


def _measure(
    ask: Any, engine: Engine, role: str, queries: int, chance: random.Random
) -> tuple[dict[str, Any], dict[str, float]]:
    where = {"officer": "s.grid_id BETWEEN 1 AND 4", "manager": "s.community_id < 100100", "steward": "true"}[
        role
    ]
    with read_session(engine) as session:
        rows = session.execute(
            text(
                f"""SELECT s.person_id, s.name, p.phone_enc, b.name AS building, b.address, d.unit, d.room
                    FROM register.person_search s JOIN register.person p ON p.id = s.person_id
                    JOIN register.building b ON b.id = s.building_id JOIN register.dwelling d ON d.id = s.dwelling_id
                    WHERE {where} AND s.folded <> '' AND hashtext(s.person_id::text) % 20 = 0 LIMIT 40000"""
            )
        ).all()
    drawn = [chance.choice(rows) for _ in range(queries)]
    kinds: dict[str, list[str]] = {
        "name": [one.name for one in drawn],
        "surname": [one.name[0] for one in drawn],
        "pinyin": [_read(one.name) for one in drawn],
        "beginning of pinyin": [_read(one.name)[:5] for one in drawn],
        "initials": ["".join(reading(char)[0] for char in one.name) for one in drawn],
        "name with a slip": [_slipped(one.name, chance) for one in drawn],
        "pinyin with a slip": [_mistyped(_read(one.name), chance) for one in drawn],
        "name of nobody": [
            chance.choice("魑魅魍魉饕餮") + chance.choice("鼙鼹鼷鼯") + chance.choice("龠龢龘") for _ in drawn
        ],
        "telephone tail": [_phone(one)[-4:] for one in drawn],
        "telephone": [_phone(one) for one in drawn],
        "address": [f"{one.building}{one.unit}单元{one.room}" for one in drawn],
        "door only": [f"{one.building.rstrip('号楼')[4:]}-{one.unit}-{one.room}" for one in drawn],
        "street": [one.address for one in drawn],
        "name and tail": [f"{one.name} {_phone(one)[-4:]}" for one in drawn],
        "name and estate": [f"{one.name} {one.building[:4]}" for one in drawn],
    }
    for asked in kinds.values():
        ask(asked[0])
    times = {}
    for kind, asked in kinds.items():
        took = [ask(query)[0] for query in asked]
        times[kind] = {
            "p50_ms": round(float(np.median(took)), 1),
            "p99_ms": round(float(np.percentile(took, 99)), 1),
        }
    recall = {}
    for kind in ("name with a slip", "pinyin with a slip", "pinyin", "name"):
        hits = [
            any(hit["id"] == str(one.person_id) or hit["name"] == one.name for hit in ask(query)[1].hits[:5])
            for one, query in zip(drawn, kinds[kind], strict=True)
        ]
        recall[kind] = round(sum(hits) / len(hits), 3)
    return times, recall


def _phone(one: Any) -> str:
    return str(vault().reveal(pl.Series([one.phone_enc], dtype=pl.Binary)).to_list()[0])


def _read(name: str) -> str:
    return "".join(reading(char) for char in name)


def _mistyped(letters: str, chance: random.Random) -> str:
    """One letter wrong, missing, too many or swapped with the next."""
    at = chance.randrange(1, len(letters) - 1)
    kind = chance.choice(("wrong", "missing", "more", "swapped"))
    if kind == "wrong":
        return letters[:at] + chance.choice(SLIPS) + letters[at + 1 :]
    if kind == "missing":
        return letters[:at] + letters[at + 1 :]
    if kind == "more":
        return letters[:at] + letters[at] + letters[at:]
    return letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :]


def _slipped(name: str, chance: random.Random) -> str:
    """One character by another of the same sound; in names of three, also any other, missing or swapped."""
    at = chance.randrange(len(name))
    kind = chance.choice(("sound", "wrong", "missing", "swapped") if len(name) > 2 else ("sound",))
    if kind == "sound":
        return name[:at] + chance.choice(_alike(reading(name[at]))) + name[at + 1 :]
    if kind == "wrong":
        return name[:at] + chance.choice("天地玄黄宇宙洪荒日月") + name[at + 1 :]
    if kind == "missing":
        return name[:at] + name[at + 1 :]
    at = min(at, len(name) - 2)
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def _alike(sound: str) -> str:
    return "".join(chr(code) for code in range(0x4E00, 0x9FA6) if reading(chr(code)) == sound)[:8] or "一"

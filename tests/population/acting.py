"""Doing acts in a small register as the database's own role of the app, under row-level security."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

Conn = psycopg.Connection[Any]


class Person:
    """An account with a territory, who acts through the app's role within the caller's transaction."""

    def __init__(self, conn: Conn, role: str, areas: list[int], grids: list[int]) -> None:
        self.conn, self.hash, self.id = conn, secrets.token_bytes(32), uuid.uuid4()
        conn.execute(
            """INSERT INTO ops."user" (id, account, name, role, password_hash) VALUES (%s, %s, '{}', %s, 'x')""",
            (self.id, f"{role} {self.id}", role),
        )
        conn.execute(
            "INSERT INTO ops.user_session (token_hash, user_id, expires_at) VALUES (%s, %s, now() + interval '1 day')",
            (self.hash, self.id),
        )
        for area in areas:
            conn.execute("INSERT INTO ops.user_territory (user_id, area_id) VALUES (%s, %s)", (self.id, area))
        for grid in grids:
            conn.execute("INSERT INTO ops.user_territory (user_id, grid_id) VALUES (%s, %s)", (self.id, grid))

    def does(self, kind: str, **values: Any) -> dict[str, Any]:
        """Do one act; a refusal leaves nothing behind."""
        with self.conn.transaction():
            self.conn.execute("SET LOCAL ROLE hexward_app")
            self.conn.execute("SELECT ops.enter(%s, 3600)", (self.hash,))
            row = self.conn.execute(
                f"SELECT register.act_{kind}('duty', %s)", (Jsonb(values, dumps=_plain),)
            ).fetchone()
            self.conn.execute("RESET ROLE")
        assert row is not None
        return dict(row[0])

    def asks(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query as this person."""
        with self.conn.transaction():
            self.conn.execute("SET LOCAL ROLE hexward_app")
            self.conn.execute("SELECT ops.enter(%s, 3600)", (self.hash,))
            rows = self.conn.execute(query, values).fetchall()
            self.conn.execute("RESET ROLE")
        return rows


def _plain(value: Any) -> str:
    import json

    return json.dumps(value, default=str, ensure_ascii=False)


def refusal(error: psycopg.Error) -> str:
    """The code of a refused act."""
    return str(error.diag.message_primary) if error.sqlstate == "HX409" else str(error.sqlstate)

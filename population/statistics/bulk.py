"""Counting switched off while many rows go in; a rebuild counts them afterwards.

Empty tables are better filled through ``db.bulk``, which takes the triggers off altogether: a trigger that merely
stands aside still makes PostgreSQL keep a copy of every row for its transition tables.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

ONE_WRITER: Final = 482020
"""Advisory lock of whoever changes what is counted; the triggers take it before any row is locked."""


def one_writer(conn: psycopg.Connection[Any]) -> None:
    """Wait to be the one writer of figures, until the transaction ends.

    A transaction that locks rows of the register itself (SELECT ... FOR UPDATE) before it writes takes this first;
    then no two writers can wait for each other.
    """
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (ONE_WRITER,))


@contextmanager
def counting_off(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Run the block without counting. The caller sees to the rebuild (``rebuild.rebuild``) that must follow."""
    one_writer(conn)
    conn.execute("SET LOCAL hexward.bulk = 'on'")
    yield
    conn.execute("SET LOCAL hexward.bulk = 'off'")

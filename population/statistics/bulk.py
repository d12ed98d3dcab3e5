"""Counting switched off while many rows go in; the rebuild counts them afterwards, in the same transaction."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from db.copy import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    """Run the block without counting. The caller rebuilds (``rebuild.rebuild``) before the transaction commits."""
    one_writer(conn)
    conn.execute("SET LOCAL hexward.bulk = 'on'")
    yield
    conn.execute("SET LOCAL hexward.bulk = 'off'")


@contextmanager
def without_triggers(conn: psycopg.Connection[Any], tables: Sequence[str]) -> Iterator[None]:
    """Run the block with the counting triggers taken off ``tables`` (``schema.table``).

    A disabled trigger still makes PostgreSQL keep a copy of every changed row for its transition tables; a dropped one
    does not. Takes an ACCESS EXCLUSIVE lock, so it is for tables that nobody reads yet.
    """
    names = [quoted(table) for table in tables]
    found = conn.execute(
        "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgname LIKE 'c\\_count\\_%%' AND tgrelid = ANY (%s::regclass[])",
        (names,),
    ).fetchall()
    for table, name, _ in found:
        conn.execute(f'DROP TRIGGER "{name}" ON {table}')
    yield
    for _, _, definition in found:
        conn.execute(definition)

"""Fill an empty table fast: its indexes, keys and triggers step aside and come back when the rows are in.

All of it happens in the caller's transaction. A load that dies half-way leaves the empty table with everything on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db.copy import quoted

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(c.oid), contype
from pg_constraint c
where contype in ('p', 'u', 'x', 'f') and conparentid = 0
  and (conrelid = any(%(tables)s::regclass[]) or confrelid = any(%(tables)s::regclass[]))
order by contype = 'f', conname
"""
_INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
from pg_index i
where indrelid = any(%(tables)s::regclass[])
  and not exists (select from pg_constraint c where c.conindid = i.indexrelid and contype in ('p', 'u', 'x'))
order by 1
"""
# Dropped, not disabled: the rows for a disabled trigger's transition table would be kept all the same.
_TRIGGERS = """
select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text
from pg_trigger where tgrelid = any(%(tables)s::regclass[]) and not tgisinternal order by tgname
"""
_MORE_MEMORY = """
select set_config('maintenance_work_mem', '512MB', true) from pg_settings
where name = 'maintenance_work_mem' and setting::bigint < 512 * 1024
"""
_ENABLED = {"D": "disable", "A": "enable always", "R": "enable replica"}


@dataclass(frozen=True)
class SetAside:
    """What was taken off the tables, as the statements that put it back."""

    tables: tuple[str, ...]
    statements: tuple[str, ...]


def is_empty(conn: Connection, table: str) -> bool:
    """Whether ``table`` (``schema.table``) holds no row that this transaction sees."""
    row = conn.execute(f"select exists (select from {quoted(table)})").fetchone()
    return not (row and row[0])


@contextmanager
def bulk(conn: Connection, tables: Sequence[str]) -> Iterator[bool]:
    """Run the block with ``tables`` bare if all of them are empty; yields whether they are.

    Bare means: no index, primary, unique or foreign key, no user trigger, a fresh file. Afterwards all are made again
    with ``maintenance_work_mem`` at 512 MB or more and the tables are analysed. Tables that hold rows are left as they
    are and the block runs with everything in place.
    """
    if not all(is_empty(conn, table) for table in tables):
        yield False
        return
    aside = set_aside(conn, tables)
    yield True
    restore(conn, aside)


def set_aside(conn: Connection, tables: Sequence[str]) -> SetAside:
    """Take keys, indexes and triggers off ``tables``; returns what ``restore`` needs."""
    names = [quoted(table) for table in tables]
    constraints = conn.execute(_CONSTRAINTS, {"tables": names}).fetchall()
    for table, name, _, _ in sorted(constraints, key=lambda row: row[3] != "f"):
        conn.execute(f'alter table {table} drop constraint "{name}"')
    indexes = conn.execute(_INDEXES, {"tables": names}).fetchall()
    for name, _ in indexes:
        conn.execute(f"drop index {name}")
    triggers = conn.execute(_TRIGGERS, {"tables": names}).fetchall()
    for table, name, _, _ in triggers:
        conn.execute(f'drop trigger "{name}" on {table}')
    if names:
        conn.execute(
            f"truncate {', '.join(names)}"
        )  # a fresh file: written without log where the server allows it
    again = [
        f'alter table {table} add constraint "{name}" {text}'
        for table, name, text, kind in constraints
        if kind != "f"
    ]
    again += [text for _, text in indexes]
    again += [
        f'alter table {table} add constraint "{name}" {text}'
        for table, name, text, kind in constraints
        if kind == "f"
    ]
    for table, name, text, enabled in triggers:
        again.append(text)
        if enabled != "O":
            again.append(f'alter table {table} {_ENABLED[enabled]} trigger "{name}"')
    return SetAside(tuple(tables), tuple(again))


def restore(conn: Connection, aside: SetAside) -> None:
    """Put back what ``set_aside`` took off, and analyse the tables."""
    before = conn.execute("select current_setting('maintenance_work_mem')").fetchone()
    conn.execute(_MORE_MEMORY)
    for statement in aside.statements:
        conn.execute(statement)
    if before:
        conn.execute("select set_config('maintenance_work_mem', %s, true)", (before[0],))
    for table in aside.tables:
        conn.execute(f"analyze {quoted(table)}")

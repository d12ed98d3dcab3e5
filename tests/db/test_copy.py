"""The binary COPY encoder against what PostgreSQL itself reads back."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from db.bulk import bulk
from db.copy import CopyTypeError, copy_frame, quoted

COLUMNS = {
    "small": ("smallint", pl.Int64, st.integers(-(2**15), 2**15 - 1)),
    "whole": ("integer", pl.Int64, st.integers(-(2**31), 2**31 - 1)),
    "big": ("bigint", pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "short": ("real", pl.Float32, st.floats(width=32, allow_nan=False)),
    "long": ("double precision", pl.Float64, st.floats(allow_nan=False)),
    "yes": ("boolean", pl.Boolean, st.booleans()),
    "day": ("date", pl.Date, st.dates(date(1800, 1, 1), date(2200, 1, 1))),
    "moment": (
        "timestamptz",
        pl.Datetime("us", "UTC"),
        st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    ),
    "words": ("text", pl.String, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    "raw": ("bytea", pl.Binary, st.binary(max_size=40)),
    "amount": ("numeric(16,6)", pl.Float64, st.integers(-(10**9), 10**9).map(lambda n: n / 64)),
}
ROW = st.fixed_dictionaries({name: st.none() | values for name, (_, _, values) in COLUMNS.items()})


def plain(url):
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def connection(template_db):
    from db import testing

    url = testing.create_clone(template_db, "copy")
    with psycopg.connect(plain(url)) as conn:
        conn.execute("set time zone 'UTC'")
        conn.execute(f"create temp table t (n int, {', '.join(f'{k} {v[0]}' for k, v in COLUMNS.items())})")
        conn.commit()
        yield conn
    testing.drop(url)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(ROW, max_size=12), chunk=st.integers(1, 5))
def test_what_is_written_is_what_the_server_reads(connection, rows, chunk):
    frame = pl.DataFrame(
        {
            name: pl.Series(name, [row[name] for row in rows], dtype=kind)
            for name, (_, kind, _) in COLUMNS.items()
        }
    ).with_row_index("n")
    connection.execute("truncate t")
    assert copy_frame(connection, "t", frame, chunk) == len(rows)
    stored = connection.execute(
        f"select {', '.join(COLUMNS).replace('short', 'short::float8')} from t order by n"
    ).fetchall()
    expected = [
        tuple(
            Decimal(value) if name == "amount" and value is not None else value
            for name, value in ((name, row[name]) for name in COLUMNS)
        )
        for row in rows
    ]
    assert [tuple(row) for row in stored] == expected
    connection.rollback()


def test_identifiers_arrays_json_and_unsigned_cells(connection):
    connection.execute("create temp table u (id uuid, mine uuid, counts int[], doc jsonb, cell bigint)")
    ids = [uuid.uuid4(), uuid.uuid4()]
    frame = pl.DataFrame(
        {
            "id": [one.bytes for one in ids],
            "mine": [str(one) for one in ids],
            "counts": [[1, 2, -3], None],
            "doc": ['{"a": 1}', None],
            "cell": pl.Series([0x8A2A1072B59FFFF, 2**63 + 5], dtype=pl.UInt64),
        }
    )
    copy_frame(connection, "u", frame)
    assert connection.execute("select * from u order by cell desc").fetchall() == [
        (ids[0], ids[0], [1, 2, -3], {"a": 1}, 0x8A2A1072B59FFFF),
        (ids[1], ids[1], None, None, 5 - 2**63),
    ]
    connection.rollback()


@pytest.mark.parametrize(
    ("series", "kind"),
    [
        (pl.Series([70_000]), "smallint"),
        (pl.Series(["no"]), "date"),
        (pl.Series(["abc"]), "uuid"),
        (pl.Series([1]), "point"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(connection, series, kind):
    connection.execute(f"create temp table v (x {kind})")
    with pytest.raises(CopyTypeError) as caught:
        copy_frame(connection, "v", pl.DataFrame({"x": series}))
    connection.rollback()
    assert caught.value.params["column"] == "x"
    with pytest.raises(CopyTypeError):
        copy_frame(connection, "t", pl.DataFrame({"missing": [1]}))
    connection.rollback()


def test_only_plain_names_become_statements():
    with pytest.raises(ValueError, match="drop"):
        quoted("a; drop table b")


def _shape(conn):
    return (
        conn.execute(
            "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
            " where conrelid in ('parent'::regclass, 'child'::regclass) order by 1, 2"
        ).fetchall()
        + conn.execute(
            "select tablename, indexname, indexdef from pg_indexes where tablename in ('parent', 'child') order by 1, 2"
        ).fetchall()
    )


def test_bulk_takes_everything_off_an_empty_table_and_puts_it_back(connection):
    connection.execute(
        "create table parent (id int primary key, name text unique, n int check (n > 0));"
        "create table child (id int primary key, parent_id int references parent, at date);"
        "create index child_at on child (at) where at is not null;"
        "create function stop() returns trigger language plpgsql as 'begin raise exception ''fired''; end';"
        "create trigger t before insert on child for each row execute function stop()"
    )
    before = _shape(connection)
    with bulk(connection, ["parent", "child"]) as bare:
        assert bare
        assert {row[1] for row in _shape(connection)} == {"parent_n_check"}
        copy_frame(connection, "child", pl.DataFrame({"id": [1], "parent_id": [1], "at": [date(2026, 1, 1)]}))
        copy_frame(connection, "parent", pl.DataFrame({"id": [1], "name": ["a"], "n": [1]}))
    assert _shape(connection) == before
    with bulk(connection, ["parent", "child"]) as bare:
        assert not bare
        assert _shape(connection) == before
        with pytest.raises(psycopg.errors.RaiseException, match="fired"), connection.transaction():
            copy_frame(connection, "child", pl.DataFrame({"id": [2], "parent_id": [1]}))
    connection.rollback()


def test_bulk_refuses_what_the_keys_refuse(connection):
    connection.execute("create table lone (id int primary key)")
    with pytest.raises(psycopg.errors.UniqueViolation), bulk(connection, ["lone"]):
        copy_frame(connection, "lone", pl.DataFrame({"id": [1, 1]}))
    connection.rollback()

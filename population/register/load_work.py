"""Employment and schooling: episodes of persons who are in the register."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from db.bulk import bulk, is_empty
from db.copy import copy_frame
from population.register.load_places import ALWAYS
from population.register.merge import (
    CONFIRMED,
    ROWS_BY_TRIGGER,
    LoadResult,
    city_day,
    confirm_again,
    confirmed,
    count_later,
    refuse,
)

if TYPE_CHECKING:
    import psycopg

    from intake.city import Source
    from intake.pipeline import Batch

    Connection = psycopg.Connection[Any]

_JOBS: Final = """
drop table if exists pg_temp.staged_episode;
create temp table staged_episode (__line bigint, person_key text, employer_key text, occupation text, insured boolean,
  "from" date, "to" date, confirmed_on date, confirmed_source text, person_id uuid, employer_id bigint) on commit drop
"""
_SCHOOLS: Final = """
drop table if exists pg_temp.staged_episode;
create temp table staged_episode (__line bigint, person_key text, school text, stage text, "from" date, "to" date,
  confirmed_on date, confirmed_source text, person_id uuid) on commit drop
"""
_SAME_JOB: Final = (
    "e.person_id = s.person_id and e.employer_id = s.employer_id"
    ' and e.valid_from = s."from" and e.superseded_at is null'
)
_SAME_SCHOOL: Final = (
    "e.person_id = s.person_id and e.school = s.school"
    ' and e.valid_from = s."from" and e.superseded_at is null'
)
_NOT_OLDER: Final = "(e.confirmed_on is null or e.confirmed_on <= s.confirmed_on)"
_NEW_JOB: Final = f"not exists (select from register.employment e where {_SAME_JOB})"
_JOB_DIFFERS: Final = (
    f"({_NOT_OLDER} and row(e.occupation, e.insured, e.valid_to)"
    ' is distinct from row(s.occupation, s.insured, s."to"))'
)
_SCHOOL_DIFFERS: Final = f'({_NOT_OLDER} and row(e.stage, e.valid_to) is distinct from row(s.stage, s."to"))'

# The last three columns are what the triggers would say (migration 0004); where they are at work they say it again.
_INSERT_JOBS: Final = f"""
insert into register.employment (person_id, employer_id, cell, community_id, grid_id, occupation, insured, valid_from,
  valid_to, confirmed_on, confirmed_source, run_id, ended, changes_on, counted)
select s.person_id, s.employer_id, b.cell, b.community_id, b.grid_id, s.occupation, s.insured, s."from", s."to",
  s.confirmed_on, s.confirmed_source, %(run)s, x.ended, stats.next_change(s."from", x.ended, d.as_of),
  case when stats.holds(s."from", x.ended, d.as_of)
       then 1 + 2 * s.insured::integer + 4 * stats.section(b.industry) else 0 end
from staged_episode s join register.employer b on b.id = s.employer_id join register.person p on p.id = s.person_id
cross join stats.state d cross join lateral (select least(s."to", p.valid_to, b.valid_to) as ended) x
where {_NEW_JOB}
order by b.cell
"""
_INSERT_SCHOOLS: Final = f"""
insert into register.schooling (person_id, school, stage, valid_from, valid_to, confirmed_on, confirmed_source, run_id,
  changes_on, counted)
select s.person_id, s.school, s.stage, s."from", s."to", s.confirmed_on, s.confirmed_source, %(run)s,
  stats.next_change(s."from", s."to", d.as_of),
  stats.holds(s."from", s."to", d.as_of)::integer
from staged_episode s cross join stats.state d
where not exists (select from register.schooling e where {_SAME_SCHOOL})
"""


def load_employment(conn: Connection, source: Source, batches: Iterable[Batch], run_id: int) -> LoadResult:
    """Episodes of work by person, employer and beginning; each takes its employer's place.

    A row whose person or employer is unknown is refused. A job that is known from its employer, but ends or is insured
    otherwise now, supersedes what was known.
    """
    result = LoadResult()
    conn.execute(_JOBS)
    columns = ("__line", "person_key", "employer_key", "occupation", "insured", "from", "to", *CONFIRMED)
    who = confirmed(source, city_day(conn))
    for batch in batches:
        rows = batch.accepted.with_columns(
            pl.col("from").fill_null(ALWAYS), pl.col("insured").fill_null(False), *who
        )
        copy_frame(conn, "staged_episode", rows.select(columns))
    _resolve(conn, "person", "person_key", "persons", result)
    _resolve(conn, "employer", "employer_key", "employers", result)
    _refuse_repeated(conn, ("person_id", "employer_id", '"from"'), result)
    empty = is_empty(conn, "register.employment")
    if (
        not empty
        and _count(conn, f"select count(*) from staged_episode s where {_NEW_JOB}") > ROWS_BY_TRIGGER
    ):
        result.rebuild = count_later(conn)
    with bulk(conn, ["register.employment"] if empty else []):
        result.unchanged = _count(
            conn, f"select count(*) from staged_episode s join register.employment e on {_SAME_JOB}"
            f" where not {_JOB_DIFFERS}"
        )  # fmt: skip
        result.updated = conn.execute(
            "update register.employment e set superseded_at = greatest(now(), e.recorded_at) from staged_episode s"
            f" where {_SAME_JOB} and {_JOB_DIFFERS}"
        ).rowcount
        if not empty:
            confirm_again(conn, "register.employment", "staged_episode", _SAME_JOB.replace("e.", "t."))
        written = conn.execute(_INSERT_JOBS, {"run": run_id}).rowcount
    return _done(conn, result, written, empty)


def load_schooling(conn: Connection, source: Source, batches: Iterable[Batch], run_id: int) -> LoadResult:
    """Episodes of schooling by person, school and beginning; a row whose person is unknown is refused."""
    result = LoadResult()
    conn.execute(_SCHOOLS)
    columns = ("__line", "person_key", "school", "stage", "from", "to", *CONFIRMED)
    who = confirmed(source, city_day(conn))
    for batch in batches:
        rows = batch.accepted.with_columns(pl.col("from").fill_null(ALWAYS), *who)
        copy_frame(conn, "staged_episode", rows.select(columns))
    _resolve(conn, "person", "person_key", "persons", result)
    _refuse_repeated(conn, ("person_id", "school", '"from"'), result)
    empty = is_empty(conn, "register.schooling")
    with bulk(conn, ["register.schooling"] if empty else []):
        result.unchanged = _count(
            conn, f"select count(*) from staged_episode s join register.schooling e on {_SAME_SCHOOL}"
            f" where not {_SCHOOL_DIFFERS}"
        )  # fmt: skip
        result.updated = conn.execute(
            "update register.schooling e set superseded_at = greatest(now(), e.recorded_at) from staged_episode s"
            f" where {_SAME_SCHOOL} and {_SCHOOL_DIFFERS}"
        ).rowcount
        if not empty:
            confirm_again(conn, "register.schooling", "staged_episode", _SAME_SCHOOL.replace("e.", "t."))
        written = conn.execute(_INSERT_SCHOOLS, {"run": run_id}).rowcount
    return _done(conn, result, written, empty)


def _resolve(conn: Connection, table: str, key: str, source: str, result: LoadResult) -> None:
    """Put the identifiers of ``table`` beside their keys; refuse the rows whose key is unknown."""
    conn.execute("analyze staged_episode")
    conn.execute(
        f"update staged_episode s set {table}_id = p.id from register.{table} p where p.key = s.{key}"
    )
    found = conn.execute(
        f"delete from staged_episode where {table}_id is null returning to_jsonb(staged_episode) - '{table}_id'"
    ).fetchall()
    if found:
        rows = pl.DataFrame([row[0] for row in found], infer_schema_length=None)
        result.rejected.append(refuse(rows, key, "unknown_reference", f'{{"source": "{source}"}}'))


def _refuse_repeated(conn: Connection, key: tuple[str, ...], result: LoadResult) -> None:
    same = " and ".join(f"o.{name} = s.{name}" for name in key)
    found = conn.execute(
        f"delete from staged_episode s using staged_episode o where {same} and o.__line < s.__line"
        " returning to_jsonb(s)"
    ).fetchall()
    if found:
        rows = pl.DataFrame([row[0] for row in found], infer_schema_length=None).unique(
            "__line", keep="first"
        )
        result.rejected.append(refuse(rows, "from", "duplicate_key"))


def _done(conn: Connection, result: LoadResult, written: int, empty: bool) -> LoadResult:
    conn.execute("drop table staged_episode")
    result.inserted = written - result.updated
    result.accepted = result.unchanged + written
    result.rebuild |= empty
    return result


def _count(conn: Connection, query: str) -> int:
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0

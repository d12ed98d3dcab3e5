"""Persons into a register that holds people already: only what differs is touched, and the past is kept.

A row that was confirmed before the register's own last confirmation changes nothing.
A residence is never overwritten. A version that turns out different is superseded and its better version put beside
it, so that what was believed on any day can be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from db.copy import copy_frame
from population.register.merge import ROWS_BY_TRIGGER, LoadResult, confirm_again, count_later, refuse

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_STAGED: Final = (
    "__line", "key", "name", "sex", "birth_date", "id_number_enc", "id_number_hash", "phone_enc", "phone_hash",
    "origin_code", "household_key", "household_kind", "dwelling_id", "cell", "community_id", "grid_id", "status",
    "permit", "permit_until", "from", "to", "confirmed_on", "confirmed_source",
)  # fmt: skip

_CREATE = """
drop table if exists pg_temp.staged_person;
create temp table staged_person (
  __line bigint, key text, name text, sex smallint, birth_date date, id_number_enc bytea, id_number_hash bytea,
  phone_enc bytea, phone_hash bytea, origin_code text, household_key text, household_kind text, dwelling_id bigint,
  cell bigint, community_id bigint, grid_id bigint, status text, permit text, permit_until date, "from" date, "to" date,
  confirmed_on date, confirmed_source text, person_id uuid, household_id uuid, verdict text) on commit drop
"""

_PEOPLE = """
with latest as (select distinct on (key) * from staged_person order by key, "from" desc nulls last, __line desc),
updated as (
  update register.person p set run_id = %(run)s, name = coalesce(s.name, p.name),
    sex = case when s.sex = 0 then p.sex else s.sex end, birth_date = coalesce(s.birth_date, p.birth_date),
    id_number_enc = coalesce(s.id_number_enc, p.id_number_enc),
    id_number_hash = coalesce(s.id_number_hash, p.id_number_hash),
    phone_enc = coalesce(s.phone_enc, p.phone_enc), phone_hash = coalesce(s.phone_hash, p.phone_hash),
    origin_code = coalesce(s.origin_code, p.origin_code)
  from latest s where s.key = p.key and (p.confirmed_on is null or p.confirmed_on <= s.confirmed_on) and
    row(coalesce(s.name, p.name), case when s.sex = 0 then p.sex else s.sex end,
        coalesce(s.birth_date, p.birth_date), coalesce(s.id_number_hash, p.id_number_hash),
        coalesce(s.phone_enc, p.phone_enc), coalesce(s.phone_hash, p.phone_hash),
        coalesce(s.origin_code, p.origin_code))
    is distinct from row(p.name, p.sex, p.birth_date, p.id_number_hash, p.phone_enc, p.phone_hash, p.origin_code)
  returning p.key)
insert into register.person (key, name, sex, birth_date, id_number_enc, id_number_hash, phone_enc, phone_hash,
  origin_code, confirmed_on, confirmed_source, run_id)
select key, name, sex, birth_date, id_number_enc, id_number_hash, phone_enc, phone_hash, origin_code, confirmed_on,
  confirmed_source, %(run)s from latest s
where not exists (select from register.person p where p.key = s.key)
"""

_ELSEWHERE = """
select count(*) from staged_person s where not exists (
  select from register.person p join register.residence r on r.person_id = p.id
  where p.key = s.key and r.superseded_at is null and r.dwelling_id = s.dwelling_id)
"""

_HOUSEHOLDS = """
with latest as (
  select distinct on (household_key) * from staged_person where household_key is not null
  order by household_key, ("to" is null) desc, "from" desc nulls last, __line desc),
renamed as (
  update register.household h set run_id = %(run)s, kind = s.household_kind from latest s
  where s.household_key = h.key and h.kind <> s.household_kind returning h.key)
insert into register.household (key, kind, dwelling_id, cell, community_id, grid_id, run_id)
select household_key, household_kind, dwelling_id, cell, community_id, grid_id, %(run)s from latest s
where not exists (select from register.household h where h.key = s.household_key)
"""

# A household lives where the last of its members has moved in.
SETTLE = """
update register.household h set dwelling_id = r.dwelling_id, cell = r.cell, community_id = r.community_id,
  grid_id = r.grid_id
from (select distinct on (household_id) household_id, dwelling_id, cell, community_id, grid_id
      from register.residence where household_id in ({which}) and superseded_at is null and dwelling_id is not null
      order by household_id, (valid_to is null) desc, valid_from desc, dwelling_id) r
where h.id = r.household_id and h.dwelling_id <> r.dwelling_id
"""

_RESOLVE = """
update staged_person s set person_id = p.id,
  household_id = (select h.id from register.household h where h.key = s.household_key)
from register.person p where p.key = s.key
"""

# A row without a beginning is about the residence in the same dwelling, else it begins today.
_BEGIN = """
update staged_person s set "from" = coalesce(
  (select max(r.valid_from) from register.residence r where r.person_id = s.person_id
     and r.superseded_at is null and r.valid_to is null and r.dwelling_id = s.dwelling_id),
  case when exists (select from register.residence r where r.person_id = s.person_id and r.superseded_at is null)
       then current_date else date '1900-01-01' end)
where "from" is null
"""

# What has a staged version of its own (the same person and beginning) ends where that version ends.
_ENDS = """
case when exists (select from staged_person o where o.person_id = r.person_id and o."from" = r.valid_from)
     then (select o."to" from staged_person o where o.person_id = r.person_id and o."from" = r.valid_from
           order by o.__line limit 1)
     else r.valid_to end
"""
_OVERLAPS = """
exists (select from register.residence r where r.person_id = s.person_id and r.superseded_at is null
     and r.valid_from <> s."from" and r.valid_from < coalesce(s."to", 'infinity')
     and s."from" < coalesce({ends}, case when r.valid_from < s."from" then s."from" else 'infinity' end)
     and not (s."to" is null and r.valid_from > s."from") {more})
"""

_VERDICTS = """
update staged_person s set verdict = case
  when exists (select from staged_person o where o.key = s.key and o."from" = s."from" and o.__line < s.__line)
    then 'overlaps'
  when exists (select from register.residence r where r.person_id = s.person_id and r.superseded_at is null
     and r.valid_from = s."from"
     and (r.confirmed_on > s.confirmed_on
       or row(r.household_id, r.dwelling_id, r.status, r.permit, r.permit_until)
         is not distinct from row(s.household_id, s.dwelling_id, s.status, s.permit, s.permit_until)
     and (r.valid_to is not distinct from s."to" or (s."to" is null and r.valid_to = (
        select min(o.valid_from) from register.residence o
        where o.person_id = s.person_id and o.superseded_at is null and o.valid_from > s."from")))))
    then 'same'
  when {overlaps}    then 'overlaps'
  when exists (select from register.residence r where r.person_id = s.person_id and r.superseded_at is null
     and r.valid_from = s."from") then 'corrects'
  else 'new' end
"""

# ... unless that version was refused itself; then the row that counted on it is refused as well.
_NOT_CORRECTED = """
and not exists (select from staged_person o
  where o.person_id = r.person_id and o."from" = r.valid_from and o.verdict = 'corrects')
"""
_COUNTED_ON_REFUSED = (
    "update staged_person s set verdict = 'overlaps' where verdict in ('new', 'corrects') and "
    + _OVERLAPS.format(ends="r.valid_to", more=_NOT_CORRECTED)
)

# The open episode before a new one ends where the new one begins; a corrected one gives way to its better version.
_SUPERSEDE = """
with old as (
  update register.residence r set superseded_at = greatest(now(), r.recorded_at)
  where r.superseded_at is null and exists (
    select from staged_person s where s.person_id = r.person_id and (
      (s.verdict = 'corrects' and r.valid_from = s."from")
      or (s.verdict = 'new' and r.valid_to is null and r.valid_from < s."from")))
  returning r.*)
select person_id, household_id, dwelling_id, cell, community_id, grid_id, status, permit, permit_until, confirmed_on,
  confirmed_source, valid_from, (select min(s."from") from staged_person s
   where s.person_id = old.person_id and s.verdict = 'new' and s."from" > old.valid_from) as valid_to
into temp table closing from old
where not exists (select from staged_person s
  where s.person_id = old.person_id and s.verdict = 'corrects' and s."from" = old.valid_from)
"""

_INSERT = """
insert into register.residence (person_id, household_id, dwelling_id, cell, community_id, grid_id, status, permit,
  permit_until, confirmed_on, confirmed_source, valid_from, valid_to, run_id)
select person_id, household_id, dwelling_id, cell, community_id, grid_id, status, permit, permit_until, confirmed_on,
  confirmed_source, valid_from, valid_to, %(run)s from closing
union all
select person_id, household_id, dwelling_id, cell, community_id, grid_id, status, permit, permit_until, confirmed_on,
  confirmed_source, s."from", coalesce(s."to",
    (select min(o."from") from staged_person o
     where o.person_id = s.person_id and o.verdict in ('new', 'corrects') and o."from" > s."from"),
    (select min(r.valid_from) from register.residence r
     where r.person_id = s.person_id and r.superseded_at is null and r.valid_from > s."from")), %(run)s
from staged_person s where verdict in ('new', 'corrects')
"""


_SAME_STAY = """s.verdict = 'same' and t.superseded_at is null and t.person_id = s.person_id
  and t.valid_from = s."from\""""
# One row of the file a person: the one that was confirmed last.
_SAME_PERSON = """t.id = s.person_id and not exists (select from staged_person o where o.person_id = s.person_id
  and (o.confirmed_on, o.__line) > (s.confirmed_on, s.__line))"""


def update_people(conn: Connection, frames: Iterator[pl.DataFrame], run_id: int, result: LoadResult) -> None:
    """Merge ready rows (place, identity and gaps filled) into persons, households and residences."""
    conn.execute(_CREATE)
    for rows in frames:
        copy_frame(conn, "staged_person", rows.select(_STAGED))
    run = {"run": run_id}
    for statement in ("create index on staged_person (key)", "analyze staged_person"):
        conn.execute(statement)
    if _one(conn, _ELSEWHERE) > ROWS_BY_TRIGGER:
        result.rebuild = count_later(conn)
    conn.execute(_PEOPLE, run)
    conn.execute(_HOUSEHOLDS, run)
    conn.execute(_RESOLVE)
    conn.execute("create index on staged_person (person_id)")
    conn.execute(_BEGIN)
    conn.execute(_VERDICTS.format(overlaps=_OVERLAPS.format(ends=_ENDS, more="")))
    while conn.execute(_COUNTED_ON_REFUSED).rowcount:
        pass
    _refuse_overlapping(conn, result)
    conn.execute("drop table if exists pg_temp.closing")
    conn.execute(_SUPERSEDE)
    conn.execute(_INSERT, run)
    conn.execute(SETTLE.format(which="select household_id from staged_person"))
    confirm_again(conn, "register.residence", "staged_person", _SAME_STAY)
    confirm_again(conn, "register.person", "staged_person", _SAME_PERSON)
    for verdict, number in conn.execute("select verdict, count(*) from staged_person group by 1").fetchall():
        result.accepted += number
        if verdict == "same":
            result.unchanged += number
        elif verdict == "corrects":
            result.updated += number
        else:
            result.inserted += number
    conn.execute("drop table staged_person, closing")


def _refuse_overlapping(conn: Connection, result: LoadResult) -> None:
    columns = ("__line", "key", "household_key", "status", "permit", "from", "to")
    names = ", ".join(f'"{name}"' for name in columns)
    found = conn.execute(f"delete from staged_person where verdict = 'overlaps' returning {names}").fetchall()
    if found:
        rows = pl.DataFrame(found, schema=list(columns), orient="row", infer_schema_length=None)
        result.rejected.append(refuse(rows, "from", "overlaps_another_residence"))


def _one(conn: Connection, query: str) -> int:
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0

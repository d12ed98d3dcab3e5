"""ORM rows of the schema ``register``; private to this package (and held against the migrations by a test).

Figures never come from here one by one: ``population.statistics`` keeps them. ``changes_on``, ``ended`` and ``counted``
are the statistics' own columns on the rows and are written by its triggers alone.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Double, ForeignKey, Integer, MetaData, Numeric, SmallInteger, Text, Uuid
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, CHAR, JSONB, REAL, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Small = Annotated[int, mapped_column(SmallInteger)]
Packed = Annotated[int, mapped_column(Integer, server_default=sql("0"))]
Whole = Annotated[int, mapped_column(Integer)]
Real = Annotated[float, mapped_column(REAL)]
Moment = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True))]


class Base(DeclarativeBase):
    """The rows of this room."""

    metadata = MetaData(schema="register")
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger, str: Text, float: Double}


class Placed:
    """Where a row is counted: H3 cell of the base resolution, leaf area (or none), legal grid (or none)."""

    cell: Mapped[int]
    community_id: Mapped[int | None]
    grid_id: Mapped[int | None]


class Valid:
    """From when (included) to when (excluded, none = still)."""

    valid_from: Mapped[date] = mapped_column(server_default=sql("'1900-01-01'::date"))
    valid_to: Mapped[date | None]
    run_id: Mapped[int | None]


class Recorded:
    """When the register came to know an episode, and when a correction took its place."""

    recorded_at: Mapped[Moment] = mapped_column(server_default=sql("now()"))
    superseded_at: Mapped[Moment | None]
    ended: Mapped[date | None]
    changes_on: Mapped[date | None]
    counted: Mapped[Packed]


class Confirmed:
    """When somebody last saw that the record is right, and who: ``officer``, or a source's name."""

    confirmed_on: Mapped[date | None]
    confirmed_source: Mapped[str | None]


class Bitemporal:
    """An episode: from when to when it holds, when the register came to know it, what corrected it."""

    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[Moment] = mapped_column(server_default=sql("now()"))
    superseded_at: Mapped[Moment | None]
    run_id: Mapped[int | None]


class Building(Placed, Valid, Base):
    """A building or lot; where a source has only counts, they are its own figures."""

    __tablename__ = "building"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    name: Mapped[str | None]
    address: Mapped[str | None]
    use: Mapped[str] = mapped_column(server_default=sql("'other'::text"))
    lng: Mapped[float]
    lat: Mapped[float]
    floors: Mapped[Small | None]
    built_year: Mapped[Small | None]
    floor_area_m2: Mapped[float | None]
    dwellings_count: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    residents_estimate: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    source: Mapped[str | None]
    changes_on: Mapped[date | None]
    counted: Mapped[Packed]
    counted_dwellings: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default=sql("0"))
    counted_residents: Mapped[Decimal] = mapped_column(Numeric(16, 6), server_default=sql("0"))


class Dwelling(Placed, Valid, Confirmed, Base):
    """A home: flat, house, room of a dormitory."""

    __tablename__ = "dwelling"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    building_id: Mapped[int] = mapped_column(ForeignKey("register.building.id"))
    unit: Mapped[str | None]
    floor: Mapped[str | None]
    room: Mapped[str | None]
    area_m2: Mapped[Real | None]
    rooms: Mapped[Small | None]
    capacity: Mapped[Small | None]
    tenure: Mapped[str | None]
    use: Mapped[str | None]
    changes_on: Mapped[date | None]
    counted: Mapped[Packed]


class Household(Placed, Valid, Base):
    """People who live together as a family, or collectively."""

    __tablename__ = "household"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sql("gen_random_uuid()"))
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    dwelling_id: Mapped[int] = mapped_column(ForeignKey("register.dwelling.id"))
    kind: Mapped[str] = mapped_column(server_default=sql("'family'::text"))
    changes_on: Mapped[date | None]


class Person(Valid, Confirmed, Base):
    """A person; the ID number only encrypted and as a keyed hash (``identity``)."""

    __tablename__ = "person"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sql("gen_random_uuid()"))
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    name: Mapped[str | None]
    sex: Mapped[Small] = mapped_column(server_default=sql("0"))
    birth_date: Mapped[date | None]
    id_number_enc: Mapped[bytes | None]
    id_number_hash: Mapped[bytes | None]
    phone_enc: Mapped[bytes | None]
    origin_code: Mapped[str | None]
    phone_hash: Mapped[bytes | None]
    end_reason: Mapped[str | None]
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("register.person.id"))


class Residence(Placed, Recorded, Confirmed, Base):
    """An episode of living somewhere: registered here, or floating with or without a permit."""

    __tablename__ = "residence"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("register.person.id"))
    household_id: Mapped[UUID | None] = mapped_column(ForeignKey("register.household.id"))
    dwelling_id: Mapped[int | None] = mapped_column(ForeignKey("register.dwelling.id"))
    status: Mapped[str]
    permit: Mapped[str] = mapped_column(server_default=sql("'none'::text"))
    permit_until: Mapped[date | None]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    run_id: Mapped[int | None]


class Employer(Placed, Valid, Base):
    """A body that employs; ``jobs_count`` where the source has no single employments."""

    __tablename__ = "employer"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    uscc: Mapped[str | None]
    name: Mapped[str | None]
    industry: Mapped[str | None] = mapped_column(CHAR(1))
    address: Mapped[str | None]
    lng: Mapped[float]
    lat: Mapped[float]
    jobs_count: Mapped[Whole | None]
    changes_on: Mapped[date | None]
    counted: Mapped[Packed]


class Employment(Placed, Recorded, Confirmed, Base):
    """An episode of work at an employer, counted at the employer's place."""

    __tablename__ = "employment"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("register.person.id"))
    employer_id: Mapped[int] = mapped_column(ForeignKey("register.employer.id"))
    occupation: Mapped[str | None]
    insured: Mapped[bool] = mapped_column(server_default=sql("false"))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    run_id: Mapped[int | None]


class Schooling(Valid, Confirmed, Base):
    """A time at a school."""

    __tablename__ = "schooling"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("register.person.id"))
    school: Mapped[str | None]
    stage: Mapped[str]
    changes_on: Mapped[date | None]
    counted: Mapped[Packed]
    recorded_at: Mapped[Moment] = mapped_column(server_default=sql("now()"))
    superseded_at: Mapped[Moment | None]


class Reading(Base):
    """How a character is read in pinyin, its simplified form, and what it is read as in a surname alone."""

    __tablename__ = "reading"
    piece: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    simple: Mapped[str]
    pinyin: Mapped[str]
    surname: Mapped[str | None]


class PersonSearch(Base):
    """What a person who lives here now is found by; written by triggers and by ``population.register.searchable``."""

    __tablename__ = "person_search"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    folded: Mapped[str | None] = mapped_column(Text(collation="C"))
    fuzzy: Mapped[str | None] = mapped_column(Text(collation="C"))
    initials: Mapped[str | None] = mapped_column(Text(collation="C"))
    given_key: Mapped[Whole | None]
    outer_key: Mapped[Whole | None]
    phone_tail: Mapped[Whole | None]
    phone_key: Mapped[int | None]
    community_id: Mapped[int | None]
    grid_id: Mapped[int | None]
    building_id: Mapped[int | None]
    dwelling_id: Mapped[int | None]
    until: Mapped[date | None]


class SearchDue(Base):
    """Persons whose telephone number has to be hashed anew."""

    __tablename__ = "search_due"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)


class Tenancy(Bitemporal, Base):
    """By what right a household has its dwelling."""

    __tablename__ = "tenancy"
    id: Mapped[int] = mapped_column(primary_key=True)
    dwelling_id: Mapped[int] = mapped_column(ForeignKey("register.dwelling.id"))
    household_id: Mapped[UUID | None] = mapped_column(ForeignKey("register.household.id"))
    tenure: Mapped[str]


class Insurance(Bitemporal, Base):
    """A time of being covered by one social insurance."""

    __tablename__ = "insurance"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("register.person.id"))
    kind: Mapped[str]
    employer_id: Mapped[int | None] = mapped_column(ForeignKey("register.employer.id"))


class Permit(Bitemporal, Base):
    """A residence permit and when it was last endorsed."""

    __tablename__ = "permit"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("register.person.id"))
    kind: Mapped[str] = mapped_column(server_default=sql("'residence_permit'::text"))
    number_enc: Mapped[bytes | None]
    endorsed_on: Mapped[date | None]


class Act(Base):
    """One deed of one person at one moment; undone as one."""

    __tablename__ = "act"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sql("gen_random_uuid()"))
    kind: Mapped[str]
    at: Mapped[Moment] = mapped_column(server_default=sql("clock_timestamp()"))
    actor_id: Mapped[UUID | None]
    role: Mapped[str]
    purpose: Mapped[str]
    person_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=sql("'{}'::uuid[]"))
    from_grid_id: Mapped[int | None]
    to_grid_id: Mapped[int | None]
    from_community_id: Mapped[int | None]
    to_community_id: Mapped[int | None]
    params: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'::jsonb"))
    undoes: Mapped[UUID | None] = mapped_column(ForeignKey("register.act.id"), unique=True)
    undone_by: Mapped[UUID | None] = mapped_column(ForeignKey("register.act.id"))


class ActChange(Base):
    """One row that an act wrote: its columns before and after (None: was not, or is no longer, there)."""

    __tablename__ = "act_change"
    act_id: Mapped[UUID] = mapped_column(ForeignKey("register.act.id"), primary_key=True)
    seq: Mapped[Small] = mapped_column(primary_key=True)
    table_name: Mapped[str]
    row_id: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class Notice(Base):
    """Tells the officer of a grid of an act that was done in another."""

    __tablename__ = "notice"
    id: Mapped[int] = mapped_column(primary_key=True)
    grid_id: Mapped[int | None]
    community_id: Mapped[int | None]
    act_id: Mapped[UUID] = mapped_column(ForeignKey("register.act.id"))
    kind: Mapped[str]
    created_at: Mapped[Moment] = mapped_column(server_default=sql("clock_timestamp()"))
    seen_at: Mapped[Moment | None]
    seen_by: Mapped[UUID | None]
    person_id: Mapped[UUID | None]


class PersonAsk(Base):
    """A question to whichever grid a person lives in; the person asked for is sealed."""

    __tablename__ = "person_ask"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sql("gen_random_uuid()"))
    asked_by: Mapped[UUID]
    asker: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    at: Mapped[Moment] = mapped_column(server_default=sql("now()"))
    kind: Mapped[str]
    sealed: Mapped[bytes]
    answer: Mapped[str | None]
    answer_sealed: Mapped[bytes | None]
    answered_at: Mapped[Moment | None]


class PersonAskTo(Base):
    """Where a question went; its asker never sees it."""

    __tablename__ = "person_ask_to"
    ask_id: Mapped[UUID] = mapped_column(ForeignKey("register.person_ask.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    community_id: Mapped[int | None]
    grid_id: Mapped[int | None]
    answered_at: Mapped[Moment | None]
    answered_by: Mapped[UUID | None]


class Declaration(Base):
    """What a resident declared in the online hall; everything personal sealed, the query code only as a keyed hash."""

    __tablename__ = "declaration"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sql("gen_random_uuid()"))
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    kind: Mapped[str]
    at: Mapped[Moment] = mapped_column(server_default=sql("now()"))
    language: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=sql("'new'::text"))
    community_id: Mapped[int | None]
    grid_id: Mapped[int | None]
    building_id: Mapped[int]
    dwelling_id: Mapped[int | None]
    sealed: Mapped[bytes]
    id_hash: Mapped[bytes | None]
    phone_key: Mapped[int | None]
    answer_sealed: Mapped[bytes | None]
    replied_at: Mapped[Moment | None]
    person_id: Mapped[UUID | None]
    act_id: Mapped[UUID | None]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[Moment | None]

"""Persons: one row a person and residence, straight into the empty register.

A row is a person and where it lives or lived. Rows of one person that follow each other become episodes; an episode
without an end ends where the next one begins. What needs the register's own rows to be judged (a person whose rows are
far apart in the file) waits until the keys are back on the tables and goes the way of an update (``update_people``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from db.ahead import map_ahead
from db.bulk import bulk, is_empty
from db.copy import copy_frame
from population.register.documents import born, sex
from population.register.identity import Vault, normal, vault
from population.register.keys import KeyIndex, Known, read_known
from population.register.load_homes import PLACED
from population.register.load_places import ALWAYS, PLACE
from population.register.merge import CONFIRMED, LoadResult, as_of, city_day, confirmed, count_later, refuse
from population.register.update_people import SETTLE, update_people
from population.statistics.counted import residence_columns
from population.statistics.kept import Kept

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from intake.city import Source
    from intake.pipeline import Batch

    Connection = psycopg.Connection[Any]

TABLES: Final = ("register.person", "register.household", "register.residence")
_PERSON: Final = (
    "key",
    "name",
    "sex",
    "birth_date",
    "id_number_enc",
    "id_number_hash",
    "phone_enc",
    "phone_hash",
    "origin_code",
    *CONFIRMED,
)

_RESIDENCE: Final = (
    "id", "person_id", "household_id", "dwelling_id", *PLACE, "run_id", "status", "permit", "permit_until",
    "valid_from", "valid_to", "ended", "changes_on", "counted", *CONFIRMED,
)  # fmt: skip


def load_persons(
    conn: Connection, source: Source, batches: Iterable[Batch], run_id: int, *, aside: bool = True
) -> LoadResult:
    """Persons, households and residences; a row whose dwelling is unknown is refused.

    ``aside=False`` leaves keys and indexes on the empty tables while they are filled (for comparison only).
    """
    result, safe = LoadResult(), vault()
    dwellings = read_known(conn, "select key, id, cell, community_id, grid_id from register.dwelling", PLACED)
    who = confirmed(source, city_day(conn))
    ready = map_ahead(lambda batch: _ready(batch.accepted, dwellings, safe, who, result), batches)
    if not all(is_empty(conn, table) for table in TABLES):
        update_people(conn, ready, run_id, result)
        return result
    filling = _Filling(conn, run_id, result, as_of(conn), aside)
    with bulk(conn, TABLES if aside else ()):
        for rows in ready:
            filling.take(rows)
        filling.kept.complete(conn)
    result.rebuild, result.kept = True, filling.kept
    filling.settle_households()
    if filling.later:
        count_later(conn)
        update_people(conn, iter(filling.later), run_id, result)
    return result


def _ready(
    rows: pl.DataFrame, dwellings: Known, safe: Vault, who: list[pl.Expr], result: LoadResult
) -> pl.DataFrame:
    """Rows with the place of their dwelling, identity encrypted, gaps filled from the ID number."""
    known, place = dwellings.look_up(rows["dwelling_key"])
    mask = pl.Series(known)
    if not mask.all():
        params = '{"source": "dwellings"}'
        result.rejected.append(refuse(rows.filter(~mask), "dwelling_key", "unknown_reference", params))
    rows = pl.concat([rows, place.rename({"id": "dwelling_id"})], how="horizontal").filter(mask)
    number = normal(rows["id_number"])
    kept = safe.protect(number)
    return rows.with_columns(
        kept["enc"].alias("id_number_enc"),
        kept["hash"].alias("id_number_hash"),
        safe.protect_phones(rows["phone"]).alias("phone_enc"),
        safe.hash_phones(rows["phone"]).alias("phone_hash"),
        pl.coalesce("birth_date", born(pl.lit(number))).alias("birth_date"),
        pl.coalesce("sex", sex(pl.lit(number)), pl.lit(0)).cast(pl.Int64).alias("sex"),
        pl.col("origin_code").str.slice(0, 6),
        pl.col("permit").fill_null("none"),
        pl.col("household_kind").fill_null("family"),
        *who,
    ).drop("id_number", "phone")


@dataclass
class _Filling:
    """The empty tables of people being filled batch by batch."""

    conn: Connection
    run_id: int
    result: LoadResult
    today: date
    bare: bool
    people: KeyIndex = field(default_factory=KeyIndex)
    households: KeyIndex = field(default_factory=KeyIndex)
    later: list[pl.DataFrame] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    unsettled: list[str] = field(default_factory=list)
    homes_before: int = 0
    started_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    _randomness: Any = field(default_factory=lambda: Cipher(algorithms.AES(os.urandom(32)), modes.ECB()))  # noqa: S305

    def take(self, rows: pl.DataFrame) -> None:
        """Write one batch."""
        rows = rows.sort("cell", maintain_order=True)
        before = len(self.people)
        new = pl.Series(self.people.add(rows["key"]) >= before)
        if not new.all():
            self.later.append(rows.filter(~new))
            rows = rows.filter(new)
        if not rows.height:
            return
        rows = rows.with_columns(pl.col("from").fill_null(ALWAYS))
        several = rows["key"].is_duplicated()
        if several.any():
            rows = self._one_after_another(rows, several)
        self.homes_before = len(self.households)
        households = self.households.add(rows["household_key"])
        rows = rows.with_columns(
            self._identities_of(self.people.find(rows["key"]), 1).alias("person_id"),
            self._identities_of(households, 2).alias("household_id"),
            pl.Series("household_at", households),
            pl.lit(self.run_id).alias("run_id"),
        )
        self._write_people(rows)
        self._write_households(rows)
        self._write_residences(rows)
        self.result.accepted += rows.height
        self.result.inserted += rows.height

    def _one_after_another(self, rows: pl.DataFrame, several: pl.Series) -> pl.DataFrame:
        """Episodes of the persons with several rows put in order; an overlapping one is refused."""
        single, many = rows.filter(~several), rows.filter(several).sort("key", "from", maintain_order=True)
        doubled = (
            many.select(pl.col("from") == pl.col("from").shift(1).over("key")).to_series().fill_null(False)
        )
        refused, many = many.filter(doubled), many.filter(~doubled)
        many = many.with_columns(to=pl.coalesce("to", pl.col("from").shift(-1).over("key")))
        until = pl.col("to").cum_max().shift(1).over("key")
        overlaps = many.select(pl.col("from") < until).to_series().fill_null(False)
        for part in (refused, many.filter(overlaps)):
            self.result.rejected.append(refuse(part, "from", "overlaps_another_residence"))
        return pl.concat([single, many.filter(~overlaps)])

    def _identities_of(self, ordinals: NDArray[np.int64], kind: int) -> pl.Series:
        """An identifier for each ordinal (null below 0), the same for the same one: UUIDs of version 7 (RFC 9562).

        62 of their bits are random; the leading ones count up in the order of the file, so that indexes on them are
        built and read in order.
        """
        random, marks = np.zeros((len(ordinals), 2), dtype=np.int64), ordinals >= 0
        random[:, 0], random[:, 1] = ordinals, kind
        worker = self._randomness.encryptor()
        raw = (
            np.frombuffer(worker.update(random.tobytes()) + worker.finalize(), np.uint8)
            .reshape(-1, 16)
            .copy()
        )
        time_and_count = (self.started_ms + (ordinals >> 12)) << 16 | 0x7000 | (ordinals & 0xFFF)
        raw[:, :8] = time_and_count.astype(">i8").view(np.uint8).reshape(-1, 8)
        raw[:, 8] = raw[:, 8] & 0x3F | 0x80
        return as_binary(raw, marks)

    def _write_people(self, rows: pl.DataFrame) -> None:
        latest = rows.filter(pl.col("key").is_last_distinct()) if rows["key"].is_duplicated().any() else rows
        self._copy("register.person", latest.select(pl.col("person_id").alias("id"), *_PERSON, "run_id"))

    def _write_households(self, rows: pl.DataFrame) -> None:
        rows = rows.filter(pl.col("household_key").is_not_null())
        new = rows["household_at"] >= self.homes_before
        homes = rows.group_by("household_key").agg(pl.col("dwelling_id").n_unique().alias("n"))
        self.unsettled += homes.filter(pl.col("n") > 1)["household_key"].to_list()
        if not new.all():
            self.unsettled += rows.filter(~new)["household_key"].unique().to_list()
        rows = rows.filter(new & rows["household_key"].is_last_distinct())
        columns = ("dwelling_id", *PLACE, "run_id")
        self._copy(
            "register.household",
            rows.select(
                pl.col("household_id").alias("id"),
                pl.col("household_key").alias("key"),
                pl.col("household_kind").alias("kind"),
                *columns,
            ),
        )

    def _write_residences(self, rows: pl.DataFrame) -> None:
        rows = residence_columns(rows.rename({"from": "valid_from", "to": "valid_to"}), self.today)
        rows = rows.with_columns(self._numbers(rows.height).alias("id"))
        self._copy("register.residence", rows.select(_RESIDENCE))

    def _copy(self, table: str, rows: pl.DataFrame) -> None:
        copy_frame(self.conn, table, rows, freeze=self.bare)
        self.kept.add(table.removeprefix("register."), rows)

    def _numbers(self, rows: int) -> pl.Series:
        """The next numbers of residences, drawn at once. Whoever fills an empty table holds it alone."""
        drawn = "select setval(seq, nextval(seq) + %s) from pg_get_serial_sequence('register.residence', 'id') as seq"
        found = self.conn.execute(drawn, (rows - 1,)).fetchone()
        last = int(found[0]) if found else rows
        return pl.Series(np.arange(last - rows + 1, last + 1))

    def settle_households(self) -> None:
        """A household that was met in several dwellings lives in the one that its members moved into last."""
        if not self.unsettled:
            return
        which = "select id from register.household where key = any(%s)"
        self.conn.execute(SETTLE.format(which=which), (list(dict.fromkeys(self.unsettled)),))


def as_binary(rows: NDArray[np.uint8], valid: NDArray[np.bool_]) -> pl.Series:
    """The rows of a matrix of bytes as one Binary value each, null where not ``valid``."""
    import pyarrow as pa

    offsets = np.arange(len(rows) + 1, dtype=np.int64) * rows.shape[1]
    bits = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    buffers = [bits, pa.py_buffer(offsets.tobytes()), pa.py_buffer(rows.tobytes())]
    return pl.Series(pa.Array.from_buffers(pa.large_binary(), len(rows), buffers), dtype=pl.Binary)

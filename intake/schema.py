"""What a kind of source must and may contain: a domain declares it, intake reads by it.

Example
-------
>>> people = Schema(
...     kind="persons",
...     fields=(
...         Field("key", "text", required=True, synonyms=("人员编号", "person id")),
...         Field("sex", "code", synonyms=("性别",), codes={"男": 1, "女": 2}),
...         Field("birth_date", "date", required=True, synonyms=("出生日期",)),
...     ),
...     key=("key",),
... )
>>> people["sex"].dtype
Int64
>>> people.required
('key', 'birth_date')
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

FieldType = Literal["text", "int", "float", "date", "bool", "lng", "lat", "geometry", "code"]

RULES = 1
"""Raise when a rule written as a function judges otherwise than before: files already loaded are then read again."""

DTYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "date": pl.Date(),
    "bool": pl.Boolean(),
    "lng": pl.Float64(),
    "lat": pl.Float64(),
    "geometry": pl.Binary(),
    "code": pl.String(),
}


@dataclass(frozen=True)
class Check:
    """A rule for one field.

    ``passes`` gets the non-null typed values as a Series and returns a Series of the same length: Boolean, True
    where the rule holds; or String, the code of what is wrong in particular and null where nothing is.
    ``reason`` is the code for False. Codes are those of ``intake/reasons.toml``.
    """

    reason: str
    passes: Callable[[pl.Series], pl.Series]

    def find(self, values: pl.Series) -> pl.Series:
        """The code of what is wrong with each of ``values``, null where nothing is."""
        found = self.passes(values)
        if found.dtype == pl.String:
            return found
        return pl.select(pl.when(~found.fill_null(value=True)).then(pl.lit(self.reason))).to_series()


@dataclass(frozen=True)
class RowCheck:
    """A rule over several fields of one row, e.g. that an episode does not end before it begins.

    ``passes`` gets the typed frame (all fields of the schema, nulls possible) of the rows that passed every
    field's own rules; False rejects the row and names ``field``; null counts as passed.
    """

    reason: str
    field: str
    passes: Callable[[pl.DataFrame], pl.Series]


@dataclass(frozen=True)
class Field:
    """One field of a schema.

    ``synonyms`` are other names of the column, Chinese or English. ``codes`` maps words of the source to the
    value stored ({"男": 1}); a value already among the stored ones is accepted as it is. ``minimum`` and
    ``maximum`` bound numbers. ``sensitive`` marks what views must mask (ID numbers, phones). ``default`` is
    taken where the value is empty.
    """

    name: str
    type: FieldType = "text"
    required: bool = False
    synonyms: tuple[str, ...] = ()
    codes: Mapping[str, int | str] | None = None
    check: Check | None = None
    sensitive: bool = False
    minimum: float | None = None
    maximum: float | None = None
    default: int | float | str | bool | None = None

    def __post_init__(self) -> None:
        if self.type not in get_args(FieldType):
            raise ValueError(f"{self.name}: unknown field type {self.type!r}")
        if self.codes is not None and len({type(v) for v in self.codes.values()}) > 1:
            raise ValueError(f"{self.name}: codes mix numbers and text")

    @property
    def dtype(self) -> pl.DataType:
        """Type of the field's column in an accepted frame."""
        if self.type == "code" and self.codes and isinstance(next(iter(self.codes.values())), int):
            return pl.Int64()
        return DTYPES[self.type]


@dataclass(frozen=True)
class Schema:
    """The fields of one kind of source.

    ``key`` names those that together identify a record in the file, ``unique`` further ones of which no value may
    appear twice in it (nulls may).
    """

    kind: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    checks: tuple[RowCheck, ...] = ()
    unique: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.kind}: a field is declared twice")
        unknown = (set(self.key) | set(self.unique) | {check.field for check in self.checks}) - set(names)
        if unknown:
            raise ValueError(f"{self.kind}: unknown fields {sorted(unknown)}")

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(field.name == name for field in self.fields)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.required)

    @property
    def fingerprint(self) -> str:
        """Checksum of what is declared: with another one the same file may be read otherwise.

        >>> one = Schema("persons", (Field("sex", "code", codes={"男": 1}),))
        >>> two = Schema("persons", (Field("sex", "code", codes={"男": 1, "女": 2}),))
        >>> one.fingerprint == two.fingerprint, len(one.fingerprint)
        (False, 64)
        """
        fields = [
            [f.name, f.type, f.required, f.synonyms, dict(f.codes or {}), f.check and f.check.reason, f.sensitive,
             f.minimum, f.maximum, f.default]
            for f in self.fields
        ]  # fmt: skip
        checks = [[check.reason, check.field] for check in self.checks]
        whole = json.dumps([RULES, self.kind, fields, self.key, checks, self.unique], ensure_ascii=False)
        return hashlib.sha256(whole.encode()).hexdigest()

    @property
    def polars(self) -> dict[str, pl.DataType]:
        """Columns of an accepted frame: every field of the schema, mapped or not."""
        return {field.name: field.dtype for field in self.fields}

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Fields whose meaning depends on the datum."""
        return tuple(field.name for field in self.fields if field.type in {"lng", "lat", "geometry"})

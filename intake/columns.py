"""Which column of a source is which field: by explicit choice, by what a person corrected before, by name.

Names are compared after making width, case, spaces, punctuation and traditional characters equal, and with and
without what stands in brackets (units, hints such as 必填). Similar is never taken for equal: what does not match is
offered as a candidate in the error, not guessed.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from typing import Any

import opencc
from sqlalchemy import text
from sqlalchemy.orm import Session

from intake.city import Source
from intake.errors import MappingError
from intake.masking import look_like_data, masked
from intake.schema import Field, Schema

_BRACKETS = re.compile(r"[(\[{<（【〔「『《][^()\[\]{}]*?[)\]}>）】〕」』》]")
_NOT_WORD = re.compile(r"[\W_]+")
EXPLICIT, REMEMBERED, NAME, BARE_NAME, PART = (
    "explicit",
    "remembered",
    "name",
    "name without brackets",
    "part of name",
)


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@lru_cache(maxsize=20_000)
def normalise(header: str) -> str:
    """The form in which names are compared.

    >>> normalise(" 建築面積（㎡） "), normalise("Person_ID"), normalise("ＳＥＸ")
    ('建筑面积m2', 'personid', 'sex')
    """
    plain = unicodedata.normalize("NFKC", header).casefold()
    if any(ord(character) > 0x3400 for character in plain):
        plain = _converter().convert(plain)
    return _NOT_WORD.sub("", plain)


def _bare(header: str) -> str:
    """``header`` normalised without what stands in brackets, unless nothing else is there."""
    return normalise(_BRACKETS.sub("", header)) or normalise(header)


@dataclass(frozen=True)
class ColumnMapping:
    """The answer: ``columns`` field -> header, ``how`` field -> why, ``unused`` headers nobody asked for,
    ``headers`` all of them in the file's order."""

    columns: dict[str, str]
    how: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    sensitive: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What ``ops.import_run.mapping`` stores; ``sensitive`` are the headers that views must mask."""
        return asdict(self)


def match_columns(
    headers: Sequence[str],
    schema: Schema,
    source: Source,
    remembered: Mapping[str, str] | None = None,
    *,
    file: str = "",
    given: Iterable[str] = (),
) -> ColumnMapping:
    """Match ``headers`` to the fields of ``schema``.

    ``columns`` of the city.toml wins, then ``remembered`` (header -> field, "" for a column to leave out), then the
    names. ``given`` are fields that come from elsewhere (geometry, constants). Raises ``MappingError`` listing every
    field that is missing, or could be several columns, with its candidates.

    >>> from intake.schema import Field
    >>> fields = (Field("key", required=True, synonyms=("人员编号",)), Field("sex", synonyms=("性别",)))
    >>> people = Schema("persons", fields)
    >>> match_columns(["人員編號", "性别（必填）"], people, Source(name="p", kind="persons", file="x")).columns
    {'key': '人員編號', 'sex': '性别（必填）'}
    """
    problems: list[dict[str, Any]] = []
    columns, how = _explicit(headers, schema, source, problems)
    left_out = set()
    for header, name in (remembered or {}).items():
        if header not in headers:
            continue
        left_out.add(header)
        if name in schema and name not in columns:
            columns[name], how[name] = header, REMEMBERED
    free = [header for header in headers if header not in set(columns.values()) | left_out]
    known = set(columns) | set(given) | set(source.constants)
    _by_name(
        [f for f in schema.fields if f.name not in known and f.type != "geometry"],
        free,
        columns,
        how,
        problems,
    )
    _geometry_by_name(
        [f for f in schema.fields if f.name not in known and f.type == "geometry"], free, columns, how
    )
    unclear = {problem["field"] for problem in problems}
    for wanted in schema.fields:
        absent = wanted.name not in known and wanted.name not in columns and wanted.default is None
        if wanted.required and absent and wanted.name not in unclear:
            problems.append(_missing(wanted, headers, set(columns.values())))
    if problems:
        if look_like_data(headers):
            problems = [{"code": "columns.no_header", "columns": len(headers)}]
        for problem in problems:
            problem["candidates"] = masked(problem.get("candidates", []))
        raise MappingError(file=file or source.name, source=source.name, problems=problems)
    used = set(columns.values())
    return ColumnMapping(
        columns={name: columns[name] for name in schema.names if name in columns},
        how=how,
        unused=[header for header in headers if header not in used],
        sensitive=[columns[f.name] for f in schema.fields if f.sensitive and f.name in columns],
        headers=list(headers),
    )


def _explicit(
    headers: Sequence[str], schema: Schema, source: Source, problems: list[dict[str, Any]]
) -> tuple[dict[str, str], dict[str, str]]:
    columns: dict[str, str] = {}
    for name, header in source.columns.items():
        same = [h for h in headers if h == header] or [
            h for h in headers if normalise(h) == normalise(header)
        ]
        if name not in schema:
            near = difflib.get_close_matches(name, schema.names, n=5, cutoff=0.4) or list(schema.names)
            problems.append({"code": "columns.no_such_field", "field": name, "candidates": near})
        elif len(same) == 1:
            columns[name] = same[0]
        elif not same:
            near = _closest(header, headers) or list(headers[:40])
            problems.append(
                {"code": "columns.no_such_header", "field": name, "header": header, "candidates": near}
            )
        else:
            problems.append({"code": "columns.ambiguous", "field": name, "candidates": same})
    for name in source.constants:
        if name not in schema:
            near = difflib.get_close_matches(name, schema.names, n=5, cutoff=0.4) or list(schema.names)
            problems.append({"code": "columns.no_such_field", "field": name, "candidates": near})
    return columns, dict.fromkeys(columns, EXPLICIT)


def _by_name(
    fields: Sequence[Field],
    headers: Sequence[str],
    columns: dict[str, str],
    how: dict[str, str],
    problems: list[dict[str, Any]],
) -> None:
    """Three rounds, from the strictest comparison to the loosest; a header taken in one is gone in the next."""
    rounds = ((NAME, _whole_names), (BARE_NAME, _bare_names), (PART, _part_names))
    free = list(headers)
    waiting = list(fields)
    for label, names_of in rounds:
        forms = {header: names_of(header) for header in free}
        for wanted in list(waiting):
            names = {normalise(name) for name in (wanted.name, *wanted.synonyms)}
            hits = [header for header in free if forms[header] & names]
            if not hits:
                continue
            waiting.remove(wanted)
            if len(hits) > 1:
                problems.append({"code": "columns.ambiguous", "field": wanted.name, "candidates": hits})
                continue
            columns[wanted.name], how[wanted.name] = hits[0], label
            free.remove(hits[0])


def _whole_names(header: str) -> set[str]:
    return {normalise(header)}


def _bare_names(header: str) -> set[str]:
    return {_bare(header)}


def _part_names(header: str) -> set[str]:
    """Of a header joined from several rows (住房/面积), and of one in two languages (姓名 Name)."""
    parts = {_bare(part) for part in header.split("/")} if "/" in header else set()
    two = re.fullmatch(r"([\u3400-\u9fff]+)[\s_-]*([A-Za-z][A-Za-z _-]*)", header.strip())
    return parts | ({normalise(two[1]), normalise(two[2])} if two else set())


def _geometry_by_name(
    fields: Sequence[Field], headers: Sequence[str], columns: dict[str, str], how: dict[str, str]
) -> None:
    usual = {"wkt", "geom", "geometry", "thegeom", "shape", "几何", "图形"}
    for wanted in fields:
        names = usual | {normalise(name) for name in (wanted.name, *wanted.synonyms)}
        hits = [header for header in headers if normalise(header) in names]
        if len(hits) == 1:
            columns[wanted.name], how[wanted.name] = hits[0], NAME


def _closest(header: str, headers: Iterable[str]) -> list[str]:
    by_form = {normalise(h): h for h in headers}
    return [
        by_form[form] for form in difflib.get_close_matches(normalise(header), list(by_form), n=5, cutoff=0.4)
    ]


def _missing(wanted: Field, headers: Sequence[str], used: set[str]) -> dict[str, Any]:
    free = [header for header in headers if header not in used]
    near: list[str] = []
    for name in (wanted.name, *wanted.synonyms):
        near += [header for header in _closest(name, free) if header not in near]
    return {
        "code": "columns.required_missing",
        "field": wanted.name,
        "candidates": near[:5] or free[:40],
        "names": [wanted.name, *wanted.synonyms],
    }


def remembered_mapping(session: Session, city_code: str, source: str) -> dict[str, str]:
    """What a person corrected for this source: header -> field, "" for a column to leave out."""
    rows = session.execute(
        text("SELECT header, field FROM ops.column_mapping WHERE city_code = :city AND source = :source"),
        {"city": city_code, "source": source},
    )
    return {row.header: row.field for row in rows}


def remember_mapping(
    session: Session,
    city_code: str,
    source: str,
    mapping: Mapping[str, str | None],
    *,
    set_by: str,
    schema: Schema,
) -> None:
    """Keep the choices of ``set_by`` (header -> field, "" to leave a column out, None to forget a choice).

    Raises ``MappingError`` for a field that ``schema`` does not have, and for one chosen for two columns.
    """
    chosen = [name for name in mapping.values() if name]
    problems: list[dict[str, Any]] = [
        {"code": "columns.no_such_field", "field": name, "candidates": list(schema.names)}
        for name in chosen
        if name not in schema
    ]
    problems += [
        {
            "code": "columns.ambiguous",
            "field": name,
            "candidates": [h for h, f in mapping.items() if f == name],
        }
        for name in sorted(set(chosen))
        if chosen.count(name) > 1
    ]
    if problems:
        raise MappingError(file=source, source=source, problems=problems)
    where = {"city": city_code, "source": source}
    for header, name in mapping.items():
        session.execute(
            text(
                "DELETE FROM ops.column_mapping WHERE city_code = :city AND source = :source"
                " AND (header = :header OR (field = :field AND field <> ''))"
            ),
            {**where, "header": header, "field": name or ""},
        )
        if name is not None:
            session.execute(
                text(
                    "INSERT INTO ops.column_mapping (city_code, source, header, field, set_by)"
                    " VALUES (:city, :source, :header, :field, :by)"
                ),
                {**where, "header": header, "field": name, "by": set_by},
            )

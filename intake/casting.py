"""Text to typed values, a column at a time, and for what does not fit a reason.

Every ``cast`` first takes the form nearly all values have (compiled, whole column), then looks at what is left:
the distinct leftovers are read one by one with all the tolerance that real tables need.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from intake.compiled import untidy, usual_dates
from intake.schema import Field

DateOrder = Literal["ymd", "dmy", "mdy"]
EMPTY = ("", "\\N")
EMPTY_UNLESS_TEXT = (
    "NULL",
    "null",
    "Null",
    "N/A",
    "n/a",
    "NA",
    "NaN",
    "nan",
    "None",
    "none",
    "-",
    "--",
    "—",
    "/",
    "无",
    "#N/A",
)
FIRST_YEAR, LAST_YEAR = 1850, 2200
OPEN_END_YEAR = 9999

YES = ("是", "有", "true", "t", "yes", "y", "1", "1.0", "对", "√", "已")
NO = ("否", "无", "false", "f", "no", "n", "0", "0.0", "错", "×", "未")

_WORTH_COMPILED = 1_000
_DATE_FORMATS = {
    r"^\d{4}-\d{1,2}-\d{1,2}$": "%Y-%m-%d",
    r"^\d{4}/\d{1,2}/\d{1,2}$": "%Y/%m/%d",
    r"^\d{4}\.\d{1,2}\.\d{1,2}$": "%Y.%m.%d",
    r"^\d{4}年\d{1,2}月\d{1,2}日$": "%Y年%m月%d日",
}
_EXCEL_DAY_0 = dt.date(1899, 12, 30)
_UNIT = re.compile(r"(平方米|平米|平方公尺|m2|㎡|m²|sqm|米|元|人|户|套|间|层|岁|%)$", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}([, '\u2009]\d{3})+(\.\d+)?")
_DMS = re.compile(
    r"([NSEW]?)\s*(\d{1,3}(?:\.\d+)?)[°度]\s*(?:(\d{1,2}(?:\.\d+)?)[′'分]\s*)?(?:(\d{1,2}(?:\.\d+)?)[″\"秒]\s*)?([NSEW]?)"
)


@dataclass
class Cast:
    """``values`` typed, null where empty or wrong; ``reasons`` String codes where wrong, else null; both as long as
    what went in. ``params`` holds, per reason, what its words need (the same for every row)."""

    values: pl.Series
    reasons: pl.Series
    params: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def bad(self) -> pl.Series:
        return self.reasons.is_not_null()


@dataclass(frozen=True)
class CastOptions:
    """What a city.toml says about a source's values."""

    date_order: DateOrder = "ymd"
    null_values: tuple[str, ...] = ()
    codes: Mapping[str, int | str] = field(default_factory=dict)


_SPACES = " \t\r\n\u3000\xa0\ufeff\u200b"


def clean(values: pl.Series, null_values: Sequence[str] = ()) -> pl.Series:
    """Text without white space of any kind around it; empty, or what means "nothing", is null."""
    if not null_values and not untidy(values):
        return values
    stripped = values.str.strip_chars(_SPACES)
    nothing = pl.Series([*EMPTY, *null_values])
    return pl.select(pl.when(~stripped.is_in(nothing.implode())).then(stripped)).to_series()


def cast(values: pl.Series, wanted: Field, options: CastOptions | None = None) -> Cast:
    """``values`` (String) as the type of ``wanted``, with reasons; the field's bounds and its check included.

    >>> found = cast(pl.Series(["2026-02-03", "2026年2月30日", "46056", None]), Field("born", "date"))
    >>> found.values.to_list()[0], found.reasons.to_list()
    (datetime.date(2026, 2, 3), [None, 'impossible_date', None, None])
    >>> cast(pl.Series(["1,234", "１２", "x"]), Field("rooms", "int")).values.to_list()
    [1234, 12, None]
    """
    options = options or CastOptions()
    if wanted.default is not None:
        values = values.fill_null(str(wanted.default))
    made = _TYPES[wanted.type](values, wanted, options)
    if wanted.default is not None and wanted.type == "text":
        made.values = made.values.fill_null(str(wanted.default))
    _bound(made, wanted)
    _checked(made, wanted)
    if wanted.required:
        empty = made.values.is_null() & made.reasons.is_null()
        made.reasons = _set(made.reasons, empty, "required_missing")
    if made.reasons.null_count() < len(made.reasons):
        made.values = pl.select(pl.when(~made.bad).then(made.values)).to_series()
    return made


def _no_reasons(length: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, length)


def _set(reasons: pl.Series, where: pl.Series, reason: str) -> pl.Series:
    if not where.any():
        return reasons
    return (
        reasons.to_frame("r").select(pl.when(where).then(pl.lit(reason)).otherwise(pl.col("r"))).to_series()
    )


def _bound(made: Cast, wanted: Field) -> None:
    if wanted.minimum is not None:
        made.reasons = _set(
            made.reasons, (made.values < wanted.minimum).fill_null(value=False), "below_minimum"
        )
        made.params["below_minimum"] = {"minimum": wanted.minimum}
    if wanted.maximum is not None:
        made.reasons = _set(
            made.reasons, (made.values > wanted.maximum).fill_null(value=False), "above_maximum"
        )
        made.params["above_maximum"] = {"maximum": wanted.maximum}


def _checked(made: Cast, wanted: Field) -> None:
    if wanted.check is None:
        return
    there = made.values.is_not_null() & made.reasons.is_null()
    found = wanted.check.find(made.values.filter(there)) if there.any() else None
    if found is None or found.null_count() == len(found):
        return
    whole = pl.Series([None], dtype=pl.String).new_from_index(0, len(made.values))
    made.reasons = made.reasons.fill_null(whole.scatter(there.arg_true(), found))


def _leftovers(
    text: pl.Series, values: pl.Series, read: Callable[[str], Any], options: CastOptions
) -> tuple[pl.Series, pl.Series]:
    """Read the distinct texts that have no value yet: ``read`` gives the value, None for "nothing", or a ``Reason``."""
    left = text.is_not_null() & values.is_null()
    if not left.any():
        return values, _no_reasons(len(text))
    nothing = {*EMPTY, *EMPTY_UNLESS_TEXT, *options.null_values}
    distinct = text.filter(left).unique()
    tidy = [value.strip(_SPACES) for value in distinct.to_list()]
    found = [None if value in nothing else read(value) for value in tidy]
    table = pl.DataFrame(
        {
            "t": distinct,
            "x": pl.Series(
                [None if isinstance(v, Reason) else v for v in found], dtype=values.dtype, strict=False
            ),
            "r": pl.Series([v.code if isinstance(v, Reason) else None for v in found], dtype=pl.String),
        }
    )
    rest = text.filter(left).to_frame("t").join(table, on="t", how="left", maintain_order="left")
    rows = left.arg_true()
    return values.scatter(rows, rest["x"]), _no_reasons(len(text)).scatter(rows, rest["r"])


@dataclass(frozen=True)
class Reason:
    """Stands in for a value that cannot be had."""

    code: str


def _text(text: pl.Series, wanted: Field, options: CastOptions) -> Cast:
    del wanted
    return Cast(clean(text, options.null_values), _no_reasons(len(text)))


def _float(text: pl.Series, wanted: Field, options: CastOptions) -> Cast:
    fast = text.cast(pl.Float64, strict=False)
    if not fast.is_finite().all(ignore_nulls=True):
        fast = pl.select(pl.when(fast.is_finite()).then(fast)).to_series()
    read = read_angle if wanted.type in ("lng", "lat") else read_number
    return Cast(*_leftovers(text, fast, read, options))


def _int(text: pl.Series, wanted: Field, options: CastOptions) -> Cast:
    del wanted
    return Cast(*_leftovers(text, text.cast(pl.Int64, strict=False), read_integer, options))


def read_number(value: str) -> float | Reason:
    """A number as people write it.

    >>> read_number("1,234.50"), read_number("８９.５㎡"), read_number("1,2")
    (1234.5, 89.5, Reason(code='not_a_number'))
    """
    plain = unicodedata.normalize("NFKC", value).strip().removeprefix("¥").replace("−", "-")
    plain = _UNIT.sub("", plain).strip()
    if _GROUPED.fullmatch(plain):
        plain = re.sub(r"[, '\u2009]", "", plain)
    if not _NUMBER.fullmatch(plain):
        return Reason("not_a_number")
    number = float(plain)
    return number if abs(number) < 1e300 else Reason("not_a_number")


def read_integer(value: str) -> int | Reason:
    """A whole number as people write it; 3.0 is one, 3.5 is not.

    >>> read_integer("3.0"), read_integer("3.5"), read_integer("三")
    (3, Reason(code='not_an_integer'), Reason(code='not_a_number'))
    """
    number = read_number(value)
    if isinstance(number, Reason):
        return number
    return int(number) if number.is_integer() and abs(number) < 2**53 else Reason("not_an_integer")


def read_angle(value: str) -> float | Reason:
    """Degrees, decimal or with minutes and seconds.

    >>> read_angle("113°56′24″E"), read_angle("22.5°")
    (113.94, 22.5)
    """
    plain = value.strip().upper()
    found = _DMS.fullmatch(plain)
    if found is None:
        return read_number(value)
    degrees = float(found[2]) + float(found[3] or 0) / 60 + float(found[4] or 0) / 3600
    return -degrees if "S" in (found[1], found[5]) or "W" in (found[1], found[5]) else degrees


def _date(text: pl.Series, wanted: Field, options: CastOptions) -> Cast:
    del wanted
    found = usual_dates(text, FIRST_YEAR, LAST_YEAR)
    left = text.is_not_null() & found.is_null()
    if left.sum() > _WORTH_COMPILED:
        found = _other_formats(text, found, left)
    return Cast(*_leftovers(text, found, DateReader(options.date_order), options))


def _other_formats(text: pl.Series, found: pl.Series, left: pl.Series) -> pl.Series:
    """Whole columns in another usual format, compiled; the shape is held exactly, or 2026023 would be a date."""
    frame = pl.DataFrame({"t": text, "d": found})
    short = pl.col("t").str.replace(r"[ T]00?:00(:00(\.0+)?)?$", "")
    for shape, format_ in _DATE_FORMATS.items():
        fits = pl.when(left & short.str.contains(shape)).then(short)
        made = fits.str.to_date(format_, strict=False)
        sane = pl.when(made.dt.year().is_between(FIRST_YEAR, LAST_YEAR)).then(made)
        frame = frame.with_columns(pl.coalesce("d", sane).alias("d"))
    return frame["d"]


_SEPARATED = re.compile(r"(\d{1,4})[-/.年](\d{1,2})[-/.月](\d{1,4})[日号]?")
_TIME = re.compile(
    r"[ T]+(上午|下午)?\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(am|pm|z|[+-]\d{2}:?\d{2})?$", re.IGNORECASE
)
_INCOMPLETE = re.compile(r"(1[89]|20)\d{2}[-/.年]?((0?[1-9]|1[0-2])月?)?年?")


@dataclass(frozen=True)
class DateReader:
    """Reads one date as people and programs write it; the time of day is left off.

    >>> read = DateReader()
    >>> read("20260203"), read("2026/2/3 08:30"), read("2026-02-30")
    (datetime.date(2026, 2, 3), datetime.date(2026, 2, 3), Reason(code='impossible_date'))
    >>> read("03/02/2026"), DateReader("dmy")("03/02/2026"), read("13/02/2026")
    (Reason(code='ambiguous_date'), datetime.date(2026, 2, 3), datetime.date(2026, 2, 13))
    >>> read("46056"), read("9999-12-31"), read("1990-05")
    (datetime.date(2026, 2, 3), None, Reason(code='incomplete_date'))
    """

    order: DateOrder = "ymd"

    def __call__(self, value: str) -> dt.date | Reason | None:  # noqa: PLR0911 - a list of cases
        plain = unicodedata.normalize("NFKC", value).strip()
        plain = re.sub(r"\s*([年月日号/.-])\s*", r"\1", _TIME.sub("", plain)).strip()
        if re.fullmatch(r"\d{8}", plain):
            return self._eight_digits(plain)
        if re.fullmatch(r"[1-9]\d{4}(\.\d+)?", plain):
            return _EXCEL_DAY_0 + dt.timedelta(days=int(float(plain)))
        if re.fullmatch(r"\d{14}", plain):  # 20260203083000
            return self._eight_digits(plain[:8])
        found = _SEPARATED.fullmatch(plain)
        if found is None:
            return Reason("incomplete_date" if _INCOMPLETE.fullmatch(plain) else "not_a_date")
        first, second, third = found.groups()
        if len(first) == 4 and len(third) <= 2:
            return _day(int(first), int(second), int(third))
        if len(third) == 4 and len(first) <= 2:
            return self._year_last(int(first), int(second), int(third))
        return Reason("ambiguous_date" if len(first) <= 2 and len(third) <= 2 else "not_a_date")

    def _eight_digits(self, plain: str) -> dt.date | Reason | None:
        return _day(int(plain[:4]), int(plain[4:6]), int(plain[6:]))

    def _year_last(self, first: int, second: int, year: int) -> dt.date | Reason | None:
        if self.order == "dmy" or (self.order == "ymd" and first > 12):
            return _day(year, second, first)
        if self.order == "mdy" or second > 12 or first == second:
            return _day(year, first, second)
        return Reason("ambiguous_date")


def _day(year: int, month: int, day: int) -> dt.date | Reason | None:
    if year == OPEN_END_YEAR:
        return None  # "for ever", as many registers write it
    try:
        made = dt.date(year, month, day)
    except ValueError:
        return Reason("impossible_date")
    return made if FIRST_YEAR <= year <= LAST_YEAR else Reason("impossible_date")


def _bool(text: pl.Series, wanted: Field, options: CastOptions) -> Cast:
    yes_no = {**dict.fromkeys(YES, True), **dict.fromkeys(NO, False)}
    yes_no |= {_code_form(k): bool(v) for k, v in (wanted.codes or {}).items()}
    fast = text.replace_strict(yes_no, default=None, return_dtype=pl.Boolean)

    def read(value: str) -> bool | Reason:
        found = yes_no.get(_code_form(value))
        return Reason("not_yes_or_no") if found is None else found

    return Cast(*_leftovers(text, fast, read, options))


def _code_form(value: str) -> str:
    return unicodedata.normalize("NFKC", value).strip().casefold()


def _code(text: pl.Series, wanted: Field, options: CastOptions) -> Cast:
    codes = {**(wanted.codes or {}), **options.codes}
    if not codes:  # an open code such as an area's: only its writing is made equal
        plain = clean(
            text, (*EMPTY_UNLESS_TEXT, *options.null_values) if untidy(text) else options.null_values
        )
        if plain.str.ends_with(".0").any():
            plain = plain.str.replace(r"^(\d+)\.0+$", "$1")
        return Cast(plain, _no_reasons(len(text)))
    kind = type(next(iter((wanted.codes or codes).values())))
    table: dict[str, int | str] = {_code_form(str(stored)): kind(stored) for stored in codes.values()}
    table |= {_code_form(str(word)): kind(stored) for word, stored in codes.items()}
    fast = text.replace_strict(table, default=None, return_dtype=wanted.dtype)

    def read(value: str) -> int | str | Reason:
        form = _code_form(value).removesuffix(".0")
        found = table.get(form, table.get(form.lstrip("0")))
        return Reason("unknown_code") if found is None else found

    values, reasons = _leftovers(text, fast, read, options)
    return Cast(values, reasons, {"unknown_code": {"allowed": list(codes)[:20]}})


def _geometry(text: pl.Series, wanted: Field, options: CastOptions) -> Cast:
    """WKT, or WKB in hexadecimal."""
    import shapely

    del wanted, options
    values = clean(text).to_list()
    made = shapely.from_wkt([None if v is None or _is_hex(v) else v for v in values], on_invalid="ignore")
    hexed = shapely.from_wkb(
        [v if v is not None and _is_hex(v) else None for v in values], on_invalid="ignore"
    )
    wkb = [shapely.to_wkb(a if a is not None else b) for a, b in zip(made, hexed, strict=True)]
    found = pl.Series(wkb, dtype=pl.Binary)
    reasons = _set(_no_reasons(len(text)), text.is_not_null() & found.is_null(), "bad_geometry")
    return Cast(found, reasons)


def _is_hex(value: str) -> bool:
    return value[:2] in ("00", "01") and re.fullmatch(r"[0-9A-Fa-f]+", value) is not None


_TYPES: dict[str, Callable[[pl.Series, Field, CastOptions], Cast]] = {
    "text": _text, "int": _int, "float": _float, "lng": _float, "lat": _float, "date": _date, "bool": _bool,
    "code": _code, "geometry": _geometry,
}  # fmt: skip

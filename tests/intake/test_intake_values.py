"""Values: what people write is understood, what cannot be is named, and nothing else changes."""

from __future__ import annotations

import datetime as dt
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from intake.casting import CastOptions, DateReader, Reason, cast, read_number
from intake.checks import RESIDENT_ID, USCC, find_id_problems, find_uscc_problems, id_birth_date, id_sex
from intake.compiled import usual_dates
from intake.schema import Check, Field, RowCheck, Schema
from intake.spreadsheets import neutralise, neutralise_frame, restore

WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]


def id_number(area: str, born: dt.date, order: int) -> str:
    first = f"{area}{born:%Y%m%d}{order:03d}"
    return first + "10X98765432"[sum(int(d) * w for d, w in zip(first, WEIGHTS, strict=True)) % 11]


@settings(deadline=None)
@given(st.dates(dt.date(1850, 1, 1), dt.date(2200, 12, 31)), st.sampled_from(range(9)))
def test_any_day_in_any_usual_writing(day: dt.date, how: int) -> None:
    written = [
        f"{day:%Y-%m-%d}", f"{day:%Y%m%d}", f"{day.year}/{day.month}/{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}.{day.month:02d}.{day.day:02d}", f"{day:%Y-%m-%d} 08:30:00", f"{day:%Y-%m-%d}T00:00:00.000",
        f" {day:%Y-%m-%d}\u3000", f"{day:%Y/%m/%d} 0:00",
    ][how]  # fmt: skip
    assert cast(pl.Series([written]), Field("d", "date")).values.to_list() == [day]
    many = cast(pl.Series([written] * 1500), Field("d", "date"))  # the compiled way for whole columns
    assert many.values.unique().to_list() == [day]


@settings(deadline=None)
@given(st.integers(1, 12_000), st.integers(0, 99), st.integers(0, 99), st.sampled_from(["-", "/", "", "."]))
def test_a_date_is_never_bent_into_another(year: int, month: int, day: int, between: str) -> None:
    text = f"{year:04d}{between}{month:02d}{between}{day:02d}"
    found = cast(pl.Series([text]), Field("d", "date"))
    try:
        right = dt.date(year, month, day)
    except ValueError:
        right = None
    if right is not None and 1850 <= year <= 2200:
        assert found.values[0] == right
    else:
        assert found.values[0] is None
        assert found.reasons[0] is not None or year == 9999


@pytest.mark.parametrize(
    ("text", "reason"),
    [("2026-02-30", "impossible_date"), ("20260230", "impossible_date"), ("2026/13/1", "impossible_date"),
     ("2023年2月29日", "impossible_date"), ("0000-00-00", "impossible_date"), ("1234-05-06", "impossible_date"),
     ("1990-05", "incomplete_date"), ("1990年", "incomplete_date"), ("1990年5月", "incomplete_date"),
     ("03/04/2026", "ambiguous_date"), ("90-5-1", "ambiguous_date"), ("昨天", "not_a_date"), ("2026023", "not_a_date")],
)  # fmt: skip
def test_what_is_no_date_is_told_why(text: str, reason: str) -> None:
    found = cast(pl.Series([text, "2026-02-03"]), Field("d", "date"))
    assert found.reasons.to_list() == [reason, None]


def test_excel_serials_open_ends_and_declared_orders() -> None:
    read = DateReader()
    assert read("46056") == dt.date(2026, 2, 3)
    assert read("46056.5") == dt.date(2026, 2, 3)
    assert read("9999-12-31") is None
    assert DateReader("mdy")("02/03/2026") == dt.date(2026, 2, 3)
    assert DateReader("dmy")("02/03/2026") == dt.date(2026, 3, 2)
    assert read("12/07/2023 11:59:34 PM") == Reason("ambiguous_date")
    assert DateReader("mdy")("12/07/2023 11:59:34 PM") == dt.date(2023, 12, 7)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(-(10**12), 10**12)))
def test_numbers_survive_their_separators(number: float) -> None:
    plain = f"{number:f}" if isinstance(number, float) else str(number)
    grouped = f"{number:,.6f}" if isinstance(number, float) else f"{number:,}"
    wide = plain.translate(str.maketrans("0123456789.-", "０１２３４５６７８９．－"))
    found = cast(pl.Series([plain, grouped, wide, f" {plain} "]), Field("n", "float"))
    assert found.reasons.null_count() == 4
    assert all(value == pytest.approx(float(plain), rel=1e-6, abs=1e-6) for value in found.values.to_list())


@pytest.mark.parametrize("text", ["1,2", "12,34,567", "1.2.3", "abc", "1e999", "nan", "inf", "--", "1 万"])
def test_what_is_no_number(text: str) -> None:
    found = cast(pl.Series([text]), Field("n", "float"))
    assert found.values[0] is None
    assert found.reasons[0] == (None if text in ("--", "nan") else "not_a_number")


def test_integers_bounds_and_units() -> None:
    found = cast(
        pl.Series(["3.0", "3.5", "９０㎡", "-1", "101", None]), Field("n", "int", minimum=0, maximum=100)
    )
    assert found.values.to_list() == [3, None, 90, None, None, None]
    assert found.reasons.to_list() == [None, "not_an_integer", None, "below_minimum", "above_maximum", None]
    assert found.params["above_maximum"] == {"maximum": 100}
    assert read_number("12.5%") == 12.5


def test_codes_words_and_yes_and_no() -> None:
    sex = Field("sex", "code", codes={"男": 1, "女": 2, "male": 1})
    found = cast(pl.Series(["男", " 女 ", "MALE", "1", "2.0", "０１", "x", "", None]), sex)
    assert found.values.to_list() == [1, 2, 1, 1, 2, 1, None, None, None]
    assert found.reasons.to_list() == [None] * 6 + ["unknown_code", None, None]
    assert found.params["unknown_code"]["allowed"] == ["男", "女", "male"]
    own = cast(pl.Series(["M", "F"]), sex, CastOptions(codes={"M": 1, "F": 2}))
    assert own.values.to_list() == [1, 2]
    insured = cast(pl.Series(["是", "否", "Y", "0", "也许"]), Field("insured", "bool"))
    assert insured.values.to_list() == [True, False, True, False, None]
    assert insured.reasons[4] == "not_yes_or_no"
    area = cast(pl.Series(["440304001.0", " 440304001", "NULL"]), Field("code", "code"))
    assert area.values.to_list() == ["440304001", "440304001", None]


def test_required_default_and_nothing() -> None:
    found = cast(pl.Series(["", " \u3000", None, "\\N", "x"]), Field("t", "text", required=True))
    assert found.reasons.to_list() == ["required_missing"] * 4 + [None]
    assert cast(pl.Series([None, "x"]), Field("t", "text", default="d")).values.to_list() == ["d", "x"]
    assert cast(pl.Series([None, "7"]), Field("n", "int", default=3)).values.to_list() == [3, 7]
    assert cast(pl.Series(["无", "NULL"]), Field("t", "text")).values.to_list() == ["无", "NULL"]
    assert (
        cast(pl.Series(["missing"]), Field("t", "text"), CastOptions(null_values=("missing",))).values[0]
        is None
    )


def test_geometry_from_text_and_angles() -> None:
    found = cast(pl.Series(["POINT (114 22)", "POLYGON ((bad", "0101000000000000000000F03F0000000000000040", None]),
                 Field("g", "geometry"))  # fmt: skip
    assert found.reasons.to_list() == [None, "bad_geometry", None, None]
    assert found.values.is_not_null().to_list() == [True, False, True, False]
    angles = cast(pl.Series(["113°56′24″E", "73°30'W", "114.06"]), Field("x", "lng"))
    assert angles.values.to_list() == pytest.approx([113.94, -73.5, 114.06])


# ID numbers and credit codes, against python-stdnum


@settings(max_examples=400, deadline=None)
@given(
    area=st.sampled_from(["110105", "310101"]),
    born=st.dates(dt.date(1900, 1, 1), dt.date(2025, 12, 31)),
    order=st.integers(0, 999),
    at=st.integers(6, 17),  # stdnum also knows which places there were
    digit=st.sampled_from("0123456789Xx"),
)
def test_id_numbers_as_stdnum_judges_them(area: str, born: dt.date, order: int, at: int, digit: str) -> None:
    right = id_number(area, born, order)
    changed = right[:at] + digit + right[at + 1 :]
    assert find_id_problems(pl.Series([right, right.lower()])).to_list() == [None, None]
    year = changed[6:10]
    known = year.isdigit() and 1850 <= int(year) <= dt.date.today().year  # stdnum takes any year
    assert (find_id_problems(pl.Series([changed]))[0] is None) == (ric.is_valid(changed) and known)
    assert id_birth_date(pl.Series([right]))[0] == born
    assert id_sex(pl.Series([right]))[0] == (1 if order % 2 else 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("11010519491231002", "id_wrong_length"), ("110105491231002", "id_old_15"), ("4.40304E+17", "id_rounded"),
     ("440304199001011000", "id_rounded"), ("110105194912310021", "id_wrong_check_digit"), ("", None),
     ("一二三四五六七八九十一二三四五六七八", "id_wrong_length"), ("11010519491231002ＸＸ", "id_wrong_length")],
)  # fmt: skip
def test_what_is_wrong_with_an_id_number(text: str, reason: str | None) -> None:
    found = cast(pl.Series([text, "11010519491231002X"]), Field("id", check=RESIDENT_ID, sensitive=True))
    assert found.reasons.to_list() == [reason, None]


def test_an_impossible_birth_date_inside_an_id_number() -> None:
    first = "11010519900230001"
    last = "10X98765432"[sum(int(d) * w for d, w in zip(first, WEIGHTS, strict=True)) % 11]
    assert find_id_problems(pl.Series([first + last]))[0] == "id_impossible_date"


def test_credit_codes_as_stdnum_judges_them() -> None:
    chance = random.Random(3)
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    codes = []
    for number in range(3000):
        first = "91" + "".join(chance.choices("0123456789", k=6)) + "".join(chance.choices(alphabet, k=9))
        code = first + uscc.calc_check_digit(first)
        at = chance.randrange(18)
        codes.append(code if number % 2 else code[:at] + chance.choice(alphabet + "IOZSV") + code[at + 1 :])
    found = find_uscc_problems(pl.Series(codes)).to_list()
    assert [problem is None for problem in found] == [uscc.is_valid(code) for code in codes]
    assert cast(pl.Series(["x"]), Field("uscc", check=USCC)).reasons[0] == "uscc_wrong"


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("0123456789-/ X年"), max_size=12), min_size=1, max_size=50))
def test_compiled_dates_never_leave_their_column(texts: list[str]) -> None:
    for text, found in zip(
        texts, usual_dates(pl.Series(texts, dtype=pl.String), 1850, 2200).to_list(), strict=True
    ):
        assert found is None or text in (f"{found:%Y-%m-%d}", f"{found:%Y/%m/%d}", f"{found:%Y%m%d}")


# Schemas and spreadsheets


def test_a_schema_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Schema("x", (Field("a"), Field("a")))
    with pytest.raises(ValueError, match="unknown fields"):
        Schema("x", (Field("a"),), key=("b",))
    with pytest.raises(ValueError, match="unknown fields"):
        Schema("x", (Field("a"),), checks=(RowCheck("r", "b", lambda f: f["a"]),))
    with pytest.raises(ValueError, match="unknown field type"):
        Field("a", "number")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mix"):
        Field("a", "code", codes={"a": 1, "b": "x"})
    assert Check("r", lambda v: v > 1).find(pl.Series([1, 2, None])).to_list() == ["r", None, None]


@settings(deadline=None)
@given(st.text(st.sampled_from("=+-@'\t\r\n＝＋－＠a1.,% "), max_size=6))
def test_formulas_are_made_harmless_and_come_back(text: str) -> None:
    safe = neutralise(text)
    assert restore(safe) == text
    assert (
        safe[:1] not in "=+-@\t\r\n＝＋－＠"
        or not safe
        or safe.strip("+-").replace(",", ".").rstrip("%")[0].isdigit()
    )
    assert neutralise_frame(pl.DataFrame({"t": [text]}))["t"][0] == safe

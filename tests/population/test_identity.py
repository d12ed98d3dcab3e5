"""ID numbers: right ones recognised, stored so that only the key opens them, matched by a keyed hash."""

from __future__ import annotations

import os
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.cn import ric

from population.register.documents import born, check_character, find_document_problems, sex
from population.register.identity import IdentityKeyError, Vault, mask, vault
from population.register.settings import RegisterSettings

NUMBERS = st.dates(min_value=date(1900, 1, 1), max_value=date(2025, 1, 1)).flatmap(
    lambda day: st.integers(0, 999).map(lambda n: f"440305{day:%Y%m%d}{n:03d}")
).map(lambda digits: digits + check_character(digits))  # fmt: skip
OTHER = st.from_regex(r"[A-Z]{1,2}[0-9]{6,9}", fullmatch=True)


@settings(deadline=None)
@given(NUMBERS)
def test_the_check_character_is_the_one_of_the_standard(number):
    assert ric.calc_check_digit(number) == number[-1]
    assert find_document_problems(pl.Series([number])).to_list() == [None]


@settings(deadline=None)
@given(NUMBERS, st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(number, place, by):
    if number[place] == "X":
        wrong = number[:-1] + str(by)
    else:
        wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    assert find_document_problems(pl.Series([wrong])).to_list() != [None]


@settings(deadline=None)
@given(st.lists(st.none() | NUMBERS | OTHER, max_size=12), st.binary(min_size=32, max_size=32))
def test_what_is_stored_opens_again_and_nothing_of_it_is_in_the_clear(numbers, key):
    safe, given_numbers = Vault.of(key), pl.Series(numbers, dtype=pl.String)
    both = safe.protect(given_numbers)
    assert safe.reveal(both["enc"]).to_list() == numbers
    for number, enc, hashed in zip(numbers, both["enc"], both["hash"], strict=True):
        assert (number is None) == (enc is None) == (hashed is None)
        if number is not None:
            assert len(hashed) == 32
            assert number.encode() not in enc


@settings(deadline=None)
@given(st.lists(NUMBERS | OTHER, min_size=2, max_size=12), st.binary(min_size=32, max_size=32))
def test_the_hash_is_equal_for_equal_numbers_only_and_under_one_key_only(numbers, key):
    hashes = Vault.of(key).protect(pl.Series(numbers))["hash"].to_list()
    other = Vault.of(bytes(31) + b"\1" if key != bytes(31) + b"\1" else bytes(32)).protect(
        pl.Series(numbers)
    )["hash"]
    assert all(
        (a == b) == (x == y)
        for a, x in zip(numbers, hashes, strict=True)
        for b, y in zip(numbers, hashes, strict=True)
    )
    assert not set(hashes) & set(other.to_list())


def test_a_small_and_a_capital_x_and_blanks_are_the_same_number():
    safe = Vault.of(bytes(32))
    hashes = safe.protect(pl.Series(["11010519491231002X", " 110105 19491231 002x "]))["hash"].to_list()
    assert hashes[0] == hashes[1]


@given(
    st.lists(
        st.none()
        | st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
        | st.from_regex(r"0[0-9-]{5,14}", fullmatch=True),
        max_size=8,
    )
)
def test_telephone_numbers_open_again(phones):
    safe = Vault.of(bytes(range(32)))
    assert safe.reveal(safe.protect_phones(pl.Series(phones, dtype=pl.String))).to_list() == phones


@pytest.mark.parametrize("place", [1, 8, 16])
def test_a_changed_byte_or_another_key_opens_nothing(place):
    stored = Vault.of(bytes(32)).protect(pl.Series(["11010519491231002X"]))["enc"]
    changed = bytearray(stored[0])
    changed[place] ^= 1
    for safe, one in (
        (Vault.of(bytes(32)), pl.Series([bytes(changed)])),
        (Vault.of(bytes(31) + b"\1"), stored),
    ):
        with pytest.raises(IdentityKeyError):
            safe.reveal(one)


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.setenv("HEXWARD_HOME", str(tmp_path))
    monkeypatch.delenv("HEXWARD_IDENTITY_KEY", raising=False)
    first, second = vault(), vault()
    assert first == second
    assert os.stat(tmp_path / "keys" / "identity.key").st_mode & 0o777 == 0o600
    monkeypatch.setenv("HEXWARD_IDENTITY_KEY", "ab" * 32)
    assert vault(RegisterSettings()) != first
    monkeypatch.setenv("HEXWARD_IDENTITY_KEY", "ab")
    with pytest.raises(IdentityKeyError):
        vault(RegisterSettings())


def test_what_a_number_says_of_its_holder():
    numbers = pl.Series("n", ["11010519491231002X", "E1234567", None])
    said = pl.DataFrame({"n": numbers}).select(born(pl.col("n")).alias("born"), sex(pl.col("n")).alias("sex"))
    assert [str(row[0]) for row in said.rows()] == ["1949-12-31", "None", "None"]
    assert said["sex"].to_list() == [2, None, None]


def test_shown_masked():
    assert mask("11010519491231002X") == "110105**********2X"
    assert mask("E1234") == "E1234"

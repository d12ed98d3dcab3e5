"""Names and numbers of people and firms: well formed, with right check characters, and nobody's.

Area code 88 is no province (GB/T 2260), so no ID number (GB 11643) or credit code (GB 32100) here can have been
issued; phone numbers begin with 120, which no mobile number does.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from demo.grouping import rank_within
from demo.types import Flags, Floats, Ints, Texts
from demo.words import lists

_ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)
_ID_CHECK = np.array(list("10X98765432"))
_USCC = np.array(list("0123456789ABCDEFGHJKLMNPQRTUWXY"))
_USCC_WEIGHTS = np.array([pow(3, place, 31) for place in range(17)], dtype=np.int64)
_ORG = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)


def id_numbers(prefix: Ints, born: Ints, sex: Ints) -> Texts:
    """18-character ID numbers from 6-digit prefixes, birth days (since 1970) and sex; distinct within one call.

    >>> id_numbers(np.array([884201]), np.array([0]), np.array([1])).tolist()
    ['884201197001017637']
    """
    date = born.astype("datetime64[D]")
    year = date.astype("datetime64[Y]").astype(np.int64) + 1970
    month = date.astype("datetime64[M]").astype(np.int64) % 12 + 1
    in_month = (date - date.astype("datetime64[M]")).astype(np.int64) + 1
    head = prefix * 10**8 + year * 10_000 + month * 100 + in_month
    group = head * 2 + sex % 2
    rank = rank_within(group)
    # a start that differs by day keeps the numbers from all ending in 001
    sequence = ((rank + (head * 2654435761 >> 7) % 499) % 499 + 1) * 2 + sex % 2
    if rank.max(initial=0) >= 499:
        raise ValueError("more than 499 people of one sex, day and prefix")
    number = head * 1000 + sequence
    total = np.zeros(len(number), dtype=np.int64)
    rest = number.copy()
    for weight in _ID_WEIGHTS[::-1]:
        total += rest % 10 * weight
        rest //= 10
    return np.char.add(number.astype("U17"), _ID_CHECK[total % 11])


def credit_codes(area: Ints, serial: Ints) -> Texts:
    """Unified social credit codes of enterprises: `91`, 6-digit area, organisation code with check, check character.

    >>> credit_codes(np.array([880102]), np.array([1])).tolist()
    ['91880102MAD000019W']
    """
    body = [np.char.add("MAD", _base31(serial, 5))]
    value = np.zeros(len(serial), dtype=np.int64)
    letters = body[0].view("U1").reshape(len(serial), -1)[:, :8]
    for place in range(8):
        value += np.array([_ORG.index(c) for c in letters[:, place]], dtype=np.int64) * _ORG_WEIGHTS[place]
    check = (11 - value % 11) % 11
    organisation = np.char.add(body[0], np.where(check == 10, "X", check.astype("U1")))
    code = np.char.add(np.char.add("91", area.astype("U6")), organisation)
    place_of = {letter: number for number, letter in enumerate(_USCC.tolist())}
    signs = code.view("U1").reshape(len(code), -1)[:, :17]
    unique, inverse = np.unique(signs, return_inverse=True)
    values = np.array([place_of[sign] for sign in unique])[inverse].reshape(signs.shape)
    last = (31 - (values * _USCC_WEIGHTS).sum(axis=1) % 31) % 31
    return np.char.add(code, _USCC[last])


def _base31(number: Ints, digits: int) -> Texts:
    """Numbers to the letters both codes allow (no I, O, S, V, Z)."""
    text = np.full(len(number), "", dtype=f"U{digits}")
    rest = number.copy()
    for _ in range(digits):
        text = np.char.add(_USCC[rest % 31], text)
        rest //= 31
    return text


def phones(count: int, rng: np.random.Generator) -> Texts:
    """11-digit numbers that begin with 120."""
    return (12_000_000_000 + rng.integers(0, 10**8, count)).astype("U11")


@cache
def _surnames() -> tuple[Texts, Floats]:
    entries = lists()["people"]["surnames"].split()
    names = np.array([entry.rstrip("0123456789") for entry in entries])
    share = np.array(
        [int(entry[len(name) :]) for entry, name in zip(entries, names, strict=True)], dtype=float
    )
    return names, np.cumsum(share) / share.sum()


@cache
def _given(sex: int, generation: str) -> Texts:
    listed = lists()["people"][f"{'male' if sex == 1 else 'female'}_{generation}"].split()
    signs = sorted(set("".join(listed)))
    pairs = [a + b for a in signs for b in signs if a != b]
    chosen = np.random.default_rng(len(pairs)).permutation(len(pairs))[:600]
    return np.array(listed * 9 + [pairs[i] for i in chosen])


def surname_numbers(count: int, rng: np.random.Generator) -> Ints:
    """Surnames drawn by their frequency, as numbers."""
    return np.searchsorted(_surnames()[1], rng.random(count)).astype(np.int64)


def full_names(surname: Ints, sex: Ints, birth_year: Ints, rng: np.random.Generator) -> Texts:
    """Surname and given name by sex and generation."""
    draw = rng.random(len(surname))
    names = np.full(len(surname), "", dtype="U3")
    generation = np.digitize(birth_year, (1966, 1992))
    for of_sex in (1, 2):
        for number, name in enumerate(("old", "mid", "young")):
            here = (sex == of_sex) & (generation == number)
            given = _given(of_sex, name)
            names[here] = given[(draw[here] * len(given)).astype(np.int64)]
    return np.char.add(_surnames()[0][surname], names)


def family_surnames(unit: Ints, role: Ints, sex: Ints, rng: np.random.Generator) -> Ints:
    """Surname numbers in families: children bear the father's, spouses and the wife's parents their own."""
    own = surname_numbers(len(unit), rng)
    of_unit = surname_numbers(int(unit.max(initial=-1)) + 1, rng)
    father_line: Flags = (role == 2) | (role == 3) | ((role <= 1) & (sex == 1)) | ((role == 4) & (sex == 1))
    father_line |= (role == 5) & (sex == 1)
    return np.where(father_line, of_unit[unit], own)

"""Names of places, people and firms, drawn from the lists in `words.toml`; every name comes with its English form."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from demo.types import Flags, Texts


@cache
def lists() -> dict[str, Any]:
    """The word lists as read from `words.toml`."""
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def joined_pinyin(*syllables: str) -> str:
    """One word of Pinyin syllables, apostrophe where it needs one.

    >>> joined_pinyin("xi", "an")
    "Xi'an"
    """
    word = syllables[0]
    for syllable in syllables[1:]:
        word += ("'" if syllable[0] in "aeo" else "") + syllable
    return word.capitalize()


class Namer:
    """Gives names out of the word lists, none twice for the same sort of thing."""

    def __init__(self, rng: np.random.Generator) -> None:
        words = lists()["places"]
        first, last = list(words["first"].items()), list(words["last"].items())
        pairs = [(a + b, joined_pinyin(p, q)) for a, p in first for b, q in last if a != b]
        self._roots = [pairs[i] for i in rng.permutation(len(pairs))]
        self._next = 0
        sides = list(words["sides"].items())
        self._turns = [
            (),
            *((side,) for side in sides),
            *((one, two) for one in sides for two in sides if one != two),
        ]
        self._words = words

    def roots(self, count: int) -> list[tuple[str, str]]:
        """`count` place names with Pinyin: of two characters first, then with one or two of direction behind."""
        given = []
        for number in range(self._next, self._next + count):
            zh, en = self._roots[number % len(self._roots)]
            again = number // len(self._roots)
            for sign, pinyin in self._turns[again]:
                zh, en = zh + sign, en + pinyin
            given.append((zh, en))
        self._next += count
        return given

    def communities(self, count: int, village: Flags) -> tuple[Texts, Texts]:
        """Names of communities: 社区 in town, 村 where `village` is set."""
        roots = self.roots(count)
        zh = [
            f"{root[0]}{'村' if is_village else '社区'}"
            for root, is_village in zip(roots, village, strict=True)
        ]
        en = [f"{root[1]} {'Village' if v else 'Community'}" for root, v in zip(roots, village, strict=True)]
        return np.array(zh), np.array(en)

    def streets(self, count: int) -> tuple[Texts, Texts]:
        """Names of streets (街道), the well-known ones first."""
        return self._known("streets", count, "街道", "Subdistrict")

    def districts(self, count: int) -> tuple[Texts, Texts]:
        """Names of districts, the well-known ones first."""
        return self._known("districts", count, "区", "District")

    def _known(self, what: str, count: int, suffix: str, suffix_en: str) -> tuple[Texts, Texts]:
        known = list(self._words[what].items())[:count]
        known += self.roots(count - len(known))
        return (
            np.array([zh + suffix for zh, _ in known]),
            np.array([f"{en} {suffix_en}" for _, en in known]),
        )

    def roads(self, count: int) -> tuple[Texts, Texts]:
        """Names of roads without their last character (路, 街, 巷)."""
        known = list(self._words["roads"].items())[:count]
        known += self.roots(count - len(known))
        return np.array([zh for zh, _ in known]), np.array([en for _, en in known])

    def estates(self, count: int) -> tuple[Texts, Texts]:
        """Names of housing estates."""
        words = self._words["estates"]
        heads, tails = list(words["first"].items()), list(words["last"].items())
        zh, en = [], []
        for number in range(count):
            (a, p), (b, q) = heads[number % len(heads)], tails[(number // len(heads) + number) % len(tails)]
            again = number // (len(heads) * len(tails))
            zh.append(f"{a}{b}" + (f"{again + 1}期" if again else ""))
            en.append(f"{p} {q}" + (f" {again + 1}" if again else ""))
        return np.array(zh), np.array(en)

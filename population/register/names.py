"""A name as it is searched: folded, read in pinyin, and the keys under which its near misses are found.

``Keys.of`` is what the database's function ``register.name_keys`` computes for one name (a test holds the two equal);
here it runs over the distinct names of a load. Readings: pypinyin; traditional and variant forms: OpenCC (t2s); what
a character is read as in a surname alone: ``surnames.toml``.

``fuzzy`` is the pinyin without tones in which what ears and fingers confuse is one letter: zh/z, ch/c, sh/s, ng/n/l,
ü/v/u. The same mapping goes over the letters of a query, so that prefixes stay prefixes.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import opencc
from pypinyin import Style, pinyin
from pypinyin.constants import PINYIN_DICT

_MARKS: Final = re.compile("[\u0300-\u036f]")
_SEPARATORS: Final = dict.fromkeys(map(ord, " \t\n\u3000·•・.-_'’‘`,，、()（）/"), " ")
_CONFUSED: Final = (("ü", "u"), ("v", "u"), ("zh", "z"), ("ch", "c"), ("sh", "s"), ("ng", "n"), ("n", "l"))


@dataclass(frozen=True)
class Keys:
    """What is searched of one name; ``given`` and ``outer`` are hashes of the name without one of its parts."""

    folded: str
    fuzzy: str
    initials: str
    given: int | None
    outer: int | None

    @classmethod
    def of(cls, name: str) -> Keys:
        """The keys of ``name``.

        >>> Keys.of("張偉").folded, Keys.of("张伟").fuzzy, Keys.of("Anna Müller").initials
        ('张伟', 'zalwei', 'am')
        """
        parts = fold(name).split()
        if not any(is_han(char) for part in parts for char in part):
            return cls._latin(parts)
        chars = simplified("".join(parts))
        read = readings(chars)
        initials = "".join(one[0] for one in read)
        given = hashed(chars[1:]) if len(chars) > 1 else None
        outer = hashed(chars[:-2] + chars[-1]) if len(chars) > 2 else None
        return cls(chars, confuse("".join(read)), initials, given, outer)

    @classmethod
    def _latin(cls, parts: list[str]) -> Keys:
        whole = "".join(parts)
        given = hashed(" ".join(sorted(parts))) if parts else None
        outer = hashed(parts[-1]) if len(parts) > 1 else None
        return cls(whole, confuse(whole), "".join(part[0] for part in parts), given, outer)


def fold(text: str) -> str:
    """Small letters without accents, full-width forms made plain, whatever separates words as one blank.

    >>> fold("Ｍüller·ANNA ")
    'muller anna'
    """
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text.lower()))
    return " ".join(unicodedata.normalize("NFC", plain).translate(_SEPARATORS).split())


def confuse(letters: str) -> str:
    """Letters of pinyin with what is often confused made one.

    >>> confuse("zhangwei") == confuse("zanwei"), confuse("nilan") == confuse("lining")
    (True, False)
    """
    for said, kept in _CONFUSED:
        letters = letters.replace(said, kept)
    return letters


def readings(chars: str) -> list[str]:
    """Pinyin without tones of each character (a surname as a surname); letters and digits stand for themselves.

    >>> readings("单雄信"), readings("尉迟恭")
    (['shan', 'xiong', 'xin'], ['yu', 'chi', 'gong'])
    """
    known = surnames()
    first = known.get(chars[:2]) if len(chars) > 2 else None
    head = first.split() if first else [known[chars[0]]] if chars[:1] in known else []
    return head + [reading(char) for char in chars[len(head) :]]


def simplified(text: str) -> str:
    """Traditional and variant characters, one by one, as simplified ones."""
    return "".join(_simple(char) for char in text)


def is_han(char: str) -> bool:
    """Whether ``char`` has a reading in pinyin."""
    return ord(char) in PINYIN_DICT


@cache
def reading(char: str) -> str:
    """The usual reading of one character without its tone (ü as v); the character itself where there is none."""
    return pinyin(char, style=Style.NORMAL, errors="default")[0][0] if is_han(char) else char


def hashed(text: str) -> int:
    """32 bits of ``text``, as the database computes them."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:4], "big", signed=True)


@cache
def surnames() -> dict[str, str]:
    """Readings of surnames that differ from the usual ones."""
    said = tomllib.loads((Path(__file__).parent / "surnames.toml").read_text("utf-8"))
    return dict(said["surnames"])


@cache
def syllables() -> frozenset[str]:
    """Every syllable of pinyin that a character has, confused."""
    return frozenset(confuse(reading(chr(code))) for code in PINYIN_DICT)


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@cache
def _simple(char: str) -> str:
    found = _converter().convert(char) if is_han(char) else char
    return str(found) if len(found) == 1 else char

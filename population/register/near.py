"""What lies one slip of the finger from a name: in letters of pinyin, and in Chinese characters."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from population.register.names import confuse, syllables

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_LONGEST: Final = 24


def edits(letters: str) -> list[str]:
    """Everything one letter off ``letters`` (wrong, missing, too many, swapped) that can be read as pinyin, confused.

    Where hardly anything can, it was no pinyin (a Latin name): then everything.

    >>> "wal" in edits("wagn"), "zalwei" in edits("zhangwi"), "mil" in edits("mimg")
    (True, True, True)
    """
    letters = letters[:_LONGEST]
    cuts = [(letters[:at], letters[at:]) for at in range(len(letters) + 1)]
    found = {a + b[1:] for a, b in cuts if b}
    found |= {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    found |= {a + c + b[1:] for a, b in cuts if b for c in _LETTERS}
    found |= {a + c + b for a, b in cuts for c in _LETTERS}
    found = {confuse(one) for one in found} - {"", confuse(letters)}
    readable = sorted(one for one in found if _reads(one))
    return readable if len(readable) >= 5 else sorted(found)


@lru_cache(maxsize=50_000)
def _reads(letters: str) -> bool:
    """Whether ``letters`` are syllables, one after the other."""
    known = syllables()
    ends = [True] + [False] * len(letters)
    for end in range(1, len(letters) + 1):
        ends[end] = any(ends[at] and letters[at:end] in known for at in range(max(0, end - 6), end))
    return ends[-1]


def han_near(name: str) -> tuple[list[str], list[str]]:
    """Whole names one slip from ``name`` (two swapped, one too many), and parts whose hashes its near misses share.

    >>> han_near("张小明")
    (['小张明', '张明小', '小明', '张明', '张小'], ['小明', '张明', '张小明'])
    """
    swapped = [name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(len(name) - 1)]
    fewer = [name[:at] + name[at + 1 :] for at in range(len(name))] if len(name) > 2 else []
    parts = [name[1:], name[:-2] + name[-1]] if len(name) > 2 else []
    return swapped + fewer, [*parts, name]


def distance(left: str, right: str) -> int:
    """Letters to change, add, take away or swap (optimal string alignment) to make ``right`` of ``left``.

    >>> distance("zhangwei", "zhagnwei"), distance("张小明", "张明")
    (1, 1)
    """
    before: list[int] = []
    line = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        earlier, before, line = before, line, [i]
        for j, b in enumerate(right, start=1):
            cost = min(before[j] + 1, line[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                cost = min(cost, earlier[j - 2] + 1)
            line.append(cost)
    return line[-1]

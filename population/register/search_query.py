"""What somebody typed into the search for people, taken apart: a name, digits of a telephone number, an address.

>>> ask = parse("张伟 锦绣花园3栋2单元501")
>>> ask.name, ask.words, ask.door
('张伟', ('锦绣花园',), Door(building=3, unit='2', room='501'))
>>> parse("138 0013 8000").digits, parse("zhang1 wei3").name, parse("3-2-501").kind
('13800138000', 'zhangwei', 'address')
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from population.register.names import fold, is_han, simplified

Kind = Literal["name", "surname", "pinyin", "initials", "phone", "id_number", "address", "mixed", "nothing"]
LONGEST: Final = 100
_BUILDING: Final = r"(?P<b>\d{1,4})\s*(?:号楼|栋|幢|座|#)"
_DOORS: Final = (
    re.compile(rf"{_BUILDING}\s*(?:(?P<u>\d{{1,3}})\s*单元)?\s*(?:(?P<r>\d{{2,5}})\s*(?:室|房|号)?)?"),
    re.compile(r"(?<!\d)(?P<b>\d{1,4})-(?:(?P<u>\d{1,3})-)?(?P<r>\d{3,5})(?!\d)"),
    re.compile(r"(?P<b>)(?:(?P<u>\d{1,3})\s*单元)\s*(?:(?P<r>\d{2,5})\s*(?:室|房)?)?"),
    re.compile(r"(?P<b>)(?P<u>)(?P<r>\d{2,5})\s*(?:室|房)"),
)
_STREETS: Final = re.compile(r"[路街巷道弄号村苑园区厦馆庭邸城里楼]$|\d+号")
_LONGEST_NAME: Final = 5


@dataclass(frozen=True)
class Door:
    """A door as far as it was said."""

    building: int | None = None
    unit: str | None = None
    room: str | None = None


@dataclass(frozen=True)
class Ask:
    """A query taken apart. ``either``: Han letters that may be a name or a place;
    ``parts``: the words of a name in Latin letters."""

    name: str | None = None
    digits: str | None = None
    words: tuple[str, ...] = ()
    door: Door | None = None
    either: bool = False
    parts: tuple[str, ...] = ()
    id_number: str | None = None

    @property
    def kind(self) -> Kind:
        """What it asks for, as the audit trail names it."""
        if self.id_number:
            return "id_number"
        said = [self.name, self.digits, self.words or self.door]
        if not any(said):
            return "nothing"
        if sum(map(bool, said)) > 1 and not self.either:
            return "mixed"
        if self.name:
            if any(map(is_han, self.name)):
                return "surname" if len(self.name) == 1 else "name"
            return "initials" if len(self.name) <= 4 and not re.search("[aeiou]", self.name) else "pinyin"
        return "phone" if self.digits else "address"


def parse(query: str) -> Ask:
    """Take ``query`` apart; anything at all may be typed, the rest of a long text is not looked at."""
    text = unicodedata.normalize("NFKC", query).replace("\x00", " ")[:LONGEST].strip()
    digits = re.sub(r"[\s\-+()]", "", text)
    if re.fullmatch(r"\d{17}[\dXx]", digits):
        return Ask(id_number=digits.upper())
    door = next((found for pattern in _DOORS if (found := pattern.search(text))), None)
    if re.fullmatch(r"\d{4,20}", digits) and not (door and "-" in text and len(digits) < 10):
        return Ask(digits=re.sub(r"^(?:00)?86(?=1\d{10}$)", "", digits))
    place = _door(door)
    rest = text if door is None else f"{text[: door.start()]} {text[door.end() :]}"
    before = text[: door.start()] if door else ""
    at_door = before.split()[-1] if before[-1:].strip() else ""
    return _words(rest, place, at_door)


def _door(found: re.Match[str] | None) -> Door | None:
    if found is None:
        return None
    building = found.group("b")
    return Door(int(building) if building else None, found.group("u") or None, found.group("r") or None)


def _words(rest: str, door: Door | None, at_door: str) -> Ask:
    """``at_door``: the letters right before the door, which are a place."""
    name: list[str] = []
    words: list[str] = []
    digits: str | None = None
    for token in rest.split():
        if re.fullmatch(r"\d{4,11}", token):
            digits = token
        elif any(is_han(char) for char in token):
            if token == at_door or _STREETS.search(token) or name:
                words.append(_plain(token))
            else:
                name.append(simplified(fold(token).replace(" ", "")))
        elif letters := re.sub(r"[^\w]|_", "", re.sub(r"(?<=[a-z])[0-5](?![0-9])", "", fold(token))):
            name.append(letters)
    either = bool(name) and not words and not door and not digits and len(name) == 1
    whole = "".join(name) or None
    if words and not name and not door and len(words) == 1 and len(words[0]) <= _LONGEST_NAME:
        return Ask(words[0], digits, tuple(words), door, either=True)
    if either and whole and any(map(is_han, whole)) and len(whole) > 1:
        return Ask(whole, digits, (whole,), door, either=True)
    return Ask(whole, digits, tuple(words), door, parts=tuple(name))


def _plain(token: str) -> str:
    return simplified(token.lower())

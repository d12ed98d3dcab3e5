"""Finding people in one's own territory by whatever is known of them.

A query goes through ways of looking, from the exact to the tolerant, and stops as soon as there are enough hits; the
hits of a way are then put in order by how near they are. Nothing outside the territory is ever counted, compared or
waited for (see ``search_rows``).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import polars as pl

from population.register import search_rows as rows
from population.register.identity import IdentityKeyError, mask, vault
from population.register.names import confuse, hashed, is_han, readings
from population.register.near import distance, edits, han_near
from population.register.search_query import Ask, Door, parse
from population.register.searchable import TAIL, Tails

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

BUILDINGS: Final = 300
"""Buildings that an address may stand for before it has to be said more exactly."""
_PLACES: Final = 5


@dataclass
class Found:
    """The answer to one query: hits, best first; ``more`` when there are others; buildings that fit the words."""

    kind: str
    hits: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    buildings: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Hit:
    row: Any
    matched: str
    rank: tuple[Any, ...]


def search(session: Session, query: str, limit: int, today: date) -> Found:
    """People (and buildings) of the own territory that fit ``query``, at most ``limit``."""
    ask = parse(query)
    if ask.kind == "nothing":
        return Found("nothing")
    places = _places(session, ask)
    look = _Looking(session, rows.scope_of(session), ask, limit)
    if ask.name:
        also, values = _narrowed(ask, places)
        if also is not None:
            look.by_name(also, values)
            look.or_born()
    elif ask.id_number:
        look.by_id(ask.id_number)
    elif ask.digits:
        look.by_phone(ask.digits)
        if not look.hits and len(ask.digits) <= 5 and look.scope.is_small:
            look.at_door(_places(session, Ask(door=Door())), Door(room=ask.digits))
    if (ask.words or ask.door) and (ask.either or not ask.name) and len(look.hits) < limit:
        look.at_door(places, ask.door or Door())
    hits = look.hits
    best = sorted(hits.values(), key=lambda hit: (hit.rank, hit.row.folded or "", str(hit.row.person_id)))
    shown = [
        {"id": b.id, "name": b.name, "address": b.address, "lng": b.lng, "lat": b.lat}
        for b in places[:_PLACES]
    ]
    return Found(
        ask.kind,
        _described(session, [(hit.row.person_id, hit.matched) for hit in best[:limit]], today),
        len(best) > limit,
        shown,
    )


def describe(session: Session, ids: list[UUID], matched: str, today: date) -> list[dict[str, Any]]:
    """People of the own territory as hits show them, in the order given; others are left out."""
    return _described(session, [(one, matched) for one in ids], today)


def query_hash(query: str) -> str:
    """What the audit trail keeps of a query: enough to see the same one again, not enough to read a name from it."""
    return hmac.digest(vault().macs, b"search " + query.strip().lower().encode(), hashlib.sha256).hex()[:24]


def _places(session: Session, ask: Ask) -> list[Any]:
    if not (ask.words or ask.door):
        return []
    number = ask.door.building if ask.door else None
    words = tuple(f"%{_plain(word)}%" for word in ask.words)
    found = rows.buildings(session, words, number, BUILDINGS)
    if not found and ask.words and not ask.either and max(map(len, ask.words)) > 2:
        # one letter wrong, missing or too many in the longest word
        longest = max(ask.words, key=len)
        rest = [f"%{_plain(word)}%" for word in ask.words if word is not longest]
        tried = (
            f"%{_plain(longest[:at])}{gap}{_plain(longest[at + 1 :])}%"
            for at in range(len(longest))
            for gap in ("_", "")
        )
        near: dict[int, Any] = {}
        for pattern in tried:
            near |= {one.id: one for one in rows.buildings(session, (*rest, pattern), number, BUILDINGS)}
        found = list(near.values())[:BUILDINGS]
    return found


def _plain(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)


def _narrowed(ask: Ask, places: list[Any]) -> tuple[str | None, dict[str, Any]]:
    """What else a named person must fit: an address. None when nothing can."""
    if not (ask.words or ask.door) or ask.either:
        return "true", {}
    if not places:
        return None, {}
    return "s.building_id = ANY(:buildings)", {"buildings": [one.id for one in places]}


@dataclass
class _Looking:
    """One search under way: what has been found so far."""

    session: Session
    scope: rows.Scope
    ask: Ask
    limit: int
    hits: dict[UUID, _Hit] = field(default_factory=dict)

    def by_name(self, also: str, values: dict[str, Any]) -> None:
        """People of that name, or one like it; ``also`` narrows them."""
        ask = self.ask
        if ask.digits:
            also, values = f"{also} AND s.phone_tail = :tail", {**values, "tail": _tail(ask.digits)}
        for ways, more in _name_ways(ask, self.scope.is_small):
            for row in rows.look(self.session, self.scope, ways, {**values, **more}, also):
                if row.person_id not in self.hits:
                    self.hits[row.person_id] = _ranked(ask.name or "", row)
            if len(self.hits) >= self.limit:
                return

    def by_phone(self, digits: str) -> None:
        """People whose telephone number ends so, or is so."""
        tail, whole = Tails(vault()).of(digits)
        ways, values = ["s.phone_tail = :tail"], {"tail": tail}
        if len(digits) >= 11:
            ways, values = ["s.phone_key = :whole AND s.phone_tail = :tail"], {"whole": whole, "tail": tail}
        found = rows.look(self.session, self.scope, ways, values)
        if TAIL < len(digits) < 11:
            kept = rows.sealed(self.session, [row.person_id for row in found])
            ends = {one: _opened(seal.phone_enc) or "" for one, seal in kept.items()}
            found = [row for row in found if ends.get(row.person_id, "").endswith(digits)]
        for row in found:
            self.hits[row.person_id] = _Hit(row, "phone", (0, 0))

    def by_id(self, number: str) -> None:
        """The person with that ID number."""
        hashed_number = vault().protect(pl.Series([number]))["hash"].to_list()[0]
        for row in rows.of_hash(self.session, hashed_number, None):
            self.hits[row.person_id] = _Hit(row, "id_number", (0, 0))

    def or_born(self) -> None:
        """Four digits beside a name may also be the year of birth."""
        digits = self.ask.digits or ""
        if self.hits or not re.fullmatch(r"(?:19|20)\d\d", digits):
            return
        for ways, more in _name_ways(self.ask, self.scope.is_small)[:2]:
            found = rows.look(self.session, self.scope, ways, more)
            years = rows.birth_years(self.session, [row.person_id for row in found])
            for row in found:
                if years.get(row.person_id) == int(digits):
                    self.hits.setdefault(row.person_id, _ranked(self.ask.name or "", row))

    def at_door(self, places: list[Any], door: Door) -> None:
        """Who lives in these buildings, behind that door."""
        ids = [one.id for one in places]
        for row in rows.at_door(self.session, self.scope, ids, door.unit, door.room) if ids else []:
            self.hits.setdefault(row.person_id, _Hit(row, "address", (8, 0)))


def _name_ways(ask: Ask, small: bool) -> list[tuple[list[str], dict[str, Any]]]:
    """Ways of looking for a name in the order in which they are gone, each with what its conditions need."""
    name = ask.name or ""
    latin = not any(map(is_han, name))
    letters = "".join(readings(name))
    fuzzy = confuse(letters)
    words: dict[str, Any] = {
        "name": name,
        "after": name + rows.LAST,
        "fuzzy": fuzzy,
        "fuzzy_after": fuzzy + rows.LAST,
    }
    begins = "s.folded >= :name AND s.folded < :after"
    sounds = "s.fuzzy >= :fuzzy AND s.fuzzy < :fuzzy_after"
    ways: list[tuple[list[str], dict[str, Any]]] = [
        (["s.folded = :name", "s.fuzzy = :fuzzy"], words),
        ([begins, sounds], words),
    ]
    if latin:
        short = ["s.initials = :name", "s.initials >= :name AND s.initials < :after"]
        initials: tuple[list[str], dict[str, Any]] = (short, words)
        ways = [initials, *ways] if not re.search("[aeiou]", name) else [*ways, initials]
        ways.append(
            (["s.given_key = :given OR s.outer_key = :given"], {"given": hashed(" ".join(sorted(ask.parts)))})
        )
        ways.append((["s.fuzzy = ANY(:near)"], {"near": edits(letters)}))
        return ways
    whole, parts = han_near(name)
    tolerant = ["s.folded = ANY(:whole)", "s.given_key = ANY(:parts)", "s.outer_key = ANY(:parts)"]
    more: dict[str, Any] = {"whole": whole, "parts": [hashed(part) for part in parts]}
    if len(name) > 2:
        tolerant.append("s.folded >= :most AND s.folded < :most_after")
        more |= {"most": name[:-1], "most_after": name[:-1] + rows.LAST}
    ways.append((tolerant, more))
    ways.append((["s.fuzzy = ANY(:near)"], {"near": edits(letters)}))
    if small and len(name) == 2:
        ways.append(
            (["s.folded LIKE ANY(:like)"], {"like": [name[0] + "_", "_" + name[1], f"{name[0]}_{name[1]}"]})
        )
    return ways


def _ranked(name: str, row: Any) -> _Hit:
    """How near the row's name is: the same, beginning alike, sounding alike, one slip off."""
    folded, fuzzy, initials = row.folded or "", row.fuzzy or "", row.initials or ""
    read = "".join(readings(name))
    sound = confuse(read)
    apart = distance(folded, name)
    tried: tuple[tuple[bool, str, tuple[int, int]], ...] = (
        (folded == name, "name", (0, 0)),
        (folded.startswith(name), "name", (1, len(folded))),
        ("".join(readings(folded)) == read, "pinyin", (1, 0)),
        (initials == name, "initials", (2, 0)),
        (fuzzy == sound, "similar_sound", (2, apart)),
        (fuzzy.startswith(sound), "pinyin", (3, len(fuzzy))),
        (initials.startswith(name), "initials", (3, len(initials))),
        (True, "similar", (4 + apart, distance(fuzzy, sound))),
    )
    return next(_Hit(row, matched, rank) for fits, matched, rank in tried if fits)


def _tail(digits: str) -> int:
    return Tails(vault()).of(digits)[0]


def _described(session: Session, hits: list[tuple[UUID, str]], today: date) -> list[dict[str, Any]]:
    ids = [person for person, _ in hits]
    if not ids:
        return []
    people, seals = rows.described(session, ids), rows.sealed(session, ids)
    answers = []
    for person, matched in hits:
        one, seal = people.get(person), seals.get(person)
        if one is None:
            continue
        answers.append(
            {
                "id": str(one.id),
                "name": one.name,
                "sex": one.sex,
                "age": _age(one.birth_date, today),
                "status": one.status,
                "id_number": _masked(seal.id_number_enc if seal else None),
                "phone": _masked_phone(seal.phone_enc if seal else None),
                "address": _address(one),
                "dwelling_id": one.dwelling_id,
                "building_id": one.building_id,
                "grid": None if one.grid_id is None else {"id": str(one.grid_id), "code": one.grid_code,
                                                          "name": one.grid_name},
                "matched": matched,
            }
        )  # fmt: skip
    return answers


def _opened(stored: bytes | None) -> str | None:
    """The number, or none: one that another key has sealed must not keep the other hits from being shown."""
    try:
        return None if stored is None else vault().reveal(pl.Series([stored], dtype=pl.Binary)).to_list()[0]
    except IdentityKeyError:
        return None


def _masked(stored: bytes | None) -> str | None:
    number = _opened(stored)
    return None if number is None else mask(number)


def _masked_phone(stored: bytes | None) -> str | None:
    number = _opened(stored)
    return None if number is None else "*" * max(len(number) - TAIL, 0) + number[-TAIL:]


def door_words(unit: str | None, room: str | None) -> str:
    """A door as it is written: 2单元501, 2-501, 501.

    >>> door_words("2单元", "501"), door_words("2", "501"), door_words(None, "501")
    ('2单元501', '2-501', '501')
    """
    if not (unit and room):
        return unit or room or ""
    return f"{unit}{room}" if unit.endswith("单元") else f"{unit}-{room}"


def _address(one: Any) -> str | None:
    parts = (one.address or one.building, door_words(one.unit, one.room))
    return " ".join(part for part in parts if part) or None


def _age(born: date | None, today: date) -> int | None:
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))

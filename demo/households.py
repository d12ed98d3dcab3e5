"""Who lives together: families by template, flat-sharers, dormitory rooms; with age and sex of each member."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.dwellings import CAMPUS, DORMITORY, FARMLAND, OLDTOWN, OWN, PUBLIC, VILLAGE
from demo.grouping import spread_out
from demo.types import Floats, Ints

HEAD, SPOUSE, CHILD, SECOND_CHILD, GRANDPARENT, GRANDPARENT_TOO, MATE = range(7)
#: A template: members' roles, and the head's age: mean, spread, least, most.
TEMPLATES: dict[str, tuple[tuple[int, ...], tuple[float, float, float, float]]] = {
    "young single": ((HEAD,), (28, 5, 18, 45)),
    "single": ((HEAD,), (45, 8, 30, 62)),
    "old single": ((HEAD,), (76, 7.5, 62, 99)),
    "young couple": ((HEAD, SPOUSE), (29, 4.5, 20, 44)),
    "couple": ((HEAD, SPOUSE), (54, 6, 44, 66)),
    "old couple": ((HEAD, SPOUSE), (70, 7, 58, 95)),
    "one child": ((HEAD, SPOUSE, CHILD), (39, 7.5, 23, 60)),
    "two children": ((HEAD, SPOUSE, CHILD, SECOND_CHILD), (38, 5.5, 26, 54)),
    "one child, one grandparent": ((HEAD, SPOUSE, CHILD, GRANDPARENT), (39, 6, 25, 58)),
    "three generations": ((HEAD, SPOUSE, CHILD, GRANDPARENT, GRANDPARENT_TOO), (37, 6, 25, 55)),
    "three generations, two children": (
        (HEAD, SPOUSE, CHILD, SECOND_CHILD, GRANDPARENT, GRANDPARENT_TOO),
        (37, 5, 27, 52),
    ),
    "single parent": ((HEAD, CHILD), (42, 8, 24, 62)),
    "mates": ((MATE,), (27, 6, 17, 55)),
    "workers": ((MATE,), (29, 9, 17, 57)),
    "students": ((MATE,), (19.7, 1.3, 17, 25)),
}
NAMES = tuple(TEMPLATES)
MATES, WORKERS, STUDENTS = (NAMES.index(name) for name in ("mates", "workers", "students"))
#: Age of a parent at the first child's birth, least and most.
_YOUNGEST, _OLDEST = np.array(19.0), np.array(43.0)
_SIZE = np.array([len(roles) for roles, _ in TEMPLATES.values()])
_ROLES = np.array([roles + (0,) * (6 - len(roles)) for roles, _ in TEMPLATES.values()])
_PARENT = np.array([CHILD in roles for roles, _ in TEMPLATES.values()])
_AGE = np.array([age for _, age in TEMPLATES.values()])


def _mix(**shares: float) -> Floats:
    row = np.zeros(len(NAMES))
    for name, share in shares.items():
        row[NAMES.index(name.replace("__", ", ").replace("_", " "))] = share
    mixed: Floats = row / row.sum()
    return mixed


_OWNERS_OLD = _mix(
    old_single=13,
    old_couple=20,
    couple=16,
    one_child=21,
    two_children=5,
    single_parent=4,
    single=6,
    one_child__one_grandparent=6,
    three_generations=6,
)
_OWNERS_DANWEI = _mix(
    old_single=9,
    old_couple=19,
    couple=16,
    one_child=28,
    two_children=5,
    single_parent=4,
    single=5,
    one_child__one_grandparent=7,
    three_generations=6,
)
_OWNERS_NEW = _mix(
    young_single=3,
    young_couple=12,
    one_child=32,
    two_children=15,
    one_child__one_grandparent=10,
    three_generations=10,
    three_generations__two_children=4,
    couple=9,
    old_couple=5,
)
_TENANTS = _mix(
    young_single=17,
    young_couple=19,
    one_child=22,
    two_children=8,
    mates=19,
    single=7,
    single_parent=4,
    old_couple=4,
)
_VILLAGE = _mix(young_single=44, young_couple=25, one_child=12, two_children=4, mates=9, single=6)
_PUBLIC = _mix(
    old_single=15, old_couple=15, one_child=25, single_parent=10, three_generations=6, single=14, couple=15
)
_FARM = _mix(
    old_single=10,
    old_couple=24,
    couple=16,
    one_child=14,
    two_children=8,
    three_generations=16,
    three_generations__two_children=12,
)


def templates(kind: Ints, tenure: Ints, rng: np.random.Generator) -> Ints:
    """The template of the household in each dwelling, by kind of ground and tenure."""
    draw = rng.random(len(kind))
    owner = tenure == OWN
    chosen = np.zeros(len(kind), dtype=np.int64)
    table = [
        (owner & (kind == OLDTOWN), _OWNERS_OLD),
        (owner & (kind == 1), _OWNERS_DANWEI),
        (owner & (kind == 2), _OWNERS_NEW),
        (owner & (kind == VILLAGE), _FARM),
        (kind == FARMLAND, _FARM),
        (~owner & (kind < VILLAGE), _TENANTS),
        (~owner & (kind == VILLAGE), _VILLAGE),
        (tenure == PUBLIC, _PUBLIC),
    ]
    for here, mix in table:
        chosen[here] = np.minimum(np.searchsorted(np.cumsum(mix), draw[here]), len(mix) - 1)
    chosen[kind == DORMITORY] = WORKERS
    chosen[kind == CAMPUS] = STUDENTS
    return chosen


@dataclass
class People:
    """One entry a person: the unit that moves together, role, age in years (with fraction), sex (1 male, 2 female)."""

    unit: Ints
    role: Ints
    age: Floats
    sex: Ints

    def __len__(self) -> int:
        return len(self.unit)


def _folded(age: Floats, least: Floats, most: Floats) -> Floats:
    """Ages beyond a limit mirrored back inside, so that nobody's birthday piles up on one day."""
    width = most - least
    away = np.abs((age - least) % (2 * width))
    return least + np.where(away > width, 2 * width - away, away)


def members(template: Ints, kind: Ints, rng: np.random.Generator) -> People:
    """The people of each unit: all members of a family; a flat-sharer or dormitory resident is a unit alone."""
    size = _SIZE[template]
    unit, place = spread_out(size)
    role = _ROLES[template[unit], place]
    mean, spread, least, most = _AGE[template].T
    older = np.where(kind == OLDTOWN, 4.0, np.where(kind == VILLAGE, -2.5, 0.0))
    older = np.where((template == MATES) | (template == STUDENTS), 0.0, older)
    head = _folded(mean + older + rng.normal(0, 1, len(template)) * spread, least, most)
    first_child = head - _folded(rng.normal(27.5, 4.0, len(template)), _YOUNGEST, _OLDEST)
    too_young = (first_child < 0) & _PARENT[template]
    head = np.where(too_young, head - first_child + rng.random(len(template)) * 3, head)
    first_child = np.where(first_child < 0, rng.random(len(template)) * 3, first_child)
    noise = rng.normal(0, 1, len(unit))
    age = head[unit]
    age = np.where(role == SPOUSE, age - 1.6 + 2.3 * noise, age)
    age = np.where(role == CHILD, first_child[unit], age)
    age = np.where(
        role == SECOND_CHILD, first_child[unit] - 2 - 1.5 * np.abs(noise) - rng.random(len(unit)) * 2, age
    )
    parent = head[unit] + 26.5 + 3.5 * noise
    age = np.where((role == GRANDPARENT) | (role == GRANDPARENT_TOO), parent, age)
    alone = size == 1
    chance = np.where(alone & (kind == DORMITORY), 0.60, np.where(alone, 0.56, 0.86))
    chance = np.where(
        template == NAMES.index("old single"), 0.31, np.where(template == STUDENTS, 0.47, chance)
    )
    chance = np.where(template == NAMES.index("single parent"), 0.28, chance)
    head_sex = np.where(rng.random(len(template)) < chance, 1, 2)
    sex = np.where(role == SPOUSE, 3 - head_sex[unit], head_sex[unit])
    child = (role == CHILD) | (role == SECOND_CHILD)
    sex = np.where(child, np.where(rng.random(len(unit)) < 0.528, 1, 2), sex)
    sex = np.where(role == GRANDPARENT, np.where(rng.random(len(unit)) < 0.4, 1, 2), sex)
    sex = np.where(role == GRANDPARENT_TOO, 0, sex)
    # the second grandparent is the other one's spouse
    other = np.flatnonzero(role == GRANDPARENT_TOO)
    sex[other] = 3 - sex[other - 1]
    # births have fallen since 2017; a child below zero or beyond 27 does not live here
    missing = child & ((age < 0.04) | (age > 27) | ((age < 6) & (rng.random(len(unit)) < 0.18)))
    keep = ~missing & (age < 104)
    return People(unit[keep], role[keep], age[keep], sex[keep])

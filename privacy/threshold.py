"""The first form of release: personal figures below a minimum count are withheld from those without duty.

What it does. A personal figure of 0 to ``minimum_count - 1`` (12) is withheld, zero included, since "nobody" is as
telling as "one". Two rules keep subtraction *inside one unit* from undoing that:

* of the parts of a total never exactly one is withheld: where one alone would be, all parts of that total are;
* a part shown against its total (insured of all jobs) is withheld too when the rest would be too small.

A structural zero (a cell without land) is published as 0. It comes from land use, never from the register.

What it does not do. It does not answer subtraction between units (a parent less its other children), between two
days, or between H3 and administrative borders; the figures it shows are exact. That needs noise drawn from a key,
and published geographies that are unions of cells. Until then: no figure leaves but through these views, every
look and export by name is in the audit trail, and legal grids smaller than their community are not published.

The database does the work (views of schema ``pub``, owned by the statistics builder); this module is the same rule
in Python, against which a test holds the views.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

# Parts that make up one total; a name ending in "_" stands for every figure that begins so.
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "registration": ("registered", "floating"),
    "sex": ("male", "female"),
    "permit": ("floating_permit", "floating_no_permit"),
    "men_by_age": ("m_",),
    "women_by_age": ("f_",),
    "household_size": ("hh_",),
    "tenure": ("own", "rent", "dormitory", "public_housing", "other_tenure"),
    "crowding": ("crowd_",),
    "rooms": ("ppr_",),
    "industries": tuple(f"jobs_{letter}" for letter in "abcdefghijklmnopqrst"),
}
WITHIN: Final = {"jobs_insured": "jobs", "employed_insured": "employed"}
NOT_PERSONAL: Final = frozenset({"buildings", "dwellings", "employers"})


def members(part: Iterable[str], names: Iterable[str]) -> list[str]:
    """The figures among ``names`` that a list of parts means.

    >>> members(("m_",), ["male", "m_0_4", "m_85"])
    ['m_0_4', 'm_85']
    """
    known = list(names)
    found: list[str] = []
    for name in part:
        found += (
            [n for n in known if n.startswith(name)]
            if name.endswith("_")
            else [n for n in known if n == name]
        )
    return found


def withhold(
    figures: Mapping[str, float], minimum: int, *, structural: bool = False
) -> dict[str, float | None]:
    """The figures of one unit as they may be published; None = withheld.

    >>> withhold({"residents": 25, "male": 20, "female": 5}, 13)
    {'residents': 25, 'male': None, 'female': None}
    >>> withhold({"residents": 0, "buildings": 0}, 13)
    {'residents': None, 'buildings': 0}
    >>> withhold({"residents": 4}, 13, structural=True)
    {'residents': 0}
    """
    personal = [name for name in figures if name not in NOT_PERSONAL]
    hidden = {name for name in personal if figures[name] < minimum}
    also: set[str] = set()
    for part in PARTS.values():
        inside = members(part, personal)
        if len(inside) > 1 and len(hidden.intersection(inside)) == 1:
            also.update(inside)
    for name, whole in WITHIN.items():
        if name in personal and whole in figures and figures[whole] - figures[name] < minimum:
            also.add(name)
    if structural:
        return {name: 0 if name in personal else value for name, value in figures.items()}
    return {name: None if name in hidden | also else value for name, value in figures.items()}

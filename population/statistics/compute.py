"""Figures from the register, from scratch, for any day: the same numbers as the triggers keep.

Everything is columns. A place (community, grid, cell) is one row of a matrix of figures; places come from buildings
and employers, and everything else has the place of what it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from db.errors import HexwardError
from population.statistics import counted
from population.statistics.counted import NEVER
from population.statistics.indicators import FIGURES, age_bands, industries
from population.statistics.keys import gather, position, uuid_position

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from population.statistics.readout import Columns

COLUMN: Final = {name: i for i, name in enumerate(FIGURES)}
SCALE: Final = {"dwellings": 100, "est_residents": 1_000_000}
"""Numeric figures are whole numbers of these parts while they are added."""
_CROWD: Final = ("crowd_lt8", "crowd_8_15", "crowd_15_30", "crowd_30_50", "crowd_ge50", "crowd_unknown")
_ROOMS: Final = ("ppr_le1", "ppr_1_2", "ppr_gt2", "ppr_unknown")
_SIZES: Final = ("hh_1", "hh_2", "hh_3", "hh_4", "hh_5", "hh_6plus")
_TENURES: Final = ("own", "rent", "dormitory", "public_housing", "other_tenure")


class OrphanError(HexwardError):
    """Rows of the register that belong to nothing; params: table, of, rows."""

    code = "register_orphans"


@dataclass
class Ledger:
    """What is counted for dwellings, households or persons: ``at`` are rows of their table."""

    at: NDArray[np.int64]
    place: NDArray[np.int64]
    counted: NDArray[np.int32]


@dataclass
class Computed:
    """Places, their figures, and what belongs on the rows and in the ledgers."""

    places: pl.DataFrame
    """community, grid, cell: one row a place, in the order of the figures."""
    figures: NDArray[np.int64]
    """places x FIGURES; numeric figures in parts (SCALE)."""
    place: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Place of each row of each table."""
    ended: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    changes: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    counted: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    stated_dwellings: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    stated_residents: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    resident: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Row of the person of each residence."""


def compute(register: dict[str, Columns], today: int, *, strict: bool = True) -> Computed:
    """All figures of ``register`` (see ``register_columns``) on the day ``today`` (days since 2000-01-01).

    ``strict`` refuses rows that belong to nothing (OrphanError); otherwise they keep the place they state.
    """
    links = _links(register, strict=strict)
    places, place = _places(register, links)
    made = Computed(places, np.zeros((places.height, len(FIGURES)), np.int64), place)
    made.resident = links["resident"]
    _count_rows(register, links, made, today)
    _count_ledgers(register, links, made, today)
    _add_rows(made)
    _add_ledgers(made)
    return made


def _links(register: dict[str, Columns], *, strict: bool) -> dict[str, NDArray[np.int64]]:
    dwelling, household, residence = register["dwelling"], register["household"], register["residence"]
    person, employment = register["person"], register["employment"]
    links = {
        "dwelling_building": position(register["building"]["id"], dwelling["building"]),
        "household_dwelling": position(dwelling["id"], household["dwelling"]),
        "dwelling": position(dwelling["id"], residence["dwelling"]),
        "household": uuid_position(household, residence, "household"),
        "resident": uuid_position(person, residence, "person"),
        "employer": position(register["employer"]["id"], employment["employer"]),
        "worker": uuid_position(person, employment, "person"),
        "pupil": uuid_position(person, register["schooling"], "person"),
    }
    if strict:
        in_household = (residence["household_hi"] != 0) | (residence["household_lo"] != 0)
        missing = {
            "dwelling": ("dwelling", "building", links["dwelling_building"] < 0),
            "household": ("household", "dwelling", links["household_dwelling"] < 0),
            "residence": ("residence", "dwelling", (links["dwelling"] < 0) & (residence["dwelling"] != 0)),
            "member": ("residence", "household", (links["household"] < 0) & in_household),
            "resident": ("residence", "person", links["resident"] < 0),
            "employer": ("employment", "employer", links["employer"] < 0),
            "worker": ("employment", "person", links["worker"] < 0),
            "pupil": ("schooling", "person", links["pupil"] < 0),
        }
        for table, of, rows in missing.values():
            if rows.any():
                raise OrphanError(table=table, of=of, rows=int(rows.sum()))
    return links


def _places(
    register: dict[str, Columns], links: dict[str, NDArray[np.int64]]
) -> tuple[pl.DataFrame, dict[str, NDArray[np.int64]]]:
    """All places in the order of cells, and each row's place, taken from what the row belongs to."""
    own = {"building": None, "employer": None, "dwelling": links["dwelling_building"],
           "household": links["household_dwelling"], "residence": links["dwelling"],
           "employment": links["employer"]}  # fmt: skip
    stated: dict[str, NDArray[np.int64]] = {}
    frames = []
    for table, link in own.items():
        rows = np.arange(len(register[table]["cell"])) if link is None else np.flatnonzero(link < 0)
        stated[table] = rows
        frames.append(pl.DataFrame({k: register[table][k][rows] for k in ("community", "grid", "cell")}))
    places = pl.concat(frames).unique().sort("cell", "grid", "community")
    ordinals = places.with_row_index("place")
    place = {}
    for table, frame in zip(own, frames, strict=True):
        joined = frame.join(ordinals, on=["community", "grid", "cell"], how="left", maintain_order="left")
        found = joined["place"].cast(pl.Int64).to_numpy()
        whole = np.empty(len(register[table]["cell"]), np.int64)
        whole[stated[table]] = found
        place[table] = whole
    for table, of in (("dwelling", "building"), ("household", "dwelling"), ("residence", "dwelling"),
                      ("employment", "employer")):  # fmt: skip
        link = own[table]
        assert link is not None
        tied = link >= 0
        place[table][tied] = place[of][link[tied]]
    return places, place


def _count_rows(
    register: dict[str, Columns], links: dict[str, NDArray[np.int64]], made: Computed, today: int
) -> None:
    person, employer = register["person"], register["employer"]
    stays, works = register["residence"], register["employment"]
    resident, worker = links["resident"], links["worker"]
    made.ended["residence"], made.changes["residence"], made.counted["residence"] = counted.residence(
        {
            **stays,
            "gone": gather(person["gone"], resident, NEVER),
            "sex": gather(person["sex"], resident, 0),
            "birth": gather(person["birth"], resident, NEVER),
            "in_dwelling": stays["dwelling"] != 0,
        },
        today,
    )
    made.ended["employment"], made.changes["employment"], made.counted["employment"] = counted.employment(
        {
            **works,
            "gone": gather(person["gone"], worker, NEVER),
            "closed": gather(employer["valid_to"], links["employer"], NEVER),
            "section": gather(employer["section"], links["employer"], 0),
        },
        today,
    )
    for table in ("building", "dwelling", "household", "employer", "schooling"):
        begins, ends = register[table]["valid_from"], register[table]["valid_to"]
        if table == "schooling":
            ends = np.where(register[table]["superseded"], begins, ends)
        made.changes[table] = counted.next_change(begins, ends, today)
        made.counted[table] = counted.holds(begins, ends, today).astype(np.int32)
    employs = np.zeros(len(employer["id"]), np.bool_)
    employs[links["employer"][(links["employer"] >= 0) & ~works["superseded"]]] = True
    made.counted["employer"] = counted.employer(
        made.counted["employer"] == 1, employer["section"].astype(np.int32), employer["jobs"], employs
    )
    building = register["building"]
    parted = np.zeros(len(building["id"]), np.bool_)
    parted[links["dwelling_building"][links["dwelling_building"] >= 0]] = True
    stands = made.counted["building"] == 1
    made.stated_dwellings = np.where(stands & ~parted, building["dwellings_x100"], 0)
    made.stated_residents = np.where(stands, building["residents_x1m"], 0)


def _count_ledgers(
    register: dict[str, Columns], links: dict[str, NDArray[np.int64]], made: Computed, today: int
) -> None:
    here = made.counted["residence"] != 0
    dwelling, household = register["dwelling"], register["household"]

    people = _tally(links["dwelling"][here], len(dwelling["id"]))
    at = np.flatnonzero(people)
    packed = counted.dwelling(dwelling["area_m2"][at], dwelling["rooms"][at], people[at])
    made.ledgers["dwelling"] = Ledger(at, made.place["dwelling"][at], packed)

    members = _tally(links["household"][here], len(household["id_hi"]))
    at = np.flatnonzero((members > 0) & (made.counted["household"] == 1))
    tenure = gather(dwelling["tenure"], links["household_dwelling"][at], 5).astype(np.int32)
    packed = counted.household(household["collective"][at], tenure, members[at])
    made.ledgers["household"] = Ledger(at, made.place["household"][at], packed)

    does = np.zeros(len(register["person"]["id_hi"]), np.int32)
    work = made.counted["employment"]
    for bit in (1, 2):
        does[links["worker"][(work & bit != 0) & (links["worker"] >= 0)]] |= bit
    does[links["pupil"][(made.counted["schooling"] != 0) & (links["pupil"] >= 0)]] |= 4
    rows = np.flatnonzero(here & (links["resident"] >= 0))
    rows = rows[does[links["resident"][rows]] != 0]
    at = links["resident"][rows]
    made.ledgers["person"] = Ledger(at, made.place["residence"][rows], does[at])


def _tally(at: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    return np.bincount(at[at >= 0], minlength=rows)


def _columns_of(*names: str) -> NDArray[np.int64]:
    """Class 1.. -> column, class 0 -> -1."""
    return np.array([-1, *(COLUMN[name] for name in names)], dtype=np.int64)


def _add(
    made: Computed, place: NDArray[np.int64], column: NDArray[Any] | str, n: NDArray[Any] | int = 1
) -> None:
    """figures[place, column] += n, a row at a time; columns below 0 are left out."""
    columns = np.full(len(place), COLUMN[column]) if isinstance(column, str) else np.asarray(column)
    kept = columns >= 0
    flat = place[kept] * len(FIGURES) + columns[kept]
    weights = np.asarray(n, dtype=np.int64)
    np.add.at(made.figures.reshape(-1), flat, weights if weights.ndim == 0 else weights[kept])


def _sex_and_age() -> NDArray[np.int64]:
    columns = np.full(128, -1, dtype=np.int64)
    for code, letter in ((1, "m"), (2, "f")):
        for band, name in enumerate(age_bands(), 1):
            columns[code + 4 * band] = COLUMN[f"{letter}_{name}"]
    return columns


def _add_rows(made: Computed) -> None:
    here = made.counted["residence"] != 0
    place, packed = made.place["residence"][here], made.counted["residence"][here]
    floating = packed & 2 != 0
    _add(made, place, "residents")
    _add(made, place[~floating], "registered")
    _add(made, place[floating], "floating")
    _add(made, place[packed & 6 == 6], "floating_permit")
    _add(made, place[packed & 6 == 2], "floating_no_permit")
    _add(made, place, _columns_of("male", "female")[packed >> 3 & 3])
    _add(made, place, _sex_and_age()[packed >> 3 & 127])
    for name in ("crowd_unknown", "ppr_unknown"):
        _add(made, place[packed & 1024 != 0], name)

    standing = made.counted["building"] == 1
    place = made.place["building"]
    _add(made, place[standing], "buildings")
    _add(made, place[standing], "dwellings", made.stated_dwellings[standing])
    _add(made, place[standing], "est_residents", made.stated_residents[standing])
    _add(made, made.place["dwelling"][made.counted["dwelling"] == 1], "dwellings", SCALE["dwellings"])

    sections = _columns_of(*(f"jobs_{letter.lower()}" for letter in industries()))
    here = made.counted["employment"] != 0
    place, packed = made.place["employment"][here], made.counted["employment"][here]
    _add(made, place, "jobs")
    _add(made, place[packed & 2 != 0], "jobs_insured")
    _add(made, place, sections[packed >> 2 & 31])
    here = made.counted["employer"] != 0
    place, packed = made.place["employer"][here], made.counted["employer"][here]
    _add(made, place, "employers")
    _add(made, place, "jobs", packed >> 8)
    _add(made, place, sections[packed >> 2 & 31], packed >> 8)


def _add_ledgers(made: Computed) -> None:
    homes = made.ledgers["dwelling"]
    people = homes.counted >> 8
    _add(made, homes.place, "dwellings_occupied")
    _add(made, homes.place, _columns_of(*_CROWD)[homes.counted & 7], people)
    _add(made, homes.place, _columns_of(*_ROOMS)[homes.counted >> 3 & 7], people)

    whole = made.ledgers["household"]
    collective = whole.counted & 128 != 0
    _add(made, whole.place[collective], "collective_households")
    place, packed = whole.place[~collective], whole.counted[~collective]
    _add(made, place, "households")
    _add(made, place, _columns_of(*_SIZES)[packed >> 1 & 7])
    _add(made, place, _columns_of(*_TENURES)[packed >> 4 & 7])
    _add(made, place, "household_members", packed >> 8)

    busy = made.ledgers["person"]
    for bit, name in ((1, "employed"), (2, "employed_insured"), (4, "students")):
        _add(made, busy.place[busy.counted & bit != 0], name)

"""The figures as migration 0004 made them: column list, and the expression that reads each out of a delta row.

Frozen with the migration; a test holds them against population/statistics/indicators.toml.
A delta row has: kind (what was counted), counted (packed), n (signed number of such rows); see sql/0004_deltas.sql.
"""

from __future__ import annotations

BANDS = [f"{low}_{low + 4}" for low in range(0, 85, 5)] + ["85"]
SECTIONS = "abcdefghijklmnopqrst"
SIZES = ["hh_1", "hh_2", "hh_3", "hh_4", "hh_5", "hh_6plus"]
TENURES = ["own", "rent", "dormitory", "public_housing", "other_tenure"]
CROWD = ["crowd_lt8", "crowd_8_15", "crowd_15_30", "crowd_30_50", "crowd_ge50", "crowd_unknown"]
ROOMS = ["ppr_le1", "ppr_1_2", "ppr_gt2", "ppr_unknown"]
NUMERIC = {"dwellings": "numeric(14,2)", "est_residents": "numeric(18,6)"}


def _resident(test: str) -> str:
    return f"sum(n) FILTER (WHERE kind = 'r' AND {test})"


def _household(test: str) -> str:
    return f"sum(n) FILTER (WHERE kind = 'h' AND counted & 128 = 0{test})"


def expressions() -> dict[str, str]:
    """Each column of FIG, in order, with its aggregate over delta rows."""
    made = {
        "residents": _resident("true"),
        "registered": _resident("counted & 2 = 0"),
        "floating": _resident("counted & 2 <> 0"),
        "floating_permit": _resident("counted & 6 = 6"),
        "floating_no_permit": _resident("counted & 6 = 2"),
        "male": _resident("(counted >> 3) & 3 = 1"),
        "female": _resident("(counted >> 3) & 3 = 2"),
    }
    for code, letter in ((1, "m"), (2, "f")):
        for band, name in enumerate(BANDS, 1):
            made[f"{letter}_{name}"] = _resident(f"(counted >> 3) & 127 = {code + 4 * band}")
    for name, bit in (("students", 4), ("employed", 1), ("employed_insured", 2)):
        made[name] = f"sum(n) FILTER (WHERE kind = 'p' AND counted & {bit} <> 0)"
    made["households"] = _household("")
    for size, name in enumerate(SIZES, 1):
        made[name] = _household(f" AND (counted >> 1) & 7 = {size}")
    for tenure, name in enumerate(TENURES, 1):
        made[name] = _household(f" AND (counted >> 4) & 7 = {tenure}")
    made["household_members"] = "sum(n * (counted >> 8)) FILTER (WHERE kind = 'h' AND counted & 128 = 0)"
    made["collective_households"] = "sum(n) FILTER (WHERE kind = 'h' AND counted & 128 <> 0)"
    for crowd, name in enumerate(CROWD, 1):
        made[name] = f"sum(people) FILTER (WHERE crowd = {crowd})"
    for rooms, name in enumerate(ROOMS, 1):
        made[name] = f"sum(people) FILTER (WHERE rooms = {rooms})"
    made["buildings"] = "sum(n) FILTER (WHERE kind = 'b')"
    made["dwellings"] = "sum(n * dwellings) FILTER (WHERE kind IN ('d', 'b'))"
    made["dwellings_occupied"] = "sum(n) FILTER (WHERE kind = 'o')"
    made["est_residents"] = "sum(n * est_residents) FILTER (WHERE kind = 'b')"
    made["jobs"] = "sum(jobs)"
    made["jobs_insured"] = "sum(n) FILTER (WHERE kind = 'j' AND counted & 2 <> 0)"
    for section, letter in enumerate(SECTIONS, 1):
        made[f"jobs_{letter}"] = f"sum(jobs) FILTER (WHERE section = {section})"
    made["employers"] = "sum(n) FILTER (WHERE kind = 'e')"
    return made


FIGURES = list(expressions())


def number_type(figure: str) -> str:
    """Column type of a figure."""
    return NUMERIC.get(figure, "integer")


def placeholders() -> dict[str, str]:
    """What the SQL files of 0004 leave open."""
    return {
        "columns_ddl": ",\n  ".join(f"{f} {number_type(f)} NOT NULL DEFAULT 0" for f in FIGURES),
        "figures": ", ".join(FIGURES),
        "atoms": ",\n      ".join(
            f"coalesce({e}, 0)::{number_type(f)} AS {f}" for f, e in expressions().items()
        ),
        "sums": ",\n      ".join(f"sum(a.{f})::{number_type(f)}" for f in FIGURES),
        "add": ",\n      ".join(f"{f} = t.{f} + excluded.{f}" for f in FIGURES),
        "all_zero": " AND ".join(f"t.{f} = 0" for f in FIGURES),
    }

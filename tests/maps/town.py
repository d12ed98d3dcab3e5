"""A small town in the real tables: 4 communities of 4 legal grids each, figures by atom, all roll-ups from them."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from grid.cells import centres, cover, outlines, parent
from population.statistics.indicators import FIGURES, age_bands

WEST, SOUTH, SIDE = 114.30, 30.60, 0.02
AS_OF = date(2026, 11, 23)
SERIES_FROM = date(2024, 1, 1)
BASE = 10
ROOT, DISTRICTS, COMMUNITIES, GRIDS = 1, (2, 3), (4, 5, 6, 7), tuple(range(1, 17))
MALICIOUS = '=HYPERLINK("http://x")'


@dataclass
class Town:
    """What the tests know about it. ``atoms``: (community, grid, cell) -> figures; ``tokens`` by role."""

    atoms: dict[tuple[int, int, int], dict[str, int]] = field(default_factory=dict)
    shapes: dict[tuple[str, int], shapely.Polygon] = field(default_factory=dict)
    cells: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    tokens: dict[str, bytes] = field(default_factory=dict)

    def total(self, column: str, **where: int) -> int:
        """Sum over atoms with the given community, grid or cell (a cell of any resolution)."""
        found = 0
        for (community, grid, cell), figures in self.atoms.items():
            own = {"community": community, "grid": grid}
            if "cell" in where:
                resolution = (where["cell"] >> 52) & 15
                own["cell"] = int(parent(np.array([cell], dtype=np.uint64), resolution)[0])
            if all(own[key] == value for key, value in where.items()):
                found += figures[column]
        return found


def _square(column: int, row: int, parts: int) -> shapely.Polygon:
    step = SIDE / parts
    west, south = WEST + column * step, SOUTH + row * step
    return shapely.box(west, south, west + step, south + step)


def build(session: Session) -> Town:
    """Fill an empty, migrated database."""
    town = Town()
    _areas(session, town)
    _cells(session, town)
    _figures(session, town)
    _areal(session, town)
    _accounts(session, town)
    session.flush()
    return town


def _areas(session: Session, town: Town) -> None:
    session.execute(
        text(
            "INSERT INTO ops.city (id, code, name, zone, languages, datum, base_resolution, loaded_at, is_demo)"
            " VALUES (1, '4201', '{\"zh\": \"小镇\", \"en\": \"Town\"}', 'Asia/Shanghai', '{zh-CN,en}', 'WGS84',"
            " 10, now(), true)"
        )
    )
    for level, (key, zh, en) in enumerate(
        [("city", "市", "City"), ("district", "区", "District"), ("community", "社区", "Community")]
    ):
        session.execute(
            text("INSERT INTO geo.area_level VALUES (:l, :k, CAST(:n AS jsonb))"),
            {"l": level, "k": key, "n": json.dumps({"zh": zh, "en": en})},
        )
    rows: list[tuple[int, str, int, int | None, str, str, list[int], shapely.Polygon]] = [
        (ROOT, "420100000000", 0, None, "小镇", "Town", [1], _square(0, 0, 1)),
    ]
    for d, name in ((0, "东区"), (1, "西区")):
        shape = shapely.box(WEST + (1 - d) * SIDE / 2, SOUTH, WEST + (2 - d) * SIDE / 2, SOUTH + SIDE)
        rows.append((2 + d, f"42010{d + 1}000000", 1, ROOT, name, ("East", "West")[d], [1, 2 + d], shape))
    for c in range(4):
        column, row = (1, 1, 0, 0)[c], (0, 1, 0, 1)[c]
        district = 2 + c // 2
        name = ("和平社区", "新华社区", "<b>光明</b>社区", MALICIOUS)[c]
        rows.append(
            (
                4 + c,
                f"42010{c // 2 + 1}00100{c}",
                2,
                district,
                name,
                f"Community {c}",
                [1, district, 4 + c],
                _square(column, row, 2),
            )
        )
    for key, code, level, up, name, name_en, path, shape in rows:
        town.shapes["area", key] = shape
        session.execute(
            text(
                "INSERT INTO geo.area (id, code, level, parent_id, name, name_en, path, geom, area_m2) VALUES"
                " (:id, :code, :level, :up, :name, :en, :path, ST_Multi(ST_GeomFromWKB(:g, 4326)),"
                " ST_Area(ST_GeomFromWKB(:g, 4326)::geography))"
            ),
            {
                "id": key,
                "code": code,
                "level": level,
                "up": up,
                "name": name,
                "en": name_en,
                "path": path,
                "g": shape.wkb,
            },
        )
    for g in range(16):
        shape = _square(g % 4, g // 4, 4)
        community = next(c for c in COMMUNITIES if town.shapes["area", c].contains(shape.centroid))
        town.shapes["grid", g + 1] = shape
        session.execute(
            text(
                "INSERT INTO geo.grid (id, code, area_id, name, geom, area_m2, origin)"
                " VALUES (:id, :code, :area, :name,"
                " ST_Multi(ST_GeomFromWKB(:g, 4326)), ST_Area(ST_GeomFromWKB(:g, 4326)::geography), 'uploaded')"
            ),
            {
                "id": g + 1,
                "code": f"420101001001{g + 1:03d}",
                "area": community,
                "name": f"网格{g + 1}",
                "g": shape.wkb,
            },
        )
    lake = shapely.box(WEST, SOUTH, WEST + SIDE / 8, SOUTH + SIDE / 8)
    homes = shapely.box(WEST + SIDE / 8, SOUTH, WEST + SIDE, SOUTH + SIDE)
    for use, shape in (("water", lake), ("residential", homes)):
        session.execute(
            text("INSERT INTO geo.land_use (class, geom) VALUES (:c, ST_Multi(ST_GeomFromWKB(:g, 4326)))"),
            {"c": use, "g": shape.wkb},
        )


def _cells(session: Session, town: Town) -> None:
    _, cells = cover([town.shapes["area", ROOT]], BASE)
    town.cells = cells
    lng, lat = centres(cells)
    lake = shapely.box(WEST, SOUTH, WEST + SIDE / 8, SOUTH + SIDE / 8)
    drawn = outlines(cells)
    wet = shapely.covered_by(drawn, lake)
    for i, cell in enumerate(cells):
        up = {f"r{r}": int(parent(np.array([cell]), r)[0]) for r in (9, 8, 7)}
        session.execute(
            text("INSERT INTO geo.cell VALUES (:cell, :r9, :r8, :r7, :lng, :lat, 15000, :land, :land)"),
            {"cell": int(cell), **up, "lng": lng[i], "lat": lat[i], "land": 0 if wet[i] else 15000},
        )
        for kind, keys in (("area", (ROOT, *DISTRICTS, *COMMUNITIES)), ("grid", GRIDS)):
            for key in keys:
                share = drawn[i].intersection(town.shapes[kind, key]).area / drawn[i].area
                if share > 0:
                    session.execute(
                        text(
                            f"INSERT INTO geo.{kind}_cell ({kind}_id, cell, overlap_m2, share_of_cell, share_of_{kind})"
                            " VALUES (:key, :cell, :m2, :share, 0)"
                        ),
                        {"key": key, "cell": int(cell), "m2": 15000 * share, "share": share},
                    )


def _figures(session: Session, town: Town) -> None:
    random = np.random.default_rng(7)
    lng, lat = centres(town.cells)
    bands = [f"{sex}_{band}" for sex in "mf" for band in age_bands()]
    for i, cell in enumerate(town.cells):
        for dx in (0.0, SIDE / 40):  # a second atom of the same cell, often in the next grid
            place = shapely.Point(min(lng[i] + dx, WEST + SIDE), lat[i])
            grid = next((g for g in GRIDS if town.shapes["grid", g].covers(place)), 0)
            community = next((c for c in COMMUNITIES if town.shapes["area", c].covers(place)), 0)
            if grid == 0 or random.random() < 0.25:
                continue
            ages = random.poisson(1.2, len(bands))
            figures = dict.fromkeys(FIGURES, 0) | dict(zip(bands, ages.tolist(), strict=True))
            figures["residents"] = int(ages.sum())
            figures["male"], figures["female"] = int(ages[:18].sum()), int(ages[18:].sum())
            figures["floating"] = int(random.integers(0, figures["residents"] + 1))
            figures["registered"] = figures["residents"] - figures["floating"]
            figures["floating_permit"] = figures["floating"] // 3
            figures["floating_no_permit"] = figures["floating"] - figures["floating_permit"]
            figures["households"] = figures["residents"] // 2
            figures["household_members"] = figures["residents"]
            figures["own"] = figures["households"] // 2
            figures["rent"] = figures["households"] - figures["own"]
            figures["hh_2"] = figures["households"]
            figures["crowd_lt8"], figures["crowd_15_30"] = 3, figures["residents"] - 3
            figures["ppr_1_2"] = figures["residents"]
            figures["dwellings"] = figures["households"] + 2
            figures["dwellings_occupied"] = figures["households"]
            figures["buildings"] = 2
            figures["employers"] = int(random.integers(0, 3))
            figures["jobs"] = figures["employers"] * 7
            figures["jobs_insured"] = figures["employers"] * 4
            figures["jobs_c"], figures["jobs_h"] = figures["employers"] * 5, figures["employers"] * 2
            town.atoms[community, grid, int(cell)] = figures
    columns = ", ".join(FIGURES)
    for (community, grid, cell), figures in town.atoms.items():
        session.execute(
            text(
                f"INSERT INTO stats.place_figures (community_id, grid_id, cell, {columns})"
                f" VALUES (:c_, :g_, :h_, {', '.join(':' + f for f in FIGURES)})"
            ),
            {"c_": community, "g_": grid, "h_": cell, **figures},
        )
    sums = ", ".join(f"sum(p.{f})" for f in FIGURES)
    session.execute(
        text(
            f"INSERT INTO stats.unit_figures (unit_kind, unit_id, resolution, {columns}) SELECT u.unit_kind, u.unit_id,"
            f" u.resolution, {sums} FROM stats.place_figures p, stats.units_of(p.community_id, p.grid_id, p.cell) u"
            " GROUP BY 1, 2, 3"
        )
    )
    session.execute(
        text("UPDATE stats.state SET as_of = :d, series_from = :s, version = 1, rebuilt_at = now()"),
        {"d": AS_OF, "s": SERIES_FROM},
    )
    months = (AS_OF.year - SERIES_FROM.year) * 12 + AS_OF.month
    filled = "(SELECT array_agg(f.{0} - ({1} - i) ORDER BY i) FROM generate_series(1, {1}) i)"
    series = ", ".join(filled.format(c, months) for c in ("residents", "registered", "floating", "jobs"))
    session.execute(
        text(
            "INSERT INTO stats.unit_series SELECT unit_kind, unit_id, resolution, "
            f"{series}, array_fill(2, ARRAY[{months}]), array_fill(1, ARRAY[{months}]) FROM stats.unit_figures f"
        )
    )


def _areal(session: Session, town: Town) -> None:
    session.execute(
        text(
            "INSERT INTO stats.areal_table (id, source, name, unit, period, level, variables) VALUES (1, 'census',"
            " CAST(:name AS jsonb), CAST(:unit AS jsonb), '2023', 2, CAST(:variables AS jsonb))"
        ),
        {
            "name": json.dumps({"zh": "普查", "en": "Census"}),
            "unit": json.dumps({"zh": "人", "en": "people"}),
            "variables": json.dumps(
                [{"id": "foreign_born", "name": {"zh": "境外出生", "en": "Born abroad"}}]
            ),
        },
    )
    for n, community in enumerate(COMMUNITIES):
        estimate = 100 + n
        session.execute(
            text("INSERT INTO stats.areal_figure VALUES (1, 'foreign_born', :a, :e, 10)"),
            {"a": community, "e": estimate},
        )
    lng, lat = centres(town.cells)
    inside: dict[int, list[int]] = {c: [] for c in COMMUNITIES}
    for i, cell in enumerate(town.cells):
        for c in COMMUNITIES:
            if town.shapes["area", c].contains(shapely.Point(lng[i], lat[i])):
                inside[c].append(int(cell))
    for n, community in enumerate(COMMUNITIES):
        parts, left = inside[community], 100 + n
        for i, cell in enumerate(parts):
            value = left // (len(parts) - i)
            left -= value
            session.execute(
                text("INSERT INTO stats.areal_cell VALUES (1, 'foreign_born', :c, :v, :m)"),
                {"c": cell, "v": value, "m": 10 / len(parts) ** 0.5},
            )


def _accounts(session: Session, town: Town) -> None:
    """An officer of grids 1 and 2, a manager of the first district, an analyst, a steward; sessions for a day."""
    for role in ("officer", "manager", "analyst", "steward"):
        token = hashlib.sha256(role.encode()).digest()
        user = uuid.uuid4()
        session.execute(
            text("INSERT INTO ops.\"user\" (id, account, name, role) VALUES (:id, :a, '{}', :r)"),
            {"id": user, "a": role, "r": role},
        )
        session.execute(
            text(
                "INSERT INTO ops.user_session (token_hash, user_id, expires_at)"
                " VALUES (:t, :u, now() + interval '1 day')"
            ),
            {"t": token, "u": user},
        )
        territory = {"officer": [(None, 1), (None, 2)], "manager": [(2, None)]}.get(role, [])
        for area, grid in territory:
            session.execute(
                text("INSERT INTO ops.user_territory (user_id, area_id, grid_id) VALUES (:u, :a, :g)"),
                {"u": user, "a": area, "g": grid},
            )
        town.tokens[role] = token

"""Departments' tables into the register: what is new, changed, the same, refused; and the statistics with it."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import psycopg
import pytest
from sqlalchemy import make_url

from benchmarks._people import SOUTH, STEP, WEST, lay_out
from db import testing
from grid.place import Placer
from intake.city import Source
from intake.pipeline import Batch
from population.register.documents import check_character
from population.register.identity import vault
from population.register.loaders import load
from population.register.places import find_places
from population.register.schemas import SCHEMAS
from population.statistics.rebuild import rebuild
from population.statistics.register_columns import read_register


@pytest.fixture(scope="module")
def template(template_db):
    """A database with areas and grids, and the placer of its city."""
    url = testing.create_clone(template_db, "loaders")
    with psycopg.connect(plain(url)) as conn:
        lay_out(conn)
        conn.commit()
    yield url
    testing.drop(url)


def plain(url):
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def conn(template, tmp_path):
    """A connection whose work is undone after the test."""
    with psycopg.connect(plain(template)) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def placer(template, tmp_path_factory):
    with psycopg.connect(plain(template)) as connection:
        return Placer.for_city(connection, tmp_path_factory.mktemp("places"))


class Register:
    """Loads little tables the way a whole load does."""

    def __init__(self, conn, placer):
        self.conn, self.placer, self.runs = conn, placer, 0
        self.counting, self.kept = True, None

    def load(self, kind, rows, pieces=1, **options):
        self.runs += 1
        types = SCHEMAS[kind].polars
        columns = {
            name: pl.Series(name, [row.get(name) for row in rows], dtype=dtype)
            for name, dtype in types.items()
        }
        frame = pl.DataFrame(columns).with_columns(
            pl.Series("__line", range(2, len(rows) + 2), dtype=pl.Int64)
        )
        size = -(-len(rows) // pieces)
        batches = [Batch(part, pl.DataFrame()) for part in frame.iter_slices(max(size, 1))]
        source = Source(name=kind, kind=kind, file="-", **options)
        result = load(self.conn, source, batches, self.runs, self.placer)
        self.kept = result.kept
        if result.rebuild and self.counting:
            rebuild(self.conn)
        return result

    def rows(self, query, *params):
        return self.conn.execute(query, params).fetchall()

    def figures(self):
        """All statistics there are, in a form that can be compared."""
        places = self.rows(
            "select to_jsonb(f) from stats.place_figures f order by cell, grid_id, community_id"
        )
        units = self.rows("select to_jsonb(f) from stats.unit_figures f order by unit_kind, unit_id")
        series = self.rows("select to_jsonb(f) from stats.unit_series f order by unit_kind, unit_id")
        return places, units, series

    def kept_current(self):
        """Whether the statistics are what a rebuild from scratch makes of the rows."""
        before = self.figures()
        rebuild(self.conn)
        return before == self.figures()


@pytest.fixture
def register(conn, placer):
    return Register(conn, placer)


def number(born, sequence):
    digits = f"440399{born:%Y%m%d}{sequence:03d}"
    return digits + check_character(digits)


BUILDINGS = [
    {"key": f"B{n}", "lng": WEST + STEP * (n + 0.3), "lat": SOUTH + STEP * 0.4, "use": "residential"}
    for n in range(4)
]
DWELLINGS = [
    {"key": f"D{n}", "building_key": f"B{n % 4}", "area_m2": 60.0, "rooms": 2, "tenure": "own"}
    for n in range(8)
]
BORN = date(1990, 5, 17)
PEOPLE = [
    {
        "key": f"P{n}", "id_number": number(BORN, n), "name": f"王{n}", "dwelling_key": f"D{n % 8}",
        "phone": f"1380000{n:04d}",
        "household_key": f"H{n % 8}", "status": "floating" if n % 3 else "registered", "permit": "none",
        "from": date(2020, 1, 1),
    }
    for n in range(24)
]  # fmt: skip


@pytest.fixture
def filled(register):
    register.load("buildings", BUILDINGS)
    register.load("dwellings", DWELLINGS)
    register.load("persons", PEOPLE, pieces=3)
    return register


def test_the_place_of_a_person_is_the_exact_place_of_the_building(filled):
    ((found,),) = filled.rows(
        "select count(*) from register.residence r join register.dwelling d on d.id = r.dwelling_id"
        " join register.building b on b.id = d.building_id join geo.area a on a.id = b.community_id"
        " join geo.grid g on g.id = b.grid_id"
        " where (r.cell, r.community_id, r.grid_id) = (b.cell, b.community_id, b.grid_id)"
        " and st_contains(a.geom, st_point(b.lng, b.lat, 4326)) and st_contains(g.geom, st_point(b.lng, b.lat, 4326))"
    )
    assert found == 24


def test_what_the_id_number_says_fills_what_the_table_leaves_out(filled):
    assert filled.rows("select distinct birth_date from register.person") == [(BORN,)]
    assert dict(filled.rows("select sex, count(*) from register.person group by 1")) == {1: 12, 2: 12}


def test_id_and_telephone_numbers_are_stored_encrypted_only(filled):
    (row,) = filled.rows(
        "select id_number_enc, phone_enc, id_number_hash, to_jsonb(p)::text from register.person p where key = 'P5'"
    )
    kept = pl.Series([row[0], row[1]])
    assert vault().reveal(kept).to_list() == [number(BORN, 5), "13800000005"]
    assert number(BORN, 5) not in row[3]
    assert "13800000005" not in row[3]
    assert vault().protect(pl.Series([number(BORN, 5).lower() + " "]))["hash"][0] == row[2]


def test_the_statistics_of_a_first_load_are_right(filled):
    ((residents, floating, dwellings, households),) = filled.rows(
        "select residents, floating, dwellings, households from stats.unit_figures"
        " where unit_kind = 'area' and unit_id = 1"
    )
    assert (residents, floating, dwellings, households) == (24, 16, 8, 8)


def test_rows_loaded_in_bulk_need_no_repair(filled):
    """What the loader counted in columns is what the rebuild counts."""
    assert not any(rebuild(filled.conn).repaired.values())


def test_the_same_again_changes_nothing(filled):
    before = filled.figures(), filled.rows("select xmin::text from register.residence order by id")
    for kind, rows in (("buildings", BUILDINGS), ("dwellings", DWELLINGS), ("persons", PEOPLE)):
        again = filled.load(kind, rows)
        assert (again.unchanged, again.inserted, again.updated, again.rebuild) == (len(rows), 0, 0, False), (
            kind
        )
    assert (filled.figures(), filled.rows("select xmin::text from register.residence order by id")) == before


def test_unknown_keys_are_refused_with_line_and_reason(filled):
    result = filled.load("dwellings", [*DWELLINGS, {"key": "D99", "building_key": "B99"}])
    assert result.rejected_df.select("line", "field", "reason", "value").rows() == [
        (10, "building_key", "unknown_reference", "B99")
    ]
    result = filled.load("persons", [{**PEOPLE[0], "key": "P99", "dwelling_key": "D99"}])
    assert (result.accepted, result.rejected_df["reason"].to_list()) == (0, ["unknown_reference"])


def test_a_move_closes_the_old_residence_and_keeps_it(filled):
    result = filled.load(
        "persons", [{**PEOPLE[1], "dwelling_key": "D2", "household_key": "H2", "from": date(2026, 5, 1)}]
    )
    assert (result.accepted, result.inserted) == (1, 1)
    told = filled.rows(
        "select d.key, r.valid_from, r.valid_to, r.superseded_at is null from register.residence r"
        " join register.person p on p.id = r.person_id join register.dwelling d on d.id = r.dwelling_id"
        " where p.key = 'P1' order by r.id"
    )
    assert told == [
        ("D1", date(2020, 1, 1), None, False),
        ("D1", date(2020, 1, 1), date(2026, 5, 1), True),
        ("D2", date(2026, 5, 1), None, True),
    ]
    assert filled.kept_current()


@pytest.mark.parametrize("turned", [False, True])  # the ended row before the one that follows it, and after
def test_a_newer_file_tells_who_moved_who_left_and_who_came(filled, turned):
    """The old row of a mover comes with its end and the new one beside it: one version of each is believed."""
    moved = date(2026, 5, 1)
    newer = [
        {**PEOPLE[1], "to": moved},
        {**PEOPLE[1], "dwelling_key": "D2", "household_key": "H2", "from": moved, "to": date(2026, 8, 1)},
        {**PEOPLE[1], "dwelling_key": "D3", "household_key": "H3", "from": date(2026, 8, 1)},
        {**PEOPLE[2], "to": date(2026, 6, 1)},
        {**PEOPLE[3], "dwelling_key": "D4", "household_key": "H4", "from": moved, "to": date(2026, 8, 1)},
        {**PEOPLE[3], "dwelling_key": "D5", "household_key": "H5", "from": date(2026, 8, 1)},
        {**PEOPLE[4], "key": "P99", "id_number": number(BORN, 99), "from": moved},
        *PEOPLE[5:],
    ]
    result = filled.load("persons", newer[::-1] if turned else newer)
    assert (result.rejected_df.height, result.unchanged) == (0, len(PEOPLE[5:]))
    told = filled.rows(
        "select p.key, d.key, r.valid_from, r.valid_to from register.residence r"
        " join register.person p on p.id = r.person_id join register.dwelling d on d.id = r.dwelling_id"
        " where p.key = any(%s) and r.superseded_at is null order by 1, 3",
        ["P1", "P2", "P3", "P99"],
    )
    begun = date(2020, 1, 1)
    assert told == [
        ("P1", "D1", begun, moved),
        ("P1", "D2", moved, date(2026, 8, 1)),
        ("P1", "D3", date(2026, 8, 1), None),
        ("P2", "D2", begun, date(2026, 6, 1)),
        ("P3", "D3", begun, moved),
        ("P3", "D4", moved, date(2026, 8, 1)),
        ("P3", "D5", date(2026, 8, 1), None),
        ("P99", "D4", moved, None),
    ]
    assert filled.kept_current()


def test_a_corrected_permit_supersedes_what_was_believed(filled):
    result = filled.load("persons", [{**PEOPLE[1], "permit": "valid"}])
    assert (result.updated, result.inserted) == (1, 0)
    assert filled.rows(
        "select permit, superseded_at is null from register.residence r join register.person p on p.id = person_id"
        " where p.key = 'P1' order by r.id"
    ) == [("none", False), ("valid", True)]
    assert filled.kept_current()


def test_an_overlapping_residence_is_refused(filled):
    filled.load("persons", [{**PEOPLE[1], "dwelling_key": "D2", "from": date(2024, 5, 1)}])
    result = filled.load(
        "persons", [{**PEOPLE[1], "dwelling_key": "D3", "from": date(2021, 1, 1), "to": date(2025, 1, 1)}]
    )
    assert result.rejected_df["reason"].to_list() == ["overlaps_another_residence"]
    assert filled.kept_current()


@pytest.mark.parametrize("pieces", [1, 4])  # in one batch, and so far apart that each row comes in its own
def test_several_residences_of_a_person_in_one_file_follow_each_other(register, pieces):
    register.load("buildings", BUILDINGS)
    register.load("dwellings", DWELLINGS)
    history = [
        {**PEOPLE[0], "dwelling_key": "D3", "from": date(2024, 1, 1)},
        {**PEOPLE[0], "dwelling_key": "D1", "from": date(2019, 1, 1)},
        {**PEOPLE[0], "dwelling_key": "D2", "from": date(2022, 1, 1), "to": date(2023, 1, 1)},
        PEOPLE[2],
    ]
    result = register.load("persons", history, pieces=pieces)
    assert (result.accepted, result.rejected_df.height) == (4, 0)
    told = register.rows(
        "select d.key, r.valid_from, r.valid_to from register.residence r join register.person p on p.id = person_id"
        " join register.dwelling d on d.id = r.dwelling_id where p.key = 'P0' and superseded_at is null order by 2"
    )
    assert told == [
        ("D1", date(2019, 1, 1), date(2022, 1, 1)),
        ("D2", date(2022, 1, 1), date(2023, 1, 1)),
        ("D3", date(2024, 1, 1), None),
    ]
    assert register.rows("select d.key from register.household h join register.dwelling d on d.id = h.dwelling_id"
                         " where h.key = 'H0'") == [("D3",)]  # fmt: skip
    assert register.kept_current()


def test_a_building_that_moves_takes_everything_with_it(filled):
    moved = {**BUILDINGS[0], "lng": WEST + STEP * 5.5}
    result = filled.load("buildings", [moved, *BUILDINGS[1:]])
    assert (result.updated, result.unchanged) == (1, 3)
    apart = "select count(*) from register.residence r join register.dwelling d on d.id = r.dwelling_id"
    apart += (
        " join register.building b on b.id = d.building_id where r.cell <> b.cell or r.grid_id <> b.grid_id"
    )
    assert filled.rows(apart) == [(0,)]
    assert filled.kept_current()


def test_a_newer_file_touches_changed_rows_only(filled):
    before = dict(filled.rows("select key, xmin::text from register.dwelling"))
    filled.conn.execute("savepoint later")
    result = filled.load("dwellings", [{**DWELLINGS[0], "area_m2": 75.0}, *DWELLINGS[1:]])
    assert (result.updated, result.unchanged, result.inserted) == (1, 7, 0)
    assert filled.rows("select key, area_m2 from register.dwelling where run_id = %s", filled.runs) == [
        ("D0", 75.0)
    ]
    assert before.keys() == dict(filled.rows("select key, xmin::text from register.dwelling")).keys()
    assert filled.kept_current()


def test_columns_that_a_file_does_not_have_are_left_as_they_are(filled):
    filled.load("dwellings", [{"key": "D0", "building_key": "B0", "area_m2": 61.0}])
    assert filled.rows("select area_m2, rooms from register.dwelling where key = 'D0'") == [(61.0, 2)]


def test_repeated_lots_are_kept_when_the_source_says_so(register):
    lots = [{**BUILDINGS[0], "dwellings_count": 18.0, "residents_estimate": 21.8} for _ in range(3)]
    result = register.load("buildings", lots, pieces=2, repeated="keep")
    assert result.accepted == 3
    assert register.rows("select key from register.building order by 1") == [("B0",), ("B0#2",), ("B0#3",)]
    assert register.rows(
        "select dwellings from stats.unit_figures where unit_kind = 'area' and unit_id = 1"
    ) == [(54,)]
    assert register.load("buildings", lots, repeated="keep").unchanged == 3


def test_counts_only_lots_say_where_the_stated_area_differs(register):
    result = register.load(
        "buildings",
        [{**BUILDINGS[0], "area_code": "440399001000"}, {**BUILDINGS[1], "area_code": "440399001000"}],
    )
    (warning,) = result.warnings
    assert (warning["code"], warning["rows"], warning["keys"]) == ("stated_area_differs", 1, ["B1"])


WORKERS = [
    {"person_key": f"P{n}", "employer_key": f"E{n % 2}", "insured": n % 2 == 0, "from": date(2023, 3, 1)}
    for n in range(10)
]
EMPLOYERS = [
    {"key": f"E{n}", "industry": "C", "lng": WEST + STEP * 2.2, "lat": SOUTH + STEP * (1.3 + n)}
    for n in range(2)
]


def test_work_is_counted_where_the_employer_is(filled):
    filled.load("employers", EMPLOYERS)
    result = filled.load("employment", [*WORKERS, {**WORKERS[0], "person_key": "P99"}, WORKERS[3]])
    assert (result.accepted, sorted(result.rejected_df["reason"])) == (
        10,
        ["duplicate_key", "unknown_reference"],
    )
    ((jobs, insured, manufacturing, employed),) = filled.rows(
        "select jobs, jobs_insured, jobs_c, employed from stats.unit_figures where unit_kind = 'area' and unit_id = 1"
    )
    assert (jobs, insured, manufacturing, employed) == (10, 5, 10, 10)
    assert not any(rebuild(filled.conn).repaired.values())
    again = filled.load("employment", WORKERS)
    assert (again.unchanged, again.inserted, again.updated) == (10, 0, 0)
    ended = filled.load("employment", [{**WORKERS[0], "to": date(2026, 1, 1)}])
    assert ended.updated == 1
    assert filled.rows("select jobs from stats.unit_figures where unit_kind = 'area' and unit_id = 1") == [
        (9,)
    ]
    assert filled.kept_current()


def test_school_is_counted_with_the_pupil(filled):
    pupils = [
        {"person_key": f"P{n}", "school": "第一小学", "stage": "primary", "from": date(2024, 9, 1)}
        for n in range(5)
    ]
    assert filled.load("schooling", pupils).inserted == 5
    assert filled.rows(
        "select students from stats.unit_figures where unit_kind = 'area' and unit_id = 1"
    ) == [(5,)]
    assert filled.load("schooling", pupils).unchanged == 5
    assert filled.load("schooling", [{**pupils[0], "to": date(2025, 7, 1)}]).updated == 1
    assert filled.kept_current()


def test_places_follow_a_changed_border(filled):
    filled.conn.execute("update geo.area set geom = st_translate(geom, 0.01, 0) where level = 1")
    placer = Placer.from_areas(*_areas(filled.conn))
    moved, rebuilt = find_places(filled.conn, placer)
    assert (moved, rebuilt) == (4, False)
    ((found,),) = filled.rows(
        "select count(*) from register.building b join geo.area a on a.id = b.community_id"
        " where st_contains(a.geom, st_point(b.lng, b.lat, 4326))"
    )
    assert found == 3  # the first column of areas is empty now
    assert filled.kept_current()


def _areas(conn):
    import shapely

    rows = conn.execute(
        "select st_asbinary(geom), code, id from geo.area where level = 1 order by code"
    ).fetchall()
    return (
        shapely.from_wkb([bytes(row[0]) for row in rows]),
        [row[1] for row in rows],
        [row[2] for row in rows],
    )


def test_many_new_rows_in_a_filled_register_are_counted_in_columns(register, monkeypatch):
    """Beyond what triggers should count, a rebuild does, and finds nothing to put right on the new rows."""
    monkeypatch.setattr("population.register.merge.ROWS_BY_TRIGGER", 2)
    lots = [
        {**BUILDINGS[n % 4], "key": f"L{n}", "dwellings_count": 3.5, "residents_estimate": 7.25}
        for n in range(8)
    ]
    register.load("buildings", lots[:1])
    source = Source(name="lots", kind="buildings", file="-")
    types = SCHEMAS["buildings"].polars
    frame = pl.DataFrame(
        {name: pl.Series(name, [lot.get(name) for lot in lots], dtype=kind) for name, kind in types.items()}
    )
    batch = Batch(frame.with_columns(pl.Series("__line", range(2, 10), dtype=pl.Int64)), pl.DataFrame())
    result = load(register.conn, source, [batch], 9, register.placer)
    assert (result.inserted, result.rebuild) == (7, True)
    assert not any(rebuild(register.conn).repaired.values())
    assert register.rows(
        "select dwellings, est_residents from stats.unit_figures where unit_kind = 'area' and unit_id = 1"
    ) == [(28, 58)]


def sorted_columns(table):
    """Rows in one order, whatever order they were read in, with the kinds of the columns."""
    keys = ("id",) if "id" in table else ("id_lo", "id_hi")
    order = np.lexsort([table[key] for key in keys])
    return {name: (column.dtype, column[order].tolist()) for name, column in table.items()}


ODD = [
    {**PEOPLE[0], "key": "P90", "household_key": None, "status": "floating", "permit": "valid",
     "permit_until": date(2030, 2, 1), "id_number": number(BORN, 90)},
    {**PEOPLE[0], "key": "P91", "household_key": "H91", "household_kind": "collective", "sex": 9,
     "birth_date": date(1931, 3, 1), "id_number": None, "to": date(2024, 1, 1)},
]  # fmt: skip


def just_copied(register, people):
    register.load("buildings", BUILDINGS)
    register.load("dwellings", DWELLINGS)
    register.counting = False
    register.load("persons", people, pieces=3)
    return register.kept


def test_what_a_first_load_keeps_in_hand_is_what_the_register_holds(register):
    kept = just_copied(register, [*PEOPLE, *ODD])
    read = read_register(register.conn)
    for table in ("person", "household", "residence"):
        mine = kept.take(register.conn, table)
        assert mine is not None, table
        assert sorted_columns(mine) == sorted_columns(read[table]), table
        assert kept.take(register.conn, table) is None, "given once only"


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("update register.person set birth_date = '1999-09-09' where key = 'P3'", "person"),
        ("update register.household set kind = 'collective' where key = 'H2'", "household"),
        ("delete from register.residence where id = (select max(id) from register.residence)", "residence"),
        ("insert into register.person (key) values ('P1000')", "person"),
    ],
)
def test_what_was_kept_is_not_believed_once_the_table_is_another(register, change, table):
    """Also by a later command of the very transaction that copied the rows."""
    kept = just_copied(register, PEOPLE)
    register.conn.execute(change)
    assert kept.take(register.conn, table) is None


def test_statistics_from_what_was_kept_are_those_of_the_rows(register):
    """One household is met in two dwellings, so the loader itself changes it after the copy."""
    moved = {**PEOPLE[1], "key": "P95", "id_number": number(BORN, 95), "dwelling_key": "D5",
             "from": date(2025, 5, 1)}  # fmt: skip
    kept = just_copied(register, [*PEOPLE, *ODD, moved])
    rebuild(register.conn, kept=kept)
    assert register.kept_current()


def test_a_stated_end_moves_earlier_and_a_new_residence_begins_in_the_gap(register):
    stated = {**PEOPLE[1], "to": date(2026, 1, 1)}
    just_copied(register, [stated, PEOPLE[2]])
    rebuild(register.conn)
    earlier = {**stated, "to": date(2025, 3, 1)}
    gap = {**PEOPLE[1], "dwelling_key": "D2", "from": date(2025, 6, 1), "to": date(2025, 9, 1)}
    result = register.load("persons", [earlier, gap])
    assert (result.updated, result.inserted, result.rejected_df.height) == (1, 1, 0)
    told = (
        "select r.valid_from, r.valid_to from register.residence r join register.person p on p.id = r.person_id"
        " where p.key = 'P1' and superseded_at is null order by 1"
    )
    assert register.rows(told) == [(date(2020, 1, 1), date(2025, 3, 1)), (date(2025, 6, 1), date(2025, 9, 1))]
    assert register.kept_current()
    assert register.load("persons", [earlier, gap]).unchanged == 2


def test_a_row_that_counts_on_a_refused_correction_is_refused_with_it(register):
    first = {**PEOPLE[1], "to": date(2024, 1, 1)}
    second = {**PEOPLE[1], "dwelling_key": "D2", "from": date(2024, 1, 1), "to": date(2026, 1, 1)}
    just_copied(register, [first, second])
    rebuild(register.conn)
    register.conn.execute("set local hexward.bulk = 'off'")  # the load before was a transaction of its own
    over = {**first, "to": date(2025, 1, 1)}  # reaches into the second, which stays as it is
    gap = {**PEOPLE[1], "dwelling_key": "D3", "from": date(2025, 6, 1), "to": date(2025, 9, 1)}
    result = register.load("persons", [over, gap])
    assert result.rejected_df["reason"].to_list() == ["overlaps_another_residence"] * 2
    shorter = {**second, "from": date(2024, 1, 1), "to": date(2025, 3, 1)}
    result = register.load("persons", [shorter, gap])
    assert (result.updated, result.inserted, result.rejected_df.height) == (1, 1, 0)
    assert register.kept_current()


CONFIRMED = """select 'person', p.key, p.confirmed_on, p.confirmed_source from register.person p
  union all select 'residence', p.key, r.confirmed_on, r.confirmed_source from register.residence r
    join register.person p on p.id = r.person_id where superseded_at is null
  union all select 'dwelling', key, confirmed_on, confirmed_source from register.dwelling"""


def test_a_load_says_who_confirmed_what_and_when(register):
    day = date(2026, 3, 4)
    register.load("buildings", BUILDINGS)
    register.load("dwellings", [{**DWELLINGS[0], "confirmed": day}, *DWELLINGS[1:]])
    register.load("persons", [{**PEOPLE[0], "confirmed": day}, *PEOPLE[1:]])
    ((today,),) = register.rows("select register.today()")
    told = {(table, key): rest for table, key, *rest in register.rows(CONFIRMED)}
    assert told["dwelling", "D0"] == [day, "dwellings"]
    assert told["dwelling", "D1"] == [today, "dwellings"]
    for table in ("person", "residence"):
        assert told[table, "P0"] == [day, "persons"]
        assert told[table, "P1"] == [today, "persons"]
    phones = register.rows("select phone_hash from register.person where key = 'P5'")
    assert phones == [(vault().hash_phones(pl.Series(["13800000005"]))[0],)]
    assert not any(rebuild(register.conn).repaired.values())


def test_a_newer_file_that_only_confirms_refreshes_the_day_and_changes_nothing(filled):
    seen, later = date(2026, 1, 2), date(2026, 2, 3)
    filled.conn.execute("update register.person set confirmed_on = %s", (seen,))
    filled.conn.execute("update register.residence set confirmed_on = %s", (seen,))
    filled.conn.execute("update register.dwelling set confirmed_on = %s", (seen,))
    before = (
        filled.figures(),
        filled.rows("select id, recorded_at, superseded_at, run_id from register.residence"),
    )
    for kind, rows in (("dwellings", DWELLINGS), ("persons", PEOPLE)):
        again = filled.load(kind, [{**row, "confirmed": later} for row in rows])
        assert (again.unchanged, again.inserted, again.updated, again.rebuild) == (len(rows), 0, 0, False)
    assert {tuple(row[2:]) for row in filled.rows(CONFIRMED)} == {(later, "persons"), (later, "dwellings")}
    rows = filled.rows("select id, recorded_at, superseded_at, run_id from register.residence")
    assert (filled.figures(), rows) == before
    assert filled.kept_current()
    written = "select xmin::text, cmin::text from register.residence order by id"
    once = filled.rows(written)
    filled.load("persons", [{**row, "confirmed": later} for row in PEOPLE])
    assert filled.rows(written) == once


def test_an_older_file_after_a_newer_one_changes_nothing_and_confirms_nothing(filled):
    """What somebody confirmed since is not taken back by what a department saw before."""
    newer = {**PEOPLE[1], "name": "王改", "permit": "valid", "confirmed": date(2026, 6, 1)}
    filled.conn.execute("update register.person set confirmed_on = '2026-01-01'")
    filled.conn.execute("update register.residence set confirmed_on = '2026-01-01'")
    assert filled.load("persons", [newer]).updated == 1
    older = filled.load("persons", [{**PEOPLE[1], "confirmed": date(2026, 5, 1)}])
    assert (older.unchanged, older.updated, older.inserted) == (1, 0, 0)
    assert filled.rows(
        "select p.name, r.permit, p.confirmed_on, r.confirmed_on from register.person p join register.residence r"
        " on r.person_id = p.id where p.key = 'P1' and superseded_at is null"
    ) == [("王改", "valid", date(2026, 6, 1), date(2026, 6, 1))]
    assert filled.kept_current()


def test_work_and_school_are_confirmed_and_what_was_believed_is_kept(filled):
    seen, later = date(2026, 1, 2), date(2026, 2, 3)
    filled.load(
        "employers", [{"key": "E1", "name": "厂", "lng": WEST + STEP * 0.3, "lat": SOUTH + STEP * 0.4}]
    )
    job = {"person_key": "P1", "employer_key": "E1", "from": date(2024, 1, 1), "confirmed": seen}
    lesson = {
        "person_key": "P2",
        "school": "一中",
        "stage": "junior",
        "from": date(2024, 9, 1),
        "confirmed": seen,
    }
    for kind, row, changed in (
        ("employment", job, {"insured": True}),
        ("schooling", lesson, {"to": date(2026, 1, 1)}),
    ):
        told = (
            f"select confirmed_on, confirmed_source, superseded_at is null from register.{kind} order by id"
        )
        assert filled.load(kind, [row]).inserted == 1
        assert filled.rows(told) == [(seen, kind, True)]
        again = filled.load(kind, [{**row, "confirmed": later}])
        assert (again.unchanged, again.updated, again.inserted) == (1, 0, 0)
        assert filled.rows(told) == [(later, kind, True)]
        assert filled.load(kind, [{**row, **changed}]).unchanged == 1, "confirmed before what is known"
        assert filled.load(kind, [{**row, **changed, "confirmed": later}]).updated == 1
        assert filled.rows(told) == [(later, kind, False), (later, kind, True)]
    assert filled.kept_current()

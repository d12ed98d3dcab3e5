"""Three boroughs of New York against answers that were computed independently of this program."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from decimal import Decimal

import pytest

pytestmark = [pytest.mark.acceptance]

LOTS = {  # rows, dwelling units, people, r10 cells, r9 parents, repeated lots
    "lots-mn": (42_227, 944_903, 1_694_251, 3_048, 557, 1),
    "lots-bx": (88_943, 574_162, 1_472_654, 5_099, 929, 2),
    "lots-bk": (275_715, 1_081_538, 2_736_074, 9_785, 1_609, 6),
}


@pytest.mark.parametrize("source", LOTS)
def test_every_lot_unit_and_person_is_there(nyc, source):
    rows, units, people, cells, parents, _ = LOTS[source]
    ((found, found_units, found_people, found_cells, found_parents),) = nyc.rows(
        "select count(*), round(sum(dwellings_count)), round(sum(residents_estimate)), count(distinct b.cell),"
        " count(distinct c.r9) from register.building b join geo.cell c using (cell) where source = :source",
        source=source,
    )
    assert (found, found_units, found_people, found_cells, found_parents) == (
        rows,
        units,
        people,
        cells,
        parents,
    )
    report = nyc.reports[source]
    assert (report.read, report.accepted, report.rejected) == (rows, rows, 0)


@pytest.mark.parametrize("source", LOTS)
def test_repeated_lots_are_kept_and_named(nyc, source):
    ((_, warning),) = [one for one in nyc.heard.of("repeated_keys_kept") if one[0] == source]
    assert warning["rows"] == len(warning["keys"]) == LOTS[source][5]
    suffixed = nyc.rows("select key from register.building where source = :s and key like '%#%'", s=source)
    assert {row[0] for row in suffixed} == {f"{key}#2" for key in warning["keys"]}


def test_every_lot_lies_in_the_neighbourhood_it_states(nyc):
    assert nyc.heard.of("stated_area_differs") == []
    assert nyc.value("select count(*) from register.building where community_id is null") == 0


def test_cells_and_neighbourhoods_sum_to_the_lots(nyc):
    rows, units, people = (sum(one[part] for one in LOTS.values()) for part in range(3))
    for unit in ("unit_kind = 'area' and unit_id = (select id from geo.area where level = 0)",
                 "unit_kind = 'cell' and resolution = 10", "unit_kind = 'cell' and resolution = 7",
                 "unit_kind = 'area' and unit_id in (select id from geo.area where level = 2)"):  # fmt: skip
        ((found, found_units, found_people),) = nyc.rows(
            "select sum(buildings), round(sum(dwellings)), round(sum(est_residents))"
            f" from stats.unit_figures where {unit}"
        )
        assert (found, found_units, found_people) == (rows, units, people), unit


def test_lots_of_marble_hill_are_counted_where_their_neighbourhood_is(nyc, shared_data):
    """BX0802 reaches into Manhattan: the lots of Manhattan in it are counted with the Bronx, as the tree says."""
    file = shared_data / "nyc" / "housing" / "bbl-population-estimates_2023.MN.csv.gz"
    with gzip.open(file, "rt") as handle:
        stated = Counter(row["nta"] for row in csv.DictReader(handle))
    found = nyc.rows(
        "select a.code, count(*) from register.building b join geo.area a on a.id = b.community_id"
        " where source = 'lots-mn' group by 1"
    )
    assert dict(found) == stated
    assert stated["BX0802"] == 220


@pytest.mark.parametrize(
    ("variable", "total"),
    [("people", 1_617_259), ("foreign_born", 454_270), ("abroad_a_year_ago", 29_507), ("employed", 879_748)],
)
def test_manhattan_sums_exactly_over_its_cells(nyc, variable, total):
    parts = nyc.rows(
        "select p.cell, sum(p.value) from stats.areal_part p join geo.area a on a.id = p.area_id"
        " join geo.area b on b.id = a.parent_id where b.code = 'MANHATTAN' and p.variable = :v group by 1",
        v=variable,
    )
    assert sum(value for _, value in parts) == total
    assert all(value == value.to_integral_value() and value >= 0 for _, value in parts)
    assert len(parts) > 3_000


def test_every_area_keeps_its_estimate_and_its_margin(nyc):
    wrong = nyc.rows(
        "select f.table_id, f.variable, f.area_id from stats.areal_figure f"
        " left join (select table_id, variable, area_id, sum(value) as value, sqrt(sum(moe * moe)) as moe"
        "            from stats.areal_part group by 1, 2, 3) p using (table_id, variable, area_id)"
        " where p.value is distinct from f.estimate or abs(coalesce(p.moe, -1) - coalesce(f.moe, -1)) > 1e-6"
    )
    assert wrong == []
    assert nyc.value("select count(*) from stats.areal_figure where variable = 'people'") == 262
    assert (
        nyc.value("select count(*) from stats.areal_figure where variable = 'people' and estimate = 0") == 47
    )


def test_cells_are_the_sums_of_their_parts(nyc):
    wrong = nyc.rows(
        "select c.cell from stats.areal_cell c full join (select table_id, variable, cell, sum(value) as value"
        " from stats.areal_part group by 1, 2, 3) p using (table_id, variable, cell)"
        " where c.value is distinct from p.value"
    )
    assert wrong == []


def test_people_go_where_dwellings_are_and_what_has_none_says_so(nyc):
    """Central Park has people in no lot of its own: nothing of a neighbourhood with dwellings falls on a bare cell."""
    bare = nyc.value(
        "select coalesce(sum(p.value), 0) from stats.areal_part p join geo.area_cell x using (area_id, cell)"
        " join stats.areal_figure f using (table_id, variable, area_id)"
        " where f.weight = 'dwellings' and x.dwellings = 0"
    )
    assert bare == Decimal(0)
    told = [one for source, one in nyc.heard.of("areal_other_weight") if source == "acs-nta"]
    assert [one["weight"] for one in told] == ["area"]
    without = nyc.value(
        "select count(*) from stats.areal_figure f where variable = 'people' and estimate > 0 and weight <> 'dwellings'"
    )
    assert told[0]["areas"] == without > 0


def test_the_borough_table_does_not_reconcile_and_both_are_kept(nyc):
    lots = nyc.value("select round(sum(residents_estimate)) from register.building where source = 'lots-mn'")
    survey = nyc.value(
        "select estimate from stats.areal_figure f join geo.area a on a.id = f.area_id"
        " where variable = 'borough_people' and a.code = 'MANHATTAN'"
    )
    assert (lots, survey) == (1_694_251, 1_627_788)


def test_loading_again_changes_nothing(nyc):
    count = "select (select count(*) from register.building), (select version from stats.state),"
    count += " (select sum(value) from stats.areal_part)"
    before = nyc.rows(count)
    reports = nyc.again()
    assert {one.state for one in reports} == {"unchanged"}
    assert nyc.rows(count) == before
    states = nyc.rows("select state, count(*) from ops.import_run group by 1 order by 1")
    assert dict(states)["done"] == len(nyc.reports)

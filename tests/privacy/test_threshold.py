"""The minimum-count rule: its edges, and the database's views held against the same rule in Python."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from db.migrations import published
from population.statistics import indicators
from privacy.access import policy
from privacy.threshold import NOT_PERSONAL, PARTS, WITHIN, withhold
from tests.small_city import SmallCity

MINIMUM = policy().minimum_count


@pytest.mark.parametrize(
    ("count", "shown"), [(0, None), (1, None), (12, None), (13, 13), (14, 14), (10**6, 10**6)]
)
def test_a_personal_figure_is_shown_from_the_minimum_on(count: int, shown: int | None) -> None:
    assert withhold({"residents": count}, MINIMUM) == {"residents": shown}


def test_what_is_not_personal_is_always_shown() -> None:
    assert withhold({"buildings": 1, "employers": 0, "dwellings": 2.5}, MINIMUM) == {
        "buildings": 1,
        "employers": 0,
        "dwellings": 2.5,
    }


parts = st.lists(st.integers(0, 60), min_size=2, max_size=5)


@given(parts)
def test_no_withheld_part_can_be_found_by_subtraction(tenure: list[int]) -> None:
    """The attacker has the total and the shown parts: never exactly one part is missing."""
    names = PARTS["tenure"][: len(tenure)]
    shown = withhold(dict(zip(names, tenure, strict=True)) | {"households": sum(tenure)}, MINIMUM)
    missing = [n for n in names if shown[n] is None]
    assert len(missing) != 1


@given(st.integers(0, 100), st.integers(0, 100))
def test_the_uninsured_cannot_be_found_from_the_insured(insured: int, uninsured: int) -> None:
    shown = withhold({"jobs": insured + uninsured, "jobs_insured": insured}, MINIMUM)
    if shown["jobs_insured"] is not None:
        assert uninsured >= MINIMUM
        assert insured >= MINIMUM


def test_the_weak_rule_would_be_caught() -> None:
    """Withholding small parts one by one, without the second rule, gives the smallest part away."""
    figures = {"male": 20, "female": 5}
    weak = {name: None if value < MINIMUM else value for name, value in figures.items()}
    assert 25 - (weak["male"] or 0) == 5
    assert withhold(figures, MINIMUM)["male"] is None


def test_the_database_the_policy_and_the_list_of_indicators_agree(
    small_city: SmallCity, owner: Engine
) -> None:
    with owner.connect() as connection:
        assert connection.execute(text("SELECT pub.minimum_count()")).scalar() == MINIMUM
    public = {count.id for count in indicators.counts() if not count.personal}
    assert public == NOT_PERSONAL
    assert published.PARTS == PARTS
    assert published.WITHIN == WITHIN


def test_the_published_views_are_the_rule_to_the_letter(small_city: SmallCity, owner: Engine) -> None:
    """Every unit of the small city, and a thousand random rows around the minimum, column by column."""
    _random_figures(owner)
    with owner.connect() as connection:
        exact = {
            (row["unit_kind"], row["unit_id"]): row
            for row in connection.execute(text("SELECT * FROM stats.unit_figures")).mappings()
        }
        shown = connection.execute(text("SELECT * FROM pub.unit_figures")).mappings().all()
    names = [c.id for c in indicators.counts()]
    nothing = dict.fromkeys(names, 0)
    assert len(shown) > 300
    compared = 0
    for row in shown:
        found = exact.get((row["unit_kind"], row["unit_id"]))
        figures = {n: found[n] for n in names} if found else nothing
        expected = withhold(figures, MINIMUM, structural=row["structural"])
        assert {n: row[n] for n in names} == expected, (row["unit_kind"], row["unit_id"])
        compared += sum(v is not None for v in expected.values())
    assert compared > 10_000


def _random_figures(owner: Engine) -> None:
    """Overwrite the figures of every unit with numbers around the minimum; seeded."""
    chosen = random.Random(7)
    names = [c.id for c in indicators.counts()]
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM stats.unit_figures WHERE unit_kind = 'cell'"))
        connection.execute(
            text(
                """INSERT INTO stats.unit_figures (unit_kind, unit_id, resolution)
                   SELECT 'cell', cell, 10 FROM geo.cell ORDER BY cell LIMIT 220"""
            )
        )
        units = connection.execute(text("SELECT unit_kind, unit_id FROM stats.unit_figures")).all()
        for kind, number in units:
            values = {n: chosen.choice((0, 5, 12, 13, 14, 40, 200)) for n in names}
            sets = ", ".join(f"{n} = :{n}" for n in names)
            connection.execute(
                text(f"UPDATE stats.unit_figures SET {sets} WHERE unit_kind = :kind AND unit_id = :number"),
                values | {"kind": kind, "number": number},
            )


def test_months_are_withheld_by_the_same_rule(small_city: SmallCity, owner: Engine) -> None:
    with owner.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT p.residents, p.registered, p.floating, p.moved_in, s.residents AS r, s.registered AS g,
                     s.floating AS f, s.moved_in AS m
                   FROM pub.unit_month p JOIN stats.unit_month s USING (unit_kind, unit_id, month)
                   WHERE p.unit_kind = 'area'"""
            )
        ).all()
    assert len(rows) >= 9 * 30
    for row in rows:
        expected = withhold(
            {"residents": row.r, "registered": row.g, "floating": row.f, "moved_in": row.m}, MINIMUM
        )
        found = {"residents": row.residents, "registered": row.registered, "floating": row.floating}
        assert found | {"moved_in": row.moved_in} == expected

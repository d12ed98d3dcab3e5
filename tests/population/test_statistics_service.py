"""Reads of the statistics, and their words."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from db.engine import raw_copy
from population.statistics import indicators, service
from population.statistics.indicators import FIGURES, NUMERIC_FIGURES, SERIES
from population.statistics.rebuild import snapshot


def units(session: Session) -> list[Any]:
    return list(
        session.execute(text("SELECT unit_kind, unit_id FROM stats.unit_figures ORDER BY 1, 2")).all()
    )


def every_row(session: Session) -> list[Any]:
    """Figures of all units, and their months since the town began to keep them."""
    figures = session.execute(text("SELECT * FROM stats.unit_figures ORDER BY unit_kind, unit_id")).all()
    months = session.execute(
        text(
            "SELECT * FROM stats.unit_month WHERE month >= '2025-09-01'"
            " AND residents + jobs + moved_in + moved_out > 0 ORDER BY unit_kind, unit_id, month"
        )
    ).all()
    return [*figures, *months]


def test_the_list_of_indicators_is_the_tables_columns(reader: Session) -> None:
    for table in ("place_figures", "unit_figures"):
        columns = {c["name"]: c for c in inspect(reader.connection()).get_columns(table, schema="stats")}
        keys = {"community_id", "grid_id", "cell", "unit_kind", "unit_id", "resolution"}
        assert [name for name in columns if name not in keys] == list(FIGURES)
        assert {n for n in FIGURES if str(columns[n]["type"]).startswith("NUMERIC")} == NUMERIC_FIGURES
    months = {c["name"] for c in inspect(reader.connection()).get_columns("unit_month", schema="stats")}
    assert months == {"unit_kind", "unit_id", "resolution", "month", *SERIES}


def test_every_indicator_has_its_words_in_both_languages() -> None:
    for name, found in service.definitions().items():
        for words in (found.title, found.unit, found.definition, found.source):
            assert set(words) == {"zh", "en"}, name
            assert all(words.values()), name
            assert "{" not in "".join(words.values()), name
    groups = {group.id for group in indicators.groups()}
    assert {indicator.group for indicator in indicators.by_id().values()} <= groups
    for ratio in indicators.ratios():
        assert set(ratio.numerator) <= set(FIGURES)
        assert set(ratio.denominator) <= {*FIGURES, indicators.AREA}


def test_a_unit_is_the_sum_of_its_places(reader: Session) -> None:
    found = units(reader)
    assert {kind for kind, _ in found} == {"area", "grid", "cell"}
    for kind, unit in found:
        assert service.visible_figures(reader, kind, unit) == service.figures(reader, kind, unit)


def test_a_unit_without_anything_has_zeros(reader: Session) -> None:
    assert set(service.figures(reader, "grid", 999_999).values()) == {0}
    assert set(service.visible_figures(reader, "grid", 999_999).values()) == {0}
    empty = service.series(reader, "grid", 999_999)
    assert empty.months
    assert empty.values == {name: [0] * len(empty.months) for name in SERIES}
    assert set(service.figures_as_of(reader, "grid", 999_999, service.state(reader).as_of).values()) == {0}


def test_parts_add_up(reader: Session) -> None:
    for kind, unit in units(reader):
        f = service.figures(reader, kind, unit)
        assert f["residents"] == f["registered"] + f["floating"]
        assert f["floating"] == f["floating_permit"] + f["floating_no_permit"]
        assert f["residents"] == sum(f[n] for n in FIGURES if n.startswith("crowd_"))
        assert f["residents"] == sum(f[n] for n in FIGURES if n.startswith("ppr_"))
        assert f["households"] == sum(f[n] for n in FIGURES if n.startswith("hh_"))
        assert f["male"] >= sum(f[n] for n in FIGURES if n.startswith("m_"))
        assert f["jobs"] >= sum(f[n] for n in FIGURES if n.startswith("jobs_") and len(n) == 6)


def test_series_end_where_the_figures_are(reader: Session) -> None:
    for kind, unit in units(reader):
        now, months = service.figures(reader, kind, unit), service.series(reader, kind, unit)
        for name in ("residents", "registered", "floating"):
            assert months.values[name][-1] == now[name]


def test_as_of_one_unit_is_as_of_the_whole(reader: Session) -> None:
    as_of = service.state(reader).as_of
    for day in (as_of, as_of - timedelta(days=100)):
        whole = {
            (r["unit_kind"], r["unit_id"]): r for r in snapshot(raw_copy(reader), day).units.rows(named=True)
        }
        for kind, unit in units(reader)[::3]:
            asked = service.figures_as_of(reader, kind, unit, day)
            row = whole.get((kind, unit))
            assert asked == {n: Decimal(str(row[n])) if row else 0 for n in FIGURES}


def test_ratios_of_nothing_are_null() -> None:
    assert set(service.ratios(dict.fromkeys(FIGURES, 0), 1.0).values()) == {None, 0.0}
    assert service.ratios(dict.fromkeys(FIGURES, 0), 1.0)["density"] == 0.0
    assert set(service.ratios(dict.fromkeys(FIGURES, 0)).values()) == {None}
    withheld = service.ratios({**dict.fromkeys(FIGURES, 5), "floating": None}, 1.0)
    assert withheld["floating_share"] is None
    assert withheld["density"] == 5.0


def test_time_goes_forward_only(reader: Session) -> None:
    now = service.state(reader)
    with pytest.raises(service.EarlierDayError):
        service.advance(reader, now.as_of - timedelta(days=1))
    later = service.advance(reader, now.as_of + timedelta(days=1))
    assert later.as_of == now.as_of + timedelta(days=1)
    assert later.version > now.version
    with reader.begin_nested() as taken_back:
        by_rebuild = service.advance(reader, now.as_of + timedelta(days=90))
        rebuilt = every_row(reader)
        taken_back.rollback()
    reader.execute(text("SELECT stats.advance(:day)"), {"day": by_rebuild.as_of})
    assert every_row(reader) == rebuilt
    with pytest.raises(service.UnknownUnitError):
        service.figures(reader, "street", 1)  # type: ignore[arg-type]

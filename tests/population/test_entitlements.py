"""Entitlements: worked examples by hand for each rule, days that are hard to count, and files that are wrong."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from population.entitlements.conditions import RuleError
from population.entitlements.evaluate import evaluate
from population.entitlements.rules import read_rules, rules
from population.entitlements.service import household_facts, person_facts, school_year_start

TODAY = date(2026, 11, 24)
ROW: dict[str, Any] = {
    "status": "floating", "resident_since": date(2026, 5, 24), "birth_date": date(1996, 3, 1), "permit": "none",
    "permit_until": None, "employed": True, "in_school": False, "pension_insured": True, "medical_insured": True,
    "in_dwelling": True, "tenure": "rent", "m2_per_person": 20.0,
}  # fmt: skip


def service(name: str, today: date = TODAY, subject: str = "person", **changed: Any) -> dict[str, Any]:
    row = ROW | changed
    facts = person_facts(row, today) if subject == "person" else household_facts([row])
    found = evaluate(rules(), facts, today, "person" if subject == "person" else "household")
    return next(one for one in found if one["id"] == name)


def status(name: str, today: date = TODAY, subject: str = "person", **changed: Any) -> str:
    return str(service(name, today, subject, **changed)["status"])


@pytest.mark.parametrize(
    ("since", "today", "expected", "begins"),
    [
        (date(2026, 5, 24), date(2026, 11, 23), "missing", "2026-11-24"),
        (date(2026, 5, 24), date(2026, 11, 24), "available", "2026-11-24"),
        # no 31st in the sixth month after: its last day
        (date(2025, 8, 31), date(2026, 2, 27), "missing", "2026-02-28"),
        (date(2025, 8, 31), date(2026, 2, 28), "available", "2026-02-28"),
        (date(2023, 8, 31), date(2024, 2, 28), "missing", "2024-02-29"),
        (date(2023, 8, 29), date(2024, 2, 29), "available", "2024-02-29"),
        (date(2024, 2, 29), date(2024, 8, 28), "missing", "2024-08-29"),
    ],
)
def test_a_permit_after_half_a_year(since: date, today: date, expected: str, begins: str) -> None:
    found = service("residence_permit", today, resident_since=since)
    assert (found["status"], found["from"]) == (expected, begins)


def test_a_permit_needs_a_job_a_home_or_a_school() -> None:
    none = {"employed": False, "tenure": "other", "in_school": False}
    found = service("residence_permit", **none)
    assert found["status"] == "unknown"  # "other" may yet be a stable home: that is asked
    assert [one["fact"] for one in found["ask"]] == ["stable_dwelling"]
    assert status("residence_permit", employed=True, tenure="other") == "available"
    assert status("residence_permit", employed=False, tenure="rent") == "available"
    assert status("residence_permit", employed=False, tenure=None, in_school=True) == "available"


def test_half_a_year_away_is_told_before_what_must_be_asked() -> None:
    found = service("residence_permit", resident_since=date(2026, 9, 1), employed=None, tenure=None)
    assert found["status"] == "missing"
    assert found["missing"][0]["from"] == "2027-03-01"
    assert {one["fact"] for one in found["ask"]} == {"employed", "stable_dwelling"}
    assert found["from"] is None  # time alone may not bring it


def test_a_permit_is_not_for_the_registered_nor_for_who_has_one() -> None:
    assert status("residence_permit", status="registered") == "not_applicable"
    assert status("residence_permit", permit="valid", permit_until=date(2027, 1, 1)) == "not_applicable"
    assert status("residence_permit", permit="expired") == "available"
    assert status("residence_permit", resident_since=None) == "unknown"


@pytest.mark.parametrize(
    ("until", "expected", "begins"),
    [
        (date(2026, 12, 24), "available", "2026-11-24"),
        (date(2026, 12, 25), "missing", "2026-11-25"),
        (None, "unknown", None),
    ],
)  # fmt: skip
def test_the_yearly_endorsement_in_the_last_month(
    until: date | None, expected: str, begins: str | None
) -> None:
    found = service("permit_endorsement", permit="valid", permit_until=until)
    assert (found["status"], found["from"]) == (expected, begins)
    assert status("permit_endorsement", permit="none") == "not_applicable"


@pytest.mark.parametrize(
    ("born", "expected"),
    [
        (date(2020, 8, 31), "available"),  # six on 31 August
        (date(2020, 9, 1), "not_applicable"),
        (date(2020, 2, 29), "available"),
        (date(2011, 9, 1), "available"),  # fourteen on 31 August
        (date(2011, 8, 31), "not_applicable"),  # fifteen
        (None, "unknown"),
    ],
)
def test_a_school_place_by_the_age_at_the_start_of_the_year(born: date | None, expected: str) -> None:
    assert status("school_place", birth_date=born, employed=False) == expected


def test_the_school_year_turns_on_the_first_of_september() -> None:
    assert school_year_start(date(2026, 8, 31)) == date(2025, 8, 31)
    born = date(2020, 2, 29)
    assert status("school_place", date(2026, 8, 31), birth_date=born) == "not_applicable"
    assert status("school_place", date(2026, 9, 1), birth_date=born) == "available"
    assert status("school_place", birth_date=born, in_school=True) == "not_applicable"
    assert status("school_place", birth_date=born, in_school=None) == "unknown"


def test_vaccination_until_the_sixth_birthday() -> None:
    born = date(2020, 2, 29)  # six on 1 March 2026, there is no 29th
    assert status("vaccination", date(2026, 2, 28), birth_date=born) == "available"
    assert status("vaccination", date(2026, 3, 1), birth_date=born) == "not_applicable"


def test_insurance_and_work() -> None:
    assert status("social_insurance", pension_insured=False) == "available"
    assert status("social_insurance", pension_insured=True) == "not_applicable"
    assert status("social_insurance", pension_insured=None) == "unknown"
    assert status("social_insurance", employed=False, pension_insured=None) == "not_applicable"
    jobless = {"employed": False, "medical_insured": False}
    assert status("health_insurance", **jobless) == "missing"  # floating, without a permit
    assert status("health_insurance", **jobless, permit="valid") == "available"
    assert status("health_insurance", **jobless, status="registered") == "available"
    assert status("health_insurance", employed=False, medical_insured=None) == "unknown"
    assert status("employment_service", employed=False) == "available"
    assert status("employment_service", employed=False, birth_date=date(2010, 11, 25)) == "not_applicable"
    assert status("employment_service", employed=False, birth_date=date(2010, 11, 24)) == "available"
    assert status("employment_service", employed=False, birth_date=date(1966, 11, 24)) == "not_applicable"
    assert status("employment_service", employed=True) == "not_applicable"


def test_the_queue_for_public_housing() -> None:
    home = {"subject": "household", "m2_per_person": 12.0}
    assert status("public_housing", **home, resident_since=date(2025, 11, 24)) == "available"
    assert status("public_housing", **home, resident_since=date(2025, 11, 25)) == "missing"
    assert status("public_housing", **home, resident_since=date(2020, 1, 1), employed=False) == "missing"
    assert status("public_housing", **home, tenure="own") == "not_applicable"
    unmeasured = {**home, "m2_per_person": None, "resident_since": date(2020, 1, 1)}
    assert status("public_housing", **unmeasured) == "unknown"


def test_every_rule_is_told_in_both_languages_with_its_ground() -> None:
    for one in rules().rules:
        for words in (one.title, one.who, one.ground, one.office, *(need.missing for need in one.needs)):
            assert set(words) == {"zh", "en"}
            assert words["en"].isascii() or "–" in words["en"] or "²" in words["en"]


RULE = """
version = "1"
[[facts]]
id = "age"
kind = "number"
title = {{ zh = "年龄", en = "Age" }}
ask = {{ zh = "几岁？", en = "How old?" }}
[[rules]]
id = "one"
service = "s"
title = {{ zh = "一", en = "One" }}
who = {{ zh = "谁", en = "Who" }}
ground = {{ zh = "法", en = "Law" }}
office = {{ zh = "处", en = "Office" }}
verified = false
{line}
"""


@pytest.mark.parametrize(
    "line",
    [
        'applies = [ { fact = "height", at_least = 6 } ]',
        'applies = [ { fact = "age", bigger = 6 } ]',
        'applies = [ { fact = "age", at_least = "6" } ]',
        'applies = [ { fact = "age", at_least = true } ]',
        'applies = [ { fact = "age", months_ago = 6 } ]',
        'applies = [ { fact = "age", at_least = 6, at_most = 7 } ]',
        'applies = [ "age >= 6" ]',
        "applies = [ { any = [] } ]",
        'applies = [ { fact = "age", at_least = 6 } ]\nneed = []',
        'applies = [ { fact = "age", at_least = 6 } ]\nneeds = [ { when = { fact = "age", at_most = 9 } } ]',
        'applies = [ { fact = "age", at_least = 6 } ]\nsubject = "dog"',
    ],
)
def test_a_wrong_rule_is_an_error_when_read(line: str) -> None:
    with pytest.raises(RuleError):
        read_rules(RULE.format(line=line))


def test_a_right_rule_is_read_and_an_undeclared_fact_refused() -> None:
    read = read_rules(RULE.format(line='applies = [ { any = [ { fact = "age", at_least = 6 } ] } ]'))
    assert evaluate(read, {"age": 5}, TODAY)[0]["status"] == "not_applicable"
    assert evaluate(read, {}, TODAY)[0]["status"] == "unknown"
    with pytest.raises(KeyError):
        evaluate(read, {"height": 5}, TODAY)

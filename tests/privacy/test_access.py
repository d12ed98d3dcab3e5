"""The policy: denied unless written, unknown words are errors, the file readable and free of contradictions."""

from __future__ import annotations

from itertools import product

import pytest

from privacy.access import AccessRefused, PolicyError, UnknownWord, policy, read_policy

SMALL = """
version = "1"
minimum_count = 13
[purposes]
duty = { zh = "职责", en = "duty" }
[actions]
view = { zh = "查看", en = "look" }
[resources]
map = { zh = "地图", en = "map" }
[roles.officer]
name = { zh = "网格员", en = "Officer" }
purpose = "duty"
figures = "duty"
territory = "own grids"
[[rules]]
roles = ["officer"]
purpose = "duty"
resources = ["map"]
actions = ["view"]
"""


def test_what_is_not_written_is_refused() -> None:
    for role, resource, action in product(policy().roles, policy().resources, policy().actions):
        decision = policy().decide(role, resource, action)
        assert decision.allowed == ((role, decision.purpose, resource, action) in policy().allowed)
    assert not policy().decide("officer", "rejected_row", "view").allowed
    assert not policy().decide("officer", "dashboard", "view", purpose="statistics").allowed


@pytest.mark.parametrize(
    ("role", "resource", "action", "purpose"),
    [("root", "map", "view", None), ("officer", "maps", "view", None), ("officer", "map", "look", None),
     ("officer", "map", "view", "curiosity"), ("", "map", "view", None), ("Officer", "map", "view", None)],
)  # fmt: skip
def test_an_unknown_word_is_an_error_and_no_answer(
    role: str, resource: str, action: str, purpose: str | None
) -> None:
    with pytest.raises(UnknownWord):
        policy().decide(role, resource, action, purpose)


def test_require_names_what_was_refused() -> None:
    with pytest.raises(AccessRefused) as refused:
        policy().require("analyst", "rejected_row", "export")
    assert refused.value.params["resource"] == "rejected_row"


def test_only_roles_with_duty_get_exact_figures_and_nobody_else_sees_records() -> None:
    exact = {key for key, terms in policy().roles.items() if terms.figures == "duty"}
    assert exact == {"officer", "community_manager", "manager", "steward", "administrator"}
    for role in ("officer", "analyst", "auditor"):
        for action in policy().actions:
            assert not policy().decide(role, "rejected_row", action).allowed
    assert {r for r in policy().roles if policy().decide(r, "account", "change").allowed} == {"administrator"}


def test_every_word_is_there_in_both_languages() -> None:
    for words in (policy().purposes, policy().actions, policy().resources):
        assert all(set(told) == {"zh", "en"} and all(told.values()) for told in words.values())
    assert all(set(terms.name) == {"zh", "en"} for terms in policy().roles.values())


def test_every_declared_resource_is_allowed_to_somebody() -> None:
    used = {resource for _, _, resource, _ in policy().allowed}
    assert used == set(policy().resources)


CHANGES = [
    ('roles = ["officer"]', 'roles = ["offcer"]'),
    ('resources = ["map"]', 'resources = ["mpa"]'),
    ('actions = ["view"]', 'actions = ["*"]'),
    ('purpose = "duty"\nfigures', 'purpose = "x"\nfigures'),
    ('figures = "duty"', 'figures = "all"'),
    ("minimum_count = 13", "minimum_count = 0"),
    ("minimum_count = 13", ""),
    ('actions = ["view"]', 'actions = ["view"]\nexcept = ["x"]'),
    ('version = "1"', "version = ["),
]


@pytest.mark.parametrize("broken", [SMALL.replace(old, new) for old, new in CHANGES])
def test_a_policy_that_contradicts_itself_is_refused_whole(broken: str) -> None:
    assert read_policy(SMALL).decide("officer", "map", "view").allowed
    with pytest.raises(PolicyError):
        read_policy(broken)

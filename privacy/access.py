"""Decisions: may this role, with this purpose, do this action on this resource, and read which fields of a person?
Denied unless written.

The rules are in ``policy.toml``, which a data steward can read. A word the file does not declare is an error
(``UnknownWord``), never "no rule, so no harm": failing open is a defect, and so is failing to notice a typing error.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from db.errors import HexwardError

Figures = Literal["duty", "threshold", "none"]
_FILE = Path(__file__).parent / "policy.toml"
_FIGURES: dict[str, Figures] = {"duty": "duty", "threshold": "threshold", "none": "none"}


class AccessRefused(HexwardError):
    """The policy does not allow it."""

    code = "access.refused"


class UnknownWord(HexwardError):
    """A role, purpose, resource or action the policy does not declare."""

    code = "access.unknown"


class PolicyError(HexwardError):
    """The policy file contradicts itself."""

    code = "access.policy"


@dataclass(frozen=True)
class RoleTerms:
    """What a role is given: its names, its usual purpose, how exact its figures are, what its territory is."""

    key: str
    name: dict[str, str]
    purpose: str
    figures: Figures
    territory: str
    second_factor: bool = True


@dataclass(frozen=True)
class Decision:
    """A typed answer; ``figures`` says how exact the figures may be that come with it."""

    allowed: bool
    role: str
    purpose: str
    resource: str
    action: str
    figures: Figures
    fields: frozenset[str] = frozenset()
    """Groups of a person's fields that may be read with it (``person.work``, ...)."""


@dataclass(frozen=True)
class Policy:
    """The whole policy: declared words, roles, and the set of allowed (role, purpose, resource, action)."""

    version: str
    minimum_count: int
    purposes: dict[str, dict[str, str]]
    actions: dict[str, dict[str, str]]
    resources: dict[str, dict[str, str]]
    roles: dict[str, RoleTerms]
    allowed: frozenset[tuple[str, str, str, str]]
    fields: dict[str, dict[str, str]]
    numbers: dict[str, dict[str, str]]
    readable: frozenset[tuple[str, str, str]]
    """(role, purpose, group of fields)."""
    reveals: frozenset[tuple[str, str, str]]
    """(role, purpose, number): what may be seen in the clear, one at a time."""

    def terms(self, role: str) -> RoleTerms:
        """The terms of ``role``. Raises ``UnknownWord``."""
        self._known("role", role, self.roles)
        return self.roles[role]

    def decide(self, role: str, resource: str, action: str, purpose: str | None = None) -> Decision:
        """Whether ``role`` may do ``action`` on ``resource`` for ``purpose`` (the role's usual one by default).

        Raises ``UnknownWord`` for a word that ``policy.toml`` does not declare.

        >>> policy().decide("officer", "dashboard", "view").figures
        'duty'
        >>> policy().decide("analyst", "rejected_row", "view").allowed
        False
        """
        terms = self.terms(role)
        why = terms.purpose if purpose is None else purpose
        self._known("purpose", why, self.purposes)
        self._known("resource", resource, self.resources)
        self._known("action", action, self.actions)
        allowed = (role, why, resource, action) in self.allowed
        return Decision(allowed, role, why, resource, action, terms.figures, self.fields_of(role, why))

    def fields_of(self, role: str, purpose: str | None = None) -> frozenset[str]:
        """Groups of a person's fields that ``role`` reads for ``purpose``. Raises ``UnknownWord``.

        >>> sorted(policy().fields_of("department_reader", "health_insurance"))
        ['person.basic', 'person.insurance']
        >>> policy().fields_of("administrator")
        frozenset()
        """
        why = self.terms(role).purpose if purpose is None else purpose
        self._known("purpose", why, self.purposes)
        return frozenset(field for r, p, field in self.readable if (r, p) == (role, why))

    def may_read(self, role: str, field: str, purpose: str | None = None) -> bool:
        """Whether ``role`` reads the group ``field`` for ``purpose``. Raises ``UnknownWord``."""
        self._known("field", field, self.fields)
        return field in self.fields_of(role, purpose)

    def may_reveal(self, role: str, number: str, purpose: str) -> bool:
        """Whether ``role`` may see one ``number`` in the clear for ``purpose``. Raises ``UnknownWord``."""
        self.terms(role)
        self._known("number", number, self.numbers)
        self._known("purpose", purpose, self.purposes)
        return (role, purpose, number) in self.reveals

    def sees_persons(self, role: str) -> bool:
        """Whether ``role`` reads any field of a person for any purpose. Raises ``UnknownWord``."""
        return self.terms(role).key in {r for r, _, _ in (*self.readable, *self.reveals)}

    def require(self, role: str, resource: str, action: str, purpose: str | None = None) -> Decision:
        """The decision when it is "yes". Raises ``AccessRefused`` or ``UnknownWord``."""
        decision = self.decide(role, resource, action, purpose)
        if not decision.allowed:
            raise AccessRefused(role=role, resource=resource, action=action, purpose=decision.purpose)
        return decision

    @staticmethod
    def _known(kind: str, value: str, words: dict[str, Any]) -> None:
        if value not in words:
            raise UnknownWord(kind=kind, value=value)


@cache
def policy() -> Policy:
    """The policy of this installation. Raises ``PolicyError`` when the file contradicts itself."""
    return read_policy(_FILE.read_text(encoding="utf-8"))


def read_policy(toml: str) -> Policy:
    """Parse and check a policy. Raises ``PolicyError``."""
    try:
        raw = tomllib.loads(toml)
        roles = {
            key: RoleTerms(
                key,
                dict(v["name"]),
                v["purpose"],
                _FIGURES[v["figures"]],
                v["territory"],
                v.get("second_factor", True),
            )
            for key, v in raw["roles"].items()
        }
        words = {kind: dict(raw[kind]) for kind in ("purposes", "actions", "resources")}
        allowed = _expand(raw["rules"], {**words, "roles": roles})
        fields, numbers = dict(raw.get("fields", {})), dict(raw.get("numbers", {}))
        words_of = {"roles": roles, "purposes": words["purposes"]}
        readable = _expand_fields(raw.get("field_rules", []), {**words_of, "fields": fields})
        reveals = _expand_fields(raw.get("reveals", []), {**words_of, "fields": numbers})
        minimum = raw["minimum_count"]
        version = raw["version"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as problem:
        raise PolicyError(problem=f"{type(problem).__name__}: {problem}") from problem
    for terms in roles.values():
        if terms.purpose not in words["purposes"]:
            raise PolicyError(problem=f"role {terms.key}: purpose {terms.purpose!r} is not declared")
    if not isinstance(minimum, int) or minimum < 1:
        raise PolicyError(problem="minimum_count must be a whole number above 0")
    made = Policy(version, minimum, words["purposes"], words["actions"], words["resources"], roles, allowed,
                  fields, numbers, readable, reveals)  # fmt: skip
    for terms in roles.values():
        if made.sees_persons(terms.key) and not terms.second_factor:
            raise PolicyError(problem=f"role {terms.key} sees persons without a second factor")
    return made


def _expand_fields(
    rules: list[dict[str, Any]], words: dict[str, dict[str, Any]]
) -> frozenset[tuple[str, str, str]]:
    allowed = set()
    for number, rule in enumerate(rules, start=1):
        unknown = set(rule) - {"roles", "purpose", "fields"}
        if unknown:
            raise PolicyError(problem=f"field rule {number}: unknown key {sorted(unknown)[0]!r}")
        for role in rule["roles"]:
            for field in rule["fields"]:
                said = {"roles": role, "purposes": rule["purpose"], "fields": field}
                for kind, word in said.items():
                    if word not in words[kind]:
                        raise PolicyError(
                            problem=f"field rule {number}: {kind[:-1]} {word!r} is not declared"
                        )
                allowed.add((role, rule["purpose"], field))
    return frozenset(allowed)


def _expand(
    rules: list[dict[str, Any]], words: dict[str, dict[str, Any]]
) -> frozenset[tuple[str, str, str, str]]:
    allowed = set()
    for number, rule in enumerate(rules, start=1):
        unknown = set(rule) - {"roles", "purpose", "resources", "actions"}
        if unknown:
            raise PolicyError(problem=f"rule {number}: unknown key {sorted(unknown)[0]!r}")
        for role in rule["roles"]:
            for resource in rule["resources"]:
                for action in rule["actions"]:
                    said = {
                        "roles": role,
                        "purposes": rule["purpose"],
                        "resources": resource,
                        "actions": action,
                    }
                    for kind, word in said.items():
                        if word not in words[kind]:
                            raise PolicyError(problem=f"rule {number}: {kind[:-1]} {word!r} is not declared")
                    allowed.add((role, rule["purpose"], resource, action))
    return frozenset(allowed)

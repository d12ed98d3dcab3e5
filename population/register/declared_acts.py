"""From a confirmed declaration to the act on the register, in the officer's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from population.register.acts import act

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def perform(
    session: Session, purpose: str, declared: Any, fields: dict[str, Any], person: UUID | None
) -> tuple[UUID | None, UUID | None]:
    """Do what ``declared`` (a row of the inbox) asks for about ``person``, None for somebody new.

    Returns the person and the act; no act where nothing can be done without more being said (somebody new without a
    door, a death). Raises ActRefused.
    """
    kind, values = _act(session, declared, fields, person)
    if kind is None:
        return person, None
    done = act(session, kind, purpose, values)
    whom = person or (UUID(str(done["persons"][0])) if done.get("persons") else None)
    return whom, UUID(str(done["act"]))


def _act(
    session: Session, declared: Any, fields: dict[str, Any], person: UUID | None
) -> tuple[Any, dict[str, Any]]:
    on = fields.get("on")
    if person is None:
        if declared.kind != "moved_in" or declared.dwelling_id is None:
            return None, {}
        own = {name: fields.get(name) for name in ("name", "sex", "birth_date", "id_number", "phone")}
        return "arrive", {"person": own, "dwelling_id": declared.dwelling_id, "on": on, "status": "floating",
                          "permit": "none"}  # fmt: skip
    if declared.kind == "moved_out":
        return "leave", {"people": [{"id": str(person)}], "on": on}
    if declared.kind == "born":
        child = {"name": fields.get("child_name"), "sex": fields.get("child_sex", 0), "birth_date": on}
        return "born", {"parent_id": str(person), "person": child}
    lives_in = session.execute(
        text("SELECT dwelling_id FROM register.person_search WHERE person_id = :id"), {"id": person}
    ).scalar()
    if declared.kind == "moved_in" and declared.dwelling_id not in (None, lives_in):
        return "move", {"people": [{"id": str(person)}], "dwelling_id": declared.dwelling_id, "on": on,
                        "tenure": fields.get("tenure")}  # fmt: skip
    return "confirm", {"person_id": str(person)}

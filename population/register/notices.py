"""Acts as their two ends see them, what the other grid's officer is told, and addresses to move to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from population.register.records import RecordNotFound

_ACT = """a.id, a.kind, a.at, a.role, a.from_grid_id, a.to_grid_id, a.from_community_id, a.to_community_id, a.params,
  a.undoes, a.undone_by, cardinality(a.person_ids) AS people"""


def act(session: Session, act_id: UUID) -> dict[str, Any]:
    """One act; of its people only those that live in the territory of whoever asks. Raises ``RecordNotFound``."""
    row = (
        session.execute(text(f"SELECT {_ACT} FROM register.act a WHERE a.id = :id"), {"id": act_id})
        .mappings()
        .first()
    )
    if row is None:
        raise RecordNotFound()
    seen = session.execute(
        text(
            """SELECT p.id, p.name FROM register.act a JOIN register.person p ON p.id = ANY (a.person_ids)
               WHERE a.id = :id ORDER BY p.id"""
        ),
        {"id": act_id},
    ).mappings()
    return {**row, "persons": [dict(person) for person in seen]}


def acts(session: Session, limit: int) -> list[dict[str, Any]]:
    """The last acts that begin or end in the own territory, newest first: a move is in both grids' lists."""
    rows = session.execute(
        text(f"SELECT {_ACT} FROM register.act a ORDER BY a.at DESC LIMIT :most"),
        {"most": limit},
    ).mappings()
    return [dict(row) for row in rows]


def notices(session: Session, *, unseen: bool, limit: int) -> list[dict[str, Any]]:
    """What the officer of another grid did that concerns this territory, newest first, with the people it brought."""
    rows = session.execute(
        text(
            """SELECT n.id, n.kind, n.grid_id, n.act_id, n.created_at, n.seen_at, a.kind AS act, a.params,
                 coalesce((SELECT jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) ORDER BY p.id)
                           FROM register.person p
                           WHERE p.id = n.person_id OR p.id = ANY (a.person_ids)), '[]') AS persons
               FROM register.notice n LEFT JOIN register.act a ON a.id = n.act_id
               WHERE NOT :unseen OR n.seen_at IS NULL ORDER BY n.created_at DESC LIMIT :most"""
        ),
        {"unseen": unseen, "most": limit},
    ).mappings()
    return [dict(row) for row in rows]


def see(session: Session, notice_id: int) -> None:
    """Note that a notice was seen. Raises ``RecordNotFound``."""
    if not session.execute(text("SELECT register.see_notice(:id)"), {"id": notice_id}).scalar_one():
        raise RecordNotFound()


def addresses(session: Session, words: str, limit: int) -> list[dict[str, Any]]:
    """Buildings of the whole city whose name or address holds all of ``words``; nothing about who lives there."""
    likes = [
        "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        for word in words.split()
    ]
    if not likes:
        return []
    rows = session.execute(
        text("SELECT * FROM register.find_addresses(:words, :most)"), {"words": likes, "most": limit}
    ).mappings()
    return [dict(row) for row in rows]


def doors(session: Session, building_id: int) -> list[dict[str, Any]]:
    """The dwellings of any building of the city, by address alone."""
    rows = session.execute(text("SELECT * FROM register.addresses(:id)"), {"id": building_id}).mappings()
    return [dict(row) for row in rows]

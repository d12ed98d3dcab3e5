"""Accounts and their territories, as the command line and the demo set them. The session must be the owner's."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.signin import MINIMUM_PASSWORD, hash_password
from db.errors import HexwardError
from privacy import audit, territory
from privacy.access import policy

DEPARTMENTS = ("education", "labour", "health_insurance", "housing", "civil_affairs", "public_security")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


class AccountError(HexwardError):
    """An account cannot be made or changed as asked; the code says why."""

    code = "account.invalid"


def add(
    session: Session,
    account: str,
    role: str,
    *,
    name_zh: str,
    name_en: str,
    password: str | None,
    is_demo: bool = False,
    department: str | None = None,
) -> UUID:
    """A new account. Only a demo account may be without a password. Raises ``AccountError``."""
    if not _ACCOUNT.fullmatch(account):
        raise AccountError("account.invalid", account=account)
    if role not in policy().roles:
        raise AccountError("account.role", role=role, roles=", ".join(policy().roles))
    if (role == "department_reader") != (department in DEPARTMENTS):
        raise AccountError("account.department", departments=", ".join(DEPARTMENTS))
    if not is_demo:
        _strong(password)
    made = session.execute(
        text(
            """INSERT INTO ops."user" (account, name, role, password_hash, is_demo, department)
               VALUES (:account, CAST(:name AS jsonb), :role, :hash, :demo, :department)
               ON CONFLICT (account) DO NOTHING RETURNING id"""
        ),
        {
            "account": account,
            "name": json.dumps({"zh": name_zh, "en": name_en}, ensure_ascii=False),
            "role": role,
            "hash": hash_password(password) if password else None,
            "demo": is_demo,
            "department": department,
        },
    ).scalar()
    if made is None:
        raise AccountError("account.exists", account=account)
    audit.write(session, "account.added", account=account, role=role, resource="account")
    return UUID(str(made))


def _strong(password: str | None) -> None:
    if password is None:
        raise AccountError("account.no_password")
    if len(password) < MINIMUM_PASSWORD:
        raise AccountError("account.weak_password", length=MINIMUM_PASSWORD)


def _id(session: Session, account: str) -> UUID:
    found = session.execute(text('SELECT id FROM ops."user" WHERE account = :a'), {"a": account}).scalar()
    if found is None:
        raise AccountError("account.unknown", account=account)
    return UUID(str(found))


def set_password(session: Session, account: str, password: str | None) -> None:
    """A new password; earlier sign-ins end. Raises ``AccountError``."""
    who = _id(session, account)
    _strong(password)
    session.execute(
        text(
            'UPDATE ops."user" SET password_hash = :hash, failed_logins = 0, locked_until = NULL WHERE id = :id'
        ),
        {"hash": hash_password(password or ""), "id": who},
    )
    session.execute(text("DELETE FROM ops.user_session WHERE user_id = :id"), {"id": who})
    audit.write(session, "account.password", account=account, resource="account")


def set_territory(session: Session, account: str, codes: list[str]) -> None:
    """The whole territory of an account, by codes of areas and legal grids. Raises ``AccountError``."""
    who = _id(session, account)
    areas, grids = [], []
    for code in codes:
        area = session.execute(
            text("SELECT id FROM geo.area WHERE code = :code AND valid_to IS NULL"), {"code": code}
        ).scalar()
        grid = session.execute(
            text("SELECT id FROM geo.grid WHERE code = :code AND valid_to IS NULL"), {"code": code}
        ).scalar()
        if area is None and grid is None:
            raise AccountError("account.territory", code=code)
        if area is not None:
            areas.append(int(area))
        else:
            assert grid is not None
            grids.append(int(grid))
    if grids or _above_community(session, areas):
        role = session.execute(text('SELECT role FROM ops."user" WHERE id = :id'), {"id": who}).scalar()
        if role == "community_manager":
            raise AccountError("account.communities_only", codes=", ".join(codes))
    territory.grant(session, who, areas, grids)
    audit.write(session, "account.territory", account=account, resource="account", params={"codes": codes})


def _above_community(session: Session, areas: list[int]) -> bool:
    return bool(
        session.execute(
            text(
                """SELECT EXISTS (SELECT 1 FROM geo.area WHERE id = ANY(:areas)
                     AND level < (SELECT max(level) FROM geo.area_level))"""
            ),
            {"areas": areas},
        ).scalar()
    )


def list_accounts(session: Session) -> list[dict[str, Any]]:
    """Every account with its role, state and territory (codes)."""
    rows = session.execute(
        text(
            """SELECT u.account, u.role, u.name, u.is_demo, u.disabled_at IS NOT NULL AS disabled,
                 coalesce(array_agg(coalesce(a.code, g.code) ORDER BY coalesce(a.code, g.code))
                          FILTER (WHERE t.user_id IS NOT NULL), '{}') AS territory
               FROM ops."user" u LEFT JOIN ops.user_territory t ON t.user_id = u.id
               LEFT JOIN geo.area a ON a.id = t.area_id LEFT JOIN geo.grid g ON g.id = t.grid_id
               GROUP BY u.id ORDER BY u.account"""
        )
    ).mappings()
    return [dict(row) for row in rows]

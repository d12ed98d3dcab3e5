"""Accounts and their territories, as the command line and the demo set them. The session must be the owner's."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from api import passwords, second_factor
from api.signin import hash_password, store_password
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
        _strong(password, account)
    made = session.execute(
        text(
            """INSERT INTO ops."user" (account, name, role, password_hash, is_demo, department, must_change_password)
               VALUES (:account, CAST(:name AS jsonb), :role, :hash, :demo, :department, NOT :demo)
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


def add_external(session: Session, account: str, role: str, name: str) -> UUID:
    """An account without password, for whom the sign-in provider vouches."""
    made = session.execute(
        text(
            """INSERT INTO ops."user" (account, name, role) VALUES (:account, CAST(:name AS jsonb), :role)
               RETURNING id"""
        ),
        {"account": account, "name": json.dumps({"zh": name, "en": name}, ensure_ascii=False), "role": role},
    ).scalar_one()
    audit.write(
        session, "account.added", account=account, role=role, resource="account", params={"by": "oidc"}
    )
    return UUID(str(made))


def _strong(password: str | None, account: str) -> None:
    if password is None:
        raise AccountError("account.no_password")
    passwords.check(password, account)


def _id(session: Session, account: str) -> UUID:
    found = session.execute(text('SELECT id FROM ops."user" WHERE account = :a'), {"a": account}).scalar()
    if found is None:
        raise AccountError("account.unknown", account=account)
    return UUID(str(found))


def set_password(session: Session, account: str, password: str | None) -> None:
    """A password that the person must replace at the next sign-in; earlier ones end. Raises ``AccountError``."""
    who = _id(session, account)
    _strong(password, account)
    store_password(session, who, password or "", by_administrator=True)
    audit.write(session, "account.password", account=account, resource="account")


def reset_second_factor(session: Session, account: str) -> None:
    """Forget device and recovery codes, for one who lost both; open sign-ins end. Raises ``AccountError``."""
    who = _id(session, account)
    second_factor.reset(session, who)
    session.execute(text("DELETE FROM ops.user_session WHERE user_id = :id"), {"id": who})
    audit.write(session, "account.totp_reset", account=account, resource="account")


def link_subject(session: Session, account: str, issuer: str, subject: str) -> None:
    """Let ``subject`` of the sign-in provider in as ``account``. Raises ``AccountError``."""
    session.execute(
        text(
            """INSERT INTO ops.oidc_link (issuer, subject, user_id) VALUES (:issuer, :subject, :id)
               ON CONFLICT (issuer, subject) DO UPDATE SET user_id = excluded.user_id"""
        ),
        {"issuer": issuer, "subject": subject, "id": _id(session, account)},
    )
    audit.write(session, "account.linked", account=account, resource="account", params={"issuer": issuer})


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

"""The people of a demo city: an officer with one lively patch, a manager with its district, an analyst, and more."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from privacy import audit, territory

PEOPLE = {
    "officer": ("demo.officer", "网格员 林晓燕（演示）", "Grid officer Lin Xiaoyan (demo)"),
    "manager": ("demo.manager", "片区负责人 周建国（演示）", "District manager Zhou Jianguo (demo)"),
    "analyst": ("demo.analyst", "分析员 沈怡（演示）", "Analyst Shen Yi (demo)"),
    "community_manager": (
        "demo.community",
        "社区负责人 何秀兰（演示）",
        "Community manager He Xiulan (demo)",
    ),
    "steward": ("demo.steward", "数据管理员 吴志远（演示）", "Data steward Wu Zhiyuan (demo)"),
    "auditor": ("demo.auditor", "审计员 郑敏（演示）", "Auditor Zheng Min (demo)"),
}
FIRST = ("officer", "manager", "analyst")


@dataclass(frozen=True)
class DemoAccount:
    """A demo account and what it looks after, for the message at the start."""

    role: str
    account: str
    name: dict[str, str]
    place: dict[str, str]


def ensure(session: Session) -> list[DemoAccount]:
    """Make the accounts or bring their territories up to date. ``session`` must be the owner's."""
    grids, community = _lively_patch(session)
    district = session.execute(
        text(
            """SELECT d.id, d.name AS zh, coalesce(d.name_en, d.name) AS en, c.name AS community_zh,
                 coalesce(c.name_en, c.name) AS community_en
               FROM geo.area c JOIN geo.area d ON d.id = ANY(c.path) AND d.level = 1
               WHERE c.id = :id"""
        ),
        {"id": community},
    ).one_or_none()
    city = session.execute(text("SELECT name FROM ops.city")).scalar()
    nothing = {"zh": "", "en": ""}
    patch, whole, below = nothing, nothing, nothing
    if district is not None:
        whole = {"zh": district.zh, "en": district.en}
        below = {"zh": district.community_zh, "en": district.community_en}
        patch = {
            "zh": f"{district.community_zh}的 {len(grids)} 个网格",
            "en": f"{len(grids)} grids of {district.community_en}",
        }
    given: dict[str, tuple[list[int], list[int], dict[str, str]]] = {
        "officer": ([], grids, patch),
        "manager": ([] if district is None else [district.id], [], whole),
        "analyst": ([], [], city or nothing),
        "community_manager": ([] if community is None else [community], [], below),
        "steward": ([], [], city or nothing),
        "auditor": ([], [], {"zh": "审计记录", "en": "the audit trail"}),
    }
    return [_account(session, role, *given[role]) for role in PEOPLE]


def _account(
    session: Session, role: str, areas: list[int], grids: list[int], place: dict[str, str]
) -> DemoAccount:
    account, zh, en = PEOPLE[role]
    row = session.execute(
        text(
            """INSERT INTO ops."user" (account, name, role, is_demo)
               VALUES (:account, CAST(:name AS jsonb), :role, true)
               ON CONFLICT (account) DO UPDATE SET name = excluded.name, disabled_at = NULL
               RETURNING id, xmax = 0 AS added"""
        ),
        {"account": account, "role": role, "name": json.dumps({"zh": zh, "en": en}, ensure_ascii=False)},
    ).one()
    territory.grant(session, row.id, areas, grids)
    if row.added:
        audit.write(session, "account.added", account=account, role=role, resource="account")
    return DemoAccount(role, account, {"zh": zh, "en": en}, place)


# A patch of a few legal grids where both registered and floating residents live, and people work.
_PATCHES = text(
    """SELECT coalesce(g.officer_patch, 'community ' || g.area_id) AS patch, min(g.area_id) AS community,
         array_agg(g.id ORDER BY coalesce(f.residents, 0) DESC, g.code) AS grids
       FROM geo.grid g
       LEFT JOIN stats.unit_figures f ON f.unit_kind = 'grid' AND f.unit_id = g.id
       WHERE g.valid_to IS NULL
       GROUP BY 1
       ORDER BY (count(*) BETWEEN 3 AND 8) DESC, (coalesce(sum(f.jobs), 0) > 0) DESC,
         least(coalesce(sum(f.registered), 0), coalesce(sum(f.floating), 0)) DESC, 1
       LIMIT 1"""
)


def _lively_patch(session: Session) -> tuple[list[int], int | None]:
    """Ids of the patch's grids (six at most) and of its community."""
    row = session.execute(_PATCHES).one_or_none()
    return ([], None) if row is None else (list(row.grids)[:6], row.community)

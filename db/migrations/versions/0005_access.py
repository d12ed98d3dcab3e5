"""Access: row-level security by territory, the audit chain, the published views, grants by role."""

from alembic import op
from sqlalchemy import text

from db.migrations import access, published

revision = "0005"
down_revision = "0004"

NOT_PERSONAL = {"buildings", "dwellings", "employers"}
KEYS = {"unit_kind", "unit_id", "resolution", "month"}
VIEWS = ("pub.unit_figures", "pub.unit_month")


def _figures(table: str) -> list[str]:
    rows = op.get_bind().execute(
        text(
            """SELECT column_name FROM information_schema.columns WHERE table_schema = 'stats'
               AND table_name = :table ORDER BY ordinal_position"""
        ),
        {"table": table},
    )
    return [name for (name,) in rows if name not in KEYS]


def _publish() -> list[str]:
    parents = "\n".join(
        published.PARENT.format(column=column, below=below) for below, column in ((1, 9), (2, 8), (3, 7))
    )
    op.execute(published.MINIMUM)
    op.execute(published.UNITS.format(parents=parents))
    op.execute(published.MONTHS)
    for name, query in published.COPIES.items():
        op.execute(f"CREATE VIEW {name} WITH (security_barrier) AS {query}")
    for name, monthly in (("unit_figures", False), ("unit_month", True)):
        op.execute(published.figures_view(f"pub.{name}", _figures(name), NOT_PERSONAL, monthly=monthly))
    shown = ", ".join(_figures("unit_figures"))
    for name, (kind, keys) in published.NARROWER.items():
        op.execute(
            f"CREATE VIEW {name} WITH (security_barrier) AS SELECT {keys}, withheld, {shown} "
            f"FROM pub.unit_figures WHERE unit_kind = '{kind}'"
        )
    names = ["published_unit", "kept_month", "unit_figures", "unit_month"]
    return [f"pub.{n}" for n in names] + [*published.COPIES, *published.NARROWER, "stats.kept_month"]


def upgrade() -> None:
    for role in ("hexward_owner", "hexward_stat_builder"):
        op.execute(
            f"DO $$ BEGIN IF NOT pg_has_role(current_user, '{role}', 'MEMBER') "
            f"THEN EXECUTE format('GRANT {role} TO %I', current_user); END IF; END $$"
        )
    op.execute("GRANT CREATE, USAGE ON SCHEMA pub, stats TO hexward_stat_builder")
    op.execute(access.WHO)
    op.execute(access.AUDIT)
    op.execute(access.REJECTED_NOTE)
    views = _publish()
    for table, visible in access.VISIBLE.items():
        for statement in access.policies(table, visible):
            op.execute(statement)
    op.execute(access.GRANTS)
    for view in views:
        op.execute(f"ALTER VIEW {view} OWNER TO hexward_stat_builder")
    op.execute("REVOKE CREATE ON SCHEMA pub, stats FROM hexward_stat_builder")
    op.execute("GRANT SELECT ON ALL TABLES IN SCHEMA pub TO hexward_app, hexward_pub_reader")
    op.execute("GRANT EXECUTE ON FUNCTION pub.minimum_count() TO hexward_app, hexward_pub_reader")


def downgrade() -> None:
    raise NotImplementedError("access is not taken away again: going back would open the register")

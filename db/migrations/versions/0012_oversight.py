"""Oversight: daily roots of the trail, orders of delay, findings of unusual use."""

from alembic import op

from db.migrations import oversight

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute(oversight.TABLES)
    op.execute(oversight.FUNCTIONS)
    for table in ("audit.daily_root", "audit.finding"):
        for statement in oversight.closed(table):
            op.execute(statement)
    for table in ("audit.delay_order", "audit.finding_note"):
        for statement in oversight.closed(table, write=True):
            op.execute(statement)
    op.execute(oversight.GRANTS)


def downgrade() -> None:
    raise NotImplementedError("oversight is not taken back")

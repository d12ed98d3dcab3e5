"""The audit trail names the people a look concerned, and remembers its own end."""

from alembic import op

from db.migrations import trail

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(trail.COLUMNS)
    op.execute(trail.FUNCTIONS)
    op.execute(trail.CLOSED)


def downgrade() -> None:
    raise NotImplementedError("the audit trail is not taken back")

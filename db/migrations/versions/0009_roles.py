"""Roles: community manager and department reader."""

from alembic import op

from db.migrations import roles

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(roles.ACCOUNTS)
    op.execute(roles.TERRITORY)


def downgrade() -> None:
    raise NotImplementedError("accounts with the new roles would be left without a role")

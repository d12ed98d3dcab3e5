"""Field rights, revealing a number, what a department may ask; second factor, single sign-on, session limits."""

from alembic import op

from db.migrations import fields, signin

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(fields.RIGHTS)
    for statement in fields.guards():
        op.execute(statement)
    for part in (
        fields.REVEAL,
        fields.DEPARTMENT,
        fields.SEALED,
        fields.OF_HASH,
        fields.GRANTS,
        signin.TABLES,
        signin.ENTER,
    ):
        op.execute(part)


def downgrade() -> None:
    raise NotImplementedError("going back would open fields that were closed")

"""An act whose later act was undone can be undone in its turn: the row that an undo restores stands for the old one."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    conn.execute((SQL / "acts_undone.sql").read_text("utf-8"))


def downgrade() -> None:
    raise NotImplementedError("acts are not forgotten again")

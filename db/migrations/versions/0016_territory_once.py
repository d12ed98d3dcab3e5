"""The territory is found once a mention, with fewer steps, and never by the planner."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    conn.execute((SQL / "territory_once.sql").read_text("utf-8"))


def downgrade() -> None:
    raise NotImplementedError("the policies say the same in other words; there is nothing to go back to")

"""The acts on the register: one function each, which alone may write; and what the pages may ask beyond their rows.

The application's role has no right to write a row of the register. It may call these functions, which run as the owner,
take the one-writer lock first, ask how far the acting person's territory reaches, and note every row they change.
"""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"

SQL = Path(__file__).parent.parent / "sql"
ACTS = (
    "confirm", "correct", "arrive", "move", "leave", "born", "died", "split_household", "merge_person", "split_person",
    "undo",
)  # fmt: skip
READS = (
    "versions(uuid[])", "person_known(uuid, timestamptz)", "addresses(bigint)", "see_notice(bigint)", "today()",
    "find_addresses(text[], integer)",
)  # fmt: skip


def upgrade() -> None:
    op.execute("ALTER TABLE register.notice ADD COLUMN person_id uuid")
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    # past SQLAlchemy, to which a colon means a parameter
    for part in ("begin", "acts", "same", "read"):
        conn.execute((SQL / f"acts_{part}.sql").read_text("utf-8"))
    named = conn.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'register'"
    ).fetchall()
    for (function,) in named:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    for function in (*(f"act_{kind}(text, jsonb)" for kind in ACTS), *READS):
        op.execute(f"GRANT EXECUTE ON FUNCTION register.{function} TO hexward_app")


def downgrade() -> None:
    raise NotImplementedError("acts are not forgotten again")

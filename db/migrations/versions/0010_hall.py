"""Questions from grid to grid, and what residents declare in the online hall."""

from pathlib import Path

from alembic import op

from db.migrations import access

revision = "0010"
down_revision = "0009"

SQL = Path(__file__).parents[1] / "sql"

TABLES = """
CREATE TABLE register.person_ask (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), asked_by uuid NOT NULL,
  asker jsonb, at timestamptz NOT NULL DEFAULT now(), kind text NOT NULL CHECK (kind IN ('id_number', 'phone')),
  sealed bytea NOT NULL, answer text CHECK (answer IN ('lives_here', 'contact_me', 'cannot_say')),
  answer_sealed bytea, answered_at timestamptz);
CREATE INDEX person_ask_by ON register.person_ask (asked_by, at);
CREATE TABLE register.person_ask_to (ask_id uuid NOT NULL
    CONSTRAINT person_ask_to_ask_fk REFERENCES register.person_ask,
  person_id uuid NOT NULL, community_id bigint, grid_id bigint, answered_at timestamptz, answered_by uuid,
  PRIMARY KEY (ask_id, person_id));
CREATE INDEX person_ask_to_grid ON register.person_ask_to (grid_id) WHERE answered_at IS NULL;
CREATE TABLE register.declaration (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  code_hash bytea NOT NULL UNIQUE CHECK (octet_length(code_hash) = 32),
  kind text NOT NULL CHECK (kind IN ('moved_in', 'moved_out', 'changed', 'born')),
  at timestamptz NOT NULL DEFAULT now(), language text NOT NULL,
  state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'asked', 'confirmed', 'rejected')),
  community_id bigint, grid_id bigint, building_id bigint NOT NULL, dwelling_id bigint, sealed bytea NOT NULL,
  id_hash bytea CHECK (octet_length(id_hash) = 32), phone_key bigint, answer_sealed bytea, replied_at timestamptz,
  person_id uuid, act_id uuid, decided_by uuid, decided_at timestamptz);
CREATE INDEX declaration_grid ON register.declaration (grid_id, at);
CREATE INDEX declaration_community ON register.declaration (community_id, at);
CREATE TABLE ops.hall_rate (what text, who bytea, since timestamptz NOT NULL, times integer NOT NULL,
  PRIMARY KEY (what, who));
"""

VISIBLE = {
    "register.person_ask_to": access.BY_PLACE,
    # the asker's own questions, and those that came to the own territory (the policy of person_ask_to applies inside)
    "register.person_ask": """asked_by = (SELECT ops.my_id())
      OR EXISTS (SELECT FROM register.person_ask_to t WHERE t.ask_id = person_ask.id)""",
    "register.declaration": access.BY_PLACE,
    "ops.hall_rate": "false",
}
FUNCTIONS = (
    "ask_send(text, bytea, bigint, text, bytea, integer)",
    "ask_answer(uuid, text, bytea)",
    "people_of_hash(bytea, bigint)",
    "declaration_decide(uuid, text, bytea, uuid, uuid)",
)


def upgrade() -> None:
    op.execute(TABLES)
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    conn.execute((SQL / "hall.sql").read_text("utf-8"))
    for table, visible in VISIBLE.items():
        for statement in access.policies(table, visible):
            op.execute(statement)
        op.execute(f"REVOKE ALL ON {table} FROM PUBLIC")
    op.execute("GRANT SELECT ON register.person_ask, register.person_ask_to TO hexward_app")
    op.execute(
        "GRANT SELECT (id, kind, at, language, state, community_id, grid_id, building_id, dwelling_id, sealed, id_hash,"
        " phone_key, answer_sealed, replied_at, person_id, act_id, decided_by, decided_at)"
        " ON register.declaration TO hexward_app"
    )
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION register.{function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION register.{function} TO hexward_app")


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION register.{function}")
    for table in ("register.person_ask_to", "register.person_ask", "register.declaration", "ops.hall_rate"):
        op.execute(f"DROP TABLE {table}")

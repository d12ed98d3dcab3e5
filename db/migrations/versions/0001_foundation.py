"""Schemas, roles, the city, load runs, accounts, the audit trail."""

from alembic import op

revision = "0001"
down_revision = None

SCHEMAS = ("geo", "register", "cases", "crowd", "stats", "pub", "audit", "ops")
ROLES = ("hexward_owner", "hexward_app", "hexward_stat_builder", "hexward_pub_reader", "hexward_auditor")

TABLES = """
CREATE TABLE ops.city (
  id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  code text NOT NULL, name jsonb NOT NULL, zone text NOT NULL, languages text[] NOT NULL,
  datum text NOT NULL, base_resolution smallint NOT NULL CHECK (base_resolution BETWEEN 5 AND 13),
  config jsonb NOT NULL DEFAULT '{}', loaded_at timestamptz, is_demo boolean NOT NULL DEFAULT false);

CREATE TABLE ops.import_run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  city_code text NOT NULL, source text NOT NULL, kind text NOT NULL, file text NOT NULL,
  file_sha256 text, file_bytes bigint, actor text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), finished_at timestamptz,
  state text NOT NULL DEFAULT 'running'
    CHECK (state IN ('running', 'done', 'unchanged', 'failed', 'refused')),
  rows_read bigint, rows_accepted bigint, rows_rejected bigint, rows_unchanged bigint,
  warnings jsonb NOT NULL DEFAULT '[]', error jsonb, mapping jsonb, datum text, encoding text);
CREATE INDEX import_run_source ON ops.import_run (city_code, source, id DESC);

CREATE TABLE ops.rejected_row (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id bigint NOT NULL REFERENCES ops.import_run ON DELETE CASCADE,
  line bigint NOT NULL, field text, reason text NOT NULL, params jsonb NOT NULL DEFAULT '{}',
  value text CHECK (length(value) <= 500), "row" jsonb,
  corrected_run_id bigint REFERENCES ops.import_run);
CREATE INDEX rejected_row_run ON ops.rejected_row (run_id, line);

CREATE TABLE ops.column_mapping (
  city_code text, source text, header text, field text NOT NULL,
  set_by text NOT NULL, set_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (city_code, source, header));

CREATE TABLE ops."user" (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account text NOT NULL UNIQUE, name jsonb NOT NULL,
  role text NOT NULL CHECK (role IN ('officer','manager','analyst','steward','administrator','auditor')),
  password_hash text, is_demo boolean NOT NULL DEFAULT false, disabled_at timestamptz,
  failed_logins integer NOT NULL DEFAULT 0, locked_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE ops.user_territory (
  user_id uuid NOT NULL REFERENCES ops."user" ON DELETE CASCADE,
  area_id bigint, grid_id bigint,
  CHECK ((area_id IS NULL) <> (grid_id IS NULL)),
  UNIQUE NULLS NOT DISTINCT (user_id, area_id, grid_id));

CREATE TABLE ops.user_session (
  token_hash bytea PRIMARY KEY, user_id uuid NOT NULL REFERENCES ops."user" ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX user_session_user ON ops.user_session (user_id);

CREATE TABLE audit.event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  user_id uuid, account text, role text, action text NOT NULL, resource text, purpose text,
  territory text, params jsonb NOT NULL DEFAULT '{}', prev_hash bytea, hash bytea NOT NULL);
CREATE INDEX event_user ON audit.event (user_id, at);

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.event
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
"""


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for role in ROLES:
        op.execute(
            f"""DO $$ BEGIN CREATE ROLE {role} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""
        )
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    op.execute(TABLES)


def downgrade() -> None:
    for schema in reversed(SCHEMAS):
        if schema != "ops":
            op.execute(f"DROP SCHEMA {schema} CASCADE")
    for table in (
        "user_session",
        "user_territory",
        '"user"',
        "column_mapping",
        "rejected_row",
        "import_run",
        "city",
    ):
        op.execute(f"DROP TABLE ops.{table}")

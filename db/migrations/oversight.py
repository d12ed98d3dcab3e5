"""SQL of oversight: daily roots, orders of delay, findings of unusual use, requests of residents."""

from __future__ import annotations

TABLES = """
CREATE TABLE audit.daily_root (
  day date PRIMARY KEY, after_id bigint NOT NULL, last_id bigint NOT NULL, events bigint NOT NULL CHECK (events >= 0),
  last_hash bytea, root bytea NOT NULL CHECK (octet_length(root) = 32), file jsonb NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TRIGGER daily_root_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.daily_root
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- A resident sees looks at the own record later only by an order that says who ordered it, why, and until when.
CREATE TABLE audit.delay_order (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), person_id uuid NOT NULL,
  ordered_by text NOT NULL CHECK (length(ordered_by) BETWEEN 2 AND 200),
  ground text NOT NULL CHECK (length(ground) BETWEEN 5 AND 500),
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(), until timestamptz NOT NULL,
  made_by uuid NOT NULL, CHECK (until > made_at AND until <= made_at + interval '366 days'));
CREATE INDEX delay_order_person ON audit.delay_order (person_id);
CREATE TRIGGER delay_order_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.delay_order
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

CREATE TABLE audit.finding (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, rule text NOT NULL, day date NOT NULL,
  user_id uuid NOT NULL, account text, role text, person_id uuid, params jsonb NOT NULL DEFAULT '{}',
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE NULLS NOT DISTINCT (rule, day, user_id, person_id));
CREATE INDEX finding_day ON audit.finding (day);

CREATE TABLE audit.finding_note (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, finding_id bigint NOT NULL REFERENCES audit.finding,
  at timestamptz NOT NULL DEFAULT clock_timestamp(), by_id uuid NOT NULL, by_account text NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('in_order', 'follow_up', 'misuse')),
  note text NOT NULL DEFAULT '' CHECK (length(note) <= 1000));
CREATE INDEX finding_note_finding ON audit.finding_note (finding_id);
CREATE TRIGGER finding_note_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.finding_note
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
"""

FUNCTIONS = """
-- The second step of the auditor: the name behind an id. The route that calls it is audited.
CREATE FUNCTION audit.person_name(person uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF ops.my_role() IS DISTINCT FROM 'auditor' THEN RETURN NULL; END IF;
  RETURN (SELECT p.name FROM register.person p WHERE p.id = person);
END $$;

-- Whom a name or an ID number (by its keyed hashes) means, at most fifty.
CREATE FUNCTION audit.persons_of(its_name text, hashes bytea[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT p.id FROM register.person p WHERE (SELECT ops.my_role()) = 'auditor'
    AND (p.name = its_name OR p.id_number_hash = ANY (hashes)) ORDER BY p.id LIMIT 50
$$;

-- "grid 3, area 7" in the words of the map: the place names as [{"zh", "en"}].
CREATE FUNCTION audit.places(territory text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('zh', coalesce(a.name, g.name),
    'en', coalesce(a.name_en, a.name, g.name)) ORDER BY part.n), '[]')
  FROM (SELECT n, m FROM regexp_split_to_table(coalesce(territory, ''), ', ') WITH ORDINALITY s(t, n),
          LATERAL regexp_match(s.t, '^(area|grid) (\\d{1,18})$') m WHERE m IS NOT NULL) part
  LEFT JOIN geo.area a ON part.m[1] = 'area' AND a.id = part.m[2]::bigint
  LEFT JOIN geo.grid g ON part.m[1] = 'grid' AND g.id = part.m[2]::bigint
$$;
"""

_ROLES = "hexward_app, hexward_pub_reader, hexward_stat_builder, hexward_auditor"


def closed(table: str, *, write: bool = False) -> list[str]:
    """Statements that open ``table`` of the schema audit to the acting auditor and to nobody else."""
    name = table.replace(".", "_")
    mine = "(SELECT ops.my_role()) = 'auditor'"
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {name}_build ON {table} TO hexward_owner USING (true) WITH CHECK (true)",
        f"CREATE POLICY {name}_auditor_only ON {table} AS RESTRICTIVE TO {_ROLES} USING ({mine}) WITH CHECK ({mine})",
        f"CREATE POLICY {name}_auditor ON {table} FOR SELECT TO hexward_auditor USING ({mine})",
        f"GRANT SELECT ON {table} TO hexward_auditor",
    ]
    if write:
        statements += [
            f"CREATE POLICY {name}_add ON {table} FOR INSERT TO hexward_auditor WITH CHECK ({mine})",
            f"GRANT INSERT ON {table} TO hexward_auditor",
        ]
    return statements


GRANTS = """
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.person_name(uuid), audit.persons_of(text, bytea[]), audit.places(text)
  TO hexward_auditor;
"""

"""SQL of access: who is acting, row-level security by territory, the audit chain. Used by revision 0005.

A request opens its transaction with ``ops.enter(hash of the session's token)``. The function, not the caller, says
who that is. Policies ask ``ops.acting()`` again, which believes the setting only when it still names a live session
of that very user: a statement smuggled into a query cannot pose as somebody else, since it knows nobody's token hash
and the tables with them are closed to it.
"""

from __future__ import annotations

WHO = """
CREATE FUNCTION ops.acting(OUT id uuid, OUT role text, OUT account text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
DECLARE
  user_text text := nullif(current_setting('hexward.user_id', true), '');
  hash_text text := nullif(current_setting('hexward.session', true), '');
BEGIN
  IF user_text IS NULL OR hash_text IS NULL THEN RETURN; END IF;
  SELECT u.id, u.role, u.account INTO id, role, account
  FROM ops.user_session s JOIN ops."user" u ON u.id = s.user_id
  WHERE s.token_hash = decode(hash_text, 'hex') AND u.id::text = user_text
    AND u.disabled_at IS NULL AND s.expires_at > now();
END $$;

CREATE FUNCTION ops.enter(token_hash bytea, idle_seconds double precision,
  OUT id uuid, OUT account text, OUT role text, OUT name jsonb, OUT is_demo boolean,
  OUT unseen_seconds double precision, OUT whole_city boolean, OUT territory text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
BEGIN
  PERFORM set_config('hexward.user_id', '', true), set_config('hexward.session', '', true);
  SELECT u.id, u.account, u.role, u.name, u.is_demo, extract(epoch FROM now() - s.last_seen_at)
    INTO id, account, role, name, is_demo, unseen_seconds
  FROM ops.user_session s JOIN ops."user" u ON u.id = s.user_id
  WHERE s.token_hash = enter.token_hash AND u.disabled_at IS NULL AND s.expires_at > now()
    AND s.last_seen_at > now() - make_interval(secs => idle_seconds);
  IF id IS NULL THEN RETURN; END IF;
  PERFORM set_config('hexward.user_id', id::text, true),
          set_config('hexward.session', encode(enter.token_hash, 'hex'), true);
  whole_city := ops.sees_city();
  SELECT coalesce(string_agg(coalesce('area ' || t.area_id, 'grid ' || t.grid_id), ', '
                             ORDER BY t.area_id, t.grid_id), '') INTO territory
  FROM ops.user_territory t WHERE t.user_id = enter.id;
END $$;

CREATE FUNCTION ops.touch(token_hash bytea) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
  UPDATE ops.user_session SET last_seen_at = now() WHERE user_session.token_hash = touch.token_hash
$$;

CREATE FUNCTION ops.my_id() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT id FROM ops.acting() $$;
CREATE FUNCTION ops.my_role() RETURNS text LANGUAGE sql STABLE AS $$ SELECT role FROM ops.acting() $$;

-- Areas wholly inside the territory: those given, and all below them. Ids of every validity period.
CREATE FUNCTION ops.my_areas() RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
DECLARE me record; found bigint[];
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.role IN ('officer', 'manager') THEN
    SELECT array_agg(a.id) INTO found FROM geo.area a
    WHERE a.path && (SELECT array_agg(t.area_id) FROM ops.user_territory t
                     WHERE t.user_id = me.id AND t.area_id IS NOT NULL);
  END IF;
  RETURN coalesce(found, '{}');
END $$;

CREATE FUNCTION ops.my_communities() RETURNS bigint[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
  SELECT coalesce(array_agg(a.id), '{}') FROM geo.area a
  WHERE a.id = ANY (ops.my_areas()) AND a.level = (SELECT max(level) FROM geo.area)
$$;

CREATE FUNCTION ops.my_grids() RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
DECLARE me record; found bigint[];
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.role IN ('officer', 'manager') THEN
    SELECT array_agg(id) INTO found FROM (
      SELECT t.grid_id AS id FROM ops.user_territory t WHERE t.user_id = me.id AND t.grid_id IS NOT NULL
      UNION
      SELECT g.id FROM geo.grid g WHERE g.area_id = ANY (ops.my_communities())) x;
  END IF;
  RETURN coalesce(found, '{}');
END $$;

-- The whole city: by role, or because the territory holds the root of the tree.
CREATE FUNCTION ops.sees_city() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
DECLARE me record;
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.role IN ('steward', 'administrator') THEN RETURN true; END IF;
  IF me.role IN ('officer', 'manager') THEN
    RETURN EXISTS (SELECT 1 FROM ops.user_territory t JOIN geo.area a ON a.id = t.area_id
                   WHERE t.user_id = me.id AND a.parent_id IS NULL);
  END IF;
  RETURN false;
END $$;

CREATE FUNCTION ops.has_duty() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(ops.my_role() IN ('officer', 'manager', 'steward', 'administrator'), false)
$$;

CREATE FUNCTION ops.my_territory() RETURNS TABLE (area_id bigint, grid_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
  SELECT t.area_id, t.grid_id FROM ops.user_territory t WHERE t.user_id = (SELECT id FROM ops.acting())
$$;

CREATE FUNCTION ops.demo_accounts() RETURNS TABLE (account text, role text, name jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
  SELECT account, role, name FROM ops."user" WHERE is_demo AND disabled_at IS NULL
  ORDER BY array_position(ARRAY['officer', 'manager', 'analyst'], role), account
$$;

CREATE FUNCTION ops.load_run_counts() RETURNS TABLE (state text, runs bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
  SELECT state, count(*) FROM ops.import_run GROUP BY state
$$;
"""

AUDIT = """
-- The bytes that are hashed: the same on every machine, whatever its time zone or settings.
CREATE FUNCTION audit.canonical(e audit.event) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT convert_to(jsonb_build_array(e.id, (extract(epoch FROM e.at))::text, e.user_id, e.account, e.role, e.action,
    e.resource, e.purpose, e.territory, e.params)::text, 'UTF8')
$$;

CREATE FUNCTION audit.write(who uuid, its_account text, its_role text, its_action text, its_resource text,
  its_purpose text, its_territory text, its_params jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE e audit.event;
BEGIN
  -- One link at a time, held until the transaction ends: the chain has no forks and no gaps in its order.
  PERFORM pg_advisory_xact_lock(hashtext('hexward audit chain'));
  SELECT hash INTO e.prev_hash FROM audit.event ORDER BY id DESC LIMIT 1;
  e.id := nextval(pg_get_serial_sequence('audit.event', 'id'));
  e.at := clock_timestamp();
  e.user_id := who; e.account := its_account; e.role := its_role; e.action := its_action;
  e.resource := its_resource; e.purpose := its_purpose; e.territory := its_territory;
  e.params := coalesce(its_params, '{}');
  e.hash := sha256(coalesce(e.prev_hash, ''::bytea) || audit.canonical(e));
  INSERT INTO audit.event OVERRIDING SYSTEM VALUE SELECT e.*;
  RETURN e.id;
END $$;

-- What a request may call: the person is the one who is acting, never one that the caller names.
CREATE FUNCTION audit.append(action text, resource text, purpose text, territory text, params jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE me record;
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.id IS NULL THEN
    RAISE EXCEPTION 'nobody is acting' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN audit.write(me.id, me.account, me.role, action, resource, purpose, territory, params);
END $$;

-- The first event whose hash does not follow from its content and its predecessor; no row when the chain is whole.
CREATE FUNCTION audit.first_broken() RETURNS TABLE (id bigint, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
  SELECT c.id, c.at FROM (
    SELECT e.id, e.at, e.hash, e.prev_hash, audit.canonical(e) AS content,
           lag(e.hash) OVER (ORDER BY e.id) AS before, row_number() OVER (ORDER BY e.id) AS n
    FROM audit.event e) c
  WHERE c.hash IS DISTINCT FROM sha256(coalesce(c.prev_hash, ''::bytea) || c.content)
     OR (c.n > 1 AND c.prev_hash IS DISTINCT FROM c.before) OR (c.n = 1 AND c.prev_hash IS NOT NULL)
  ORDER BY c.id LIMIT 1
$$;
"""

BY_PLACE = """(SELECT ops.sees_city())
  OR community_id IN (SELECT unnest(ops.my_communities())) OR grid_id IN (SELECT unnest(ops.my_grids()))"""

# What a person with duty may see of each table, over the restrictive rule that everybody else sees nothing.
VISIBLE: dict[str, str] = {
    **{
        f"register.{table}": BY_PLACE
        for table in ("building", "dwelling", "household", "residence", "employer", "employment")
    },
    # A person is seen where the person lives now (the policy of residence applies inside the sub-query).
    "register.person": """(SELECT ops.sees_city()) OR EXISTS (
        SELECT 1 FROM register.residence r WHERE r.person_id = person.id
        AND r.superseded_at IS NULL AND (r.valid_to IS NULL OR r.valid_to > current_date))""",
    "register.schooling": """(SELECT ops.sees_city()) OR EXISTS (
        SELECT 1 FROM register.residence r WHERE r.person_id = schooling.person_id
        AND r.superseded_at IS NULL AND (r.valid_to IS NULL OR r.valid_to > current_date))""",
    "stats.place_figures": BY_PLACE,
    **{
        f"stats.{table}": """(SELECT ops.sees_city())
          OR (unit_kind = 'area' AND unit_id IN (SELECT unnest(ops.my_areas())))
          OR (unit_kind = 'grid' AND unit_id IN (SELECT unnest(ops.my_grids())))"""
        for table in ("unit_figures", "unit_series")
    },
    "ops.import_run": "(SELECT ops.my_role()) IN ('manager', 'steward', 'administrator')",
    "ops.rejected_row": "(SELECT ops.my_role()) IN ('steward', 'administrator')",
    "ops.column_mapping": "(SELECT ops.my_role()) IN ('manager', 'steward', 'administrator')",
}

PERSON_COLUMNS = "id, key, name, sex, birth_date, origin_code, valid_from, valid_to, run_id"

# Line and reason of a rejected row, without its content: what a manager may read.
REJECTED_NOTE = """
CREATE VIEW ops.rejected_note WITH (security_barrier) AS
  SELECT id, run_id, line, field, reason, corrected_run_id FROM ops.rejected_row
  WHERE (SELECT ops.my_role()) IN ('manager', 'steward', 'administrator');
"""


def policies(table: str, visible: str) -> list[str]:
    """Statements that close ``table`` and open it to duty inside the territory, and to the two builders."""
    name = table.replace(".", "_")
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {name}_duty_only ON {table} AS RESTRICTIVE TO hexward_app, hexward_pub_reader, "
        f"hexward_auditor USING ((SELECT ops.has_duty()))",
        f"CREATE POLICY {name}_territory ON {table} FOR SELECT TO hexward_app USING ({visible})",
        f"CREATE POLICY {name}_build ON {table} TO hexward_owner, hexward_stat_builder USING (true) WITH CHECK (true)",
    ]


GRANTS = """
REVOKE ALL ON ALL TABLES IN SCHEMA geo, register, stats, ops, audit, pub FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ops, audit FROM PUBLIC;
GRANT USAGE ON SCHEMA geo, register, stats, ops, pub, audit TO hexward_app;
GRANT SELECT ON ALL TABLES IN SCHEMA geo TO hexward_app;
GRANT SELECT ON register.building, register.dwelling, register.household, register.residence, register.employer,
  register.employment, register.schooling TO hexward_app;
GRANT SELECT ({person_columns}) ON register.person TO hexward_app;
GRANT SELECT ON stats.state, stats.place_figures, stats.unit_figures, stats.unit_series, stats.unit_month,
  stats.kept_month, stats.areal_table, stats.areal_figure, stats.areal_cell TO hexward_app;
GRANT SELECT ON ops.city, ops.import_run, ops.rejected_row, ops.rejected_note, ops.column_mapping TO hexward_app;
GRANT EXECUTE ON FUNCTION ops.acting(), ops.enter(bytea, double precision), ops.touch(bytea), ops.my_id(),
  ops.my_role(), ops.my_areas(), ops.my_communities(), ops.my_grids(), ops.sees_city(), ops.has_duty(),
  ops.my_territory(), ops.demo_accounts(), ops.load_run_counts(),
  audit.append(text, text, text, text, jsonb) TO hexward_app;

GRANT USAGE ON SCHEMA pub, ops, audit TO hexward_pub_reader;
GRANT EXECUTE ON FUNCTION ops.acting(), ops.enter(bytea, double precision), ops.my_id(), ops.my_role(),
  audit.append(text, text, text, text, jsonb) TO hexward_pub_reader;

GRANT USAGE ON SCHEMA audit, ops TO hexward_auditor;
GRANT SELECT ON audit.event TO hexward_auditor;
GRANT EXECUTE ON FUNCTION audit.first_broken(), audit.canonical(audit.event), ops.acting(), ops.my_id(),
  ops.my_role(), ops.has_duty(), ops.enter(bytea, double precision) TO hexward_auditor;

GRANT USAGE ON SCHEMA geo, register, stats, ops, pub TO hexward_stat_builder;
GRANT SELECT ON ALL TABLES IN SCHEMA geo, register TO hexward_stat_builder;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA stats TO hexward_stat_builder;
GRANT SELECT ON ops.city TO hexward_stat_builder;
""".replace("{person_columns}", PERSON_COLUMNS)

"""SQL of the roles added after revision 0005: the community manager and the department reader.

A community manager has duty like an officer, in all grids of the own communities. A department reader has no duty and
no territory: the tables of the register stay empty for the role, and what its department has a purpose for comes
through one function (see ``db/migrations/fields.py``).
"""

from __future__ import annotations

ROLES = ("officer", "community_manager", "manager", "steward", "analyst", "department_reader", "auditor",
         "administrator")  # fmt: skip

ACCOUNTS = f"""
ALTER TABLE ops."user" DROP CONSTRAINT user_role_check;
ALTER TABLE ops."user" ADD CONSTRAINT user_role_check CHECK (role IN {ROLES});
ALTER TABLE ops."user" ADD COLUMN department text
  CHECK (department IN ('education', 'labour', 'health_insurance', 'housing', 'civil_affairs', 'public_security'));
ALTER TABLE ops."user" ADD CONSTRAINT user_department_of_reader
  CHECK ((role = 'department_reader') = (department IS NOT NULL));
"""

# The roles whose territory is what the account was given; everything else follows from this one list.
TERRITORY = """
CREATE FUNCTION ops.territorial(role text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(role IN ('officer', 'community_manager', 'manager'), false)
$$;

CREATE OR REPLACE FUNCTION ops.my_areas() RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
DECLARE me record; found bigint[];
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF ops.territorial(me.role) THEN
    SELECT array_agg(a.id) INTO found FROM geo.area a
    WHERE a.path && (SELECT array_agg(t.area_id) FROM ops.user_territory t
                     WHERE t.user_id = me.id AND t.area_id IS NOT NULL);
  END IF;
  RETURN coalesce(found, '{}');
END $$;

CREATE OR REPLACE FUNCTION ops.my_grids() RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
DECLARE me record; found bigint[];
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF ops.territorial(me.role) THEN
    SELECT array_agg(id) INTO found FROM (
      SELECT t.grid_id AS id FROM ops.user_territory t WHERE t.user_id = me.id AND t.grid_id IS NOT NULL
      UNION
      SELECT g.id FROM geo.grid g WHERE g.area_id = ANY (ops.my_communities())) x;
  END IF;
  RETURN coalesce(found, '{}');
END $$;

CREATE OR REPLACE FUNCTION ops.sees_city() RETURNS boolean
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

CREATE OR REPLACE FUNCTION ops.has_duty() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(ops.my_role() IN ('officer', 'community_manager', 'manager', 'steward', 'administrator'), false)
$$;

CREATE OR REPLACE FUNCTION ops.demo_accounts() RETURNS TABLE (account text, role text, name jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
  SELECT account, role, name FROM ops."user" WHERE is_demo AND disabled_at IS NULL
  ORDER BY array_position(ARRAY['officer', 'manager', 'analyst', 'community_manager', 'steward', 'auditor'], role),
    account
$$;

REVOKE EXECUTE ON FUNCTION ops.territorial(text) FROM PUBLIC;
"""

"""SQL of the audit trail from its second revision on: whom a look concerned, and an end that cannot be cut off unseen.

``persons`` names the people an event concerned by their uuid and is part of what is hashed; rows without it hash as
before. ``audit.link`` holds number and hash of the newest events a second time, so that rows removed at the end are
missed; the next event follows from the link, not from what is left of the events. It is insert-only (one row that is
updated would grow a tail of dead versions under any long snapshot, and every writer would walk it) and is trimmed
when a day's root is made. Event numbers have no gaps from here on: the number is the link's plus one, given back when
the transaction is undone.
"""

from __future__ import annotations

COLUMNS = """
ALTER TABLE audit.event ALTER COLUMN id DROP IDENTITY;
ALTER TABLE audit.event ADD COLUMN persons uuid[]
  CONSTRAINT event_persons_some CHECK (cardinality(persons) BETWEEN 1 AND 1000);
-- Without a pending list: its clearing would fall on one writer who holds the chain's lock.
CREATE INDEX event_persons ON audit.event USING gin (persons) WITH (fastupdate = off);
CREATE INDEX event_at ON audit.event (at);

CREATE TABLE audit.link (id bigint PRIMARY KEY, hash bytea NOT NULL);
INSERT INTO audit.link SELECT id, hash FROM audit.event ORDER BY id DESC LIMIT 1;
"""

FUNCTIONS = """
CREATE OR REPLACE FUNCTION audit.canonical(e audit.event) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT convert_to((jsonb_build_array(e.id, (extract(epoch FROM e.at))::text, e.user_id, e.account, e.role, e.action,
    e.resource, e.purpose, e.territory, e.params)
    || CASE WHEN e.persons IS NULL THEN '[]'::jsonb ELSE jsonb_build_array(e.persons) END)::text, 'UTF8')
$$;

DROP FUNCTION audit.append(text, text, text, text, jsonb);
DROP FUNCTION audit.write(uuid, text, text, text, text, text, text, jsonb);

CREATE FUNCTION audit.write(who uuid, its_account text, its_role text, its_action text, its_resource text,
  its_purpose text, its_territory text, its_params jsonb, its_persons uuid[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE e audit.event;
BEGIN
  -- One link at a time, held until the transaction ends: the chain has no forks and its numbers no gaps.
  PERFORM pg_advisory_xact_lock(hashtext('hexward audit chain'));
  SELECT l.id + 1, l.hash INTO e.id, e.prev_hash FROM audit.link l ORDER BY l.id DESC LIMIT 1;
  e.id := coalesce(e.id, 1);
  e.at := clock_timestamp();
  e.user_id := who; e.account := its_account; e.role := its_role; e.action := its_action;
  e.resource := its_resource; e.purpose := its_purpose; e.territory := its_territory;
  e.params := coalesce(its_params, '{}');
  e.persons := nullif(its_persons, '{}');
  e.hash := sha256(coalesce(e.prev_hash, ''::bytea) || audit.canonical(e));
  INSERT INTO audit.event SELECT e.*;
  INSERT INTO audit.link VALUES (e.id, e.hash);
  RETURN e.id;
END $$;

-- What a request may call: the person is the one who is acting, never one that the caller names.
CREATE FUNCTION audit.append(action text, resource text, purpose text, territory text, params jsonb,
  persons uuid[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE me record;
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.id IS NULL THEN
    RAISE EXCEPTION 'nobody is acting' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN audit.write(me.id, me.account, me.role, action, resource, purpose, territory, params, persons);
END $$;

-- The first place where the chain does not hold, and how; no row when it is whole.
-- changed: the hash does not follow from the content. removed: something stood between this event and the one
-- before it. inserted: this event does not follow from the one before it, which was put in or replaced.
-- removed_at_end: the newest event known to audit.link is gone (id = the first one missing). added_at_end: the reverse.
DROP FUNCTION audit.first_broken();
CREATE FUNCTION audit.first_broken() RETURNS TABLE (id bigint, at timestamptz, why text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
  (SELECT c.id, c.at, CASE WHEN c.hash IS DISTINCT FROM sha256(coalesce(c.prev_hash, ''::bytea) || c.content)
     THEN 'changed' WHEN c.before_id IS NULL OR c.id - c.before_id > 1 THEN 'removed' ELSE 'inserted' END
   FROM (
    SELECT e.id, e.at, e.hash, e.prev_hash, audit.canonical(e) AS content,
           lag(e.hash) OVER (ORDER BY e.id) AS before, lag(e.id) OVER (ORDER BY e.id) AS before_id
    FROM audit.event e) c
   WHERE c.hash IS DISTINCT FROM sha256(coalesce(c.prev_hash, ''::bytea) || c.content)
      OR c.prev_hash IS DISTINCT FROM c.before
   ORDER BY c.id LIMIT 1)
  UNION ALL
  (SELECT CASE WHEN l.id > coalesce(m.id, 0) THEN coalesce(m.id, 0) + 1 ELSE m.id END, m.at,
     CASE WHEN l.id > coalesce(m.id, 0) THEN 'removed_at_end' ELSE 'added_at_end' END
   FROM (SELECT 1) one LEFT JOIN (SELECT x.id, x.hash FROM audit.link x ORDER BY x.id DESC LIMIT 1) l ON true
   LEFT JOIN (SELECT e.id, e.at, e.hash FROM audit.event e ORDER BY e.id DESC LIMIT 1) m ON true
   WHERE l.id IS DISTINCT FROM m.id OR l.hash IS DISTINCT FROM m.hash)
  LIMIT 1
$$;
"""

CLOSED = """
ALTER TABLE audit.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.event FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_event_build ON audit.event TO hexward_owner USING (true) WITH CHECK (true);
CREATE POLICY audit_event_auditor_only ON audit.event AS RESTRICTIVE
  TO hexward_app, hexward_pub_reader, hexward_stat_builder, hexward_auditor
  USING ((SELECT ops.my_role()) = 'auditor');
CREATE POLICY audit_event_auditor ON audit.event FOR SELECT TO hexward_auditor
  USING ((SELECT ops.my_role()) = 'auditor');
ALTER TABLE audit.link ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit.link FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_link_build ON audit.link TO hexward_owner USING (true) WITH CHECK (true);
CREATE POLICY audit_link_nobody ON audit.link AS RESTRICTIVE
  TO hexward_app, hexward_pub_reader, hexward_stat_builder, hexward_auditor USING (false);
REVOKE ALL ON audit.link FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.append(text, text, text, text, jsonb, uuid[])
  TO hexward_app, hexward_pub_reader, hexward_auditor;
GRANT EXECUTE ON FUNCTION audit.first_broken() TO hexward_auditor;
GRANT EXECUTE ON FUNCTION ops.touch(bytea) TO hexward_auditor;
"""

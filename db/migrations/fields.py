"""SQL of field rights: which role may read which group of fields, who may see a number in the clear, what a department
may ask. The rows repeat ``privacy/policy.toml``; a test holds them equal, so a change there needs a migration here.
"""

from __future__ import annotations

_PERSON = (
    "basic",
    "contact",
    "identity",
    "household",
    "home",
    "work",
    "school",
    "insurance",
    "permit",
    "history",
)
_DUTY = dict.fromkeys(("officer", "community_manager", "manager"), ("duty", _PERSON))
_CARE = {"steward": ("data_care", _PERSON)}
_DEPARTMENTS = {
    "education": ("basic", "household", "home", "school", "permit"),
    "labour": ("basic", "work", "insurance"),
    "health_insurance": ("basic", "insurance"),
    "housing": ("basic", "household", "home", "permit"),
    "civil_affairs": ("basic", "household", "home"),
    "public_security": ("basic", "contact", "home", "permit"),
}

FIELDS = [
    *(
        (role, purpose, f"person.{g}")
        for role, (purpose, groups) in {**_DUTY, **_CARE}.items()
        for g in groups
    ),
    *(
        ("department_reader", purpose, f"person.{g}")
        for purpose, groups in _DEPARTMENTS.items()
        for g in groups
    ),
]
REVEALS = [
    *((role, "identity_check", "id_number") for role in ("officer", "community_manager")),
    *((role, "duty", "phone") for role in ("officer", "community_manager")),
    *(("steward", "data_care", number) for number in ("id_number", "phone")),
]


def _rows(rows: list[tuple[str, str, str]]) -> str:
    return ", ".join(f"('{a}', '{b}', '{c}')" for a, b, c in rows)


# Only the functions below read these tables; no reader is granted them.
RIGHTS = f"""
CREATE TABLE ops.field_right (role text, purpose text, field text, PRIMARY KEY (role, purpose, field));
INSERT INTO ops.field_right VALUES {_rows(FIELDS)};
CREATE TABLE ops.reveal_right (role text, purpose text, number text, PRIMARY KEY (role, purpose, number));
INSERT INTO ops.reveal_right VALUES {_rows(REVEALS)};

CREATE FUNCTION ops.may_field(its_field text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM ops.field_right r WHERE r.role = (SELECT a.role FROM ops.acting() a)
                 AND r.field = its_field);
END $$;
"""

# A table that tells of persons, and the group of fields without which it stays empty, whatever the territory.
GUARDED = {
    "person": "basic", "person_search": "basic", "residence": "home", "tenancy": "home", "household": "household",
    "employment": "work", "schooling": "school", "insurance": "insurance", "permit": "permit", "act": "history",
    "act_change": "history", "notice": "history", "person_ask": "basic", "person_ask_to": "basic",
    "declaration": "basic",
}  # fmt: skip


def guards() -> list[str]:
    """Restrictive policies: no right to the fields, no row."""
    return [
        f"CREATE POLICY register_{table}_fields ON register.{table} AS RESTRICTIVE TO hexward_app, "
        f"hexward_pub_reader, hexward_auditor USING ((SELECT ops.may_field('person.{group}')))"
        for table, group in GUARDED.items()
    ]


HERE = """(ops.sees_city() OR EXISTS (
    SELECT 1 FROM register.residence r WHERE r.person_id = its_person AND r.superseded_at IS NULL
      AND (r.valid_to IS NULL OR r.valid_to > current_date)
      AND (r.community_id = ANY (ops.my_communities()) OR r.grid_id = ANY (ops.my_grids()))))"""

REVEAL = f"""
CREATE FUNCTION ops.reveals_an_hour() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 30';

CREATE FUNCTION ops.recent(its_actions text[], who uuid) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
  SELECT count(*) FROM audit.event e
  WHERE e.user_id = who AND e.at > clock_timestamp() - interval '1 hour' AND e.action = ANY (its_actions)
$$;

-- One sealed number, and the audit row with it; the row is written for a refusal too. outcome: ok, refused (role or
-- purpose), absent (no such person here, or no such number), limited.
CREATE FUNCTION register.reveal(its_person uuid, number text, its_purpose text, its_reason text,
  OUT outcome text, OUT sealed bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE me record;
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.id IS NULL THEN
    RAISE EXCEPTION 'nobody is acting' USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- one at a time for each person who asks, so that the limit cannot be raced
  PERFORM pg_advisory_xact_lock(hashtext('hexward reveal ' || me.id::text));
  IF NOT EXISTS (SELECT 1 FROM ops.reveal_right r
                 WHERE r.role = me.role AND r.purpose = its_purpose AND r.number = reveal.number)
     OR length(trim(coalesce(its_reason, ''))) < 4 THEN
    outcome := 'refused';
  ELSIF ops.recent(ARRAY['person.reveal', 'person.reveal_refused'], me.id) >= ops.reveals_an_hour() THEN
    outcome := 'limited';
  ELSIF {HERE} THEN
    SELECT CASE number WHEN 'id_number' THEN p.id_number_enc WHEN 'phone' THEN p.phone_enc END
      INTO sealed FROM register.person p WHERE p.id = its_person;
    outcome := CASE WHEN sealed IS NULL THEN 'absent' ELSE 'ok' END;
  ELSE
    outcome := 'absent';
  END IF;
  PERFORM audit.write(me.id, me.account, me.role,
    CASE outcome WHEN 'ok' THEN 'person.reveal' ELSE 'person.reveal_refused' END, 'person_number', its_purpose, NULL,
    jsonb_build_object('number', number, 'reason', its_reason, 'outcome', outcome, 'person', its_person),
    CASE outcome WHEN 'ok' THEN ARRAY[its_person] END);
END $$;
"""

# A department asks about one client of its own by the keyed hash of the ID number, and gets its own fields.
DEPARTMENT = """
CREATE FUNCTION register.is_client(its_person uuid, department text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, register, pg_temp AS $$
  SELECT CASE department
    WHEN 'education' THEN EXISTS (SELECT 1 FROM schooling s WHERE s.person_id = its_person AND s.superseded_at IS NULL)
      OR EXISTS (SELECT 1 FROM person p WHERE p.id = its_person
                 AND p.birth_date BETWEEN current_date - interval '18 years' AND current_date - interval '3 years')
    WHEN 'labour' THEN EXISTS (SELECT 1 FROM employment e
                               WHERE e.person_id = its_person AND e.superseded_at IS NULL)
      OR EXISTS (SELECT 1 FROM insurance i WHERE i.person_id = its_person AND i.superseded_at IS NULL
                 AND i.kind <> 'medical')
    WHEN 'health_insurance' THEN EXISTS (SELECT 1 FROM insurance i WHERE i.person_id = its_person
                                         AND i.superseded_at IS NULL AND i.kind IN ('medical', 'maternity'))
    WHEN 'housing' THEN EXISTS (SELECT 1 FROM residence r JOIN dwelling d ON d.id = r.dwelling_id
                                WHERE r.person_id = its_person AND r.superseded_at IS NULL
                                AND d.tenure IN ('public', 'rent'))
    ELSE department IN ('civil_affairs', 'public_security') END
$$;

CREATE FUNCTION register.department_person(number_hash bytea, its_reason text, OUT outcome text, OUT told jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE me record; its_department text; one register.person; fields text[];
BEGIN
  SELECT a.id, a.role, a.account, u.department INTO me FROM ops.acting() a JOIN ops."user" u ON u.id = a.id;
  IF me.id IS NULL THEN
    RAISE EXCEPTION 'nobody is acting' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('hexward reveal ' || me.id::text));
  its_department := me.department;
  SELECT array_agg(r.field) INTO fields FROM ops.field_right r
  WHERE r.role = me.role AND r.purpose = its_department;
  IF me.role <> 'department_reader' OR fields IS NULL OR length(trim(coalesce(its_reason, ''))) < 4 THEN
    outcome := 'refused';
  ELSIF ops.recent(ARRAY['person.department', 'person.department_refused'], me.id) >= 10 * ops.reveals_an_hour() THEN
    outcome := 'limited';
  ELSE
    SELECT * INTO one FROM register.person p WHERE p.id_number_hash = number_hash AND p.merged_into IS NULL
    ORDER BY p.valid_to IS NULL DESC LIMIT 1;
    outcome := CASE WHEN one.id IS NOT NULL AND register.is_client(one.id, its_department) THEN 'ok'
               ELSE 'absent' END;
  END IF;
  IF outcome = 'ok' THEN
    told := '{}'::jsonb;
    IF 'person.basic' = ANY (fields) THEN
      told := told || jsonb_build_object('name', one.name, 'sex', one.sex, 'birth_date', one.birth_date);
    END IF;
    IF 'person.home' = ANY (fields) THEN
      told := told || jsonb_build_object('residences', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'status', r.status, 'community', a.name, 'from', r.valid_from, 'to', r.valid_to) ORDER BY r.valid_from), '[]')
        FROM residence r LEFT JOIN geo.area a ON a.id = r.community_id
        WHERE r.person_id = one.id AND r.superseded_at IS NULL));
    END IF;
    IF 'person.household' = ANY (fields) THEN
      told := told || jsonb_build_object('household_size', (SELECT count(*) FROM residence r
        WHERE r.superseded_at IS NULL AND (r.valid_to IS NULL OR r.valid_to > current_date)
          AND r.household_id IN (SELECT x.household_id FROM residence x WHERE x.person_id = one.id
            AND x.superseded_at IS NULL AND (x.valid_to IS NULL OR x.valid_to > current_date))));
    END IF;
    IF 'person.work' = ANY (fields) THEN
      told := told || jsonb_build_object('work', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'employer', e.name, 'industry', e.industry, 'from', w.valid_from, 'to', w.valid_to) ORDER BY w.valid_from),
        '[]') FROM employment w JOIN employer e ON e.id = w.employer_id
        WHERE w.person_id = one.id AND w.superseded_at IS NULL));
    END IF;
    IF 'person.school' = ANY (fields) THEN
      told := told || jsonb_build_object('school', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'school', s.school, 'stage', s.stage, 'from', s.valid_from, 'to', s.valid_to) ORDER BY s.valid_from), '[]')
        FROM schooling s WHERE s.person_id = one.id AND s.superseded_at IS NULL));
    END IF;
    IF 'person.insurance' = ANY (fields) THEN
      told := told || jsonb_build_object('insurance', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'kind', i.kind, 'from', i.valid_from, 'to', i.valid_to) ORDER BY i.valid_from), '[]')
        FROM insurance i WHERE i.person_id = one.id AND i.superseded_at IS NULL
        AND (its_department <> 'health_insurance' OR i.kind IN ('medical', 'maternity'))));
    END IF;
    IF 'person.permit' = ANY (fields) THEN
      told := told || jsonb_build_object('permits', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'kind', t.kind, 'from', t.valid_from, 'to', t.valid_to) ORDER BY t.valid_from), '[]')
        FROM permit t WHERE t.person_id = one.id AND t.superseded_at IS NULL));
    END IF;
  END IF;
  PERFORM audit.write(me.id, me.account, me.role,
    CASE outcome WHEN 'ok' THEN 'person.department' ELSE 'person.department_refused' END, 'department_person',
    coalesce(its_department, 'department'), NULL, jsonb_build_object('reason', its_reason, 'outcome', outcome),
    CASE outcome WHEN 'ok' THEN ARRAY[one.id] END);
END $$;
"""

# Sealed numbers for masked display: a page of people at most, and only for roles that read the masked number.
SEALED = """
CREATE OR REPLACE FUNCTION register.sealed(ids uuid[])
RETURNS TABLE (person_id uuid, id_number_enc bytea, phone_enc bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE city boolean := ops.sees_city(); communities bigint[] := ops.my_communities(); grids bigint[] := ops.my_grids();
  numbers boolean := ops.may_field('person.identity'); phones boolean := ops.may_field('person.contact');
BEGIN
  IF NOT ops.has_duty() OR NOT (numbers OR phones) OR cardinality(ids) > 200 THEN RETURN; END IF;
  RETURN QUERY SELECT p.id, CASE WHEN numbers THEN p.id_number_enc END, CASE WHEN phones THEN p.phone_enc END
  FROM register.person p JOIN register.person_search s ON s.person_id = p.id
  WHERE p.id = ANY (ids) AND (s.until IS NULL OR s.until > current_date)
    AND (city OR s.community_id = ANY (communities) OR s.grid_id = ANY (grids));
END $$;
"""

# As before, and only for roles that see persons.
OF_HASH = """
CREATE OR REPLACE FUNCTION register.people_of_hash(id_hash bytea, phone bigint) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE city boolean := ops.sees_city(); communities bigint[] := ops.my_communities(); grids bigint[] := ops.my_grids();
BEGIN
  IF NOT ops.has_duty() OR NOT ops.may_field('person.basic') THEN RETURN; END IF;
  RETURN QUERY SELECT s.person_id FROM register.person_search s
  WHERE (s.person_id IN (SELECT p.id FROM register.person p WHERE p.id_number_hash = id_hash) OR s.phone_key = phone)
    AND (s.until IS NULL OR s.until > current_date)
    AND (city OR s.community_id = ANY (communities) OR s.grid_id = ANY (grids))
  LIMIT 10;
END $$;
"""

GRANTS = """
REVOKE ALL ON ops.field_right, ops.reveal_right FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ops.may_field(text), ops.recent(text[], uuid), ops.reveals_an_hour(),
  register.reveal(uuid, text, text, text), register.is_client(uuid, text),
  register.department_person(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.may_field(text) TO hexward_app, hexward_pub_reader, hexward_auditor;
GRANT EXECUTE ON FUNCTION register.reveal(uuid, text, text, text), register.department_person(bytea, text)
  TO hexward_app;
"""

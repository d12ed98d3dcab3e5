-- Work items: cases that need a visit. One a check and subject; what became of it is appended to work_event.
CREATE TABLE ops.work_item (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), check_id text NOT NULL,
  person_id uuid, dwelling_id bigint, building_id bigint,
  cell bigint NOT NULL, community_id bigint, grid_id bigint, lng double precision, lat double precision,
  severity smallint NOT NULL CHECK (severity BETWEEN 1 AND 3), since date NOT NULL, due_on date NOT NULL,
  facts jsonb NOT NULL DEFAULT '{}',
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'dismissed', 'snoozed', 'gone')),
  outcome text, snoozed_until date, quiet_until date,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(), changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (person_id IS NOT NULL OR dwelling_id IS NOT NULL), CHECK ((state = 'snoozed') = (snoozed_until IS NOT NULL)));
CREATE UNIQUE INDEX work_item_one ON ops.work_item (check_id, person_id, dwelling_id) NULLS NOT DISTINCT
  WHERE state IN ('open', 'snoozed');
CREATE INDEX work_item_grid_id ON ops.work_item (grid_id) WHERE state = 'open';
CREATE INDEX work_item_community_id ON ops.work_item (community_id) WHERE state = 'open';
CREATE INDEX work_item_person_id ON ops.work_item (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX work_item_dwelling_id ON ops.work_item (dwelling_id) WHERE dwelling_id IS NOT NULL;
CREATE INDEX work_item_changed_at ON ops.work_item (changed_at);
COMMENT ON COLUMN ops.work_item.facts IS 'numbers and days the reason is told with; no names, no numbers of persons';
COMMENT ON COLUMN ops.work_item.quiet_until IS 'a case that was looked at does not come back before this day, though its cause is still there';

CREATE TABLE ops.work_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id uuid NOT NULL REFERENCES ops.work_item ON DELETE CASCADE,
  at timestamptz NOT NULL DEFAULT clock_timestamp(), state text NOT NULL, outcome text, until date, actor_id uuid);
CREATE INDEX work_event_item_id ON ops.work_event (item_id);

CREATE TABLE ops.work_due (
  person_id uuid, dwelling_id bigint, noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((person_id IS NULL) <> (dwelling_id IS NULL)));
CREATE UNIQUE INDEX work_due_one ON ops.work_due (person_id, dwelling_id) NULLS NOT DISTINCT;
COMMENT ON TABLE ops.work_due IS 'persons and dwellings that changed since the checks last looked at them';

-- A change notes whom it concerns; the checks look again before the list is next read.
CREATE FUNCTION ops.note_work() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'dwelling' THEN
    INSERT INTO ops.work_due (dwelling_id) SELECT DISTINCT id FROM changed ON CONFLICT DO NOTHING;
  ELSIF TG_TABLE_NAME = 'residence' THEN
    INSERT INTO ops.work_due (dwelling_id) SELECT DISTINCT dwelling_id FROM changed WHERE dwelling_id IS NOT NULL
    ON CONFLICT DO NOTHING;
    INSERT INTO ops.work_due (person_id) SELECT DISTINCT person_id FROM changed ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO ops.work_due (person_id) SELECT DISTINCT person_id FROM changed ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;

-- What an officer found. The territory is asked here again, since the writer is not the reader.
CREATE FUNCTION ops.work_outcome(item uuid, its_state text, its_outcome text, until date, quiet date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE mine uuid;
BEGIN
  SELECT w.id INTO mine FROM ops.work_item w WHERE w.id = item AND w.state IN ('open', 'snoozed') AND ops.has_duty()
    AND ops.may_field('person.basic') AND ops.may_field('person.home')
    AND (ops.sees_city() OR w.community_id = ANY (ops.my_communities()) OR w.grid_id = ANY (ops.my_grids()))
  FOR UPDATE;
  IF mine IS NULL THEN RETURN false; END IF;
  UPDATE ops.work_item SET state = its_state, outcome = its_outcome, changed_at = clock_timestamp(),
    snoozed_until = CASE WHEN its_state = 'snoozed' THEN until END, quiet_until = quiet
  WHERE id = mine;
  INSERT INTO ops.work_event (item_id, state, outcome, until, actor_id)
  VALUES (mine, its_state, its_outcome, until, ops.my_id());
  RETURN true;
END $$;

-- The facts of service rules. They reach beyond the territory (a job elsewhere, years lived in the next grid), so this
-- answers only for persons who live where the caller has duty.
CREATE FUNCTION ops.service_facts_of(persons uuid[], day date) RETURNS TABLE (
  person_id uuid, household_id uuid, status text, resident_since date, birth_date date, permit text, permit_until date,
  employed boolean, in_school boolean, pension_insured boolean, medical_insured boolean, tenure text,
  in_dwelling boolean, m2_per_person double precision, community_id bigint, grid_id bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH stay AS (
    SELECT r.person_id, r.valid_from, coalesce(r.ended, 'infinity'::date) AS ended FROM register.residence r
    WHERE r.person_id = ANY (persons) AND r.superseded_at IS NULL AND r.valid_from <= day),
  island AS (  -- stays that follow each other without a break are one
    SELECT s.*, coalesce(s.valid_from > max(s.ended) OVER (PARTITION BY s.person_id ORDER BY s.valid_from, s.ended
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS begins FROM stay s),
  since AS (SELECT i.person_id, max(i.valid_from) FILTER (WHERE i.begins) AS since FROM island i GROUP BY 1),
  has AS (SELECT EXISTS (SELECT FROM register.employment) AS jobs, EXISTS (SELECT FROM register.schooling) AS schools,
    EXISTS (SELECT FROM register.insurance WHERE kind = 'medical') AS medical)
  SELECT r.person_id, r.household_id, r.status, nullif(s.since, '1900-01-01'), p.birth_date,
    CASE WHEN r.permit = 'valid' AND r.permit_until < day THEN 'expired' ELSE r.permit END, r.permit_until,
    CASE WHEN w.jobs > 0 THEN true WHEN has.jobs THEN false END,
    CASE WHEN EXISTS (SELECT FROM register.schooling c WHERE c.person_id = r.person_id AND c.counted <> 0) THEN true
         WHEN has.schools THEN false END,
    CASE WHEN w.insured OR i.pension THEN true WHEN has.jobs THEN false END,
    CASE WHEN w.insured OR i.medical THEN true WHEN has.medical THEN false END,
    d.tenure, d.id IS NOT NULL,
    d.area_m2::double precision / nullif(o.people, 0), r.community_id, r.grid_id
  FROM register.residence r
  JOIN register.person p ON p.id = r.person_id
  LEFT JOIN since s ON s.person_id = r.person_id
  LEFT JOIN register.dwelling d ON d.id = r.dwelling_id
  CROSS JOIN has
  CROSS JOIN LATERAL (SELECT count(*) AS jobs, coalesce(bool_or(e.insured), false) AS insured
    FROM register.employment e WHERE e.person_id = r.person_id AND e.counted <> 0) w
  CROSS JOIN LATERAL (SELECT coalesce(bool_or(n.kind = 'pension'), false) AS pension,
      coalesce(bool_or(n.kind = 'medical'), false) AS medical
    FROM register.insurance n WHERE n.person_id = r.person_id AND n.superseded_at IS NULL
      AND n.valid_from <= day AND (n.valid_to IS NULL OR n.valid_to > day)) i
  CROSS JOIN LATERAL (SELECT count(*) AS people FROM register.residence x
    WHERE x.dwelling_id = r.dwelling_id AND x.counted <> 0) o
  WHERE r.person_id = ANY (persons) AND r.superseded_at IS NULL AND r.counted <> 0
$$;

CREATE FUNCTION ops.service_facts(persons uuid[], day date) RETURNS TABLE (
  person_id uuid, household_id uuid, status text, resident_since date, birth_date date, permit text, permit_until date,
  employed boolean, in_school boolean, pension_insured boolean, medical_insured boolean, tenure text,
  in_dwelling boolean, m2_per_person double precision, community_id bigint, grid_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT f.* FROM ops.service_facts_of(persons, day) f WHERE ops.has_duty()
    AND (SELECT bool_and(ops.may_field('person.' || x.field))
         FROM unnest(ARRAY['basic', 'household', 'home', 'work', 'school', 'insurance', 'permit']) AS x (field))
    AND (ops.sees_city() OR f.community_id = ANY (ops.my_communities()) OR f.grid_id = ANY (ops.my_grids()))
$$;

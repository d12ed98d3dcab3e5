-- The acts. Each takes the purpose and its values as JSON, and returns {"act": id, "persons": [...]}.
-- people: [{"id": uuid, "version": text or null}, ...]
CREATE FUNCTION register.act_confirm(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp(); deed uuid;
  day date := register.day_of(a); today date := greatest(register.today(), current_date);
  stays bigint[]; people uuid[]; homes bigint[]; grid bigint; community bigint;
BEGIN
  IF a->>'person_id' IS NULL THEN
    SELECT array_agg(d.id), min(d.grid_id), min(d.community_id) INTO homes, grid, community FROM register.dwelling d
    WHERE (d.id = (a->>'dwelling_id')::bigint OR d.building_id = (a->>'building_id')::bigint)
      AND register.within(me, d.community_id, d.grid_id);
    SELECT array_agg(r.id), array_agg(DISTINCT r.person_id) INTO stays, people FROM register.residence r
    WHERE r.dwelling_id = ANY (homes) AND r.superseded_at IS NULL AND r.valid_from <= today
      AND (r.valid_to IS NULL OR r.valid_to > today);
  ELSE
    SELECT array_agg(r.id), array_agg(DISTINCT r.person_id), min(r.grid_id), min(r.community_id)
    INTO stays, people, grid, community FROM register.residence r
    WHERE r.person_id = (a->>'person_id')::uuid AND r.superseded_at IS NULL AND r.valid_from <= today
      AND (r.valid_to IS NULL OR r.valid_to > today) AND register.within(me, r.community_id, r.grid_id);
    IF people IS NOT NULL THEN PERFORM register.check_version(people[1], a->>'version'); END IF;
  END IF;
  IF stays IS NULL AND homes IS NULL THEN PERFORM register.refuse('act.not_found'); END IF;
  deed := register.new_act('confirm', me, purpose, coalesce(people, '{}'), grid, community, NULL, NULL, moment,
    jsonb_strip_nulls(jsonb_build_object('on', day, 'dwelling_id', a->'dwelling_id', 'building_id', a->'building_id')));
  INSERT INTO register.act_change (act_id, seq, table_name, row_id, before, after)
  SELECT deed, row_number() OVER (), t, x.id,
    jsonb_build_object('confirmed_on', confirmed_on, 'confirmed_source', confirmed_source),
    jsonb_build_object('confirmed_on', day, 'confirmed_source', 'officer')
  FROM (SELECT 'residence' AS t, id::text, confirmed_on, confirmed_source FROM register.residence WHERE id = ANY (stays)
        UNION ALL SELECT 'person', id::text, confirmed_on, confirmed_source FROM register.person WHERE id = ANY (people)
        UNION ALL SELECT 'dwelling', id::text, confirmed_on, confirmed_source FROM register.dwelling
          WHERE id = ANY (homes)) AS x
  WHERE confirmed_on IS NULL OR confirmed_on <= day;
  UPDATE register.residence SET confirmed_on = day, confirmed_source = 'officer'
  WHERE id = ANY (stays) AND (confirmed_on IS NULL OR confirmed_on <= day);
  UPDATE register.person SET confirmed_on = day, confirmed_source = 'officer'
  WHERE id = ANY (people) AND (confirmed_on IS NULL OR confirmed_on <= day);
  IF homes IS NOT NULL THEN
    UPDATE register.dwelling SET confirmed_on = day, confirmed_source = 'officer'
    WHERE id = ANY (homes) AND (confirmed_on IS NULL OR confirmed_on <= day);
  END IF;
  RETURN jsonb_build_object('act', deed, 'persons', coalesce(people, '{}'));
END $$;

-- What is wrong gives way to what is right; what was believed before stays known.
CREATE FUNCTION register.act_correct(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp(); deed uuid;
  person uuid := (a->>'person_id')::uuid; stay register.residence; home register.dwelling; what text[];
BEGIN
  IF person IS NULL THEN
    SELECT * INTO home FROM register.dwelling d
    WHERE d.id = (a->>'dwelling_id')::bigint AND register.within(me, d.community_id, d.grid_id);
    IF home.id IS NULL THEN PERFORM register.refuse('act.not_found'); END IF;
    deed := register.new_act('correct', me, purpose, '{}', home.grid_id, home.community_id, NULL, NULL, moment,
      jsonb_build_object('dwelling_id', home.id, 'fields', (SELECT jsonb_agg(k) FROM jsonb_object_keys(a->'dwelling') k)));
    PERFORM register.patch(deed, 'dwelling', home.id::text, a->'dwelling');
    RETURN jsonb_build_object('act', deed, 'persons', '[]'::jsonb);
  END IF;
  stay := register.stay_of(me, person, 'infinity', a->>'version');
  SELECT array_agg(k ORDER BY k) INTO what FROM (
    SELECT jsonb_object_keys(coalesce(a->'person', '{}')) AS k UNION SELECT jsonb_object_keys(coalesce(a->'residence', '{}'))
    UNION SELECT 'employment' WHERE a ? 'employment' UNION SELECT 'schooling' WHERE a ? 'schooling') AS x;
  deed := register.new_act('correct', me, purpose, ARRAY[person], stay.grid_id, stay.community_id, NULL, NULL, moment,
                          jsonb_build_object('fields', what));
  PERFORM register.patch(deed, 'person', person::text, coalesce(a->'person', '{}'));
  IF a ? 'residence' THEN
    PERFORM register.rewrite(deed, 'residence', moment, jsonb_build_array(jsonb_build_object('id', stay.id, 'patch',
      a->'residence' || jsonb_build_object('confirmed_on', register.today(), 'confirmed_source', 'officer'))));
  END IF;
  PERFORM register.rewrite_own(deed, 'employment', moment, person, a->'employment');
  PERFORM register.rewrite_own(deed, 'schooling', moment, person, a->'schooling');
  RETURN jsonb_build_object('act', deed, 'persons', ARRAY[person]);
END $$;

CREATE FUNCTION register.rewrite_own(deed uuid, tbl text, moment timestamptz, person uuid, changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE own integer;
BEGIN
  IF changes IS NULL THEN RETURN; END IF;
  EXECUTE format('SELECT count(*) FROM register.%I t JOIN jsonb_array_elements($1) AS c ON t.id = (c->>''id'')::bigint'
                 ' WHERE t.person_id = $2 AND t.superseded_at IS NULL', tbl) INTO own USING changes, person;
  IF own <> jsonb_array_length(changes) THEN PERFORM register.refuse('act.not_found'); END IF;
  PERFORM register.rewrite(deed, tbl, moment, changes);
END $$;

-- Ends here, begins there, both grids linked. A whole household keeps together unless it is told not to.
CREATE FUNCTION register.act_move(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp();
  day date := register.day_of(a); home register.dwelling;
BEGIN
  SELECT * INTO home FROM register.dwelling d
  WHERE d.id = (a->>'dwelling_id')::bigint AND (d.valid_to IS NULL OR d.valid_to > day);
  IF home.id IS NULL THEN PERFORM register.refuse('act.no_dwelling'); END IF;
  RETURN register.move_people('move', me, moment, purpose, a, day, home);
END $$;

-- A household of its own in the same dwelling.
CREATE FUNCTION register.act_split_household(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp(); day date := register.day_of(a);
  stay register.residence; home register.dwelling;
BEGIN
  stay := register.stay_of(me, (a->'people'->0->>'id')::uuid, day, NULL);
  SELECT * INTO home FROM register.dwelling d WHERE d.id = stay.dwelling_id;
  IF home.id IS NULL THEN PERFORM register.refuse('act.no_dwelling'); END IF;
  RETURN register.move_people('split_household', me, moment, purpose, a - 'household_id', day, home);
END $$;

CREATE FUNCTION register.move_people(kind text, me register.reach, moment timestamptz, purpose text, a jsonb, day date,
  home register.dwelling) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE deed uuid; one jsonb; stay register.residence; stays register.residence[] := '{}'; people uuid[] := '{}';
  changes jsonb := '[]'; old_household uuid; new_household uuid; placed jsonb := '{}'; whole boolean;
BEGIN
  FOR one IN SELECT * FROM jsonb_array_elements(a->'people') LOOP
    stay := register.stay_of(me, (one->>'id')::uuid, day, one->>'version');
    IF stay.person_id = ANY (people) THEN CONTINUE; END IF;
    IF kind = 'move' AND stay.dwelling_id = home.id THEN PERFORM register.refuse('act.same_dwelling'); END IF;
    IF kind = 'split_household' AND stay.dwelling_id IS DISTINCT FROM home.id THEN
      PERFORM register.refuse('act.not_together');
    END IF;
    people := people || stay.person_id; stays := stays || stay;
  END LOOP;
  deed := register.new_act(kind, me, purpose, people, stays[1].grid_id, stays[1].community_id, home.grid_id,
    home.community_id, moment, jsonb_strip_nulls(jsonb_build_object('on', day, 'from_dwelling_id', stays[1].dwelling_id,
      'to_dwelling_id', home.id, 'people', cardinality(people))));
  IF a->>'household_id' IS NOT NULL AND NOT EXISTS (SELECT FROM register.household h
      WHERE h.id = (a->>'household_id')::uuid AND h.dwelling_id = home.id) THEN
    PERFORM register.refuse('act.not_together');
  END IF;
  FOREACH stay IN ARRAY stays LOOP
    old_household := stay.household_id;
    new_household := coalesce((a->>'household_id')::uuid, (placed->>coalesce(old_household::text, ''))::uuid);
    IF new_household IS NULL THEN
      whole := old_household IS NOT NULL AND kind = 'move' AND coalesce((a->>'together')::boolean, true)
        AND NOT EXISTS (SELECT FROM register.residence r WHERE r.household_id = old_household
          AND r.superseded_at IS NULL AND r.valid_to IS NULL AND r.counted <> 0 AND r.person_id <> ALL (people));
      IF whole THEN
        new_household := old_household;
        PERFORM register.patch(deed, 'household', old_household::text, jsonb_build_object('dwelling_id', home.id));
        PERFORM register.end_tenancies(deed, moment, old_household, day);
      ELSE
        new_household := (register.new_household(deed, home.id)->>'id')::uuid;
      END IF;
      placed := placed || jsonb_build_object(coalesce(old_household::text, ''), new_household);
    END IF;
    IF stay.valid_from < day THEN
      changes := changes || jsonb_build_object('id', stay.id, 'patch', jsonb_build_object('valid_to', day));
    END IF;
    changes := changes || jsonb_build_object('id', stay.id, 'patch', jsonb_strip_nulls(jsonb_build_object(
      'household_id', new_household, 'dwelling_id', home.id, 'valid_from', day, 'confirmed_on', day,
      'confirmed_source', 'officer', 'status', a->'status', 'permit', a->'permit'))
      || CASE WHEN a ? 'permit_until' THEN jsonb_build_object('permit_until', a->'permit_until') ELSE '{}' END);
  END LOOP;
  PERFORM register.rewrite(deed, 'residence', moment, changes);
  IF a->>'tenure' IS NOT NULL AND new_household IS NOT NULL THEN
    PERFORM register.enter(deed, 'tenancy', moment, jsonb_build_object('dwelling_id', home.id, 'household_id', new_household,
      'tenure', a->'tenure', 'valid_from', day));
  END IF;
  PERFORM register.tell(deed, 'moved_in', stays[1].grid_id, stays[1].community_id, home.grid_id, home.community_id);
  RETURN jsonb_build_object('act', deed, 'persons', people, 'household_id', new_household);
END $$;

CREATE FUNCTION register.new_household(deed uuid, dwelling bigint, kind text DEFAULT 'family') RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE made jsonb;
BEGIN
  INSERT INTO register.household AS t (key, dwelling_id, kind, cell)
  VALUES ('act:' || gen_random_uuid(), dwelling, kind, 0) RETURNING to_jsonb(t) INTO made;
  PERFORM register.note(deed, 'household', made->>'id', NULL, made);
  RETURN made;
END $$;

CREATE FUNCTION register.end_tenancies(deed uuid, moment timestamptz, household uuid, day date) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM register.rewrite(deed, 'tenancy', moment, (SELECT jsonb_agg(jsonb_build_object('id', t.id, 'patch',
      CASE WHEN t.valid_from < day THEN jsonb_build_object('valid_to', day) END)) FROM register.tenancy t
    WHERE t.household_id = household AND t.superseded_at IS NULL AND (t.valid_to IS NULL OR t.valid_to > day)));
END $$;

-- The officer of the other grid is told.
CREATE FUNCTION register.tell(deed uuid, kind text, own_grid bigint, own_community bigint, grid bigint, community bigint)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO register.notice (grid_id, community_id, act_id, kind)
  SELECT grid, community, deed, kind
  WHERE (grid, community) IS DISTINCT FROM (own_grid, own_community) AND (grid IS NOT NULL OR community IS NOT NULL)
$$;

CREATE FUNCTION register.new_person(deed uuid, moment timestamptz, fields jsonb) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE made jsonb; fresh uuid := gen_random_uuid();
BEGIN
  INSERT INTO register.person AS t
  SELECT * FROM jsonb_populate_record(NULL::register.person, '{"sex": 0}' || fields || jsonb_build_object('id', fresh,
    'key', 'act:' || fresh, 'valid_from', '1900-01-01', 'confirmed_on', register.today(), 'confirmed_source', 'officer'))
  RETURNING to_jsonb(t) INTO made;
  PERFORM register.note(deed, 'person', fresh::text, NULL, made);
  RETURN fresh;
END $$;

-- Somebody comes to live here: new, or known and living nowhere. Whoever lives elsewhere is not fetched from there, nor
-- is it said that they are known: the new record is marked for the other grid, and one person is made of both there.
CREATE FUNCTION register.act_arrive(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp(); day date := register.day_of(a);
BEGIN
  RETURN register.settle('arrive', me, moment, purpose, a, day);
END $$;

CREATE FUNCTION register.act_born(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp();
  stay register.residence; day date := register.day_of(jsonb_build_object('on', a->'person'->'birth_date'));
BEGIN
  stay := register.stay_of(me, (a->>'parent_id')::uuid, day, NULL);
  IF stay.dwelling_id IS NULL THEN PERFORM register.refuse('act.no_dwelling'); END IF;
  RETURN register.settle('born', me, moment, purpose, a || jsonb_build_object('dwelling_id', stay.dwelling_id,
    'household_id', stay.household_id, 'status', coalesce(a->>'status', stay.status)), day);
END $$;

CREATE FUNCTION register.settle(kind text, me register.reach, moment timestamptz, purpose text, a jsonb, day date)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE deed uuid; home register.dwelling; person uuid; household uuid := (a->>'household_id')::uuid; known record;
BEGIN
  SELECT * INTO home FROM register.dwelling d WHERE d.id = (a->>'dwelling_id')::bigint
    AND register.within(me, d.community_id, d.grid_id) AND (d.valid_to IS NULL OR d.valid_to > day);
  IF home.id IS NULL THEN PERFORM register.refuse('act.no_dwelling'); END IF;
  IF household IS NOT NULL AND NOT EXISTS (
      SELECT FROM register.household h WHERE h.id = household AND h.dwelling_id = home.id) THEN
    PERFORM register.refuse('act.not_together');
  END IF;
  IF (a->'person'->>'birth_date')::date > register.today() THEN
    PERFORM register.refuse('act.date', jsonb_build_object('date', a->'person'->'birth_date'));
  END IF;
  deed := register.new_act(kind, me, purpose, '{}', NULL, NULL, home.grid_id, home.community_id, moment,
                          jsonb_build_object('on', day, 'to_dwelling_id', home.id));
  IF kind = 'arrive' AND a->'person'->>'id_number_hash' IS NOT NULL THEN
    SELECT p.id, p.end_reason, r.id AS stay, r.grid_id, r.community_id INTO known FROM register.person p
    LEFT JOIN register.residence r ON r.person_id = p.id AND r.superseded_at IS NULL
      AND (r.valid_to IS NULL OR r.valid_to > day)
    WHERE p.id_number_hash = (a->'person'->>'id_number_hash')::bytea AND p.merged_into IS NULL
    ORDER BY register.within(me, r.community_id, r.grid_id) DESC, r.id NULLS LAST, p.id LIMIT 1;
    IF known.stay IS NOT NULL AND register.within(me, known.community_id, known.grid_id) THEN
      PERFORM register.refuse('act.lives_here', jsonb_build_object('person', known.id));
    ELSIF known.stay IS NOT NULL OR known.end_reason = 'died' THEN
      INSERT INTO register.notice (grid_id, community_id, act_id, kind, person_id)
      SELECT known.grid_id, known.community_id, deed, 'moved_out', known.id
      WHERE known.grid_id IS NOT NULL OR known.community_id IS NOT NULL;
    ELSIF known.id IS NOT NULL THEN
      person := known.id;
      IF known.end_reason IS NOT NULL THEN
        PERFORM register.patch(deed, 'person', person::text, '{"valid_to": null, "end_reason": null}');
      END IF;
    END IF;
  END IF;
  IF person IS NULL THEN person := register.new_person(deed, moment, a->'person'); END IF;
  IF household IS NULL THEN household := (register.new_household(deed, home.id)->>'id')::uuid; END IF;
  UPDATE register.act SET person_ids = ARRAY[person] WHERE id = deed;
  PERFORM register.enter(deed, 'residence', moment, jsonb_build_object('person_id', person, 'household_id', household,
    'dwelling_id', home.id, 'status', coalesce(a->>'status', 'floating'), 'permit', coalesce(a->>'permit', 'none'),
    'permit_until', a->'permit_until', 'valid_from', day, 'confirmed_on', day, 'confirmed_source', 'officer'));
  RETURN jsonb_build_object('act', deed, 'persons', ARRAY[person], 'household_id', household);
END $$;

CREATE FUNCTION register.act_leave(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act();
BEGIN
  RETURN register.end_people('leave', 'left', me, clock_timestamp(), purpose, a, register.day_of(a));
END $$;

CREATE FUNCTION register.act_died(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act();
BEGIN
  RETURN register.end_people('died', 'died', me, clock_timestamp(), purpose, a, register.day_of(a));
END $$;

CREATE FUNCTION register.end_people(kind text, reason text, me register.reach, moment timestamptz, purpose text, a jsonb,
  day date) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE deed uuid; one jsonb; stay register.residence; people uuid[] := '{}'; tbl text;
BEGIN
  FOR one IN SELECT * FROM jsonb_array_elements(a->'people') LOOP
    stay := register.stay_of(me, (one->>'id')::uuid, day, one->>'version');
    IF stay.person_id = ANY (people) THEN CONTINUE; END IF;
    people := people || stay.person_id;
    IF deed IS NULL THEN
      deed := register.new_act(kind, me, purpose, '{}', stay.grid_id, stay.community_id, NULL, NULL, moment,
                              jsonb_build_object('on', day));
    END IF;
    FOREACH tbl IN ARRAY ARRAY['employment', 'schooling', 'insurance', 'permit', 'residence'] LOOP
      PERFORM register.end_all(deed, tbl, moment, stay.person_id, day);
    END LOOP;
    PERFORM register.patch(deed, 'person', stay.person_id::text,
                           jsonb_build_object('valid_to', day, 'end_reason', reason));
  END LOOP;
  UPDATE register.act SET person_ids = people WHERE id = deed;
  RETURN jsonb_build_object('act', deed, 'persons', people);
END $$;

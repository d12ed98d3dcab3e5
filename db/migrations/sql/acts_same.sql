-- Two records that are one person, one record that is two persons, and the undoing of any act.
CREATE FUNCTION register.mine_or_refuse(me register.reach, person uuid, version text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT me.everything AND NOT EXISTS (
      SELECT FROM register.residence r WHERE r.person_id = person AND r.superseded_at IS NULL
        AND (r.valid_to IS NULL OR r.valid_to > greatest(register.today(), current_date))
        AND register.within(me, r.community_id, r.grid_id))
     OR NOT EXISTS (SELECT FROM register.person p WHERE p.id = person) THEN
    PERFORM register.refuse('act.not_found');
  END IF;
  PERFORM register.check_version(person, version);
END $$;

-- Everything of `gone` that does not contradict `kept` becomes kept's; gone points at kept from then on.
CREATE FUNCTION register.act_merge_person(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp(); deed uuid;
  kept register.person; gone register.person; stay register.residence; tbl text; same text; changes jsonb;
BEGIN
  PERFORM register.mine_or_refuse(me, (a->>'person_id')::uuid, a->>'version');
  PERFORM register.mine_or_refuse(me, (a->>'other_id')::uuid, a->>'other_version');
  SELECT * INTO kept FROM register.person WHERE id = (a->>'person_id')::uuid;
  SELECT * INTO gone FROM register.person WHERE id = (a->>'other_id')::uuid;
  IF kept.id = gone.id OR kept.merged_into IS NOT NULL OR gone.merged_into IS NOT NULL THEN
    PERFORM register.refuse('act.merged_already');
  END IF;
  SELECT * INTO stay FROM register.residence WHERE person_id = kept.id AND superseded_at IS NULL AND valid_to IS NULL;
  deed := register.new_act('merge_person', me, purpose, ARRAY[kept.id, gone.id], stay.grid_id, stay.community_id,
                          NULL, NULL, moment, '{}');
  FOREACH tbl IN ARRAY ARRAY['residence', 'employment', 'schooling', 'insurance', 'permit'] LOOP
    same := CASE tbl WHEN 'employment' THEN 'AND k.employer_id = t.employer_id' WHEN 'schooling' THEN 'AND k.stage = t.stage'
                     WHEN 'insurance' THEN 'AND k.kind = t.kind' ELSE '' END;
    EXECUTE format('SELECT jsonb_agg(jsonb_build_object(''id'', t.id, ''patch'', CASE WHEN NOT EXISTS ('
      ' SELECT FROM register.%1$I k WHERE k.person_id = $1 AND k.superseded_at IS NULL %2$s'
      ' AND k.valid_from < coalesce(t.valid_to, ''infinity'') AND t.valid_from < coalesce(k.valid_to, ''infinity''))'
      ' THEN jsonb_build_object(''person_id'', $1) END)) FROM register.%1$I t'
      ' WHERE t.person_id = $2 AND t.superseded_at IS NULL', tbl, same) INTO changes USING kept.id, gone.id;
    PERFORM register.rewrite(deed, tbl, moment, changes);
  END LOOP;
  PERFORM register.patch(deed, 'person', gone.id::text, jsonb_build_object('end_reason', 'merged', 'merged_into', kept.id,
    'valid_to', coalesce(gone.valid_to, greatest(register.today(), gone.valid_from + 1))));
  PERFORM register.patch(deed, 'person', kept.id::text, (
    SELECT coalesce(jsonb_object_agg(g.key, g.value), '{}') FROM jsonb_each(to_jsonb(gone)) AS g
    JOIN jsonb_each(to_jsonb(kept)) AS k ON k.key = g.key
    WHERE g.key IN ('name', 'birth_date', 'id_number_enc', 'id_number_hash', 'phone_enc', 'phone_hash', 'origin_code')
      AND k.value = 'null' AND g.value <> 'null')
    || CASE WHEN kept.sex = 0 AND gone.sex <> 0 THEN jsonb_build_object('sex', gone.sex) ELSE '{}' END);
  RETURN jsonb_build_object('act', deed, 'persons', ARRAY[kept.id]);
END $$;

-- Some episodes of a person were another's: that of a record merged before, or of a new one.
CREATE FUNCTION register.act_split_person(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp(); deed uuid;
  person uuid := (a->>'person_id')::uuid; other uuid := (a->>'other_id')::uuid; stay register.residence; tbl text;
BEGIN
  PERFORM register.mine_or_refuse(me, person, a->>'version');
  SELECT * INTO stay FROM register.residence r
  WHERE r.person_id = person AND r.superseded_at IS NULL AND r.valid_to IS NULL;
  deed := register.new_act('split_person', me, purpose, ARRAY[person], stay.grid_id, stay.community_id, NULL, NULL, moment, '{}');
  IF other IS NULL THEN
    other := register.new_person(deed, moment, coalesce(a->'person', '{}'));
  ELSIF EXISTS (SELECT FROM register.person p WHERE p.id = other AND p.merged_into = person) THEN
    PERFORM register.patch(deed, 'person', other::text, '{"merged_into": null, "end_reason": null, "valid_to": null}');
  ELSE
    PERFORM register.refuse('act.not_found');
  END IF;
  FOREACH tbl IN ARRAY ARRAY['residence', 'employment', 'schooling', 'insurance', 'permit'] LOOP
    PERFORM register.rewrite_own(deed, tbl, moment, person, (SELECT jsonb_agg(jsonb_build_object('id', e,
      'patch', jsonb_build_object('person_id', other))) FROM jsonb_array_elements(a->tbl) AS e));
  END LOOP;
  UPDATE register.act SET person_ids = ARRAY[person, other] WHERE id = deed;
  RETURN jsonb_build_object('act', deed, 'persons', ARRAY[person, other]);
END $$;

-- Who may undo: whoever did it, and whoever has one of its ends in the own territory.
CREATE FUNCTION register.act_undo(purpose text, a jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
DECLARE me register.reach := register.begin_act(); moment timestamptz := clock_timestamp(); deed uuid; done register.act;
  c record; tbl text;
BEGIN
  SELECT * INTO done FROM register.act x WHERE x.id = (a->>'act_id')::uuid;
  IF done.id IS NULL OR NOT (done.actor_id = me.actor OR register.within(me, done.from_community_id, done.from_grid_id)
       OR register.within(me, done.to_community_id, done.to_grid_id)) THEN
    PERFORM register.refuse('act.not_found');
  END IF;
  IF done.undone_by IS NOT NULL THEN PERFORM register.refuse('act.undone_already'); END IF;
  PERFORM register.nothing_builds_on(done.id);
  INSERT INTO register.act (kind, at, actor_id, role, purpose, person_ids, from_grid_id, from_community_id,
    to_grid_id, to_community_id, params, undoes)
  VALUES ('undo', moment, me.actor, me.role, purpose, done.person_ids, done.from_grid_id, done.from_community_id,
    done.to_grid_id, done.to_community_id, jsonb_build_object('kind', done.kind), done.id) RETURNING id INTO deed;
  UPDATE register.act SET undone_by = deed WHERE id = done.id;
  FOR c IN SELECT * FROM register.act_change x WHERE x.act_id = done.id AND x.before IS NOT NULL
      AND NOT x.after ? 'superseded_at' ORDER BY x.seq DESC LOOP
    PERFORM register.patch(deed, c.table_name, c.row_id, c.before);
  END LOOP;
  FOR tbl IN SELECT DISTINCT x.table_name FROM register.act_change x WHERE x.act_id = done.id
      AND x.table_name NOT IN ('person', 'household', 'dwelling') ORDER BY 1 LOOP
    PERFORM register.restore(deed, tbl, moment, done.id);
  END LOOP;
  PERFORM register.tell(deed, 'undone', NULL, NULL, n.grid_id, n.community_id)
  FROM register.notice n WHERE n.act_id = done.id AND n.kind <> 'undone';
  RETURN jsonb_build_object('act', deed, 'persons', done.person_ids);
EXCEPTION WHEN exclusion_violation OR unique_violation THEN
  PERFORM register.refuse('act.built_on', '{"kind": "file"}');
  RETURN NULL;
END $$;

-- What an act recorded is superseded, what it superseded is recorded again: nothing is erased, not even the mistake.
CREATE FUNCTION register.restore(deed uuid, tbl text, moment timestamptz, done uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM register.rewrite(deed, tbl, moment, (
    SELECT jsonb_agg(jsonb_build_object('id', x.row_id::bigint, 'patch', NULL)) FROM register.act_change x
    WHERE x.act_id = done AND x.table_name = tbl AND x.before IS NULL));
  EXECUTE replace($sql$
    WITH back AS (
      SELECT x.before || jsonb_build_object('id', nextval(pg_get_serial_sequence('register.<table>', 'id')),
        'recorded_at', $2, 'superseded_at', NULL) AS whole
      FROM register.act_change x
      WHERE x.act_id = $3 AND x.table_name = '<table>' AND x.after ? 'superseded_at' AND x.before IS NOT NULL),
    new AS (INSERT INTO register.<table> AS t
      SELECT n.* FROM back CROSS JOIN LATERAL jsonb_populate_record(NULL::register.<table>, back.whole) AS n
      RETURNING t.id, to_jsonb(t) AS whole)
    INSERT INTO register.act_change (act_id, seq, table_name, row_id, before, after)
    SELECT $1, (SELECT coalesce(max(seq), 0) FROM register.act_change WHERE act_id = $1) + row_number() OVER (ORDER BY id),
      '<table>', id::text, NULL, whole FROM new
    $sql$, '<table>', tbl) USING deed, moment, done;
END $$;

-- Every row that the act wrote must stand as the act left it; else the act that came later is named.
CREATE FUNCTION register.nothing_builds_on(done uuid) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE c record; now_is jsonb; later jsonb;
BEGIN
  FOR c IN SELECT DISTINCT ON (table_name, row_id) * FROM register.act_change x WHERE x.act_id = done
      ORDER BY table_name, row_id, seq DESC LOOP
    EXECUTE format('SELECT to_jsonb(t) FROM register.%I t WHERE t.id = $1::%s', c.table_name,
                   register.id_type(c.table_name)) INTO now_is USING c.row_id;
    IF c.table_name = 'household' AND c.before IS NOT NULL AND EXISTS (
        SELECT FROM register.residence r WHERE r.household_id = c.row_id::uuid AND r.superseded_at IS NULL
          AND r.valid_to IS NULL AND r.dwelling_id = (c.after->>'dwelling_id')::bigint AND NOT EXISTS (
            SELECT FROM register.act_change z WHERE z.act_id = done AND z.table_name = 'residence'
              AND z.row_id = r.id::text)) THEN
      PERFORM register.refuse('act.built_on', '{"kind": "household"}');
    END IF;
    IF now_is IS NULL OR NOT now_is @> (
        CASE WHEN c.before IS NULL AND c.table_name IN ('person', 'household') THEN '{}'::jsonb ELSE
          c.after - ARRAY['ended', 'changes_on', 'counted', 'cell', 'community_id', 'grid_id', 'confirmed_on', 'confirmed_source']
        END) THEN
      SELECT jsonb_build_object('kind', y.kind, 'at', y.at, 'act', y.id) INTO later
      FROM register.act_change z JOIN register.act y ON y.id = z.act_id
      WHERE z.table_name = c.table_name AND z.row_id = c.row_id AND y.id <> done ORDER BY y.at DESC LIMIT 1;
      PERFORM register.refuse('act.built_on', coalesce(later, '{"kind": "file"}'));
    END IF;
  END LOOP;
END $$;

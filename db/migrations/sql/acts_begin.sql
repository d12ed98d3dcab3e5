-- How an act begins, what it writes down, and how it refuses. Acts are called by the application's role; they run as
-- the owner and ask themselves, once, how far the acting person's territory reaches.
CREATE TYPE register.reach AS (actor uuid, role text, everything boolean, communities bigint[], grids bigint[]);

CREATE FUNCTION register.refuse(code text, params jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'HX409', MESSAGE = code, DETAIL = params::text;
END $$;
COMMENT ON FUNCTION register.refuse IS 'an act that cannot be done: the code and its parameters, never a name or number';

CREATE FUNCTION register.my_reach() RETURNS register.reach LANGUAGE plpgsql STABLE AS $$
DECLARE me record; r register.reach;
BEGIN
  SELECT * INTO me FROM ops.acting();
  r.actor := me.id; r.role := me.role;
  r.everything := ops.sees_city();
  IF NOT r.everything THEN r.communities := ops.my_communities(); r.grids := ops.my_grids(); END IF;
  RETURN r;
END $$;

CREATE FUNCTION register.within(r register.reach, community bigint, grid bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(r.everything OR community = ANY (r.communities) OR grid = ANY (r.grids), false)
$$;

-- One writer at a time (the statistics' lock), taken before anything is read: what an act sees is what it changes.
CREATE FUNCTION register.begin_act() RETURNS register.reach LANGUAGE plpgsql AS $$
DECLARE r register.reach;
BEGIN
  r := register.my_reach();
  IF r.role IS NULL OR r.role NOT IN ('officer', 'community_manager', 'manager', 'steward') THEN
    RAISE EXCEPTION 'this role does not act on the register' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM pg_advisory_xact_lock(482020);
  RETURN r;
END $$;

CREATE FUNCTION register.today() RETURNS date LANGUAGE sql STABLE AS $$
  SELECT (now() AT TIME ZONE coalesce((SELECT zone FROM ops.city ORDER BY loaded_at DESC NULLS LAST LIMIT 1), 'UTC'))::date
$$;
COMMENT ON FUNCTION register.today IS 'the day it is in the city';

CREATE FUNCTION register.day_of(a jsonb) RETURNS date LANGUAGE plpgsql STABLE AS $$
DECLARE day date := coalesce((a->>'on')::date, register.today());
BEGIN
  IF day > register.today() OR day < '1900-01-01' THEN
    PERFORM register.refuse('act.date', jsonb_build_object('date', day));
  END IF;
  RETURN day;
END $$;

-- Changes whenever a person's own fields or what is believed of where it lives changes; a confirmation is no change.
CREATE FUNCTION register.version_of(person uuid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT left(md5(concat_ws('|', p.name, p.sex, p.birth_date, encode(p.id_number_hash, 'hex'),
    encode(p.phone_enc, 'hex'), p.origin_code, p.valid_to, p.end_reason, p.merged_into,
    (SELECT string_agg(r.id || ' ' || coalesce(r.valid_to::text, ''), ',' ORDER BY r.id) FROM register.residence r
     WHERE r.person_id = p.id AND r.superseded_at IS NULL))), 16)
  FROM register.person p WHERE p.id = person
$$;

CREATE FUNCTION register.last_act(person uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT jsonb_build_object('kind', a.kind, 'at', a.at, 'act', a.id) FROM register.act a
                   WHERE a.person_ids @> ARRAY[person] AND a.kind <> 'confirm' ORDER BY a.at DESC LIMIT 1),
                  '{"kind": "file"}')
$$;

-- The row of where a person lives on a day, when it is the acting person's to change and nobody changed it before.
CREATE FUNCTION register.stay_of(me register.reach, person uuid, day date, version text)
RETURNS register.residence LANGUAGE plpgsql STABLE AS $$
DECLARE found register.residence; today date := greatest(register.today(), current_date);
BEGIN
  SELECT * INTO found FROM register.residence r
  WHERE r.person_id = person AND r.superseded_at IS NULL AND (r.valid_to IS NULL OR r.valid_to > today)
  ORDER BY r.valid_from LIMIT 1;
  IF found.id IS NULL OR NOT register.within(me, found.community_id, found.grid_id) THEN
    PERFORM register.refuse('act.not_found');
  END IF;
  PERFORM register.check_version(person, version);
  IF found.valid_from > day THEN
    PERFORM register.refuse('act.before_residence', jsonb_build_object('date', found.valid_from));
  END IF;
  RETURN found;
END $$;

CREATE FUNCTION register.check_version(person uuid, version text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF version IS NOT NULL AND version IS DISTINCT FROM register.version_of(person) THEN
    PERFORM register.refuse('act.changed_meanwhile', register.last_act(person));
  END IF;
END $$;

CREATE FUNCTION register.new_act(kind text, me register.reach, purpose text, persons uuid[],
  from_grid bigint, from_community bigint, to_grid bigint, to_community bigint, moment timestamptz, params jsonb)
RETURNS uuid LANGUAGE sql AS $$
  INSERT INTO register.act (kind, at, actor_id, role, purpose, person_ids, from_grid_id, from_community_id,
    to_grid_id, to_community_id, params)
  VALUES (kind, moment, me.actor, me.role, purpose, persons, from_grid, from_community, to_grid, to_community, params)
  RETURNING id
$$;

CREATE FUNCTION register.note(deed uuid, tbl text, rid text, before jsonb, after jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO register.act_change (act_id, seq, table_name, row_id, before, after)
  SELECT note.deed, coalesce(max(c.seq), 0) + 1, note.tbl, note.rid, note.before, note.after
  FROM register.act_change c WHERE c.act_id = note.deed
$$;

CREATE FUNCTION register.id_type(tbl text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN tbl IN ('person', 'household') THEN 'uuid' ELSE 'bigint' END
$$;

-- Columns of a row that is no episode: what was there is kept in the act.
CREATE FUNCTION register.patch(deed uuid, tbl text, rid text, change jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE before jsonb; after jsonb; columns text; key text := register.id_type(tbl);
BEGIN
  IF change = '{}' THEN RETURN; END IF;
  SELECT string_agg(quote_ident(k), ', ') INTO columns FROM jsonb_object_keys(change) AS k;
  EXECUTE format('SELECT to_jsonb(t) FROM register.%I t WHERE t.id = $1::%s', tbl, key) INTO before USING rid;
  EXECUTE format('UPDATE register.%I t SET (%s) = (SELECT %s FROM jsonb_populate_record(t, $1)) WHERE t.id = $2::%s'
                 ' RETURNING to_jsonb(t)', tbl, columns, columns, key) INTO after USING change, rid;
  SELECT jsonb_object_agg(k, before->k), jsonb_object_agg(k, after->k) INTO before, after
  FROM jsonb_object_keys(change) AS k;
  PERFORM register.note(deed, tbl, rid, before, after);
END $$;

-- Episodes give way to better versions, in one statement. changes: [{"id": 7, "patch": {...} or null}, ...]; an id
-- that stands twice becomes two rows, one whose only patch is null becomes none.
CREATE FUNCTION register.rewrite(deed uuid, tbl text, moment timestamptz, changes jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF changes IS NULL OR jsonb_array_length(changes) = 0 THEN RETURN; END IF;
  EXECUTE replace($sql$
    WITH change AS MATERIALIZED (
      SELECT (c->>'id')::bigint AS id, CASE jsonb_typeof(c->'patch') WHEN 'object' THEN c->'patch' END AS patch
      FROM jsonb_array_elements($2) AS c),
    old AS (
      UPDATE register.<table> t SET superseded_at = greatest($3, t.recorded_at)
      WHERE t.id = ANY (ARRAY(SELECT id FROM change)) AND t.superseded_at IS NULL RETURNING t.id, t AS whole),
    new AS (
      INSERT INTO register.<table> AS t
      SELECT n.* FROM old JOIN change ON change.id = old.id AND change.patch IS NOT NULL
      CROSS JOIN LATERAL jsonb_populate_record(old.whole, change.patch || jsonb_build_object(
        'id', nextval(pg_get_serial_sequence('register.<table>', 'id')), 'recorded_at', $3, 'superseded_at', NULL)) AS n
      RETURNING t.id, t AS whole),
    noted AS (
      SELECT 1 AS first, id, to_jsonb(whole) || '{"superseded_at": null}' AS before,
        jsonb_build_object('superseded_at', to_jsonb(whole)->'superseded_at') AS after FROM old
      UNION ALL SELECT 2, id, NULL, to_jsonb(whole) FROM new)
    INSERT INTO register.act_change (act_id, seq, table_name, row_id, before, after)
    SELECT $1, (SELECT coalesce(max(seq), 0) FROM register.act_change WHERE act_id = $1)
      + row_number() OVER (ORDER BY first, id), '<table>', id::text, before, after FROM noted
    $sql$, '<table>', tbl) USING deed, changes, moment;
END $$;

-- A row that was not there: values as JSON, the rest by the table's defaults for an episode.
CREATE FUNCTION register.enter(deed uuid, tbl text, moment timestamptz, "values" jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE made jsonb; key text;
BEGIN
  key := CASE register.id_type(tbl) WHEN 'uuid' THEN gen_random_uuid()::text
              ELSE nextval(pg_get_serial_sequence('register.' || tbl, 'id'))::text END;
  EXECUTE format('INSERT INTO register.%1$I AS t SELECT * FROM jsonb_populate_record(NULL::register.%1$I, $1)'
                 ' RETURNING to_jsonb(t)', tbl)
  INTO made USING jsonb_build_object('id', key, 'recorded_at', moment, 'counted', 0, 'cell', 0) || "values";
  PERFORM register.note(deed, tbl, key, NULL, made);
  RETURN made;
END $$;

-- Every open episode of a person of one kind ends on a day; one that began later never was.
CREATE FUNCTION register.end_all(deed uuid, tbl text, moment timestamptz, person uuid, day date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE changes jsonb;
BEGIN
  EXECUTE format('SELECT jsonb_agg(jsonb_build_object(''id'', id, ''patch'','
    ' CASE WHEN valid_from < $2 THEN jsonb_build_object(''valid_to'', $2) END)) FROM register.%I'
    ' WHERE person_id = $1 AND superseded_at IS NULL AND (valid_to IS NULL OR valid_to > $2)', tbl)
  INTO changes USING person, day;
  PERFORM register.rewrite(deed, tbl, moment, changes);
END $$;

-- The row that stands for a row now: an undo records a superseded version again, and says which one it restores.
CREATE FUNCTION register.current_row(tbl text, rid text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE now_is text := rid; next_is text;
BEGIN
  LOOP
    SELECT c.row_id INTO next_is FROM register.act_change c
    WHERE c.table_name = tbl AND c.after->>'_restores' = now_is AND c.after ? '_restores'
    ORDER BY c.row_id::bigint DESC LIMIT 1;
    EXIT WHEN next_is IS NULL;
    now_is := next_is;
  END LOOP;
  RETURN now_is;
END $$;
REVOKE EXECUTE ON FUNCTION register.current_row(text, text) FROM PUBLIC;
CREATE INDEX act_change_restores ON register.act_change (table_name, (after->>'_restores')) WHERE after ? '_restores';

-- What an act recorded is superseded, what it superseded is recorded again: nothing is erased, not even the mistake.
CREATE OR REPLACE FUNCTION register.restore(deed uuid, tbl text, moment timestamptz, done uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM register.rewrite(deed, tbl, moment, (
    SELECT jsonb_agg(jsonb_build_object('id', register.current_row(tbl, x.row_id)::bigint, 'patch', NULL)) FROM register.act_change x
    WHERE x.act_id = done AND x.table_name = tbl AND x.before IS NULL));
  EXECUTE replace($sql$
    WITH back AS MATERIALIZED (
      SELECT x.row_id AS was, x.before || jsonb_build_object('id', nextval(pg_get_serial_sequence('register.<table>', 'id')),
        'recorded_at', $2, 'superseded_at', NULL) AS whole
      FROM register.act_change x
      WHERE x.act_id = $3 AND x.table_name = '<table>' AND x.after ? 'superseded_at' AND x.before IS NOT NULL),
    new AS (INSERT INTO register.<table> AS t
      SELECT n.* FROM back CROSS JOIN LATERAL jsonb_populate_record(NULL::register.<table>, back.whole) AS n
      RETURNING t.id, to_jsonb(t) AS row_is)
    INSERT INTO register.act_change (act_id, seq, table_name, row_id, before, after)
    SELECT $1, (SELECT coalesce(max(seq), 0) FROM register.act_change WHERE act_id = $1) + row_number() OVER (ORDER BY id),
      '<table>', id::text, NULL, row_is || jsonb_build_object('_restores', back.was)
    FROM new JOIN back ON (back.whole->>'id')::bigint = new.id
    $sql$, '<table>', tbl) USING deed, moment, done;
END $$;

-- Every row that the act wrote must stand as the act left it; else the act that came later is named.
CREATE OR REPLACE FUNCTION register.nothing_builds_on(done uuid) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE c record; now_is jsonb; later jsonb;
BEGIN
  FOR c IN SELECT DISTINCT ON (table_name, row_id) * FROM register.act_change x WHERE x.act_id = done
      ORDER BY table_name, row_id, seq DESC LOOP
    EXECUTE format('SELECT to_jsonb(t) FROM register.%I t WHERE t.id = $1::%s', c.table_name,
                   register.id_type(c.table_name)) INTO now_is
    USING CASE WHEN c.before IS NULL THEN register.current_row(c.table_name, c.row_id) ELSE c.row_id END;
    IF c.table_name = 'household' AND c.before IS NOT NULL AND EXISTS (
        SELECT FROM register.residence r WHERE r.household_id = c.row_id::uuid AND r.superseded_at IS NULL
          AND r.valid_to IS NULL AND r.dwelling_id = (c.after->>'dwelling_id')::bigint AND NOT EXISTS (
            SELECT FROM register.act_change z WHERE z.act_id = done AND z.table_name = 'residence'
              AND register.current_row('residence', z.row_id) = r.id::text)) THEN
      PERFORM register.refuse('act.built_on', '{"kind": "household"}');
    END IF;
    IF now_is IS NULL OR NOT now_is @> (
        CASE WHEN c.before IS NULL AND c.table_name IN ('person', 'household') THEN '{}'::jsonb ELSE
          c.after - ARRAY['id', 'recorded_at', '_restores', 'ended', 'changes_on', 'counted', 'cell', 'community_id', 'grid_id', 'confirmed_on', 'confirmed_source']
        END) THEN
      SELECT jsonb_build_object('kind', y.kind, 'at', y.at, 'act', y.id) INTO later
      FROM register.act_change z JOIN register.act y ON y.id = z.act_id
      WHERE z.table_name = c.table_name AND z.row_id = c.row_id AND y.id <> done ORDER BY y.at DESC LIMIT 1;
      PERFORM register.refuse('act.built_on', coalesce(later, '{"kind": "file"}'));
    END IF;
  END LOOP;
END $$;

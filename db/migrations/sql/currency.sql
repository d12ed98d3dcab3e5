-- How current the register is. "Confirmed within N days" changes with every day for everybody, so what is kept is how
-- many residents of a place were last confirmed on which day; the windows are sums over days. Days that are out of the
-- longest window (180 days) share one row (1900-01-01), so a place has at most 181 rows and a new day touches one of them.
CREATE TABLE stats.place_confirmed (
  community_id bigint NOT NULL, grid_id bigint NOT NULL, cell bigint NOT NULL, confirmed_on date NOT NULL,
  n integer NOT NULL, PRIMARY KEY (cell, grid_id, community_id, confirmed_on)) WITH (fillfactor = 80);
CREATE INDEX place_confirmed_grid_id ON stats.place_confirmed (grid_id);
CREATE INDEX place_confirmed_community_id ON stats.place_confirmed (community_id);
CREATE INDEX place_confirmed_day ON stats.place_confirmed (confirmed_on);
COMMENT ON TABLE stats.place_confirmed IS 'residents by the day their residence was last confirmed; 1900-01-01: longer ago than 180 days, or never';

CREATE TABLE stats.place_capacity (
  community_id bigint NOT NULL, grid_id bigint NOT NULL, cell bigint NOT NULL,
  known integer NOT NULL, capacity integer NOT NULL, PRIMARY KEY (cell, grid_id, community_id));
CREATE INDEX place_capacity_grid_id ON stats.place_capacity (grid_id);
CREATE INDEX place_capacity_community_id ON stats.place_capacity (community_id);
COMMENT ON TABLE stats.place_capacity IS 'dwellings whose capacity is known, and how many people they are for';

CREATE FUNCTION stats.confirmed_day(confirmed_on date, day date) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN confirmed_on > day - 180 THEN confirmed_on ELSE '1900-01-01' END
$$;

CREATE FUNCTION stats.on_confirmed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE olds register.residence[]; news register.residence[]; day date := (SELECT as_of FROM stats.state);
BEGIN
  IF TG_OP <> 'INSERT' THEN SELECT array_agg(o) INTO olds FROM old_rows AS o; END IF;
  IF TG_OP <> 'DELETE' THEN SELECT array_agg(n) INTO news FROM new_rows AS n; END IF;
  WITH net AS MATERIALIZED (
    SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell,
      stats.confirmed_day(confirmed_on, day) AS confirmed, sum(sign)::integer AS n
    FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
    WHERE counted <> 0 GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0),
  put AS (
    INSERT INTO stats.place_confirmed AS t (community_id, grid_id, cell, confirmed_on, n)
    SELECT * FROM net ORDER BY 3, 2, 1, 4
    ON CONFLICT (cell, grid_id, community_id, confirmed_on) DO UPDATE SET n = t.n + excluded.n)
  UPDATE stats.state SET version = version + 1 WHERE EXISTS (SELECT FROM net);
  IF FOUND AND olds IS NOT NULL THEN
    DELETE FROM stats.place_confirmed t USING (SELECT DISTINCT cell, coalesce(grid_id, 0) AS grid FROM unnest(olds)) AS x
    WHERE t.cell = x.cell AND t.grid_id = x.grid AND t.n = 0;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION stats.on_capacity() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE olds register.dwelling[]; news register.dwelling[];
BEGIN
  IF TG_OP <> 'INSERT' THEN SELECT array_agg(o) INTO olds FROM old_rows AS o; END IF;
  IF TG_OP <> 'DELETE' THEN SELECT array_agg(n) INTO news FROM new_rows AS n; END IF;
  WITH net AS MATERIALIZED (
    SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell,
      sum(sign)::integer AS known, sum(sign * capacity)::integer AS capacity
    FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
    WHERE counted <> 0 AND capacity IS NOT NULL
    GROUP BY 1, 2, 3 HAVING sum(sign) <> 0 OR sum(sign * capacity) <> 0),
  put AS (
    INSERT INTO stats.place_capacity AS t (community_id, grid_id, cell, known, capacity)
    SELECT * FROM net ORDER BY 3, 2, 1
    ON CONFLICT (cell, grid_id, community_id) DO UPDATE
      SET known = t.known + excluded.known, capacity = t.capacity + excluded.capacity)
  UPDATE stats.state SET version = version + 1 WHERE EXISTS (SELECT FROM net);
  IF FOUND AND olds IS NOT NULL THEN
    DELETE FROM stats.place_capacity t USING (SELECT DISTINCT cell, coalesce(grid_id, 0) AS grid FROM unnest(olds)) AS x
    WHERE t.cell = x.cell AND t.grid_id = x.grid AND t.known = 0;
  END IF;
  RETURN NULL;
END $$;

-- From scratch: after a rebuild, or when the day goes back.
CREATE FUNCTION stats.recount_currency() RETURNS void LANGUAGE plpgsql AS $$
DECLARE day date := (SELECT as_of FROM stats.state);
BEGIN
  DELETE FROM stats.place_confirmed;
  DELETE FROM stats.place_capacity;
  INSERT INTO stats.place_confirmed (community_id, grid_id, cell, confirmed_on, n)
  SELECT coalesce(community_id, 0), coalesce(grid_id, 0), cell, stats.confirmed_day(confirmed_on, day), count(*)
  FROM register.residence WHERE counted <> 0 GROUP BY 1, 2, 3, 4;
  INSERT INTO stats.place_capacity (community_id, grid_id, cell, known, capacity)
  SELECT coalesce(community_id, 0), coalesce(grid_id, 0), cell, count(*), sum(capacity)
  FROM register.dwelling WHERE counted <> 0 AND capacity IS NOT NULL GROUP BY 1, 2, 3;
END $$;

-- The state's day moved, or a rebuild ended: fold what has left the longest window, or count anew.
CREATE FUNCTION stats.on_state() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.rebuilt_at IS DISTINCT FROM OLD.rebuilt_at OR NEW.as_of < OLD.as_of THEN
    PERFORM stats.recount_currency();
  ELSIF NEW.as_of > OLD.as_of THEN
    WITH gone AS (
      DELETE FROM stats.place_confirmed WHERE confirmed_on > '1900-01-01' AND confirmed_on <= NEW.as_of - 180
      RETURNING community_id, grid_id, cell, n)
    INSERT INTO stats.place_confirmed AS t (community_id, grid_id, cell, confirmed_on, n)
    SELECT community_id, grid_id, cell, '1900-01-01', sum(n) FROM gone GROUP BY 1, 2, 3
    ON CONFLICT (cell, grid_id, community_id, confirmed_on) DO UPDATE SET n = t.n + excluded.n;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER currency AFTER UPDATE OF as_of, rebuilt_at ON stats.state
FOR EACH ROW EXECUTE FUNCTION stats.on_state();

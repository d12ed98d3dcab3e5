-- A delta: n rows (signed) of one kind, with one packed count, at one place.
-- Kinds: r residence, p person's work and school, h household, o occupied dwelling, d dwelling, b building,
-- e employer, j employment.
CREATE TYPE stats.delta AS (
  community_id bigint, grid_id bigint, cell bigint, kind text, counted integer,
  dwellings numeric, est_residents numeric, n bigint);
CREATE TYPE stats.series_delta AS (
  unit_kind text, unit_id bigint, resolution smallint, i integer,
  residents bigint, registered bigint, floating bigint, jobs bigint, moved_in bigint, moved_out bigint);

CREATE FUNCTION stats.apply(deltas stats.delta[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(cardinality(deltas), 0) = 0 THEN RETURN; END IF;
  WITH parts AS (
    SELECT x.*,
      CASE kind WHEN 'j' THEN n WHEN 'e' THEN n * (counted >> 8) END AS jobs,
      CASE WHEN kind IN ('j', 'e') THEN (counted >> 2) & 31 END AS section,
      CASE WHEN kind = 'o' THEN n * (counted >> 8) WHEN kind = 'r' AND counted & 1024 <> 0 THEN n END AS people,
      CASE WHEN kind = 'o' THEN counted & 7 WHEN kind = 'r' AND counted & 1024 <> 0 THEN 6 END AS crowd,
      CASE WHEN kind = 'o' THEN (counted >> 3) & 7 WHEN kind = 'r' AND counted & 1024 <> 0 THEN 4 END AS rooms
    FROM unnest(deltas) AS x),
  a AS MATERIALIZED (
    SELECT community_id, grid_id, cell,
      {{atoms}}
    FROM parts GROUP BY community_id, grid_id, cell),
  p AS (
    INSERT INTO stats.place_figures AS t (community_id, grid_id, cell, {{figures}})
    SELECT * FROM a ORDER BY cell, grid_id, community_id
    ON CONFLICT (cell, grid_id, community_id) DO UPDATE SET
      {{add}})
  INSERT INTO stats.unit_figures AS t (unit_kind, unit_id, resolution, {{figures}})
  SELECT u.unit_kind, u.unit_id, u.resolution,
      {{sums}}
  FROM a CROSS JOIN LATERAL stats.units_of(a.community_id, a.grid_id, a.cell) AS u
  GROUP BY 1, 2, 3 ORDER BY 1, 2
  ON CONFLICT (unit_kind, unit_id) DO UPDATE SET
      {{add}};
  UPDATE stats.state SET version = version + 1;
  IF NOT EXISTS (SELECT FROM unnest(deltas) AS x WHERE x.n < 0) THEN RETURN; END IF;
  DELETE FROM stats.place_figures AS t
  USING (SELECT DISTINCT x.community_id, x.grid_id, x.cell FROM unnest(deltas) AS x) AS x
  WHERE t.cell = x.cell AND t.grid_id = x.grid_id AND t.community_id = x.community_id AND {{all_zero}};
  DELETE FROM stats.unit_figures AS t
  USING (SELECT DISTINCT u.unit_kind, u.unit_id
         FROM (SELECT DISTINCT y.community_id, y.grid_id, y.cell FROM unnest(deltas) AS y) AS x
         CROSS JOIN LATERAL stats.units_of(x.community_id, x.grid_id, x.cell) AS u) AS u
  WHERE t.unit_kind = u.unit_kind AND t.unit_id = u.unit_id AND {{all_zero}};
END $$;

CREATE FUNCTION stats.apply_series(deltas stats.series_delta[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(cardinality(deltas), 0) = 0 THEN RETURN; END IF;
  WITH d AS MATERIALIZED (
    SELECT x.unit_kind, x.unit_id, x.resolution, x.i, sum(x.residents)::integer AS residents,
      sum(x.registered)::integer AS registered, sum(x.floating)::integer AS floating, sum(x.jobs)::integer AS jobs,
      sum(x.moved_in)::integer AS moved_in, sum(x.moved_out)::integer AS moved_out
    FROM unnest(deltas) AS x GROUP BY 1, 2, 3, 4),
  u AS (
    SELECT d.unit_kind, d.unit_id, d.resolution FROM d GROUP BY 1, 2, 3
    HAVING bool_or(d.residents <> 0 OR d.registered <> 0 OR d.floating <> 0 OR d.jobs <> 0
                   OR d.moved_in <> 0 OR d.moved_out <> 0))
  INSERT INTO stats.unit_series AS t
  SELECT u.unit_kind, u.unit_id, u.resolution,
    array_agg(coalesce(d.residents, 0) ORDER BY m.i), array_agg(coalesce(d.registered, 0) ORDER BY m.i),
    array_agg(coalesce(d.floating, 0) ORDER BY m.i), array_agg(coalesce(d.jobs, 0) ORDER BY m.i),
    array_agg(coalesce(d.moved_in, 0) ORDER BY m.i), array_agg(coalesce(d.moved_out, 0) ORDER BY m.i)
  FROM u CROSS JOIN stats.months() AS m
  LEFT JOIN d ON d.unit_kind = u.unit_kind AND d.unit_id = u.unit_id AND d.i = m.i
  GROUP BY 1, 2, 3 ORDER BY 1, 2
  ON CONFLICT (unit_kind, unit_id) DO UPDATE SET
    residents = ARRAY(SELECT a + b FROM unnest(t.residents, excluded.residents) AS s(a, b)),
    registered = ARRAY(SELECT a + b FROM unnest(t.registered, excluded.registered) AS s(a, b)),
    floating = ARRAY(SELECT a + b FROM unnest(t.floating, excluded.floating) AS s(a, b)),
    jobs = ARRAY(SELECT a + b FROM unnest(t.jobs, excluded.jobs) AS s(a, b)),
    moved_in = ARRAY(SELECT a + b FROM unnest(t.moved_in, excluded.moved_in) AS s(a, b)),
    moved_out = ARRAY(SELECT a + b FROM unnest(t.moved_out, excluded.moved_out) AS s(a, b));
  UPDATE stats.state SET version = version + 1;
  DELETE FROM stats.unit_series AS t
  USING (SELECT DISTINCT x.unit_kind, x.unit_id FROM unnest(deltas) AS x) AS x
  WHERE t.unit_kind = x.unit_kind AND t.unit_id = x.unit_id
    AND 0 = ALL (t.residents || t.jobs || t.moved_in || t.moved_out);
END $$;

-- The day moves on: episodes begin and end, permits run out, people have birthdays, months begin.
CREATE FUNCTION stats.advance(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE a date; from_month integer; to_month integer; series stats.series_delta[];
BEGIN
  PERFORM pg_advisory_xact_lock(482020);
  SELECT as_of INTO a FROM stats.state;
  IF day < a THEN
    RAISE EXCEPTION 'the statistics stand at %, later than %', a, day USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF day = a THEN RETURN; END IF;
  SELECT max(i) INTO from_month FROM stats.months();
  UPDATE stats.state SET as_of = day, version = version + 1;
  SELECT max(i) INTO to_month FROM stats.months();
  IF to_month > from_month THEN  -- new months begin as the last one stood
    UPDATE stats.unit_series SET
      residents = residents || array_fill(residents[from_month], ARRAY[to_month - from_month]),
      registered = registered || array_fill(registered[from_month], ARRAY[to_month - from_month]),
      floating = floating || array_fill(floating[from_month], ARRAY[to_month - from_month]),
      jobs = jobs || array_fill(jobs[from_month], ARRAY[to_month - from_month]),
      moved_in = moved_in || array_fill(0, ARRAY[to_month - from_month]),
      moved_out = moved_out || array_fill(0, ARRAY[to_month - from_month]);
  END IF;
  WITH episode AS (
    SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, valid_from, ended,
      1 AS residents, (status = 'registered')::integer AS registered, 0 AS jobs
    FROM register.residence WHERE changes_on <= day
    UNION ALL
    SELECT coalesce(community_id, 0), coalesce(grid_id, 0), cell, valid_from, ended, 0, 0, 1
    FROM register.employment WHERE changes_on <= day),
  turn AS (
    SELECT community, grid, cell, m.i, sum(residents * n) AS residents, sum(registered * n) AS registered,
      sum(jobs * n) AS jobs
    FROM episode JOIN stats.months() AS m ON m.i >= from_month
    CROSS JOIN LATERAL (SELECT stats.holds(valid_from, ended, m.day)::integer
                             - stats.holds(valid_from, ended, a)::integer AS n) AS t
    WHERE t.n <> 0 GROUP BY 1, 2, 3, 4)
  SELECT array_agg(ROW(u.unit_kind, u.unit_id, u.resolution, t.i, t.residents, t.registered,
                       t.residents - t.registered, t.jobs, 0, 0)::stats.series_delta) INTO series
  FROM turn t CROSS JOIN LATERAL stats.units_of(t.community, t.grid, t.cell) AS u;
  PERFORM stats.apply_series(series);
  SELECT array_agg(delta::stats.series_delta) INTO series
  FROM stats.counted_move m
  CROSS JOIN LATERAL stats.move_deltas(m.moved_on, m.from_community, m.from_grid, m.from_cell,
                                       m.to_community, m.to_grid, m.to_cell, 1) AS delta
  WHERE m.moved_on > a AND m.moved_on <= day;
  PERFORM stats.apply_series(series);
  UPDATE register.building SET counted = counted WHERE changes_on <= day;
  UPDATE register.dwelling SET counted = counted WHERE changes_on <= day;
  UPDATE register.household SET changes_on = changes_on WHERE changes_on <= day;
  UPDATE register.employer SET counted = counted WHERE changes_on <= day;
  UPDATE register.residence SET counted = counted WHERE changes_on <= day;
  UPDATE register.employment SET counted = counted WHERE changes_on <= day;
  UPDATE register.schooling SET counted = counted WHERE changes_on <= day;
  UPDATE register.residence r SET counted = counted
  FROM (SELECT DISTINCT p.id FROM generate_series(0, 85, 5) AS years
        JOIN register.person p
          ON p.birth_date BETWEEN (a - make_interval(years => years))::date - 1
                              AND (day - make_interval(years => years))::date + 1
        WHERE stats.age_band(p.birth_date, a) <> stats.age_band(p.birth_date, day)) AS p
  WHERE r.person_id = p.id AND r.superseded_at IS NULL AND r.counted <> 0;
END $$;

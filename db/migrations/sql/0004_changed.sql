-- AFTER STATEMENT: what a statement changed, as deltas; and the rows that hang on it.
CREATE FUNCTION stats.residence_changed(olds register.residence[], news register.residence[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE deltas stats.delta[]; series stats.series_delta[]; persons uuid[]; movers uuid[];
  households uuid[]; dwellings bigint[];
BEGIN
  SELECT array_agg(ROW(community, grid, cell, 'r', counted, NULL, NULL, n)::stats.delta) INTO deltas
  FROM (SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, counted, sum(sign) AS n
        FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
        WHERE counted <> 0 GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0) AS net;

  WITH o AS (SELECT id, person_id, household_id, dwelling_id, community_id, grid_id, cell, counted <> 0 AS here,
               valid_from, valid_to, ended FROM unnest(olds)),
  n AS (SELECT id, person_id, household_id, dwelling_id, community_id, grid_id, cell, counted <> 0 AS here,
          valid_from, valid_to, ended FROM unnest(news)),
  x AS ((SELECT * FROM o EXCEPT SELECT * FROM n) UNION ALL (SELECT * FROM n EXCEPT SELECT * FROM o))
  SELECT array_agg(DISTINCT person_id), array_agg(DISTINCT household_id) FILTER (WHERE household_id IS NOT NULL),
    array_agg(DISTINCT dwelling_id) FILTER (WHERE dwelling_id IS NOT NULL)
  INTO movers, households, dwellings FROM x;
  SELECT array_agg(p.id) INTO persons FROM unnest(movers) AS p(id)
  WHERE EXISTS (SELECT FROM register.employment e WHERE e.person_id = p.id)
     OR EXISTS (SELECT FROM register.schooling c WHERE c.person_id = p.id)
     OR EXISTS (SELECT FROM stats.counted_person c WHERE c.id = p.id);
  PERFORM stats.apply(deltas || stats.refresh_persons(persons) || stats.refresh_households(households)
                      || stats.refresh_dwellings(dwellings));

  SELECT array_agg(ROW(u.unit_kind, u.unit_id, u.resolution, e.i, e.residents, e.registered,
                       e.residents - e.registered, 0, 0, 0)::stats.series_delta) INTO series
  FROM (SELECT community, grid, cell, m.i, sum(n) AS residents,
          coalesce(sum(n) FILTER (WHERE status = 'registered'), 0) AS registered
        FROM (SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, status, valid_from,
                ended, sum(sign) AS n
              FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
              GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(sign) <> 0) AS net
        JOIN stats.months() AS m ON net.valid_from <= m.day AND (net.ended IS NULL OR net.ended > m.day)
        GROUP BY 1, 2, 3, 4) AS e
  CROSS JOIN LATERAL stats.units_of(e.community, e.grid, e.cell) AS u
  WHERE e.residents <> 0 OR e.registered <> 0;
  PERFORM stats.apply_series(series || stats.refresh_moves(movers));
END $$;

CREATE FUNCTION stats.employment_changed(olds register.employment[], news register.employment[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE deltas stats.delta[]; series stats.series_delta[]; persons uuid[];
BEGIN
  SELECT array_agg(ROW(community, grid, cell, 'j', counted, NULL, NULL, n)::stats.delta) INTO deltas
  FROM (SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, counted, sum(sign) AS n
        FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
        WHERE counted <> 0 GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0) AS net;
  SELECT array_agg(DISTINCT person_id) INTO persons
  FROM (SELECT person_id FROM unnest(olds) UNION ALL SELECT person_id FROM unnest(news)) AS x;
  PERFORM stats.apply(deltas || stats.refresh_persons(persons));

  SELECT array_agg(ROW(u.unit_kind, u.unit_id, u.resolution, e.i, 0, 0, 0, e.jobs, 0, 0)::stats.series_delta)
  INTO series
  FROM (SELECT community, grid, cell, m.i, sum(n) AS jobs
        FROM (SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, valid_from, ended,
                sum(sign) AS n
              FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
              GROUP BY 1, 2, 3, 4, 5 HAVING sum(sign) <> 0) AS net
        JOIN stats.months() AS m ON net.valid_from <= m.day AND (net.ended IS NULL OR net.ended > m.day)
        GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0) AS e
  CROSS JOIN LATERAL stats.units_of(e.community, e.grid, e.cell) AS u;
  PERFORM stats.apply_series(series);
  -- an employer that states its jobs counts them only while no employment of it is on record
  UPDATE register.employer SET counted = counted
  WHERE id IN (SELECT employer_id FROM unnest(olds) UNION SELECT employer_id FROM unnest(news)) AND jobs_count > 0
    AND counted <> 0 AND (counted < 256) <> EXISTS (
      SELECT FROM register.employment e WHERE e.employer_id = employer.id AND e.superseded_at IS NULL);
END $$;

CREATE FUNCTION stats.schooling_changed(olds register.schooling[], news register.schooling[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM stats.apply(stats.refresh_persons(ARRAY(
    SELECT person_id FROM unnest(olds) UNION SELECT person_id FROM unnest(news))));
END $$;

CREATE FUNCTION stats.person_changed(olds register.person[], news register.person[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE touched uuid[]; gone uuid[];
BEGIN
  SELECT array_agg(n.id), array_agg(n.id) FILTER (WHERE n.valid_to IS DISTINCT FROM o.valid_to)
  INTO touched, gone FROM unnest(olds) AS o JOIN unnest(news) AS n ON n.id = o.id
  WHERE (n.sex, n.birth_date, n.valid_to) IS DISTINCT FROM (o.sex, o.birth_date, o.valid_to);
  UPDATE register.residence SET counted = counted WHERE person_id = ANY (touched) AND superseded_at IS NULL;
  UPDATE register.employment SET counted = counted WHERE person_id = ANY (gone) AND superseded_at IS NULL;
END $$;

CREATE FUNCTION stats.household_changed(olds register.household[], news register.household[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM stats.apply(stats.refresh_households(ARRAY(
    SELECT id FROM unnest(olds) UNION SELECT id FROM unnest(news))));
END $$;

CREATE FUNCTION stats.dwelling_changed(olds register.dwelling[], news register.dwelling[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE deltas stats.delta[]; ids bigint[]; moved bigint[];
BEGIN
  SELECT array_agg(ROW(community, grid, cell, 'd', counted, 1, NULL, n)::stats.delta) INTO deltas
  FROM (SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, counted, sum(sign) AS n
        FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
        WHERE counted <> 0 GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0) AS net;
  SELECT array_agg(n.id), array_agg(n.id) FILTER (WHERE (n.cell, n.community_id, n.grid_id)
    IS DISTINCT FROM (o.cell, o.community_id, o.grid_id))
  INTO ids, moved FROM unnest(news) AS n JOIN unnest(olds) AS o ON o.id = n.id;
  IF moved IS NOT NULL THEN
    UPDATE register.household SET cell = cell WHERE dwelling_id = ANY (moved);
    UPDATE register.residence SET cell = cell WHERE dwelling_id = ANY (moved);
  END IF;
  PERFORM stats.apply(deltas || stats.refresh_dwellings(ids) || stats.refresh_households(ARRAY(
    SELECT h.id FROM register.household h WHERE h.dwelling_id = ANY (ids))));
  -- a building that states its dwellings counts them only while no single dwelling of it is on record
  UPDATE register.building SET counted = counted
  WHERE id IN (SELECT building_id FROM unnest(olds) UNION SELECT building_id FROM unnest(news))
    AND dwellings_count > 0 AND counted <> 0
    AND (counted_dwellings = 0) <> EXISTS (SELECT FROM register.dwelling d WHERE d.building_id = building.id);
END $$;

CREATE FUNCTION stats.building_changed(olds register.building[], news register.building[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE deltas stats.delta[];
BEGIN
  SELECT array_agg(ROW(community, grid, cell, 'b', 1, counted_dwellings, counted_residents, n)::stats.delta)
  INTO deltas
  FROM (SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, counted_dwellings,
          counted_residents, sum(sign) AS n
        FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
        WHERE counted <> 0 GROUP BY 1, 2, 3, 4, 5 HAVING sum(sign) <> 0) AS net;
  PERFORM stats.apply(deltas);
  UPDATE register.dwelling SET cell = cell WHERE building_id IN (
    SELECT n.id FROM unnest(news) AS n JOIN unnest(olds) AS o ON o.id = n.id
    WHERE (n.cell, n.community_id, n.grid_id) IS DISTINCT FROM (o.cell, o.community_id, o.grid_id));
END $$;

CREATE FUNCTION stats.employer_changed(olds register.employer[], news register.employer[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE deltas stats.delta[];
BEGIN
  SELECT array_agg(ROW(community, grid, cell, 'e', counted, NULL, NULL, n)::stats.delta) INTO deltas
  FROM (SELECT coalesce(community_id, 0) AS community, coalesce(grid_id, 0) AS grid, cell, counted, sum(sign) AS n
        FROM (SELECT *, -1 AS sign FROM unnest(olds) UNION ALL SELECT *, 1 FROM unnest(news)) AS x
        WHERE counted <> 0 GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0) AS net;
  PERFORM stats.apply(deltas);
  UPDATE register.employment SET counted = counted WHERE employer_id IN (
    SELECT n.id FROM unnest(news) AS n JOIN unnest(olds) AS o ON o.id = n.id
    WHERE (n.cell, n.community_id, n.grid_id, n.industry, n.valid_to)
      IS DISTINCT FROM (o.cell, o.community_id, o.grid_id, o.industry, o.valid_to));
END $$;

-- Moves of persons, kept in stats.counted_move, and the months they and the episodes add to.
CREATE FUNCTION stats.refresh_moves(ids uuid[]) RETURNS stats.series_delta[] LANGUAGE plpgsql AS $$
DECLARE deltas stats.series_delta[]; twice uuid;
BEGIN
  IF coalesce(cardinality(ids), 0) = 0 THEN RETURN NULL; END IF;
  SELECT a.person_id INTO twice
  FROM register.residence a JOIN register.residence b ON b.person_id = a.person_id AND b.id > a.id
  WHERE a.person_id = ANY (ids) AND a.superseded_at IS NULL AND b.superseded_at IS NULL
    AND a.valid_from < coalesce(b.valid_to, 'infinity') AND b.valid_from < coalesce(a.valid_to, 'infinity')
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'two residences of one person overlap in time'
      USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'residence_no_overlap', TABLE = 'residence', SCHEMA = 'register';
  END IF;
  WITH stay AS (
    SELECT r.person_id, r.valid_from, r.ended, coalesce(r.community_id, 0) AS community,
      coalesce(r.grid_id, 0) AS grid, r.cell,
      lag(r.ended) OVER w AS left_on, lag(coalesce(r.community_id, 0)) OVER w AS left_community,
      lag(coalesce(r.grid_id, 0)) OVER w AS left_grid, lag(r.cell) OVER w AS left_cell,
      lead(r.valid_from) OVER w AS next_from
    FROM register.residence r
    WHERE r.person_id = ANY (ids) AND r.superseded_at IS NULL AND (r.ended IS NULL OR r.ended > r.valid_from)
    WINDOW w AS (PARTITION BY r.person_id ORDER BY r.valid_from)),
  now AS MATERIALIZED (
    SELECT m.* FROM stats.state s, (
      SELECT person_id AS id, valid_from AS moved_on,
        CASE WHEN left_on = valid_from THEN left_community ELSE 0 END AS from_community,
        CASE WHEN left_on = valid_from THEN left_grid ELSE 0 END AS from_grid,
        CASE WHEN left_on = valid_from THEN left_cell ELSE 0 END AS from_cell,
        community AS to_community, grid AS to_grid, cell AS to_cell FROM stay
      UNION ALL
      SELECT person_id, ended, community, grid, cell, 0, 0, 0 FROM stay
      WHERE ended IS NOT NULL AND next_from IS DISTINCT FROM ended) AS m
    WHERE m.moved_on >= s.series_from
      AND (m.from_community, m.from_grid, m.from_cell) <> (m.to_community, m.to_grid, m.to_cell)),
  before AS MATERIALIZED (SELECT * FROM stats.counted_move WHERE id = ANY (ids)),
  off AS MATERIALIZED (SELECT * FROM before EXCEPT SELECT * FROM now),
  "on" AS MATERIALIZED (SELECT * FROM now EXCEPT SELECT * FROM before),
  gone AS (DELETE FROM stats.counted_move t USING off WHERE t.id = off.id AND t.moved_on = off.moved_on
           AND NOT EXISTS (SELECT FROM "on" WHERE "on".id = off.id AND "on".moved_on = off.moved_on)),
  put AS (INSERT INTO stats.counted_move AS t SELECT * FROM "on"
          ON CONFLICT (id, moved_on) DO UPDATE SET from_community = excluded.from_community,
            from_grid = excluded.from_grid, from_cell = excluded.from_cell,
            to_community = excluded.to_community, to_grid = excluded.to_grid, to_cell = excluded.to_cell)
  SELECT array_agg(delta::stats.series_delta) INTO deltas
  FROM (SELECT *, -1 AS n FROM off UNION ALL SELECT *, 1 FROM "on") AS m
  CROSS JOIN stats.state AS s
  CROSS JOIN LATERAL stats.move_deltas(m.moved_on, m.from_community, m.from_grid, m.from_cell,
                                       m.to_community, m.to_grid, m.to_cell, m.n) AS delta
  WHERE m.moved_on <= s.as_of;
  RETURN deltas;
END $$;

CREATE FUNCTION stats.move_deltas(
  moved_on date, from_community bigint, from_grid bigint, from_cell bigint,
  to_community bigint, to_grid bigint, to_cell bigint, n integer)
RETURNS SETOF stats.series_delta LANGUAGE sql STABLE AS $$
  WITH month AS (
    SELECT ((extract(year FROM moved_on) - extract(year FROM series_from)) * 12
            + extract(month FROM moved_on) - extract(month FROM series_from) + 1)::integer AS i FROM stats.state),
  source AS (SELECT * FROM stats.units_of(from_community, from_grid, from_cell)),
  target AS (SELECT * FROM stats.units_of(to_community, to_grid, to_cell))
  SELECT u.unit_kind, u.unit_id, u.resolution, month.i, 0, 0, 0, 0, u.came * n, u.left_it * n
  FROM month, (
    SELECT *, 1 AS came, 0 AS left_it FROM (SELECT * FROM target EXCEPT SELECT * FROM source) AS a
    UNION ALL
    SELECT *, 0, 1 FROM (SELECT * FROM source EXCEPT SELECT * FROM target) AS b) AS u
$$;
COMMENT ON FUNCTION stats.move_deltas IS 'a move counts in the units that hold one end of it but not the other';

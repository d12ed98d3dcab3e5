-- Small pure functions: days, classes, cells, units.
CREATE FUNCTION stats.cell_parent(cell bigint, resolution integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ((cell & ~(15::bigint << 52)) | (resolution::bigint << 52)) | ((1::bigint << (3 * (15 - resolution))) - 1)
$$;
COMMENT ON FUNCTION stats.cell_parent IS 'H3 parent by bit mask: resolution bits set, the digits below it to 7';

CREATE FUNCTION stats.units_of(community bigint, grid bigint, cell bigint)
RETURNS TABLE (unit_kind text, unit_id bigint, resolution smallint) LANGUAGE sql STABLE AS $$
  SELECT 'area', p.area, NULL::smallint FROM geo.area a, unnest(a.path) AS p(area) WHERE a.id = community
  UNION ALL SELECT 'grid', grid, NULL WHERE grid <> 0
  UNION ALL SELECT 'cell', stats.cell_parent(cell, r), r::smallint
    FROM generate_series(greatest(((cell >> 52) & 15)::integer - 3, 0), ((cell >> 52) & 15)::integer) AS r
    WHERE cell <> 0
$$;
COMMENT ON FUNCTION stats.units_of IS 'every unit a place adds to: areas of all levels, the legal grid, cells of base..base-3';

CREATE FUNCTION stats.months() RETURNS TABLE (i integer, month date, day date)
LANGUAGE sql STABLE ROWS 40 AS $$
  SELECT m.i::integer, m.month::date, least((m.month + interval '1 month')::date - 1, s.as_of)
  FROM stats.state s,
       generate_series(s.series_from::timestamp, s.as_of::timestamp, interval '1 month')
         WITH ORDINALITY AS m(month, i)
$$;
COMMENT ON FUNCTION stats.months IS 'the months of the series: number, first day, and the day its state speaks of';

CREATE FUNCTION stats.holds(valid_from date, valid_to date, day date) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT valid_from <= day AND (valid_to IS NULL OR valid_to > day)
$$;

CREATE FUNCTION stats.next_change(valid_from date, valid_to date, day date) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN valid_to <= valid_from THEN NULL
              WHEN valid_from > day THEN valid_from
              WHEN valid_to > day THEN valid_to END
$$;

CREATE FUNCTION stats.age_band(birth_date date, day date) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN birth_date IS NULL OR birth_date > day THEN 0 ELSE least(
    ((extract(year FROM day) * 10000 + extract(month FROM day) * 100 + extract(day FROM day))::integer
     - (extract(year FROM birth_date) * 10000 + extract(month FROM birth_date) * 100
        + extract(day FROM birth_date))::integer) / 50000, 17) + 1 END
$$;
COMMENT ON FUNCTION stats.age_band IS '1..18 by five completed years, 85 and over 18; 0 unknown';

CREATE FUNCTION stats.section(industry text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN industry BETWEEN 'A' AND 'T' THEN ascii(industry) - 64 ELSE 0 END
$$;

-- Packed counts; population/statistics/counted.py says the same in columns.
CREATE FUNCTION stats.residence_counted(
  status text, permit text, permit_until date, sex smallint, birth_date date, in_dwelling boolean, day date)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 1
    + CASE WHEN status = 'floating' THEN 2 ELSE 0 END
    + CASE WHEN status = 'floating' AND permit <> 'none'
            AND CASE WHEN permit_until IS NULL THEN permit = 'valid' ELSE day <= permit_until END
           THEN 4 ELSE 0 END
    + CASE WHEN sex IN (1, 2) THEN 8 * sex ELSE 0 END
    + 32 * stats.age_band(birth_date, day)
    + CASE WHEN in_dwelling THEN 0 ELSE 1024 END
$$;

CREATE FUNCTION stats.dwelling_counted(area_m2 real, rooms smallint, people bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 256 * people::integer
    + CASE WHEN area_m2 IS NULL THEN 6
           WHEN area_m2::float8 < 8 * people THEN 1 WHEN area_m2::float8 < 15 * people THEN 2
           WHEN area_m2::float8 < 30 * people THEN 3 WHEN area_m2::float8 < 50 * people THEN 4 ELSE 5 END
    + 8 * CASE WHEN rooms IS NULL THEN 4 WHEN people <= rooms THEN 1 WHEN people <= 2 * rooms THEN 2 ELSE 3 END
$$;

CREATE FUNCTION stats.household_counted(kind text, tenure text, people bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 1 + 2 * least(people, 6)::integer
    + 16 * CASE tenure WHEN 'own' THEN 1 WHEN 'rent' THEN 2 WHEN 'dormitory' THEN 3 WHEN 'public' THEN 4 ELSE 5 END
    + CASE WHEN kind = 'collective' THEN 128 ELSE 0 END
    + 256 * people::integer
$$;

CREATE VIEW stats.unit_month WITH (security_invoker = true) AS
  SELECT s.unit_kind, s.unit_id, s.resolution, m.month,
         s.residents[m.i] AS residents, s.registered[m.i] AS registered, s.floating[m.i] AS floating,
         s.jobs[m.i] AS jobs, s.moved_in[m.i] AS moved_in, s.moved_out[m.i] AS moved_out
  FROM stats.unit_series s CROSS JOIN (
    SELECT x.i, x.month::date AS month FROM stats.state st, generate_series(
      st.series_from::timestamp, st.as_of::timestamp, interval '1 month') WITH ORDINALITY AS x(month, i)) AS m;

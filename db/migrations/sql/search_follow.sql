-- Keeps register.person_search in line with persons and residences; a bulk load fills it afterwards instead.
CREATE FUNCTION register.search_refresh(ids uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, register, pg_temp AS $$
BEGIN
  DELETE FROM register.person_search s WHERE s.person_id = ANY (ids) AND NOT EXISTS (
    SELECT FROM register.residence r JOIN register.person p ON p.id = r.person_id
    WHERE r.person_id = s.person_id AND r.superseded_at IS NULL AND r.valid_from <= current_date
      AND (r.valid_to IS NULL OR r.valid_to > current_date) AND (p.valid_to IS NULL OR p.valid_to > current_date));
  INSERT INTO register.person_search AS s (person_id, name, folded, fuzzy, initials, given_key, outer_key,
    community_id, grid_id, building_id, dwelling_id, until)
  SELECT p.id, p.name, k.folded, k.fuzzy, k.initials, k.given_key, k.outer_key,
    r.community_id, r.grid_id, d.building_id, r.dwelling_id, least(r.valid_to, p.valid_to)
  FROM register.residence r JOIN register.person p ON p.id = r.person_id
  LEFT JOIN register.dwelling d ON d.id = r.dwelling_id
  LEFT JOIN register.person_search was ON was.person_id = p.id AND was.name = p.name
  CROSS JOIN LATERAL (
    SELECT was.folded, was.fuzzy, was.initials, was.given_key, was.outer_key WHERE was.person_id IS NOT NULL
    UNION ALL SELECT n.* FROM register.name_keys(p.name) n WHERE was.person_id IS NULL) k
  WHERE r.person_id = ANY (ids) AND r.superseded_at IS NULL AND r.valid_from <= current_date
    AND (r.valid_to IS NULL OR r.valid_to > current_date) AND (p.valid_to IS NULL OR p.valid_to > current_date)
  ON CONFLICT (person_id) DO UPDATE SET name = excluded.name, folded = excluded.folded, fuzzy = excluded.fuzzy,
    initials = excluded.initials, given_key = excluded.given_key, outer_key = excluded.outer_key,
    community_id = excluded.community_id, grid_id = excluded.grid_id, building_id = excluded.building_id,
    dwelling_id = excluded.dwelling_id, until = excluded.until;
  -- a telephone number is hashed with a key that the database does not hold
  INSERT INTO register.search_due (person_id)
  SELECT p.id FROM register.person p JOIN register.person_search s ON s.person_id = p.id
  WHERE p.id = ANY (ids) AND (p.phone_enc IS NULL) <> (s.phone_tail IS NULL) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION register.search_residence() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, register, pg_temp AS $$
BEGIN
  IF current_setting('hexward.bulk', true) = 'on' THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM register.search_refresh(array_agg(DISTINCT person_id)) FROM added HAVING count(*) > 0;
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM register.search_refresh(array_agg(DISTINCT person_id)) FROM gone HAVING count(*) > 0;
  ELSE
    PERFORM register.search_refresh(array_agg(DISTINCT x.person_id)) FROM (
      SELECT a.person_id FROM added a JOIN gone g USING (id)
      WHERE (a.person_id, a.dwelling_id, a.community_id, a.grid_id, a.valid_from, a.valid_to, a.superseded_at)
        IS DISTINCT FROM (g.person_id, g.dwelling_id, g.community_id, g.grid_id, g.valid_from, g.valid_to,
          g.superseded_at) OR a.changes_on IS DISTINCT FROM g.changes_on
      UNION ALL SELECT g.person_id FROM gone g JOIN added a USING (id) WHERE a.person_id <> g.person_id) x
    HAVING count(*) > 0;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION register.search_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, register, pg_temp AS $$
BEGIN
  IF current_setting('hexward.bulk', true) = 'on' THEN RETURN NULL; END IF;
  UPDATE register.person_search s SET phone_tail = NULL, phone_key = NULL
  FROM added a JOIN gone g USING (id) WHERE s.person_id = a.id AND a.phone_enc IS DISTINCT FROM g.phone_enc;
  PERFORM register.search_refresh(array_agg(a.id)) FROM added a JOIN gone g USING (id)
  WHERE (a.name, a.phone_enc, a.valid_to) IS DISTINCT FROM (g.name, g.phone_enc, g.valid_to)
  HAVING count(*) > 0;
  RETURN NULL;
END $$;

CREATE TRIGGER search_1 AFTER INSERT ON register.residence REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION register.search_residence();
CREATE TRIGGER search_2 AFTER UPDATE ON register.residence REFERENCING OLD TABLE AS gone NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION register.search_residence();
CREATE TRIGGER search_3 AFTER DELETE ON register.residence REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION register.search_residence();
CREATE TRIGGER search_2 AFTER UPDATE ON register.person REFERENCING OLD TABLE AS gone NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION register.search_person();

-- Buildings by words of their address, inside the territory of whoever acts. (A trigram index does not serve a
-- policy of rows, since LIKE is not leakproof; so the territory is asked for here.)
CREATE FUNCTION register.find_buildings(words text[], numbered text, most integer)
RETURNS TABLE (id bigint, name text, address text, community_id bigint, grid_id bigint, lng double precision,
  lat double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, register, ops, public, pg_temp AS $$
DECLARE city boolean := ops.sees_city(); communities bigint[] := ops.my_communities(); grids bigint[] := ops.my_grids();
BEGIN
  IF NOT ops.has_duty() THEN RETURN; END IF;
  RETURN QUERY SELECT b.id, b.name, b.address, b.community_id, b.grid_id, b.lng, b.lat FROM register.building b
  WHERE (b.valid_to IS NULL OR b.valid_to > current_date)
    AND (city OR b.community_id = ANY (communities) OR b.grid_id = ANY (grids))
    AND (coalesce(b.name, '') || ' ' || coalesce(b.address, '')) ILIKE ALL (words)
    AND (numbered IS NULL OR (coalesce(b.name, '') || ' ' || coalesce(b.address, '')) ~ numbered)
  ORDER BY length(coalesce(b.address, b.name)), b.id LIMIT most;
END $$;

-- Sealed numbers of people inside the territory of whoever acts; the key to them is not in the database.
CREATE FUNCTION register.sealed(ids uuid[]) RETURNS TABLE (person_id uuid, id_number_enc bytea, phone_enc bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE city boolean := ops.sees_city(); communities bigint[] := ops.my_communities(); grids bigint[] := ops.my_grids();
BEGIN
  IF NOT ops.has_duty() THEN RETURN; END IF;
  RETURN QUERY SELECT p.id, p.id_number_enc, p.phone_enc
  FROM register.person p JOIN register.person_search s ON s.person_id = p.id
  WHERE p.id = ANY (ids) AND (s.until IS NULL OR s.until > current_date)
    AND (city OR s.community_id = ANY (communities) OR s.grid_id = ANY (grids));
END $$;

-- Versions of the people who live in the acting person's territory: sent back with an act, they keep two officers from
-- changing one person unseen by each other.
CREATE FUNCTION register.versions(ids uuid[]) RETURNS TABLE (id uuid, version text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE me register.reach := register.my_reach();
BEGIN
  IF NOT ops.has_duty() THEN RETURN; END IF;
  RETURN QUERY SELECT p.id, register.version_of(p.id) FROM register.person p
  WHERE p.id = ANY (ids) AND (me.everything OR EXISTS (
    SELECT FROM register.residence r WHERE r.person_id = p.id AND r.superseded_at IS NULL
      AND (r.valid_to IS NULL OR r.valid_to > current_date) AND register.within(me, r.community_id, r.grid_id)));
END $$;

-- A person's own fields as they were known at a moment: those of now, with what acts changed since put back.
CREATE FUNCTION register.person_known(person uuid, until timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE me register.reach := register.my_reach(); known jsonb; c record;
BEGIN
  IF NOT ops.has_duty() OR NOT (me.everything OR EXISTS (
      SELECT FROM register.residence r WHERE r.person_id = person AND r.superseded_at IS NULL
        AND (r.valid_to IS NULL OR r.valid_to > current_date) AND register.within(me, r.community_id, r.grid_id))) THEN
    RETURN NULL;
  END IF;
  SELECT to_jsonb(p) - ARRAY['id_number_enc', 'id_number_hash', 'phone_enc', 'phone_hash'] INTO known
  FROM register.person p WHERE p.id = person;
  FOR c IN SELECT x.before FROM register.act_change x JOIN register.act y ON y.id = x.act_id
      WHERE x.table_name = 'person' AND x.row_id = person::text AND y.at > until ORDER BY y.at DESC, x.seq DESC LOOP
    IF c.before IS NULL THEN RETURN NULL; END IF;
    known := known || (c.before - ARRAY['id_number_enc', 'id_number_hash', 'phone_enc', 'phone_hash']);
  END LOOP;
  RETURN known;
END $$;

-- Where somebody may be moved to: homes anywhere in the city, by address alone, never who lives there.
CREATE FUNCTION register.addresses(building bigint) RETURNS TABLE (
  id bigint, unit text, floor text, room text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT ops.has_duty() THEN RETURN; END IF;
  RETURN QUERY SELECT d.id, d.unit, d.floor, d.room FROM register.dwelling d
  WHERE d.building_id = building AND (d.valid_to IS NULL OR d.valid_to > current_date)
  ORDER BY d.unit, d.floor, d.room, d.id;
END $$;

CREATE FUNCTION register.find_addresses(words text[], most integer) RETURNS TABLE (
  id bigint, name text, address text, community text, community_en text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT ops.has_duty() THEN RETURN; END IF;
  RETURN QUERY SELECT b.id, b.name, b.address, a.name, a.name_en FROM register.building b
  LEFT JOIN geo.area a ON a.id = b.community_id
  WHERE (coalesce(b.name, '') || ' ' || coalesce(b.address, '')) ILIKE ALL (words)
    AND (b.valid_to IS NULL OR b.valid_to > current_date)
  ORDER BY length(coalesce(b.address, b.name)), b.id LIMIT most;
END $$;

CREATE FUNCTION register.see_notice(notice bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE me register.reach := register.my_reach();
BEGIN
  IF NOT ops.has_duty() THEN RETURN false; END IF;
  UPDATE register.notice n SET seen_at = coalesce(n.seen_at, clock_timestamp()), seen_by = coalesce(n.seen_by, me.actor)
  WHERE n.id = notice AND register.within(me, n.community_id, n.grid_id);
  RETURN FOUND;
END $$;

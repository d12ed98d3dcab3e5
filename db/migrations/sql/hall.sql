-- "Ask the other grid": the asker sees the question, never whom it went to; who it went to sees why it was asked.
CREATE FUNCTION register.ask_send(kind text, id_hash bytea, phone bigint, folded_name text, sealed bytea, most integer)
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE me record; new_id uuid; its_name jsonb;
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.id IS NULL OR NOT ops.has_duty() THEN
    RAISE EXCEPTION 'nobody is acting' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('hexward ask'), hashtext(me.id::text));
  IF (SELECT count(*) FROM register.person_ask a WHERE a.asked_by = me.id AND a.at > now() - interval '1 hour') >= most
  THEN RETURN NULL; END IF;
  SELECT u.name INTO its_name FROM ops."user" u WHERE u.id = me.id;
  INSERT INTO register.person_ask (asked_by, asker, kind, sealed) VALUES (me.id, its_name, kind, sealed)
  RETURNING id INTO new_id;
  INSERT INTO register.person_ask_to (ask_id, person_id, community_id, grid_id)
  SELECT new_id, s.person_id, s.community_id, s.grid_id
  FROM register.person_search s JOIN register.person p ON p.id = s.person_id
  WHERE s.folded = folded_name AND (p.id_number_hash = id_hash OR s.phone_key = phone)
    AND (s.until IS NULL OR s.until > current_date);
  RETURN new_id;
END $$;

CREATE FUNCTION register.ask_answer(ask uuid, said text, note bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE me record; city boolean := ops.sees_city(); communities bigint[] := ops.my_communities();
  grids bigint[] := ops.my_grids();
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.id IS NULL OR NOT ops.has_duty() THEN RETURN false; END IF;
  UPDATE register.person_ask_to t SET answered_at = now(), answered_by = me.id
  WHERE t.ask_id = ask AND t.answered_at IS NULL
    AND (city OR t.community_id = ANY (communities) OR t.grid_id = ANY (grids));
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE register.person_ask a SET answer = said, answer_sealed = note, answered_at = now() WHERE a.id = ask;
  RETURN true;
END $$;

-- People of the own territory under a hash of their ID or telephone number.
CREATE FUNCTION register.people_of_hash(id_hash bytea, phone bigint) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE city boolean := ops.sees_city(); communities bigint[] := ops.my_communities(); grids bigint[] := ops.my_grids();
BEGIN
  IF NOT ops.has_duty() THEN RETURN; END IF;
  RETURN QUERY SELECT s.person_id FROM register.person_search s
  WHERE (s.person_id IN (SELECT p.id FROM register.person p WHERE p.id_number_hash = id_hash) OR s.phone_key = phone)
    AND (s.until IS NULL OR s.until > current_date)
    AND (city OR s.community_id = ANY (communities) OR s.grid_id = ANY (grids))
  LIMIT 10;
END $$;

-- What an officer decides about a resident's declaration of the own territory; false when there is no such open one.
CREATE FUNCTION register.declaration_decide(which uuid, said text, note bytea, whom uuid, done uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, register, ops, pg_temp AS $$
DECLARE me record; city boolean := ops.sees_city(); communities bigint[] := ops.my_communities();
  grids bigint[] := ops.my_grids();
BEGIN
  SELECT * INTO me FROM ops.acting();
  IF me.id IS NULL OR NOT ops.has_duty() THEN RETURN false; END IF;
  UPDATE register.declaration d SET state = said, answer_sealed = note, person_id = coalesce(whom, d.person_id),
    act_id = coalesce(done, d.act_id), decided_by = me.id, decided_at = now()
  WHERE d.id = which AND d.state IN ('new', 'asked')
    AND (city OR d.community_id = ANY (communities) OR d.grid_id = ANY (grids))
    AND (whom IS NULL OR EXISTS (SELECT FROM register.person_search s WHERE s.person_id = whom
      AND (city OR s.community_id = ANY (communities) OR s.grid_id = ANY (grids)))
      OR EXISTS (SELECT FROM register.residence r WHERE r.person_id = whom
        AND (city OR r.community_id = ANY (communities) OR r.grid_id = ANY (grids))));
  RETURN FOUND;
END $$;

-- BEFORE ROW: the place of a row, the day it ends, when it changes next, and what is counted for it.
CREATE FUNCTION stats.place_building() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (SELECT as_of FROM stats.state); stands boolean;
BEGIN
  stands := stats.holds(NEW.valid_from, NEW.valid_to, today);
  NEW.changes_on := stats.next_change(NEW.valid_from, NEW.valid_to, today);
  NEW.counted := stands::integer;
  NEW.counted_residents := CASE WHEN stands THEN coalesce(NEW.residents_estimate, 0) ELSE 0 END;
  NEW.counted_dwellings := CASE WHEN stands AND NEW.dwellings_count > 0
    AND NOT EXISTS (SELECT FROM register.dwelling d WHERE d.building_id = NEW.id)
    THEN NEW.dwellings_count ELSE 0 END;
  RETURN NEW;
END $$;

CREATE FUNCTION stats.place_dwelling() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (SELECT as_of FROM stats.state);
BEGIN
  SELECT b.cell, b.community_id, b.grid_id INTO NEW.cell, NEW.community_id, NEW.grid_id
  FROM register.building b WHERE b.id = NEW.building_id;
  NEW.changes_on := stats.next_change(NEW.valid_from, NEW.valid_to, today);
  NEW.counted := stats.holds(NEW.valid_from, NEW.valid_to, today)::integer;
  RETURN NEW;
END $$;

CREATE FUNCTION stats.place_household() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (SELECT as_of FROM stats.state);
BEGIN
  SELECT d.cell, d.community_id, d.grid_id INTO NEW.cell, NEW.community_id, NEW.grid_id
  FROM register.dwelling d WHERE d.id = NEW.dwelling_id;
  NEW.changes_on := stats.next_change(NEW.valid_from, NEW.valid_to, today);
  RETURN NEW;
END $$;

CREATE FUNCTION stats.place_residence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (SELECT as_of FROM stats.state); p record; permit_ends date;
BEGIN
  IF NEW.dwelling_id IS NOT NULL THEN
    SELECT d.cell, d.community_id, d.grid_id INTO NEW.cell, NEW.community_id, NEW.grid_id
    FROM register.dwelling d WHERE d.id = NEW.dwelling_id;
  END IF;
  SELECT sex, birth_date, valid_to INTO p FROM register.person WHERE id = NEW.person_id;
  NEW.ended := CASE WHEN NEW.superseded_at IS NOT NULL THEN NEW.valid_from ELSE least(NEW.valid_to, p.valid_to) END;
  NEW.changes_on := stats.next_change(NEW.valid_from, NEW.ended, today);
  NEW.counted := 0;
  IF stats.holds(NEW.valid_from, NEW.ended, today) THEN
    NEW.counted := stats.residence_counted(NEW.status, NEW.permit, NEW.permit_until, p.sex, p.birth_date,
                                           NEW.dwelling_id IS NOT NULL, today);
    IF NEW.status = 'floating' AND NEW.permit <> 'none' AND NEW.permit_until >= today THEN
      NEW.changes_on := least(NEW.changes_on, NEW.permit_until + 1);
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION stats.place_employer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (SELECT as_of FROM stats.state);
BEGIN
  NEW.changes_on := stats.next_change(NEW.valid_from, NEW.valid_to, today);
  NEW.counted := CASE WHEN NOT stats.holds(NEW.valid_from, NEW.valid_to, today) THEN 0
    ELSE 1 + 4 * stats.section(NEW.industry)
      + CASE WHEN NEW.jobs_count > 0
              AND NOT EXISTS (SELECT FROM register.employment e
                              WHERE e.employer_id = NEW.id AND e.superseded_at IS NULL)
        THEN 256 * NEW.jobs_count ELSE 0 END END;
  RETURN NEW;
END $$;

CREATE FUNCTION stats.place_employment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (SELECT as_of FROM stats.state); e record; gone date;
BEGIN
  SELECT cell, community_id, grid_id, industry, valid_to INTO e FROM register.employer WHERE id = NEW.employer_id;
  SELECT valid_to INTO gone FROM register.person WHERE id = NEW.person_id;
  NEW.cell := e.cell; NEW.community_id := e.community_id; NEW.grid_id := e.grid_id;
  NEW.ended := CASE WHEN NEW.superseded_at IS NOT NULL THEN NEW.valid_from
                    ELSE least(NEW.valid_to, gone, e.valid_to) END;
  NEW.changes_on := stats.next_change(NEW.valid_from, NEW.ended, today);
  NEW.counted := CASE WHEN stats.holds(NEW.valid_from, NEW.ended, today)
    THEN 1 + CASE WHEN NEW.insured THEN 2 ELSE 0 END + 4 * stats.section(e.industry) ELSE 0 END;
  RETURN NEW;
END $$;

CREATE FUNCTION stats.place_schooling() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (SELECT as_of FROM stats.state);
BEGIN
  NEW.changes_on := stats.next_change(NEW.valid_from, NEW.valid_to, today);
  NEW.counted := stats.holds(NEW.valid_from, NEW.valid_to, today)::integer;
  RETURN NEW;
END $$;

-- BEFORE STATEMENT: one writer of figures at a time, taken before any row is locked.
CREATE FUNCTION stats.one_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(482020);
  RETURN NULL;
END $$;

CREATE FUNCTION stats.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'register.% is counted: delete rows, or truncate within a bulk load', TG_TABLE_NAME
    USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

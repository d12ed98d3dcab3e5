-- The keys of one name, as population/register/names.py computes them for many (a test holds the two equal).
CREATE FUNCTION register.fold(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT btrim(regexp_replace(translate(
    normalize(regexp_replace(normalize(lower(said), NFKD), '[\u0300-\u036f]', '', 'g'), NFC),
    E' \t\n\u3000·•・.-_''’‘`,，、()（）/', repeat(' ', 25)), ' +', ' ', 'g'))
$$;

CREATE FUNCTION register.confuse(letters text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT replace(replace(replace(replace(replace(replace(replace(
    letters, 'ü', 'u'), 'v', 'u'), 'zh', 'z'), 'ch', 'c'), 'sh', 's'), 'ng', 'n'), 'n', 'l')
$$;

CREATE FUNCTION register.hashed(said text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ('x' || substr(md5(said), 1, 8))::bit(32)::integer
$$;

CREATE FUNCTION register.name_keys(name text, OUT folded text, OUT fuzzy text, OUT initials text,
  OUT given_key integer, OUT outer_key integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, register, pg_temp AS $$
DECLARE
  parts text; whole text; letters text[] := '{}'; readings text[] := '{}'; n integer; known integer := 0;
  one record; letter text; compound text;
BEGIN
  IF name IS NULL THEN RETURN; END IF;
  parts := register.fold(name);
  whole := replace(parts, ' ', '');
  n := length(whole);
  FOR i IN 1..n LOOP
    SELECT simple INTO letter FROM register.reading WHERE piece = substr(whole, i, 1);
    IF FOUND THEN known := known + 1; ELSE letter := substr(whole, i, 1); END IF;
    letters := letters || letter;
  END LOOP;
  IF known = 0 THEN
    folded := whole;
    fuzzy := register.confuse(whole);
    SELECT coalesce(string_agg(left(w, 1), '' ORDER BY at), '') INTO initials
      FROM regexp_split_to_table(parts, ' ') WITH ORDINALITY AS l(w, at);
    IF whole <> '' THEN
      SELECT register.hashed(string_agg(w, ' ' ORDER BY w COLLATE "C")) INTO given_key
        FROM regexp_split_to_table(parts, ' ') w;
    END IF;
    IF parts LIKE '% %' THEN outer_key := register.hashed(regexp_replace(parts, '^.* ', '')); END IF;
    RETURN;
  END IF;
  folded := array_to_string(letters, '');
  IF n > 2 THEN
    SELECT surname INTO compound FROM register.reading WHERE piece = letters[1] || letters[2];
    IF compound IS NOT NULL THEN readings := string_to_array(compound, ' '); END IF;
  END IF;
  FOR i IN coalesce(array_length(readings, 1), 0) + 1..n LOOP
    SELECT pinyin, surname INTO one FROM register.reading WHERE piece = letters[i];
    readings := readings || CASE WHEN NOT FOUND THEN letters[i] WHEN i = 1 THEN coalesce(one.surname, one.pinyin)
      ELSE one.pinyin END;
  END LOOP;
  fuzzy := register.confuse(array_to_string(readings, ''));
  initials := '';
  FOR i IN 1..n LOOP initials := initials || left(readings[i], 1); END LOOP;
  IF n > 1 THEN given_key := register.hashed(array_to_string(letters[2:], '')); END IF;
  IF n > 2 THEN outer_key := register.hashed(array_to_string(letters[:n - 2], '') || letters[n]); END IF;
END $$;

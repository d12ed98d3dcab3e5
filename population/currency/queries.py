# ruff: noqa: S608 - fixed words only; values are parameters
"""What each check looks for: a query over the register as it stands today, one row a case.

Rows: ``person_id``, ``dwelling_id`` (where to go; the subject is the person when there is one), ``due_on`` (null: from
the check's own days) and ``facts`` (numbers and days for the words). Parameters: ``persons`` and ``dwellings`` (arrays,
or null for the whole city), ``today``, and the limits of the check. ``counted <> 0`` is "valid today" as the
statistics keep it.
"""

from __future__ import annotations

from typing import Final

_OF_PERSONS: Final = "(%(persons)s::uuid[] IS NULL OR r.person_id = ANY(%(persons)s))"
_OF_DWELLINGS: Final = "(%(dwellings)s::bigint[] IS NULL OR d.id = ANY(%(dwellings)s))"

PERSONS: Final[dict[str, str]] = {
    "no_school": f"""
    SELECT r.person_id, r.dwelling_id, NULL::date AS due_on,
      jsonb_build_object('age', extract(year FROM age(%(today)s::date, p.birth_date))::integer) AS facts
    FROM register.residence r JOIN register.person p ON p.id = r.person_id
    CROSS JOIN (SELECT make_date(extract(year FROM %(today)s::date)::integer
      - CASE WHEN extract(month FROM %(today)s::date) < 9 THEN 1 ELSE 0 END, 8, 31) AS day) AS start
    WHERE r.counted <> 0 AND {_OF_PERSONS}
      AND p.birth_date <= start.day - make_interval(years => %(from_age)s::integer)
      AND p.birth_date > start.day - make_interval(years => %(to_age)s::integer + 1)
      AND NOT EXISTS (SELECT FROM register.schooling c WHERE c.person_id = r.person_id AND c.counted <> 0)
      AND EXISTS (SELECT FROM register.schooling)""",
    "permit_lapse": f"""
    SELECT r.person_id, r.dwelling_id, r.permit_until AS due_on, jsonb_build_object('until', r.permit_until) AS facts
    FROM register.residence r
    WHERE r.counted & 6 = 6 AND {_OF_PERSONS}
      AND r.permit_until BETWEEN %(today)s::date AND %(today)s::date + %(days)s::integer""",
    "new_arrival": f"""
    SELECT r.person_id, r.dwelling_id, NULL::date AS due_on, jsonb_build_object('from', r.valid_from) AS facts
    FROM register.residence r
    WHERE r.counted <> 0 AND {_OF_PERSONS} AND r.valid_from > %(today)s::date - %(days)s::integer
      AND NOT (r.confirmed_source = 'officer' AND r.confirmed_on >= r.valid_from) IS TRUE""",
    "elsewhere": f"""
    SELECT r.person_id, h.dwelling_id, NULL::date AS due_on, '{{}}'::jsonb AS facts
    FROM register.residence r JOIN register.household h ON h.id = r.household_id
    WHERE r.counted <> 0 AND r.status = 'registered' AND {_OF_PERSONS} AND r.dwelling_id <> h.dwelling_id""",
    "insured_jobless": f"""
    SELECT DISTINCT ON (r.person_id) r.person_id, r.dwelling_id, NULL::date AS due_on, '{{}}'::jsonb AS facts
    FROM register.residence r JOIN register.insurance i ON i.person_id = r.person_id
    WHERE r.counted <> 0 AND {_OF_PERSONS} AND i.superseded_at IS NULL
      AND i.kind IN ('pension', 'unemployment', 'injury', 'maternity') AND i.employer_id IS NOT NULL
      AND i.valid_from <= %(today)s::date AND (i.valid_to IS NULL OR i.valid_to > %(today)s::date)
      AND NOT EXISTS (SELECT FROM register.employment e WHERE e.person_id = r.person_id AND e.counted <> 0)""",
    "permit_due": f"""
    SELECT r.person_id, r.dwelling_id, NULL::date AS due_on, jsonb_build_object('from', r.valid_from) AS facts
    FROM register.residence r LEFT JOIN register.dwelling d ON d.id = r.dwelling_id
    WHERE r.counted & 6 = 2 AND {_OF_PERSONS} AND r.valid_from > '1900-01-01'
      AND r.valid_from + make_interval(months => %(months)s::integer) <= %(today)s::date
      AND (d.tenure IN ('own', 'rent', 'dormitory', 'public')
        OR EXISTS (SELECT FROM register.employment e WHERE e.person_id = r.person_id AND e.counted <> 0)
        OR EXISTS (SELECT FROM register.schooling c WHERE c.person_id = r.person_id AND c.counted <> 0))""",
}

DWELLINGS: Final[dict[str, str]] = {
    "crowded": f"""
    SELECT NULL::uuid AS person_id, d.id AS dwelling_id, NULL::date AS due_on,
      jsonb_build_object('people', o.people, 'area_m2', d.area_m2, 'capacity', d.capacity) AS facts
    FROM register.dwelling d
    JOIN (SELECT id, counted >> 8 AS people FROM stats.counted_dwelling) o ON o.id = d.id
    WHERE d.counted <> 0 AND {_OF_DWELLINGS}
      AND (o.people >= d.capacity + %(over_capacity)s::integer
        OR d.area_m2 < %(m2_per_person)s::double precision * o.people)""",
    "empty_registration": f"""
    SELECT NULL::uuid AS person_id, d.id AS dwelling_id, NULL::date AS due_on,
      jsonb_build_object('people', o.people, 'days', %(today)s::date - o.last) AS facts
    FROM register.dwelling d CROSS JOIN LATERAL (
      SELECT count(*) AS people, bool_and(r.status = 'registered') AS registered,
        max(coalesce(r.confirmed_on, greatest(r.recorded_at::date, r.valid_from))) AS last
      FROM register.residence r WHERE r.dwelling_id = d.id AND r.counted <> 0) o
    WHERE d.counted <> 0 AND {_OF_DWELLINGS} AND o.registered AND o.last < %(today)s::date - %(days)s::integer""",
    "let_unregistered": f"""
    SELECT NULL::uuid AS person_id, d.id AS dwelling_id, NULL::date AS due_on, '{{}}'::jsonb AS facts
    FROM register.dwelling d
    WHERE d.counted <> 0 AND {_OF_DWELLINGS}
      AND EXISTS (SELECT FROM register.tenancy t WHERE t.dwelling_id = d.id AND t.tenure = 'rent'
        AND t.superseded_at IS NULL AND t.valid_from <= %(today)s::date
        AND (t.valid_to IS NULL OR t.valid_to > %(today)s::date))
      AND NOT EXISTS (SELECT FROM register.residence r WHERE r.dwelling_id = d.id AND r.counted <> 0)""",
    "unseen": f"""
    SELECT NULL::uuid AS person_id, d.id AS dwelling_id, NULL::date AS due_on,
      jsonb_build_object('people', o.people, 'days', %(today)s::date - o.last) AS facts
    FROM register.dwelling d CROSS JOIN LATERAL (
      SELECT count(*) AS people, max(coalesce(r.confirmed_on, greatest(r.recorded_at::date, r.valid_from))) AS last
      FROM register.residence r WHERE r.dwelling_id = d.id AND r.counted <> 0) o
    WHERE d.counted <> 0 AND {_OF_DWELLINGS} AND o.last < %(today)s::date - %(days)s::integer""",
}

PREPARE: Final = """
CREATE TEMP TABLE work_found (check_id text, severity smallint, quiet integer, person_id uuid, dwelling_id bigint,
  due_on date, facts jsonb) ON COMMIT DROP
"""
FIND: Final = """
INSERT INTO work_found SELECT %(check)s, %(severity)s, %(quiet_days)s, f.person_id, f.dwelling_id,
  coalesce(f.due_on, %(today)s::date + %(due_days)s::integer), f.facts FROM ({query}) AS f
WHERE f.dwelling_id IS NOT NULL
"""

# A case whose cause is gone closes by itself, and says so.
CLOSE: Final = """
WITH gone AS (
  UPDATE ops.work_item w SET state = 'gone', outcome = 'cause_gone', snoozed_until = NULL,
    changed_at = clock_timestamp()
  WHERE w.state IN ('open', 'snoozed') AND w.check_id = ANY (%(checks)s)
    AND (%(persons)s::uuid[] IS NULL OR w.person_id = ANY (%(persons)s) OR w.person_id IS NULL)
    AND (%(dwellings)s::bigint[] IS NULL OR w.person_id IS NOT NULL OR w.dwelling_id = ANY (%(dwellings)s))
    AND NOT EXISTS (SELECT FROM work_found f WHERE f.check_id = w.check_id AND f.dwelling_id = w.dwelling_id
      AND f.person_id IS NOT DISTINCT FROM w.person_id)
  RETURNING w.id)
INSERT INTO ops.work_event (item_id, state, outcome) SELECT id, 'gone', 'cause_gone' FROM gone
"""
WAKE: Final = """
WITH awake AS (
  UPDATE ops.work_item SET state = 'open', snoozed_until = NULL, outcome = NULL, changed_at = clock_timestamp()
  WHERE state = 'snoozed' AND snoozed_until <= %(today)s RETURNING id)
INSERT INTO ops.work_event (item_id, state, outcome) SELECT id, 'open', 'snooze_over' FROM awake
"""
OPEN: Final = """
WITH made AS (
  INSERT INTO ops.work_item (check_id, person_id, dwelling_id, building_id, cell, community_id, grid_id, lng, lat,
    severity, since, due_on, facts)
  SELECT f.check_id, f.person_id, f.dwelling_id, b.id, d.cell, d.community_id, d.grid_id, b.lng, b.lat,
    f.severity, %(today)s, f.due_on, f.facts
  FROM work_found f JOIN register.dwelling d ON d.id = f.dwelling_id JOIN register.building b ON b.id = d.building_id
  WHERE NOT EXISTS (SELECT FROM ops.work_item w WHERE w.check_id = f.check_id AND w.dwelling_id = f.dwelling_id
    AND w.person_id IS NOT DISTINCT FROM f.person_id
    AND (w.state IN ('open', 'snoozed') OR w.quiet_until > %(today)s))
  ON CONFLICT DO NOTHING RETURNING id)
INSERT INTO ops.work_event (item_id, state) SELECT id, 'open' FROM made
"""
# What the words are told with, and the place, follow the register.
FOLLOW: Final = """
UPDATE ops.work_item w SET facts = f.facts, severity = f.severity, cell = d.cell, community_id = d.community_id,
  grid_id = d.grid_id, building_id = b.id, lng = b.lng, lat = b.lat
FROM work_found f JOIN register.dwelling d ON d.id = f.dwelling_id JOIN register.building b ON b.id = d.building_id
WHERE w.state IN ('open', 'snoozed') AND w.check_id = f.check_id AND w.dwelling_id = f.dwelling_id
  AND w.person_id IS NOT DISTINCT FROM f.person_id
  AND (w.facts, w.severity, w.cell, w.community_id, w.grid_id, w.building_id)
    IS DISTINCT FROM (f.facts, f.severity, d.cell, d.community_id, d.grid_id, b.id)
"""

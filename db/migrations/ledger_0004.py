"""Migration 0004's ledgers: what has been added for dwellings, households and persons, each by one function.

``stats.refresh_<name>s(ids)`` computes what should be counted now, compares it with what the ledger says has been
counted, puts the ledger right and returns the difference as deltas. Called twice it returns nothing the second time.
"""

from __future__ import annotations

PLACE = "coalesce({0}.community_id, 0) AS community_id, coalesce({0}.grid_id, 0) AS grid_id, {0}.cell"

NOW = {
    ("dwelling", "bigint", "o"): f"""
    SELECT d.id, {PLACE.format("d")}, stats.dwelling_counted(d.area_m2, d.rooms, o.people) AS counted
    FROM register.dwelling d
    CROSS JOIN LATERAL (SELECT count(*) AS people FROM register.residence r
                        WHERE r.dwelling_id = d.id AND r.counted <> 0) o
    WHERE d.id = ANY (ids) AND o.people > 0""",
    ("household", "uuid", "h"): f"""
    SELECT h.id, {PLACE.format("h")}, stats.household_counted(h.kind, d.tenure, o.people) AS counted
    FROM register.household h JOIN register.dwelling d ON d.id = h.dwelling_id
    CROSS JOIN stats.state s
    CROSS JOIN LATERAL (SELECT count(*) AS people FROM register.residence r
                        WHERE r.household_id = h.id AND r.counted <> 0) o
    WHERE h.id = ANY (ids) AND o.people > 0 AND stats.holds(h.valid_from, h.valid_to, s.as_of)""",
    ("person", "uuid", "p"): f"""
    SELECT r.person_id AS id, {PLACE.format("r")}, w.counted + c.counted AS counted
    FROM register.residence r
    CROSS JOIN LATERAL (SELECT coalesce(bit_or(e.counted & 3), 0) AS counted FROM register.employment e
                        WHERE e.person_id = r.person_id) w
    CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM register.schooling c
                        WHERE c.person_id = r.person_id AND c.counted <> 0) THEN 4 ELSE 0 END AS counted) c
    WHERE r.person_id = ANY (ids) AND r.superseded_at IS NULL AND r.counted <> 0 AND w.counted + c.counted > 0""",
}

REFRESH = """
CREATE FUNCTION stats.refresh_{name}s(ids {key}[]) RETURNS stats.delta[] LANGUAGE plpgsql AS $$
DECLARE deltas stats.delta[];
BEGIN
  IF coalesce(cardinality(ids), 0) = 0 THEN RETURN NULL; END IF;
  WITH now AS MATERIALIZED ({now}),
  before AS MATERIALIZED (SELECT * FROM stats.counted_{name} WHERE id = ANY (ids)),
  off AS MATERIALIZED (SELECT * FROM before EXCEPT SELECT * FROM now),
  "on" AS MATERIALIZED (SELECT * FROM now EXCEPT SELECT * FROM before),
  gone AS (DELETE FROM stats.counted_{name} t USING off
           WHERE t.id = off.id AND NOT EXISTS (SELECT FROM "on" WHERE "on".id = off.id)),
  put AS (INSERT INTO stats.counted_{name} AS t (id, community_id, grid_id, cell, counted)
          SELECT id, community_id, grid_id, cell, counted FROM "on"
          ON CONFLICT (id) DO UPDATE SET community_id = excluded.community_id, grid_id = excluded.grid_id,
            cell = excluded.cell, counted = excluded.counted)
  SELECT array_agg(ROW(community_id, grid_id, cell, '{kind}', counted, NULL, NULL, n)::stats.delta) INTO deltas
  FROM (SELECT community_id, grid_id, cell, counted, sum(n) AS n
        FROM (SELECT *, -1 AS n FROM off UNION ALL SELECT *, 1 FROM "on") AS both_ways
        GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0) AS net;
  RETURN deltas;
END $$;
"""


def functions() -> list[str]:
    """The CREATE FUNCTION statements."""
    return [REFRESH.format(name=name, key=key, kind=kind, now=now) for (name, key, kind), now in NOW.items()]

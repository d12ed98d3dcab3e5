"""The figures of a dashboard straight from the register's rows, by index: what kept figures are measured against."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from population.statistics.indicators import age_bands

NOW = "superseded_at IS NULL AND valid_from <= :day AND (valid_to IS NULL OR valid_to > :day)"
EXTRA_INDEXES = (
    "CREATE INDEX IF NOT EXISTS household_community_id ON register.household (community_id)",
    "CREATE INDEX IF NOT EXISTS dwelling_community_id ON register.dwelling (community_id)",
)

_PEOPLE = """
SELECT r.status, r.permit <> 'none' AND coalesce(r.permit_until >= :day, r.permit = 'valid') AS permit, p.sex,
  least(extract(year FROM age(:day, p.birth_date))::int / 5, 17) AS band, count(*) AS n,
  count(*) FILTER (WHERE j.person_id IS NOT NULL) AS employed, count(*) FILTER (WHERE j.insured) AS insured
FROM register.residence r JOIN register.person p ON p.id = r.person_id
LEFT JOIN LATERAL (SELECT e.person_id, e.insured FROM register.employment e
  WHERE e.person_id = r.person_id AND e.superseded_at IS NULL AND e.valid_from <= :day
    AND (e.valid_to IS NULL OR e.valid_to > :day) LIMIT 1) j ON true
WHERE r.{place} = :key AND r.superseded_at IS NULL AND r.valid_from <= :day
  AND (r.valid_to IS NULL OR r.valid_to > :day) GROUP BY 1, 2, 3, 4"""
_HOUSEHOLDS = f"""
SELECT d.tenure, least(m.n, 6) AS size, count(*) AS n, sum(m.n) AS members FROM register.household h
JOIN register.dwelling d ON d.id = h.dwelling_id
JOIN LATERAL (SELECT count(*) AS n FROM register.residence WHERE household_id = h.id AND {NOW}) m ON m.n > 0
WHERE h.{{place}} = :key AND h.kind = 'family' GROUP BY 1, 2"""
_DWELLINGS = f"""
SELECT count(*) AS n, count(*) FILTER (WHERE m.n > 0) AS occupied,
  coalesce(sum(m.n) FILTER (WHERE d.area_m2 < 8 * m.n), 0) AS lt8,
  coalesce(sum(m.n) FILTER (WHERE d.area_m2 >= 8 * m.n AND d.area_m2 < 15 * m.n), 0) AS lt15,
  coalesce(sum(m.n) FILTER (WHERE d.area_m2 >= 15 * m.n AND d.area_m2 < 30 * m.n), 0) AS lt30,
  coalesce(sum(m.n) FILTER (WHERE d.area_m2 >= 30 * m.n AND d.area_m2 < 50 * m.n), 0) AS lt50,
  coalesce(sum(m.n) FILTER (WHERE d.area_m2 >= 50 * m.n), 0) AS ge50,
  coalesce(sum(m.n) FILTER (WHERE m.n <= d.rooms), 0) AS le1,
  coalesce(sum(m.n) FILTER (WHERE m.n > d.rooms AND m.n <= 2 * d.rooms), 0) AS le2,
  coalesce(sum(m.n) FILTER (WHERE m.n > 2 * d.rooms), 0) AS gt2
FROM register.dwelling d
LEFT JOIN LATERAL (SELECT count(*) AS n FROM register.residence WHERE dwelling_id = d.id AND {NOW}) m ON true
WHERE d.{{place}} = :key"""
_BUILDINGS = """SELECT (SELECT count(*) FROM register.building WHERE {place} = :key) AS buildings,
  (SELECT count(*) FROM register.employer WHERE {place} = :key) AS employers"""
_JOBS = """SELECT f.industry, count(*) AS n, count(*) FILTER (WHERE e.insured) AS insured
FROM register.employment e JOIN register.employer f ON f.id = e.employer_id
WHERE e.{place} = :key AND e.superseded_at IS NULL AND e.valid_from <= :day
  AND (e.valid_to IS NULL OR e.valid_to > :day)
GROUP BY 1"""
_SERIES = """
WITH m AS (SELECT month::date, least((month + interval '1 month')::date - 1, :day) AS day
  FROM generate_series(date_trunc('month', CAST(:day AS timestamp)) - interval '35 months',
                       date_trunc('month', CAST(:day AS timestamp)), interval '1 month') AS g(month)),
r AS MATERIALIZED (SELECT person_id, status, valid_from, valid_to FROM register.residence
  WHERE {place} = :key AND superseded_at IS NULL),
j AS MATERIALIZED (SELECT valid_from, valid_to FROM register.employment WHERE {place} = :key AND superseded_at IS NULL)
SELECT m.month,
  (SELECT count(*) FROM r WHERE valid_from <= m.day AND (valid_to IS NULL OR valid_to > m.day)) AS residents,
  (SELECT count(*) FROM r WHERE status = 'floating' AND valid_from <= m.day
     AND (valid_to IS NULL OR valid_to > m.day)) AS floating,
  (SELECT count(*) FROM j WHERE valid_from <= m.day AND (valid_to IS NULL OR valid_to > m.day)) AS jobs,
  (SELECT count(*) FROM r WHERE valid_from BETWEEN m.month AND m.day) AS moved_in,
  (SELECT count(*) FROM r WHERE valid_to BETWEEN m.month AND m.day) AS moved_out
FROM m ORDER BY m.month"""


def figures(session: Session, place: str, key: int, day: date) -> dict[str, float]:
    """The counts of one grid (``place`` "grid_id") or community ("community_id") on ``day``."""
    asked = {"key": key, "day": day}

    def rows(query: str) -> Any:
        return session.execute(text(query.format(place=place)), asked)

    found: Counter[str] = Counter()
    bands = age_bands()
    for row in rows(_PEOPLE):
        found["residents"] += row.n
        found[row.status] += row.n
        if row.status == "floating":
            found["floating_permit" if row.permit else "floating_no_permit"] += row.n
        found["male" if row.sex == 1 else "female"] += row.n
        found[f"{'m' if row.sex == 1 else 'f'}_{bands[row.band]}"] += row.n
        found["employed"] += row.employed
        found["employed_insured"] += row.insured
    for row in rows(_HOUSEHOLDS):
        found["households"] += row.n
        found["household_members"] += int(row.members)
        found["hh_6plus" if row.size == 6 else f"hh_{row.size}"] += row.n
        found[{"public": "public_housing"}.get(row.tenure, row.tenure or "other_tenure")] += row.n
    homes = rows(_DWELLINGS).one()
    names = ("dwellings", "dwellings_occupied", "crowd_lt8", "crowd_8_15", "crowd_15_30", "crowd_30_50", "crowd_ge50",
             "ppr_le1", "ppr_1_2", "ppr_gt2")  # fmt: skip
    found.update({name: int(value) for name, value in zip(names, homes, strict=True)})
    found.update(dict(rows(_BUILDINGS).one()._mapping))
    for row in rows(_JOBS):
        found["jobs"] += row.n
        found["jobs_insured"] += row.insured
        found[f"jobs_{row.industry.lower()}"] += row.n
    return dict(found)


def series(session: Session, place: str, key: int, day: date) -> list[dict[str, Any]]:
    """The last 36 months of one grid or community."""
    found = session.execute(text(_SERIES.format(place=place)), {"key": key, "day": day})
    return [dict(row) for row in found.mappings()]

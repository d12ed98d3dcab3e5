"""SQL of the schema ``pub``: the same shapes as the originals, with small personal figures withheld. Revision 0005.

First form of release, by a minimum count. A personal figure below ``pub.minimum_count()`` (13), zero included, is
NULL, which means "withheld". Two rules keep the simplest subtraction inside one row from undoing it:

* of the parts of a total (registered and floating; the age bands; households by tenure ...) never exactly one is
  withheld: where one alone would be, all parts of that total are;
* a part that is shown against its total (insured of all jobs) is withheld too when the rest would be too small.

Every cell, area and published grid has a row, whether anybody lives there or not: a missing row would tell a zero.
A structural zero comes from land use alone (a cell without land), never from the register. Subtraction between a
cell and its siblings, or between two days, is not answered by this form.
"""

from __future__ import annotations

PARTS: dict[str, tuple[str, ...]] = {
    "registration": ("registered", "floating"),
    "sex": ("male", "female"),
    "permit": ("floating_permit", "floating_no_permit"),
    "men_by_age": ("m_",),
    "women_by_age": ("f_",),
    "household_size": ("hh_",),
    "tenure": ("own", "rent", "dormitory", "public_housing", "other_tenure"),
    "crowding": ("crowd_",),
    "rooms": ("ppr_",),
    "industries": tuple(f"jobs_{letter}" for letter in "abcdefghijklmnopqrst"),
}
WITHIN = {"jobs_insured": "jobs", "employed_insured": "employed"}

MINIMUM = """
CREATE FUNCTION pub.minimum_count() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 13 $$;
COMMENT ON FUNCTION pub.minimum_count() IS 'Personal figures below this are withheld; same as privacy/policy.toml';
"""

# Every unit that is published, with its structural zero. Legal grids smaller than their community are not.
UNITS = """
CREATE VIEW pub.published_unit AS
  SELECT 'area'::text AS unit_kind, id AS unit_id, NULL::smallint AS resolution, false AS structural FROM geo.area
  UNION ALL
  SELECT 'grid', g.id, NULL, false FROM geo.grid g JOIN geo.area a ON a.id = g.area_id
  WHERE g.area_m2 >= 0.999 * a.area_m2
  UNION ALL
  SELECT 'cell', cell, (SELECT base_resolution FROM ops.city), land_m2 <= 0 FROM geo.cell
{parents};
"""
PARENT = """  UNION ALL
  SELECT 'cell', r{column}, ((SELECT base_resolution FROM ops.city) - {below})::smallint, sum(land_m2) <= 0
  FROM geo.cell GROUP BY r{column}"""

# Written out, not through stats.months(): a function in a view reads with the rights of whoever asks.
MONTHS = """
CREATE VIEW stats.kept_month AS
  SELECT m.i::integer AS i, m.month::date AS month FROM stats.state s,
    generate_series(s.series_from::timestamp, s.as_of::timestamp, interval '1 month') WITH ORDINALITY AS m(month, i);
CREATE VIEW pub.kept_month AS SELECT i, month FROM stats.kept_month;
"""

COPIES = {
    "pub.city": "SELECT id, code, name, zone, languages, datum, base_resolution, loaded_at, is_demo FROM ops.city",
    "pub.state": "SELECT * FROM stats.state",
    **{
        f"pub.{table}": f"SELECT * FROM geo.{table}"
        for table in ("area_level", "area", "grid", "cell", "area_cell", "grid_cell", "land_use")
    },
    **{f"pub.{t}": f"SELECT * FROM stats.{t}" for t in ("areal_table", "areal_figure", "areal_cell")},
}

NARROWER = {
    "pub.cell_figures": ("cell", "unit_id AS cell, resolution, structural"),
    "pub.area_figures": ("area", "unit_id AS area_id"),
    "pub.grid_figures": ("grid", "unit_id AS grid_id"),
}


def members(part: tuple[str, ...], columns: list[str]) -> list[str]:
    """Columns of one list of parts; a name ending in ``_`` stands for all that begin so."""
    found = []
    for name in part:
        if name.endswith("_"):
            found += [c for c in columns if c.startswith(name)]
        elif name in columns:
            found.append(name)
    return found


def withholding(columns: list[str], public: set[str]) -> tuple[str, str]:
    """The select list that withholds, and the sub-select that counts small parts; both over alias ``f``."""
    counts: dict[str, str] = {}
    for part, names in PARTS.items():
        inside = [c for c in members(names, columns) if c not in public]
        if len(inside) < 2:
            continue
        total = " + ".join(f"(f.{c} < pub.minimum_count())::int" for c in inside)
        counts[part] = f"{total} AS {part}"
    of = {c: part for part in counts for c in members(PARTS[part], columns)}
    shown = []
    for column in columns:
        if column in public:
            shown.append(f"f.{column}")
            continue
        small = [f"f.{column} < pub.minimum_count()"]
        if column in of:
            small.append(f"p.{of[column]} = 1")
        if column in WITHIN and WITHIN[column] in columns:
            small.append(f"f.{WITHIN[column]} - f.{column} < pub.minimum_count()")
        shown.append(
            f"CASE WHEN f.structural THEN 0 WHEN {' OR '.join(small)} THEN NULL ELSE f.{column} END AS {column}"
        )
    parts = "SELECT " + (", ".join(counts.values()) or "1 AS none")
    return ",\n  ".join(shown), parts


def figures_view(name: str, columns: list[str], public: set[str], *, monthly: bool) -> str:
    """A view with every published unit in it (``monthly``: every month of it) and small figures withheld."""
    shown, parts = withholding(columns, public)
    source, month = ("unit_series", "m.month, ") if monthly else ("unit_figures", "")
    element = "[m.i]" if monthly else ""
    whole = ", ".join(f"coalesce(s.{c}{element}, 0) AS {c}" for c in columns)
    months = "CROSS JOIN stats.kept_month m" if monthly else ""
    return f"""CREATE VIEW {name} WITH (security_barrier) AS
SELECT f.unit_kind, f.unit_id, f.resolution, {month.replace("m.", "f.")}f.structural,
  NOT f.structural AND f.residents < pub.minimum_count() AS withheld,
  {shown}
FROM (SELECT u.unit_kind, u.unit_id, u.resolution, {month}u.structural, {whole}
      FROM pub.published_unit u {months}
      LEFT JOIN stats.{source} s ON s.unit_kind = u.unit_kind AND s.unit_id = u.unit_id) f
CROSS JOIN LATERAL ({parts}) p"""

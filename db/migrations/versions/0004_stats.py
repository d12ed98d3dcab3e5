"""Statistics: figures by place and unit, series, ledgers, and the triggers that keep them current.

The SQL is in ``db/migrations/sql/0004_*.sql``; the columns and their expressions come from ``figures_0004``.
"""

from pathlib import Path

from alembic import op

from db.migrations import figures_0004, ledger_0004

revision = "0004"
down_revision = "0003"

SQL = Path(__file__).parent.parent / "sql"
COUNTED = ("building", "dwelling", "household", "residence", "employer", "employment", "schooling")
LIVE = "current_setting('hexward.bulk', true) IS DISTINCT FROM 'on'"

# Generic plans: the statements are wide, and planning them anew for every change costs five times their execution.
ON_CHANGE = """
CREATE FUNCTION stats.on_{table}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE olds register.{table}[]; news register.{table}[];
BEGIN
  IF TG_OP <> 'INSERT' THEN SELECT array_agg(o) INTO olds FROM old_rows AS o; END IF;
  IF TG_OP <> 'DELETE' THEN SELECT array_agg(n) INTO news FROM new_rows AS n; END IF;
  IF olds IS NOT NULL OR news IS NOT NULL THEN PERFORM stats.{table}_changed(olds, news); END IF;
  RETURN NULL;
END $$;
"""
TRIGGER = """
CREATE TRIGGER c_count_{event} AFTER {event} ON register.{table} REFERENCING {tables}
FOR EACH STATEMENT WHEN ({live}) EXECUTE FUNCTION stats.on_{table}();
"""
TRANSITION = {
    "insert": "NEW TABLE AS new_rows",
    "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "OLD TABLE AS old_rows",
}


def statements() -> list[str]:
    """Everything the migration runs, in order."""
    files = [(SQL / f"0004_{part}.sql").read_text("utf-8") for part in
             ("tables", "units", "deltas", "moves", "place", "changed", "advance")]  # fmt: skip
    holes = figures_0004.placeholders()
    made = [_filled(text, holes) for text in files[:3]] + ledger_0004.functions() + files[3:]
    for table in (*COUNTED, "person"):
        made.append(ON_CHANGE.format(table=table))
        made += _triggers(table)
    made.append("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA stats FROM PUBLIC")
    for shared in ("cell_parent(bigint, integer)", "units_of(bigint, bigint, bigint)", "months()"):
        made.append(f"GRANT EXECUTE ON FUNCTION stats.{shared} TO PUBLIC")
    return made


def _filled(text: str, holes: dict[str, str]) -> str:
    for name, value in holes.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _triggers(table: str) -> list[str]:
    made = [
        f"CREATE TRIGGER a_one_writer BEFORE INSERT OR UPDATE OR DELETE ON register.{table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION stats.one_writer()",
        f"CREATE TRIGGER a_refuse_truncate BEFORE TRUNCATE ON register.{table}"
        f" FOR EACH STATEMENT WHEN ({LIVE}) EXECUTE FUNCTION stats.refuse_truncate()",
    ]
    if table != "person":
        made.append(
            f"CREATE TRIGGER b_place BEFORE INSERT OR UPDATE ON register.{table}"
            f" FOR EACH ROW WHEN ({LIVE}) EXECUTE FUNCTION stats.place_{table}()"
        )
    # a person without a residence is counted nowhere, so only updates matter
    events = ("update",) if table == "person" else tuple(TRANSITION)
    for event in events:
        made.append(TRIGGER.format(table=table, event=event, tables=TRANSITION[event], live=LIVE))
    return made


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    for statement in statements():
        run(statement.replace("%", "%%"))


def downgrade() -> None:
    op.execute("DROP FUNCTION stats.one_writer(), stats.refuse_truncate() CASCADE")
    for table in (*COUNTED, "person"):
        op.execute(f"DROP FUNCTION stats.on_{table}() CASCADE")
    op.execute("DROP SCHEMA stats CASCADE")
    op.execute("CREATE SCHEMA stats")

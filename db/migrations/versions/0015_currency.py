"""How current the register is, the cases that need a visit, and the facts that service rules ask for."""

from pathlib import Path

from alembic import op

from db.migrations.access import BY_PLACE, policies

revision = "0015"
down_revision = "0014"

SQL = Path(__file__).parents[1] / "sql"
LIVE = "current_setting('hexward.bulk', true) IS DISTINCT FROM 'on'"
TRANSITION = {
    "insert": ("NEW TABLE AS new_rows", "NEW TABLE AS changed"),
    "update": ("OLD TABLE AS old_rows NEW TABLE AS new_rows", "NEW TABLE AS changed"),
    "delete": ("OLD TABLE AS old_rows", "OLD TABLE AS changed"),
}
NOTED = ("residence", "dwelling", "employment", "schooling", "insurance", "permit")
ITEM_COLUMNS = (
    "id, check_id, person_id, dwelling_id, building_id, cell, community_id, grid_id, lng, lat, severity, since, due_on,"
    " facts, state, outcome, snoozed_until, quiet_until, created_at, changed_at"
)
GRANTS = f"""
REVOKE ALL ON ops.work_item, ops.work_event, ops.work_due, stats.place_confirmed, stats.place_capacity FROM PUBLIC;
GRANT SELECT ({ITEM_COLUMNS}) ON ops.work_item TO hexward_app;
GRANT SELECT ON ops.work_event, stats.place_confirmed, stats.place_capacity TO hexward_app;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON stats.place_confirmed, stats.place_capacity TO hexward_stat_builder;
REVOKE EXECUTE ON FUNCTION ops.note_work(), ops.work_outcome(uuid, text, text, date, date),
  ops.service_facts_of(uuid[], date), ops.service_facts(uuid[], date), stats.on_confirmed(), stats.on_capacity(),
  stats.on_state(), stats.recount_currency() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.work_outcome(uuid, text, text, date, date), ops.service_facts(uuid[], date)
  TO hexward_app;
"""


def _trigger(name: str, event: str, table: str, tables: str, function: str) -> str:
    return (
        f"CREATE TRIGGER {name}_{event} AFTER {event} ON register.{table} REFERENCING {tables}"
        f" FOR EACH STATEMENT WHEN ({LIVE}) EXECUTE FUNCTION {function}()"
    )


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    for name in ("currency", "work"):
        run((SQL / f"{name}.sql").read_text("utf-8").replace("%", "%%"))
    for event, (counting, noting) in TRANSITION.items():
        op.execute(_trigger("d_confirmed", event, "residence", counting, "stats.on_confirmed"))
        op.execute(_trigger("d_capacity", event, "dwelling", counting, "stats.on_capacity"))
        for table in NOTED:
            op.execute(_trigger("e_work", event, table, noting, "ops.note_work"))
    op.execute("SELECT stats.recount_currency()")
    open_to = {
        "ops.work_item": BY_PLACE,
        "ops.work_event": "EXISTS (SELECT FROM ops.work_item w WHERE w.id = work_event.item_id)",
        "ops.work_due": "false",
        "stats.place_confirmed": BY_PLACE,
        "stats.place_capacity": BY_PLACE,
    }
    for table, visible in open_to.items():
        for statement in policies(table, visible):
            op.execute(statement)
    # a visit tells of a person and a home: no right to those fields, no row, whatever the territory
    op.execute(
        "CREATE POLICY ops_work_item_fields ON ops.work_item AS RESTRICTIVE TO hexward_app, hexward_pub_reader,"
        " hexward_auditor USING ((SELECT ops.may_field('person.basic')) AND (SELECT ops.may_field('person.home')))"
    )
    op.execute(GRANTS)


def downgrade() -> None:
    for event in TRANSITION:
        op.execute(f"DROP TRIGGER d_confirmed_{event} ON register.residence")
        op.execute(f"DROP TRIGGER d_capacity_{event} ON register.dwelling")
        for table in NOTED:
            op.execute(f"DROP TRIGGER e_work_{event} ON register.{table}")
    op.execute("DROP TABLE ops.work_event, ops.work_item, ops.work_due CASCADE")
    op.execute("DROP TRIGGER currency ON stats.state")
    op.execute(
        "DROP FUNCTION ops.note_work(), ops.work_outcome(uuid, text, text, date, date), "
        "ops.service_facts(uuid[], date), ops.service_facts_of(uuid[], date)"
    )
    op.execute("DROP TABLE stats.place_confirmed, stats.place_capacity")
    op.execute(
        "DROP FUNCTION stats.on_confirmed(), stats.on_capacity(), stats.on_state(), stats.recount_currency(), "
        "stats.confirmed_day(date, date)"
    )

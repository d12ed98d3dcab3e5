"""Retention: what has lost its ground goes, the rest stays, a second run finds nothing, a dry run changes nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from db.engine import read_session, write_session
from privacy import audit, retention
from tests.small_city import SmallCity

OLD, YOUNG = "3 years", "1 hour"


@pytest.fixture
def kept(small_city: SmallCity, owner: Engine) -> Engine:
    """One row of each kind that has lost its ground, and one that has not."""
    with write_session(owner) as session:
        for number, age in enumerate((OLD, YOUNG)):
            for statement in (
                """INSERT INTO ops.user_session (token_hash, user_id, expires_at)
                   VALUES (sha256(:n::text::bytea), :user, now() - :age::interval)""",
                "INSERT INTO ops.hall_rate VALUES ('code', sha256(:n::text::bytea), now() - :age::interval, 1)",
                """INSERT INTO register.declaration (code_hash, kind, language, state, building_id, sealed, decided_at)
                   VALUES (sha256(:n::text::bytea), 'changed', 'en', 'rejected', 1, '\\x01', now() - :age::interval)""",
                """INSERT INTO register.person_ask (asked_by, at, kind, sealed)
                   VALUES (:user, now() - :age::interval, 'phone', '\\x01')""",
            ):
                plain = statement.replace(":n::text", "CAST(:n AS text)").replace(
                    ":age::interval", "CAST(:age AS interval)"
                )
                session.execute(
                    text(plain), {"n": str(number), "age": age, "user": small_city.users["officer"]}
                )
        session.execute(text("UPDATE ops.import_run SET finished_at = now() - interval '1 year'"))
        session.execute(
            text("""INSERT INTO register.declaration (code_hash, kind, language, building_id, sealed, at)
                    VALUES (sha256('open'), 'changed', 'en', 1, '\\x01', now() - interval '3 years')""")
        )
    return owner


EXPECTED = {"sessions": 1, "hall_addresses": 1, "rejected_rows": 2, "declarations": 1, "asks": 1}


def test_what_lost_its_ground_goes_once_and_is_told(kept: Engine) -> None:
    assert retention.run(kept, dry_run=True) == EXPECTED
    assert retention.run(kept, dry_run=False) == EXPECTED
    assert retention.run(kept, dry_run=False) == dict.fromkeys(EXPECTED, 0)
    with read_session(kept) as session:
        left = session.execute(text("SELECT count(*) FROM register.declaration")).scalar_one()
        rows = session.execute(text('SELECT line, reason, value, "row" FROM ops.rejected_row')).all()
        told = session.execute(
            text("SELECT params FROM audit.event WHERE action = 'retention.run' ORDER BY id")
        ).all()
        assert audit.first_broken(session) is None
    assert left == 2  # the young one, and the old one that nobody has decided
    assert all(row.reason and row.line and row.value is None and row.row is None for row in rows)
    assert {row.params["rule"]: row.params["rows"] for row in told} == EXPECTED
    assert all(row.params["ids"] and row.params["legal"] for row in told)


@pytest.mark.parametrize(
    ("old", "new"),
    [("days = 3650", "days = 365"), ("after_days = 7\n", "after_days = 0\n"), ('then = "remove"', 'then = "keep"'),
     ("[rules.asks]", "[rules.ask]"), ("legal =", "law =")],
)  # fmt: skip
def test_a_spoiled_file_of_rules_is_refused(old: str, new: str) -> None:
    content = retention._FILE.read_text("utf-8")
    assert old in content
    with pytest.raises(retention.RetentionRulesError):
        retention.read_rules(content.replace(old, new, 1))

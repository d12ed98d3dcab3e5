"""Daily roots: what was handed out tells of a trail rewritten as a whole, with every hash made right again."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from db.engine import read_session, write_session
from privacy import audit, roots
from tests.small_city import SmallCity, plain

# Everything a forger with all rights can do: change an event, then make all hashes, links and the end right again.
REWRITE = """
ALTER TABLE audit.event DISABLE TRIGGER event_append_only;
UPDATE audit.event SET account = 'innocent' WHERE id = 2;
DO $$ DECLARE r audit.event; before bytea; BEGIN
  FOR r IN SELECT * FROM audit.event ORDER BY id LOOP
    UPDATE audit.event SET prev_hash = before,
      hash = sha256(coalesce(before, ''::bytea) || audit.canonical(r)) WHERE id = r.id RETURNING hash INTO before;
  END LOOP;
  UPDATE audit.link l SET hash = x.hash FROM audit.event x WHERE x.id = l.id;
END $$"""


def _trail(owner: Engine) -> tuple[Ed25519PrivateKey, str]:
    """Five events, and the roots of their day and the next as if days had passed."""
    key = Ed25519PrivateKey.generate()
    with write_session(owner) as session:
        for n in range(5):
            audit.write(session, "test", account=f"a{n}")
        made = roots.make_due(session, key, date.today() + timedelta(3))
        assert len(made) >= 2
        content = roots.exported(session, made[0])
    assert content is not None
    return key, content


def _hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def test_a_days_root_is_made_once_and_fits(owner: Engine) -> None:
    key, content = _trail(owner)
    with write_session(owner) as session:
        assert roots.make_due(session, key, date.today() + timedelta(3)) == []
        assert roots.first_broken_day(session, _hex(key)) is None
        assert roots.against_file(session, roots.read_file(content, _hex(key))) is None
        assert audit.first_broken(session) is None  # with the links of those days trimmed
        assert session.execute(text("SELECT count(*) FROM audit.link")).scalar_one() == 1
        audit.write(session, "later")
        assert audit.first_broken(session) is None


def test_a_trail_rewritten_as_a_whole_does_not_fit_the_root(small_city: SmallCity, owner: Engine) -> None:
    key, content = _trail(owner)
    with psycopg.connect(plain(small_city.url)) as connection:
        connection.execute(REWRITE)
    with read_session(owner) as session:
        assert audit.first_broken(session) is None, "the forger did the work well"
        inside = roots.first_broken_day(session, _hex(key))
        outside = roots.against_file(session, roots.read_file(content, _hex(key)))
    assert inside is not None
    assert outside is not None
    assert inside.why == outside.why == "rewritten"


@pytest.mark.parametrize(
    ("change", "why"),
    [("DELETE FROM audit.daily_root WHERE day = (SELECT min(day) FROM audit.daily_root)", "root_removed"),
     ("UPDATE audit.daily_root SET events = events + 1", "rewritten"),
     ("UPDATE audit.daily_root SET root = sha256('x')", "root_changed"),
     ("UPDATE audit.daily_root SET file = file || '{\"events\": 4}'", "root_changed")],
)  # fmt: skip
def test_a_changed_or_missing_root_is_named(
    small_city: SmallCity, owner: Engine, change: str, why: str
) -> None:
    key, _ = _trail(owner)
    with psycopg.connect(plain(small_city.url)) as connection:
        connection.execute("ALTER TABLE audit.daily_root DISABLE TRIGGER daily_root_append_only")
        connection.execute(change)  # type: ignore[call-overload]
    with read_session(owner) as session:
        broken = roots.first_broken_day(session, _hex(key))
    assert broken is not None
    assert broken.why == why


def test_a_root_signed_by_somebody_else_or_altered_is_no_root(owner: Engine) -> None:
    _, content = _trail(owner)
    with pytest.raises(roots.RootFileError):
        roots.read_file(content, _hex(Ed25519PrivateKey.generate()))
    said = json.loads(content)
    for altered in (
        "{}",
        "no",
        json.dumps({**said, "made_at": "2020-01-01"}),
        json.dumps({**said, "events": 1}),
    ):
        with pytest.raises(roots.RootFileError):
            roots.read_file(altered)


def test_the_signing_key_is_made_once_and_a_spoiled_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "audit.key"
    assert _hex(roots.signing_key(file)) == _hex(roots.signing_key(file))
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("spoiled")
    with pytest.raises(roots.SigningKeyError):
        roots.signing_key(file)

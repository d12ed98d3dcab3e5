"""``hexward audit``: read the trail, and verify that nothing in it was changed or removed."""

from __future__ import annotations

import typer
from sqlalchemy import text

import db.engine
from api.cli import language, tell
from api.words import say
from db.engine import read_session
from db.errors import HexwardError
from privacy.audit import first_broken

app = typer.Typer(help="审计记录 / The audit trail", add_completion=False, no_args_is_help=True)


class ChainBroken(HexwardError):
    """The trail was changed; ``id`` is the first event that does not fit."""

    code = "access.chain_broken"


@app.command()
def verify() -> None:
    """Check every link of the chain; exit code 1 and the first broken event when one does not hold / 校验审计链."""
    with read_session(db.engine.engine("owner")) as session:
        broken = first_broken(session)
        events = session.execute(text("SELECT count(*) FROM audit.event")).scalar_one()
    if broken is not None:
        raise ChainBroken(id=broken.id, why=say(language(), f"audit.broken.{broken.why}"))
    tell("cli.audit_whole", events=events)


@app.command("list")
def list_events(
    account: str = typer.Option("", help="只看某账号 / one account only"), most: int = typer.Option(50, min=1)
) -> None:
    """List the newest events / 列出最近的审计记录."""
    with read_session(db.engine.engine("owner")) as session:
        rows = session.execute(
            text(
                """SELECT at, account, role, action, purpose, territory, params FROM audit.event
                   WHERE :account = '' OR account = :account ORDER BY id DESC LIMIT :most"""
            ),
            {"account": account, "most": most},
        ).all()
    for row in rows:
        said = " ".join(f"{k}={v}" for k, v in row.params.items())
        typer.echo(f"{row.at:%Y-%m-%d %H:%M:%S}  {row.account or '-':<16} {row.action:<24} {said}")

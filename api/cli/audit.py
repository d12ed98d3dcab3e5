"""``hexward audit``: read the trail, and verify that nothing in it was changed or removed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import text

import db.engine
from api.cli import language, tell
from api.words import say
from db.engine import raw_copy, read_session, write_session
from db.errors import HexwardError
from population.statistics.rebuild import city_today
from privacy import roots, unusual
from privacy.audit import first_broken

app = typer.Typer(help="审计记录 / The audit trail", add_completion=False, no_args_is_help=True)


class ChainBroken(HexwardError):
    """The trail was changed; ``id`` is the first event that does not fit."""

    code = "access.chain_broken"


@app.command()
def verify(
    root: Annotated[
        Path | None,
        typer.Option(help="与交出去的日根文件核对 / hold the trail to a root file that was handed out"),
    ] = None,
    public_key: str = typer.Option("", help="日根签名的公钥 / public key (hex) the root must be signed with"),
) -> None:
    """Check every link of the chain and every daily root; exit code 1 and the first break / 校验审计链与日根."""
    with read_session(db.engine.engine("owner")) as session:
        broken = first_broken(session)
        if broken is not None:
            raise ChainBroken(id=broken.id, why=say(language(), f"audit.broken.{broken.why}"))
        own = roots.signing_key().public_key().public_bytes_raw().hex()
        _refuse(roots.first_broken_day(session, own))
        if root is not None:
            said = roots.read_file(root.read_text("utf-8"), public_key or None)
            _refuse(roots.against_file(session, said))
        events = session.execute(text("SELECT count(*) FROM audit.event")).scalar_one()
        days = len(roots.listed(session))
    tell("cli.audit_whole", events=events)
    tell("cli.audit_roots_whole", days=days)
    if root is not None:
        tell("cli.audit_file_fits", day=said["day"], file=root)


def _refuse(broken: roots.BrokenDay | None) -> None:
    if broken is not None:
        raise ChainBroken(
            id=broken.id, why=say(language(), f"audit.broken.{broken.why}", day=broken.day.isoformat())
        )


@app.command("root")
def root_of_day(
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="日期，默认最近一天 / the day, by default the newest"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="写入的文件，默认输出到屏幕 / file to write, by default the screen")
    ] = None,
) -> None:
    """Make the roots that are due, and write a day's signed root to hand to another body / 生成并导出日根."""
    with write_session(db.engine.engine("owner")) as session:
        roots.make_due(session, roots.signing_key())
        content = roots.exported(session, None if day is None else day.date())
    if content is None:
        tell("cli.audit_no_root")
        raise typer.Exit(1)
    if out is None:
        typer.echo(content, nl=False)
    else:
        out.write_text(content, "utf-8")
        tell("cli.audit_root_made", day=json.loads(content)["day"])


@app.command("unusual")
def unusual_use(
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="日期，默认今天 / the day, by default today")
    ] = None,
) -> None:
    """Look for unusual use of the register on a day / 查找不寻常的使用."""
    with write_session(db.engine.engine("owner")) as session:
        wanted = city_today(raw_copy(session)) if day is None else day.date()
        findings = unusual.find(session, wanted)
    tell("cli.audit_unusual", day=wanted.isoformat(), findings=findings)


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

"""``hexward retention``: remove or make anonymous what has lost its ground."""

from __future__ import annotations

import typer

import db.engine
from api.cli import language, tell
from privacy import retention

app = typer.Typer(help="保存期限 / Retention", add_completion=False, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Retention / 保存期限."""


@app.command()
def run(dry_run: bool = typer.Option(False, help="只统计，不处理 / only count, change nothing")) -> None:
    """Deal with everything whose ground has ended, and say what / 处理到期的记录."""
    done = retention.run(db.engine.engine("owner"), dry_run=dry_run)
    part = "zh" if language() == "zh-CN" else "en"
    for rule in retention.rules():
        tell("cli.retention_rule", rule=rule.name, rows=done[rule.name], ground=rule.ground[part])
    tell("cli.retention_dry" if dry_run else "cli.retention_done")

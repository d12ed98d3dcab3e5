"""``hexward runs``: what was loaded, and the rows that were rejected as an Excel file to correct."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.engine
from api import runs
from api.cli import language, tell
from db.engine import read_session, write_session
from privacy import audit

app = typer.Typer(help="导入记录 / Load runs", add_completion=False, no_args_is_help=True)

_COLUMNS = {
    "zh-CN": ("编号", "来源", "文件", "状态", "读取", "接受", "拒绝", "开始"),
    "en": ("Run", "Source", "File", "State", "Read", "Accepted", "Rejected", "Started"),
}


@app.command("list")
def list_runs(page: int = typer.Option(1, min=1)) -> None:
    """List load runs, newest first / 列出导入记录."""
    with read_session(db.engine.engine("owner")) as session:
        found = runs.list_runs(session, page)
    if not found.rows:
        tell("cli.no_runs")
        return
    table = Table(*_COLUMNS[language()])
    for row in found.rows:
        table.add_row(
            str(row["id"]),
            row["source"],
            row["file"],
            row["state"],
            *(f"{row[f'rows_{what}'] or 0:,}" for what in ("read", "accepted", "rejected")),
            f"{row['started_at']:%Y-%m-%d %H:%M}",
        )
    Console().print(table)


@app.command()
def show(run_id: int) -> None:
    """Show one run with its rejected rows by reason / 查看一次导入."""
    console = Console(highlight=False)
    with read_session(db.engine.engine("owner")) as session:
        found = runs.run(session, run_id)
        counts = runs.rejected_counts(session, run_id, language(), as_owner=True)
    for name, value in found.items():
        if value not in (None, [], {}):
            console.print(f"{name:>15}  {value}", markup=False)
    for row in counts:
        console.print(f"{row['rows']:>15,}  {row['field'] or '-'}: {row['reason_text']}", markup=False)


@app.command()
def rejected(
    run_id: int,
    out: Annotated[Path, typer.Option(help="要写的 Excel 文件 / Excel file to write")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="不遮盖证件号，会记入审计 / ID numbers unmasked; audited")
    ] = False,
) -> None:
    """Write the rejected rows of a run as an Excel file / 导出被拒绝的行."""
    with write_session(db.engine.engine("owner")) as session:
        body, rows = runs.rejected_file(session, run_id, language(), reveal=reveal)
        source = runs.run(session, run_id)["source"]
        said = {"run": run_id, "reveal": reveal}
        audit.write(session, "rejected_row.export", resource="rejected_row", purpose="data_care", params=said)
    out.write_bytes(body)
    tell("cli.rejected_written", rows=rows, file=out, source=source)

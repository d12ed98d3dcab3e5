"""``hexward settings``: every setting with its default, its present value and what it does."""

from __future__ import annotations

import typer

from api.documented import documented

app = typer.Typer(help="列出全部设置 / List every setting", add_completion=False)


@app.command()
def settings(
    markdown: bool = typer.Option(False, help="写成 docs/settings.md / as docs/settings.md"),
) -> None:
    """Print every setting; secrets are not shown."""
    if markdown:
        from api.documented import as_markdown

        typer.echo(as_markdown(), nl=False)
        return
    for room, found in documented().items():
        typer.echo(f"[{room}]")
        for setting in found:
            typer.echo(f"  {setting.name} = {setting.present()}")
            typer.echo(f"      {setting.description}")

"""``hexward keys``: change the key of what is encrypted while the server runs."""

from __future__ import annotations

import typer

import db.engine
from api.cli import tell
from db.engine import write_session
from population.register import rotation
from privacy import audit

app = typer.Typer(help="加密密钥 / Keys of what is encrypted", add_completion=False, no_args_is_help=True)


@app.command()
def status() -> None:
    """Which keys are in use, and how many values each has / 查看密钥状态."""
    said = rotation.status(db.engine.engine("owner"))
    tell("cli.keys_writes", writes=said["writes"], opens=", ".join(map(str, said["opens"])))
    for column, counts in said["values"].items():
        typer.echo(f"  {column:<36} " + ("  ".join(f"{g}: {n:,}" for g, n in counts.items()) or "-"))


@app.command()
def rotate() -> None:
    """Change the key; the server goes on meanwhile. Broken off, it goes on when called again / 更换密钥，不停机."""
    owner = db.engine.engine("owner")

    def told(column: str, number: int) -> None:
        if number % 100_000 < rotation.BATCH:
            typer.echo(f"  {column}: {number:,}")

    written = rotation.rotate(owner, told)
    with write_session(owner) as session:
        audit.write(session, "keys.rotated", params={"values": written})
    tell("cli.keys_rotated", values=written)


@app.command()
def confirm() -> None:
    """Destroy the old keys once nothing needs them, old backups included / 确认后销毁旧密钥."""
    owner = db.engine.engine("owner")
    gone = rotation.confirm(owner)
    with write_session(owner) as session:
        audit.write(session, "keys.destroyed", params={"generations": gone})
    tell("cli.keys_confirmed", generations=", ".join(map(str, gone)) or "-")

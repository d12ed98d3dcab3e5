"""``hexward serve``: the app on this machine."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from api.cli import tell
from db.errors import HexwardError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

app = typer.Typer(help="启动网页服务 / Serve the app", add_completion=False)


class PortTaken(HexwardError):
    """Another program listens on the port; ``other`` is free."""

    code = "serve.port_taken"


class NoRightToPort(HexwardError):
    """The system keeps the port for its administrator."""

    code = "serve.no_rights"


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ``PortTaken`` naming a free port, or ``NoRightToPort``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on connections; without, each answer waits 40 ms for an ACK.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as problem:
        bound.close()
        if problem.errno == errno.EADDRINUSE:
            raise PortTaken(port=port, other=_free_after(host, port, family)) from problem
        if problem.errno in (errno.EACCES, errno.EPERM):
            raise NoRightToPort(port=port) from problem
        raise
    bound.listen(2048)
    return bound


def _free_after(host: str, port: int, family: socket.AddressFamily) -> int:
    for candidate in range(port + 1, min(port + 200, 65535)):
        with socket.socket(family) as probe:
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return candidate
    return 0


def configuration(application: FastAPI) -> uvicorn.Config:
    """How the server runs: our own log lines instead of uvicorn's, which would hold whole addresses."""
    import uvicorn

    return uvicorn.Config(
        application, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5
    )


def run(
    bound: socket.socket,
    *,
    demo_accounts: bool = False,
    quiet: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve on ``bound`` until stopped; ``ready`` is told the address once connections are answered.

    ``quiet`` logs troubles only, so that what a newcomer must read stays on the screen; a level that was set wins.
    """
    import uvicorn

    from api.app import create_app
    from api.logs import configure
    from api.settings import ApiSettings

    settings = ApiSettings()
    if demo_accounts:
        settings = settings.model_copy(update={"demo_accounts": True})
    chosen = "log_level" in settings.model_fields_set or not quiet
    configure(settings.log_level if chosen else "WARNING")
    host, port = bound.getsockname()[:2]
    if host not in settings.hosts and host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        settings = settings.model_copy(update={"hosts": (*settings.hosts, host)})
    url = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0', '::', '::1') else host}:{port}"  # noqa: S104

    class _Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and ready is not None:
                ready(url)

    _Server(configuration(create_app(settings))).run(sockets=[bound])


@app.command()
def serve(
    host: str = typer.Option(None, help="监听地址 / address to listen on (HEXWARD_HOST)"),
    port: int = typer.Option(None, help="端口 / port (HEXWARD_PORT)"),
    demo_accounts: bool = typer.Option(False, help="允许演示账号一键登录 / allow one-click demo accounts"),
) -> None:
    """Serve the app until Ctrl+C."""
    import db.engine
    import db.migrate
    from api.settings import ApiSettings

    settings = ApiSettings()
    bound = listen(host or settings.host, settings.port if port is None else port)
    db.migrate.upgrade(db.engine.database_url())
    run(bound, demo_accounts=demo_accounts, ready=lambda url: tell("cli.serving", url=url))

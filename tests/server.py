"""The real server on a real port over the small city, and browsers (HTTP clients) signed in as each role."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pyotp
import pytest
import uvicorn
from sqlalchemy import text

from api import logs
from api.app import create_app
from api.cli.serve import configuration
from api.settings import ApiSettings
from api.state import Engines
from db.engine import make_engine
from maps import memory
from tests.small_city import PASSWORD, SmallCity


@dataclass
class Served:
    """A running server: its address, its engines, everything it has logged."""

    url: str
    city: SmallCity
    engines: Engines
    log: io.StringIO
    settings: ApiSettings
    devices: dict[str, pyotp.TOTP] = field(default_factory=dict)

    def browser(self, role: str | None = None, *, password: str = PASSWORD, **headers: str) -> httpx.Client:
        """A client with its own cookies; signed in when a role is given."""
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        if role is not None:
            given = {"account": role, "password": password}
            answer = client.post("/api/session", json=given)
            if (
                answer.status_code == 401
                and answer.json()["code"].startswith("signin.")
                and role in self.city.users
            ):
                answer = client.post("/api/session", json=given | {"code": self.code(role, password)})
            assert answer.status_code == 200, answer.text
        return client

    def code(self, role: str, password: str = PASSWORD) -> str:
        """A code of the account's device, which is set up when there is none; good even right after another one."""
        if role not in self.devices:
            with httpx.Client(base_url=self.url, timeout=60) as client:
                told = client.post("/api/session/totp", json={"account": role, "password": password})
            assert told.status_code == 200, told.text
            self.devices[role] = pyotp.TOTP(told.json()["secret"])
        with self.engines.owner.begin() as connection:
            connection.execute(
                text("UPDATE ops.totp SET last_step = 0 WHERE user_id = :id"), {"id": self.city.users[role]}
            )
        return self.devices[role].now()


def serve(city: SmallCity, settings: ApiSettings) -> Iterator[Served]:
    """Run the server in a thread until the generator is closed."""
    memory.forget()
    log = io.StringIO()
    logs.configure(settings.log_level, log)
    engines = Engines(
        owner=make_engine(city.url, 4),
        app=make_engine(city.address("app"), 4),
        pub_reader=make_engine(city.address("pub_reader"), 4),
        builder=make_engine(city.address("stat_builder"), 2),
        auditor=make_engine(city.address("auditor"), 2),
    )
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)
    server = uvicorn.Server(configuration(create_app(settings, engines)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    assert server.started
    try:
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", city, engines, log, settings)
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        engines.dispose()
        memory.forget()


@pytest.fixture
def served(small_city: SmallCity) -> Iterator[Served]:
    """A server of its own over a copy of the small city."""
    yield from serve(small_city, ApiSettings(advance_day=False))


Browser = Callable[..., httpx.Client]


@pytest.fixture
def browser(served: Served) -> Iterator[Browser]:
    """Opens clients by role and closes them after the test."""
    opened: list[httpx.Client] = []

    def open_one(role: str | None = None, **more: str) -> httpx.Client:
        opened.append(served.browser(role, **more))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()


__all__ = ["browser", "served"]

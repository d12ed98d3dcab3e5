"""The demo city as a newcomer gets it (``hexward demo``), served by the real server, and a real Chromium over it."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from db import testing

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 300


def _lines(stream: IO[str], into: queue.Queue[str | None]) -> None:
    for line in stream:
        into.put(line)
    into.put(None)


def _address(lines: queue.Queue[str | None]) -> str:
    """The address in what ``hexward demo`` prints once it answers. Fails with all that was printed instead."""
    said: list[str] = []
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            continue
        if line is None:
            break
        said.append(line)
        found = re.search(r"http://[\w.]+:(\d+)", line)
        if found:
            return f"http://127.0.0.1:{found.group(1)}"
    pytest.fail("the demo did not start:\n" + "".join(said))


@pytest.fixture(scope="session")
def demo_url(template_db: str) -> Iterator[str]:
    """Address of a server over a demo city loaded into a database of its own."""
    if not (PROJECT / "web" / "dist" / "index.html").is_file():
        pytest.fail("the front end is not built: npm run build in web/")
    database = testing.create_clone(template_db, "browser")
    command = [
        sys.executable,
        "-c",
        "from api.cli import main; main()",
        "demo",
        "--size",
        "district",
        "--port",
        "0",
    ]
    server = subprocess.Popen(
        command, cwd=PROJECT, env={**os.environ, "DATABASE_URL": database, "HEXWARD_LANG": "en", "COLUMNS": "200"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_lines, args=(server.stdout, lines), daemon=True)
    reader.start()
    try:
        yield _address(lines)
    finally:
        server.terminate()
        server.wait(30)
        reader.join(10)
        server.stdout.close()
        testing.drop(database)


@dataclass
class Visit:
    """A page of the app with everything it complained about and every address it asked outside the server."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Listen to the console, to errors and to requests from now on."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        # Asking who is signed in is answered 401 when nobody is; Chromium notes that by itself.
        asked_who = message.location.get("url", "").endswith("/api/session") and "401" in message.text
        if message.type == "error" and not asked_who:
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.outside.append(request.url)

    def enter(self, role: str) -> None:
        """Sign in by the demo card of ``role`` and wait for the map."""
        card = self.page.locator(f'[data-demo="{role}"]')
        card.wait_for(state="attached")
        if not card.is_visible():  # under "more roles"
            self.page.click("details summary")
        card.click()
        self.page.wait_for_selector("nav.rail")
        self.drawn()

    def open(self, path: str) -> None:
        """Go to an address of the app."""
        self.page.goto(self.url + path)

    def drawn(self) -> None:
        """Wait until the map has drawn all that it asked for."""
        self.page.wait_for_selector('[data-testid="map"] canvas')
        until = time.monotonic() + 60
        while not self.page.evaluate("document.querySelector('[data-testid=map]')?.isDrawn?.() ?? false"):
            assert time.monotonic() < until, "the map was not drawn within a minute"
            self.page.wait_for_timeout(100)

    def get(self, path: str) -> Any:
        """What the API answers the signed-in person."""
        answer = self.page.request.get(self.url + path)
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()


Visitor = Callable[..., Visit]


@pytest.fixture
def visit(chromium: Browser, demo_url: str) -> Iterator[Visitor]:
    """Opens the app; afterwards nothing may have complained or been asked for outside the server."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def open_one(lang: str = "zh-CN", path: str = "/", **options: Any) -> Visit:
        size = options.pop("viewport", {"width": 1280, "height": 800})
        context = chromium.new_context(viewport=size, locale=lang, accept_downloads=True, **options)
        contexts.append(context)
        made = Visit(context.new_page(), demo_url)
        made.watch()
        visits.append(made)
        made.open(path)
        return made

    yield open_one
    for context in contexts:
        context.close()
    assert [line for one in visits for line in one.complaints] == []
    assert [address for one in visits for address in one.outside] == []

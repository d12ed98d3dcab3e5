"""Fixtures every room's tests share: a real database a test, and the real data beside the project."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db import testing
from db.engine import make_engine

CHROMIUM_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
]  # fmt: skip
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def template_db() -> str:
    """Name of the template database built by the migrations."""
    return testing.template_database()


@pytest.fixture
def database(template_db: str) -> Iterator[str]:
    """Address of a fresh database, dropped afterwards."""
    url = testing.create_clone(template_db)
    yield url
    testing.drop(url)


@pytest.fixture
def database_engine(database: str) -> Iterator[Engine]:
    """Owner's engine on a fresh database."""
    made = make_engine(database, pool_size=4)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def worker_engine(template_db: str) -> Iterator[Engine]:
    """Owner's engine on a database this test process keeps; use through ``session``, which rolls back."""
    url = testing.create_clone(template_db, "worker")
    made = make_engine(url, pool_size=4)
    yield made
    made.dispose()
    testing.drop(url)


@pytest.fixture
def session(worker_engine: Engine) -> Iterator[Session]:
    """A session whose work is rolled back after the test."""
    with worker_engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as made:
            yield made
        transaction.rollback()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data; absent: skipped on a developer's machine, an error in CI."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"real data is missing: {SHARED_DATA}")
        pytest.skip(f"real data is not here: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium a test process: a second Playwright beside it would refuse to start."""
    named = os.environ.get("HEXWARD_CHROMIUM")
    found = (
        named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )
    assert found, "Chromium is not installed: apt-get install chromium, or name it in HEXWARD_CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()

"""Single sign-on against a real provider (oidc-provider on Node) that is installed and started here."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from api import accounts
from api.settings import ApiSettings
from db.engine import write_session
from tests.server import Served, serve
from tests.small_city import PASSWORD, SmallCity

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[str, str]]:
    """Address of the provider, and the server's own address that it sends people back to."""
    if not (HERE / "node_modules" / "oidc-provider").is_dir():
        subprocess.run(["npm", "ci"], cwd=HERE, check=True, capture_output=True, timeout=300)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        public = f"http://127.0.0.1:{free.getsockname()[1]}"
    running = subprocess.Popen(
        ["node", "provider.mjs", f"{public}/api/oidc/callback"],
        cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    yield next(line.strip() for line in running.stdout if line.startswith("http")), public
    running.terminate()
    running.wait(20)
    running.stdout.close()


@contextmanager
def _server(city: SmallCity, provider: tuple[str, str], **more: object) -> Iterator[Served]:
    settings = ApiSettings(
        advance_day=False, oidc_issuer=provider[0], oidc_client_secret=SecretStr("a secret with: signs/&"),
        public_url=provider[1], oidc_name="Test", **more,
    )  # type: ignore[arg-type]  # fmt: skip
    yield from serve(city, settings)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes the browsers of a test."""
    with ExitStack() as stack:
        yield stack


def _at_provider(
    opened: ExitStack, served: Served, public: str, who: str, back: str = "/"
) -> tuple[httpx.Client, str]:
    """Go to the provider as a browser does, say who one is and agree; the address it sends the browser back to."""
    browser = opened.enter_context(httpx.Client(timeout=60))
    answer = browser.get(f"{served.url}/api/oidc/login", params={"back": back})
    for _ in range(12):
        if answer.is_redirect:
            to = urljoin(str(answer.url), answer.headers["location"])
            if to.startswith(public):
                return browser, to
            answer = browser.get(to)
            continue
        action = re.search(r'action="([^"]+)"', answer.text)
        assert action, answer.text
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        assert prompt
        form = {"prompt": prompt.group(1), "login": who, "password": "any"}
        answer = browser.post(urljoin(str(answer.url), action.group(1)), data=form)
    raise AssertionError("the provider did not send the browser back")


def _back(served: Served, browser: httpx.Client, public: str, address: str) -> httpx.Response:
    return browser.get(address.replace(public, served.url))


def test_signing_in_by_a_real_provider(
    small_city: SmallCity, owner: Engine, provider: tuple[str, str], opened: ExitStack
) -> None:
    public = provider[1]
    with write_session(owner) as session:
        accounts.add(session, "li.wei", "manager", name_zh="李", name_en="Li", password=PASSWORD)
        accounts.link_subject(session, "li.wei", provider[0], "li.wei:staff")
    with _server(
        small_city,
        provider,
        oidc_second_factor=True,
        oidc_roles={"stats": "analyst", "root": "administrator"},
    ) as served:
        browser, address = _at_provider(opened, served, public, "li.wei:staff", "/account?lang=en")
        answer = _back(served, browser, public, address)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account?lang=en")
        assert browser.get(f"{served.url}/api/session").json()["user"]["account"] == "li.wei"
        # the answer counts once, and only in the browser that asked
        assert "oidc.state" in _back(served, browser, public, address).headers["location"]
        _, stolen = _at_provider(opened, served, public, "li.wei:staff")
        stranger = opened.enter_context(httpx.Client(timeout=60))
        assert "oidc.state" in _back(served, stranger, public, stolen).headers["location"]
        assert stranger.get(f"{served.url}/api/session").status_code == 401
        # a claim makes an analyst, never more, and never a demo account
        for who, where in (("a:stats", "/"), ("b:root", "oidc.role"), ("c", "oidc.no_account"),
                           ("officer", "oidc.no_account")):  # fmt: skip
            browser, address = _at_provider(opened, served, public, who, "//evil.example/")
            assert _back(served, browser, public, address).headers["location"].endswith(where), who
        # an answer with a wrong code, or from another issuer, lets nobody in
        for change in ({"code": "wrong"}, {"iss": "http://evil.example"}):
            browser, address = _at_provider(opened, served, public, "a:stats")
            asked = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()} | change
            answer = browser.get(f"{served.url}/api/oidc/callback", params=asked)
            assert "oidc.token" in answer.headers["location"]
    with owner.connect() as connection:
        roles = connection.execute(
            text("""SELECT role FROM ops."user" WHERE account LIKE 'sso.%'""")
        ).scalars()
        assert list(roles) == ["analyst"]


def test_a_role_that_sees_persons_needs_a_second_factor_at_the_provider(
    small_city: SmallCity, owner: Engine, provider: tuple[str, str], opened: ExitStack
) -> None:
    with write_session(owner) as session:
        accounts.add(session, "li.wei", "manager", name_zh="李", name_en="Li", password=PASSWORD)
    with _server(small_city, provider, oidc_account_claim="preferred_username") as served:
        browser, address = _at_provider(opened, served, provider[1], "li.wei")
        answer = _back(served, browser, provider[1], address)
        assert "oidc.second_factor" in answer.headers["location"]
        assert browser.get(f"{served.url}/api/session").status_code == 401

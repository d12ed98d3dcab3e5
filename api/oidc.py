"""Single sign-on by an OpenID Connect provider: authorization code with PKCE, state, nonce, discovery, JWKS.

``start`` remembers one attempt in the database (its state only as a hash, tied to the browser by a cookie of its own)
and gives the provider's address; ``finish`` takes the attempt away, fetches the token and returns its claims. What an
account may do comes from here, never from the provider: claims lead to an account, or to a new one without duty.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import accounts, signin
from api.recent import Recent
from api.settings import ApiSettings
from db.errors import HexwardError
from privacy.access import policy

_ALGORITHMS = ["RS256", "ES256", "PS256", "EdDSA"]
_KNOWN = Recent(8)
_SECOND = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fido"})


class OidcOff(HexwardError):
    """No provider is set up."""

    code = "oidc.off"


class OidcUnreachable(HexwardError):
    """The provider does not answer, or not in the way the standard says."""

    code = "oidc.unreachable"


class OidcRefused(HexwardError):
    """The provider's answer does not let anybody in; the code says why."""

    code = "oidc.refused"


@dataclass(frozen=True)
class Attempt:
    """One attempt to sign in."""

    address: str
    browser: str


@dataclass(frozen=True)
class Finished:
    """The claims of a checked token, and where in the app to go on."""

    claims: dict[str, Any]
    back: str


def safe_path(path: str | None) -> str:
    """``path`` when it leads to a page of this app, else the first page: nobody is sent to another site.

    >>> safe_path("/people/1?x=2"), safe_path("//evil.example"), safe_path("/\\\\evil.example"), safe_path("https://x/")
    ('/people/1?x=2', '/', '/', '/')
    """
    found = path or "/"
    parts = urlsplit(found)
    if parts.scheme or parts.netloc or not re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", found):
        return "/"
    return "/" if found.startswith("/api/") else found


def start(session: Session, settings: ApiSettings, way_back: str, back: str | None) -> Attempt:
    """Remember an attempt for ten minutes; the provider's address to go to. Raises OidcOff, OidcUnreachable."""
    found = _discovered(settings)
    state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
    session.execute(text("DELETE FROM ops.oidc_flow WHERE expires_at < clock_timestamp()"))
    session.execute(
        text(
            """INSERT INTO ops.oidc_flow (state_hash, browser_hash, nonce, verifier, back, expires_at)
               VALUES (:state, :browser, :nonce, :verifier, :back, clock_timestamp() + interval '10 min')"""
        ),
        {"state": _hash(state), "browser": _hash(browser), "nonce": nonce, "verifier": verifier,
         "back": safe_path(back)},
    )  # fmt: skip
    params = {
        "response_type": "code",
        "client_id": settings.oidc_client_id,
        "redirect_uri": way_back,
        "scope": settings.oidc_scopes,
        "state": state,
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    return Attempt(add_params_to_uri(found["authorization_endpoint"], list(params.items())), browser)


def take(session: Session, state: str | None, browser: str | None) -> Any:
    """The attempt of ``state`` begun in this ``browser``; it is gone afterwards. Raises OidcRefused."""
    row = session.execute(
        text(
            """DELETE FROM ops.oidc_flow WHERE state_hash = :state AND browser_hash = :browser
               AND expires_at > clock_timestamp() RETURNING nonce, verifier, back"""
        ),
        {"state": _hash(state or ""), "browser": _hash(browser or "")},
    ).one_or_none()
    if row is None:
        raise OidcRefused("oidc.state")
    return row


def finish(settings: ApiSettings, flow: Any, way_back: str, code: str, issuer: str | None) -> Finished:
    """Exchange ``code`` and check the ID token. Raises OidcOff, OidcUnreachable, OidcRefused."""
    found = _discovered(settings)
    if issuer is not None and issuer != found["issuer"]:  # RFC 9207: an answer of another provider mixed in
        raise OidcRefused("oidc.token")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": way_back,
        "code_verifier": flow.verifier,
        "client_id": settings.oidc_client_id,
    }
    secret = settings.oidc_client_secret
    if secret is not None:
        login = httpx.BasicAuth(quote(settings.oidc_client_id, ""), quote(secret.get_secret_value(), ""))
    with _client() as client:
        try:
            answer = client.post(
                found["token_endpoint"], data=form, auth=httpx.USE_CLIENT_DEFAULT if secret is None else login
            )
            token = answer.json()
        except (httpx.HTTPError, ValueError) as wrong:
            raise OidcUnreachable() from wrong
    if answer.status_code != httpx.codes.OK or not isinstance(token.get("id_token"), str):
        raise OidcRefused("oidc.token")
    return Finished(_claims(settings, found, token["id_token"], flow.nonce), flow.back)


def account_of(session: Session, settings: ApiSettings, claims: dict[str, Any]) -> signin.Account:
    """The account the claims lead to. Raises OidcRefused: nobody gets duty by a claim.

    A linked subject first; then, where the city trusts the claim, the account of that name; then a new account in a
    role without duty and without sight of persons.
    """
    issuer, subject = str(claims["iss"]), str(claims["sub"])
    row = _linked(session, issuer, subject)
    if row is None and settings.oidc_account_claim:
        named = claims.get(settings.oidc_account_claim)
        row = _named(session, str(named), issuer, subject) if isinstance(named, str) else None
    if row is None:
        row = _made(session, settings, claims, issuer, subject)
    if row is None:
        raise OidcRefused("oidc.no_account")
    if policy().terms(row.role).second_factor and not settings.oidc_second_factor:
        used = claims.get("amr") or []
        if not isinstance(used, list) or _SECOND.isdisjoint(map(str, used)):
            raise OidcRefused("oidc.second_factor")
    return signin.Account(row.id, row.account, row.role, row.name, False)


_COLUMNS = "u.id, u.account, u.role, u.name"


def _linked(session: Session, issuer: str, subject: str) -> Any:
    return session.execute(
        text(
            f"""SELECT {_COLUMNS} FROM ops.oidc_link l JOIN ops."user" u ON u.id = l.user_id
                WHERE l.issuer = :issuer AND l.subject = :subject AND u.disabled_at IS NULL"""  # noqa: S608
        ),
        {"issuer": issuer, "subject": subject},
    ).one_or_none()


def _named(session: Session, account: str, issuer: str, subject: str) -> Any:
    row = session.execute(
        text(
            f"""SELECT {_COLUMNS} FROM ops."user" u WHERE u.account = :account AND NOT u.is_demo
                AND u.disabled_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM ops.oidc_link l WHERE l.user_id = u.id AND l.issuer = :issuer)"""  # noqa: S608
        ),
        {"account": account, "issuer": issuer},
    ).one_or_none()
    if row is not None:
        _link(session, row.id, issuer, subject)
    return row


def _made(session: Session, settings: ApiSettings, claims: dict[str, Any], issuer: str, subject: str) -> Any:
    """A new account of the role that a claim of the person maps to, None when none does."""
    given = claims.get(settings.oidc_roles_claim) or []
    values = {str(v) for v in (given if isinstance(given, list) else [given])}
    role = next((role for value, role in settings.oidc_roles.items() if value in values), None)
    if role is None:
        return None
    if may_be_made(role):
        known = session.execute(
            text("SELECT 1 FROM ops.oidc_link WHERE issuer = :issuer AND subject = :subject"),
            {"issuer": issuer, "subject": subject},
        ).one_or_none()
        if known is not None:  # its account was disabled; it is not made again
            return None
        name = str(claims.get("name") or subject)[:64]
        account = f"sso.{hashlib.sha256(f'{issuer} {subject}'.encode()).hexdigest()[:12]}"
        made = accounts.add_external(session, account, role, name)
        _link(session, made, issuer, subject)
        return _linked(session, issuer, subject)
    raise OidcRefused("oidc.role")


def may_be_made(role: str) -> bool:
    """Whether an account of ``role`` may come into being by a claim alone. Raises UnknownWord.

    >>> may_be_made("analyst"), may_be_made("officer"), may_be_made("administrator"), may_be_made("department_reader")
    (True, False, False, False)
    """
    terms = policy().terms(role)
    return terms.figures == "threshold" and not terms.second_factor and not policy().sees_persons(role)


def _link(session: Session, user_id: UUID, issuer: str, subject: str) -> None:
    session.execute(
        text("INSERT INTO ops.oidc_link (issuer, subject, user_id) VALUES (:issuer, :subject, :id)"),
        {"issuer": issuer, "subject": subject, "id": user_id},
    )


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()


def _client() -> httpx.Client:
    return httpx.Client(timeout=10, follow_redirects=False, trust_env=False)


def _read(address: str) -> dict[str, Any]:
    with _client() as client:
        try:
            answer = client.get(address)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as wrong:
            raise OidcUnreachable() from wrong
    if not isinstance(found, dict):
        raise OidcUnreachable()
    return found


def _discovered(settings: ApiSettings) -> dict[str, Any]:
    """What the provider says of itself; kept ten minutes. Its issuer must be the one that is set (RFC 8414, 3.3)."""
    if settings.oidc_issuer is None:
        raise OidcOff()
    issuer = settings.oidc_issuer.rstrip("/")
    kept = _KNOWN.get(issuer)
    if kept is not None:
        return dict(kept)
    found = _read(f"{issuer}/.well-known/openid-configuration")
    wanted = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
    if any(not isinstance(found.get(name), str) for name in wanted) or found["issuer"].rstrip("/") != issuer:
        raise OidcUnreachable()
    _KNOWN.put(issuer, found, 600)
    return found


def _claims(settings: ApiSettings, found: dict[str, Any], id_token: str, nonce: str) -> dict[str, Any]:
    """The claims of an ID token whose signature, issuer, audience, times and nonce are right. Raises OidcRefused."""
    try:
        keys = KeySet.import_key_set(_read(found["jwks_uri"]))  # type: ignore[arg-type]
        token = jwt.decode(id_token, keys, algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": found["issuer"]},
            sub={"essential": True},
            aud={"essential": True, "value": settings.oidc_client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(token.claims)
    except (JoseError, ValueError) as wrong:
        raise OidcRefused("oidc.token") from wrong
    claims = dict(token.claims)
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != settings.oidc_client_id:
        raise OidcRefused("oidc.token")
    return claims

"""Single sign-on: to the provider and back. Browsers come here by plain links, so answers are redirects."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api import door, oidc
from api.state import state_of
from db.engine import write_session
from db.errors import HexwardError
from privacy import audit

router = APIRouter(prefix="/api/oidc", tags=["session"])
BROWSER = "hexward_oidc"
_PATH = "/api/oidc"


def _way_back(request: Request) -> str:
    public = state_of(request).settings.public_url
    return f"{(public or str(request.base_url)).rstrip('/')}{_PATH}/callback"


@router.get("/login")
def login(request: Request, back: Annotated[str | None, Query(max_length=2000)] = None) -> Response:
    """Send the browser to the sign-in provider; `back` is the page of the app to come back to."""
    state = state_of(request)
    try:
        with write_session(state.engines.owner) as session:
            attempt = oidc.start(session, state.settings, _way_back(request), back)
    except HexwardError as refused:
        return _to_sign_in(refused)
    answer = RedirectResponse(attempt.address, 303, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        BROWSER, attempt.browser, max_age=600, path=_PATH, httponly=True, samesite="lax",
        secure=door.is_secure(request, state.settings),
    )  # fmt: skip
    return answer


@router.get("/callback")
def callback(
    request: Request,
    state: Annotated[str | None, Query(max_length=500)] = None,
    code: Annotated[str | None, Query(max_length=4000)] = None,
    iss: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Take the provider's answer, open a session and go on to the page that was asked for."""
    app = state_of(request)
    try:
        with write_session(app.engines.owner) as session:
            flow = oidc.take(session, state, request.cookies.get(BROWSER))
        if not code:
            raise oidc.OidcRefused("oidc.cancelled")
        finished = oidc.finish(app.settings, flow, _way_back(request), code, iss)
        with write_session(app.engines.owner) as session:
            account = oidc.account_of(session, app.settings, finished.claims)
            token = door.open_for(session, request, account, by="oidc")
    except HexwardError as refused:
        with write_session(app.engines.owner) as session:
            audit.write(session, "sign_in_refused", params={"code": refused.code, "by": "oidc"})
        return _to_sign_in(refused)
    answer = RedirectResponse(finished.back, 303, headers={"Cache-Control": "no-store"})
    door.set_cookie(answer, request, token, account.role)
    answer.delete_cookie(BROWSER, path=_PATH, httponly=True, samesite="lax")
    return answer


def _to_sign_in(refused: HexwardError) -> Response:
    """Back to the sign-in page, which says in words what the code means."""
    query = urlencode({"refused": refused.code})
    return RedirectResponse(f"/?{query}", 303, headers={"Cache-Control": "no-store"})

"""What every request passes: host and origin checks, body limit, security headers, time and count, one log line."""

from __future__ import annotations

import secrets
import time
from urllib.parse import urlsplit

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.logs import logger
from api.metrics import Metrics
from api.settings import ApiSettings

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

# MapLibre builds its workers from blobs and draws tiles it fetched from this server; nothing comes from elsewhere.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "child-src blob:",
        "manifest-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), payment=(), usb=(), geolocation=(self)"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def route_template(scope: Scope) -> str:
    """The template of the route that answered, such as /api/runs/{id}; never the path itself."""
    route = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    return str(path) if path else "(none)"


class Guard:
    """The outermost layer of the app, plain ASGI so that it costs little and touches no body."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, metrics: Metrics) -> None:
        self.app = app
        self.settings = settings
        self.metrics = metrics
        self.limit = settings.max_body_mb * 2**20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        answered = {"status": 0}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(h for h in _HEADERS if h[0] not in present),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        request = Request(scope)
        try:
            refused = self._refusal(request)
            if refused is not None:
                await refused(scope, receive, send_guarded)
            else:
                await self.app(scope, self._counting(receive), send_guarded)
        except Exception as error:  # noqa: BLE001 - the last place before the server; nothing is swallowed
            logger().error("failed", route=route_template(scope), exc_info=error)
            if answered["status"] == 0:
                await _failed(request, request_id)(scope, receive, send_guarded)
        finally:
            self._record(scope, answered["status"] or 500, time.perf_counter() - started)

    def _refusal(self, request: Request) -> Response | None:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        if host not in self.settings.hosts and "*" not in self.settings.hosts:
            return problem(request, "request.unknown_host")
        if request.method not in _SAFE and not self._same_origin(request):
            return problem(request, "request.foreign_origin")
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self.limit:
            return problem(request, "request.too_large", {"limit_mb": self.settings.max_body_mb})
        return None

    def _same_origin(self, request: Request) -> bool:
        """A browser names the origin of an unsafe request; programs name none and carry no foreign cookies."""
        origin = request.headers.get("origin")
        if origin is None:
            return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        return origin != "null" and urlsplit(origin).netloc == request.headers.get("host")

    def _counting(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise HTTPException(413)  # the one kind of error that the body's readers let through
            return message

        return counted

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_template(scope)
        self.metrics.seen(scope["method"], route, status, seconds)
        logger().info(
            "request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1)
        )


def _failed(request: Request, request_id: str) -> Response:
    try:
        return problem(request, "internal", {"request_id": request_id})
    except Exception:  # noqa: BLE001 - even the words failed; still answer in the right form
        body = orjson.dumps({"type": "about:blank", "title": "Fault", "status": 500, "code": "internal"})
        return Response(body, 500, media_type="application/problem+json")

"""Ready-made answers: JSON by orjson, and bytes of one person's view with an ETag that keeps them in that browser."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import Request
from starlette.responses import Response

MVT = "application/vnd.mapbox-vector-tile"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return str(value) if not hasattr(value, "__float__") else float(value)


def encode(content: Any) -> bytes:
    """``content`` as JSON; dates as ISO 8601, decimals as numbers, numpy as it stands."""
    return orjson.dumps(content, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def json_answer(content: Any, status: int = 200) -> Response:
    """JSON that no cache keeps (accounts, sessions)."""
    return Response(encode(content), status, {"Cache-Control": "no-store"}, media_type="application/json")


def own_view(
    request: Request, body: bytes, media_type: str, headers: dict[str, str] | None = None
) -> Response:
    """Figures of one person's territory: kept by that browser only, and asked again each time (ETag, 304)."""
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    kept = {
        "Cache-Control": "private, no-cache",
        "ETag": tag,
        "Vary": "Cookie, Accept-Encoding, Accept-Language",
        **(headers or {}),
    }
    asked = [t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")]
    if tag in asked:
        return Response(None, 304, kept)
    return Response(body, 200, kept, media_type=media_type)


def own_json(request: Request, content: Any) -> Response:
    """JSON of one person's view."""
    return own_view(request, encode(content), "application/json")


def download(body: bytes, name: str, media_type: str) -> Response:
    """A file to keep, under a name that may hold Chinese (RFC 6266)."""
    ascii_name = name.encode("ascii", "ignore").decode().replace('"', "") or "hexward"
    disposition = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name)}"
    return Response(
        body, 200, {"Content-Disposition": disposition, "Cache-Control": "no-store"}, media_type=media_type
    )

"""The built front end: hashed assets for ever, the page itself fresh, and the page for every address of the app."""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, Response

from api.errors import language_of, problem
from api.words import say

_HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.(?:js|css|woff2?|png|svg|json|wasm|webmanifest)$")
_OURS = ("api/", "docs/", "metrics/", "health/")

mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


def install(app: FastAPI, folder: Path) -> None:
    """Serve ``folder``; must come after every other route."""
    root = folder.resolve()

    @app.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def page(path: str, request: Request) -> Response:
        if path.startswith(_OURS):
            return problem(request, "request.not_found")
        file = (root / path).resolve()
        if path and file.is_relative_to(root) and file.is_file():
            lasting = path.startswith("assets/") and _HASHED.search(path) is not None
            keep = "public, max-age=31536000, immutable" if lasting else "no-cache"
            return FileResponse(file, headers={"Cache-Control": keep})
        if "." in path.rpartition("/")[2]:
            return problem(request, "request.not_found")
        hall = path == "hall" or path.startswith("hall/")
        index = root / ("hall.html" if hall else "index.html")
        if index.is_file():
            return FileResponse(index, headers={"Cache-Control": "no-cache"})
        words = say(language_of(request), "cli.no_front_end", folder=str(root))
        return Response(words, 503, {"Cache-Control": "no-store"}, media_type="text/plain; charset=utf-8")

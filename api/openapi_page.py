"""``/docs``: the HTTP API as one page of plain HTML, made from its own description; nothing is loaded from outside."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response

from api.errors import STATUS, language_of
from api.words import say, words

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1d2329;
background:#fff}h2{margin-top:2rem;border-bottom:1px solid #d5dade}code,.path{font-family:ui-monospace,monospace}
.verb{display:inline-block;min-width:4rem;font-weight:600}table{border-collapse:collapse;margin:.3rem 0 1rem}
td,th{border:1px solid #d5dade;padding:.15rem .6rem;text-align:left;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#14181c;color:#e4e8eb}td,th,h2{border-color:#39424a}}"""


def install(app: FastAPI) -> None:
    """Serve the page and its style sheet."""

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        return HTMLResponse(_page(app.openapi(), language_of(request)))

    @app.get("/docs/style.css", include_in_schema=False)
    def style() -> Response:
        return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=86400"})


def _page(description: dict[str, Any], language: str) -> str:
    parts = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>Hexward API</title>',
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs/style.css"></head>',
        f"<body><h1>Hexward {escape(description['info']['version'])}</h1><p>{escape(say(language, 'docs.intro'))} ",
        '<a href="/api/openapi.json">OpenAPI</a></p>',
    ]
    by_tag: dict[str, list[str]] = {}
    for path, verbs in description["paths"].items():
        for verb, told in verbs.items():
            by_tag.setdefault((told.get("tags") or ["other"])[0], []).append(_route(path, verb, told))
    for tag, routes in by_tag.items():
        parts += [f"<h2>{escape(tag)}</h2>", *routes]
    parts += [f"<h2>{escape(say(language, 'docs.errors'))}</h2>", _errors(language), "</body></html>"]
    return "".join(parts)


def _route(path: str, verb: str, told: dict[str, Any]) -> str:
    rows = []
    for parameter in told.get("parameters", []):
        schema = parameter.get("schema", {})
        values = schema.get("enum") or [k for x in schema.get("anyOf", []) for k in x.get("enum", [])]
        kind = (
            " | ".join(map(str, values))
            or schema.get("type")
            or "/".join(
                str(x.get("format") or x.get("type"))
                for x in schema.get("anyOf", [])
                if x.get("type") != "null"
            )
        )
        default = schema.get("default")
        rows.append(
            f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(str(kind))}</td>"
            f"<td>{escape('' if default is None else str(default))}</td>"
            f"<td>{escape(parameter.get('description') or schema.get('description') or '')}</td></tr>"
        )
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    text = escape(told.get("description") or told.get("summary") or "")
    return f'<p><span class="verb">{verb.upper()}</span><span class="path">{escape(path)}</span><br>{text}</p>{table}'


def _errors(language: str) -> str:
    known = words(language)
    rows = [
        f'<tr id="error-{escape(code)}"><td><code>{escape(code)}</code></td><td>{status}</td>'
        f"<td>{escape(known[code])}</td></tr>"
        for code, status in sorted(STATUS.items())
        if code in known
    ]
    return f"<table>{''.join(rows)}</table>"

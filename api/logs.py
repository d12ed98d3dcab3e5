"""Structured logs without personal data: JSON lines of route templates, statuses and times, never of values.

What never enters a log: request bodies, query strings, paths with identifiers (the route's template stands in
for them), cookies, account names, the text of database errors (it quotes values).
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_ALLOWED_LIBRARIES = ("uvicorn.error", "hexward", "alembic.runtime.migration")


def describe(error: BaseException) -> dict[str, Any]:
    """The kind of an error and where it came from, without its message (a message may quote a person's data).

    >>> try:
    ...     raise ValueError("11010519491231002X")
    ... except ValueError as e:
    ...     describe(e)["error"]
    'ValueError'
    """
    frames = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    chain: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(chain) < 5:
        chain.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    found: dict[str, Any] = {"error": type(error).__name__, "at": frames[-12:], "caused_by": chain}
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    if isinstance(state, str):
        found["sqlstate"] = state
    return found


def _no_messages_of_exceptions(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.update(describe(error))
    return event


def _lifecycle_only(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """uvicorn formats whole tracebacks into its message when an application fails: keep the first line."""
    event["event"] = str(event.get("event", "")).splitlines()[0] if event.get("event") else ""
    return event


def configure(level: str = "INFO", out: TextIO | None = None) -> None:
    """Send every log line, ours and the libraries', as one JSON object to ``out`` (standard error by default)."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _no_messages_of_exceptions,
        _lifecycle_only,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("WARNING")
    for name in _ALLOWED_LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(level)
    # Libraries that log values of statements or addresses with query strings.
    for name in (
        "sqlalchemy",
        "psycopg",
        "httpx",
        "httpcore",
        "uvicorn.access",
        "multipart",
        "python_multipart",
    ):
        logging.getLogger(name).setLevel("ERROR")
        logging.getLogger(name).handlers.clear()
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("psycopg").disabled = True


def logger() -> Any:
    """The server's logger."""
    return structlog.stdlib.get_logger("hexward")

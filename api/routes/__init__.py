"""The routes, one module a noun."""

from __future__ import annotations

from fastapi import FastAPI

from api.routes import city, health, session


def install(app: FastAPI) -> None:
    """Give ``app`` every route."""
    for module in (health, city, session):
        app.include_router(module.router)

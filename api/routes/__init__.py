"""The routes, one module a noun."""

from __future__ import annotations

from fastapi import FastAPI

from api.routes import (
    acts,
    audit,
    account,
    basemap,
    city,
    dashboards,
    declarations,
    hall,
    health,
    layers,
    people,
    oidc,
    people_numbers,
    people_search,
    places,
    runs,
    session,
    sources,
    tiles,
)


def install(app: FastAPI) -> None:
    """Give ``app`` every route."""
    app.include_router(people_search.router)  # before /api/people/{id}
    for module in (
        health,
        city,
        session,
        account,
        oidc,
        people_numbers,
        basemap,
        layers,
        tiles,
        places,
        dashboards,
        runs,
        sources,
        declarations,
        hall,
        people,
        acts,
        audit,
    ):
        app.include_router(module.router)

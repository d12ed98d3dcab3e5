"""The routes, one module a noun."""

from __future__ import annotations

from fastapi import FastAPI

from api.routes import (
    account,
    acts,
    audit,
    basemap,
    city,
    dashboards,
    declarations,
    entitlements,
    hall,
    health,
    layers,
    oidc,
    people,
    people_numbers,
    people_search,
    places,
    runs,
    session,
    sources,
    tiles,
    work,
)


def install(app: FastAPI) -> None:
    """Give ``app`` every route."""
    app.include_router(people_search.router)  # before /api/people/{id}
    for module in (
        health,
        city,
        session,
        people_numbers,
        oidc,
        account,
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
        work,
        entitlements,
    ):
        app.include_router(module.router)

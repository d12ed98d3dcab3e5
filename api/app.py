"""The composition root: settings, engines, guards, routes, front end, put together in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

import db.engine
from api import errors, frontend, openapi_page, routes
from api.daily import Calendar
from api.guard import Guard
from api.metrics import Metrics
from api.settings import ApiSettings
from api.state import Engines, State


def create_app(settings: ApiSettings | None = None, engines: Engines | None = None) -> FastAPI:
    """The whole server. ``engines`` default to the configured database's, one a role."""
    settings = settings or ApiSettings()
    engines = engines or Engines(
        owner=db.engine.engine("owner"),
        app=db.engine.engine("app"),
        pub_reader=db.engine.engine("pub_reader"),
        builder=db.engine.engine("stat_builder"),
        auditor=db.engine.engine("auditor"),
    )
    state = State(settings, engines, Metrics())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        calendar = Calendar(engines.owner) if settings.advance_day else None
        if calendar is not None:
            calendar.start()
        yield
        if calendar is not None:
            calendar.stop()
        engines.dispose()

    app = FastAPI(
        title="Hexward",
        summary="A grid-based platform for managing and serving a city",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
        separate_input_output_schemas=False,
    )
    app.state.settings = settings
    app.state.hexward = state
    errors.install(app)
    routes.install(app)
    openapi_page.install(app)
    frontend.install(app, settings.web_dist)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(Guard, settings=settings, metrics=state.metrics)
    return app

"""The dashboard of one area, legal grid or cell, and its download."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.answers import download, own_json
from api.asked import Day
from api.errors import language_of
from api.scope import Access
from maps import exports
from maps.dashboard import dashboard as make_dashboard
from maps.dashboard_table import dashboard_table
from maps.figures import Geography

router = APIRouter(prefix="/api/dashboards", tags=["dashboards"])

UnitId = Annotated[str, Path(pattern="^[0-9a-fA-F]{1,19}$")]


@router.get("/{kind}/{unit_id}")
def dashboard(
    *, request: Request, access: Access, kind: Geography, unit_id: UnitId, day: Day = None
) -> Response:
    """Key figures, pyramid, tenure, crowding, industries, series and comparison of one unit."""
    with access.audited("dashboard", kind=kind, unit=unit_id, date=day) as opened:
        found = make_dashboard(
            opened.session, opened.viewer, kind, unit_id, day, builder=access.state.engines.builder
        )
    return own_json(request, found)


@router.get("/{kind}/{unit_id}/export.{form}")
def export(
    *,
    request: Request,
    access: Access,
    kind: Geography,
    unit_id: UnitId,
    form: Literal["csv", "xlsx"],
    day: Day = None,
) -> Response:
    """The dashboard's figures as one table."""
    with access.audited("dashboard", "export", kind=kind, unit=unit_id, form=form, date=day) as opened:
        found = make_dashboard(
            opened.session, opened.viewer, kind, unit_id, day, builder=access.state.engines.builder
        )
        made = dashboard_table(found, language_of(request))
        body = made.csv() if form == "csv" else made.xlsx(language_of(request))
    return download(body, f"{kind}-{unit_id}.{form}", exports.MEDIA[form])

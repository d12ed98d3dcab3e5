"""Load runs: what was read, accepted and rejected, and the way to correct what was rejected."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import runs
from api.answers import XLSX, download, json_answer
from api.errors import language_of
from api.scope import Access
from privacy.access import policy

router = APIRouter(prefix="/api/runs", tags=["runs"])

RunId = Annotated[int, Path(ge=1, le=2**62)]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("")
def list_runs(access: Access, page: PageNumber = 1) -> Response:
    """Load runs, newest first, 50 a page."""
    with access.read("run") as opened:
        return json_answer(runs.list_runs(opened.session, page).as_json("runs"))


@router.get("/{run_id}")
def show_run(request: Request, access: Access, run_id: RunId) -> Response:
    """One load run, with its rejected rows counted by reason and field."""
    with access.read("run") as opened:
        found = runs.run(opened.session, run_id)
        counts = runs.rejected_counts(opened.session, run_id, language_of(request))
        may = policy().decide(opened.acting.role, "rejected_row", "view").allowed
    return json_answer({"run": found, "rejected": counts, "content_allowed": may})


@router.get("/{run_id}/rejected")
def list_rejected(request: Request, access: Access, run_id: RunId, page: PageNumber = 1) -> Response:
    """Rejected rows with line, field and reason; with their content for those who may see it."""
    language = language_of(request)
    if access.may("rejected_row", "view"):
        with access.audited("rejected_row", run=run_id, page=page) as opened:
            runs.run(opened.session, run_id)
            found = runs.rejected(opened.session, run_id, page, language, content=True)
    else:
        with access.audited("rejected_note", run=run_id, page=page) as opened:
            runs.run(opened.session, run_id)
            found = runs.rejected(opened.session, run_id, page, language, content=False)
    return json_answer(found.as_json("rows"))


@router.get("/{run_id}/rejected.xlsx")
def rejected_file(request: Request, access: Access, run_id: RunId) -> Response:
    """The rejected rows as an Excel file, to be corrected and loaded again."""
    with access.audited("rejected_row", "export", run=run_id) as opened:
        body = runs.rejected_file(opened.session, run_id, language_of(request))
    return download(body, f"rejected-{run_id}.xlsx", XLSX)

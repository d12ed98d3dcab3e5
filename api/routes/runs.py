"""Load runs: what was read, accepted and rejected, and the way to correct what was rejected."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, UploadFile
from starlette.responses import Response

from api import runs
from api.answers import XLSX, download, json_answer
from api.errors import language_of
from api.scope import Access
from db.engine import write_session
from privacy import audit

router = APIRouter(prefix="/api/runs", tags=["runs"])

RunId = Annotated[int, Path(ge=1, le=2**62)]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
Reveal = Annotated[bool, Query(description="ID numbers unmasked: for those who must check them; audited")]


@router.get("")
def list_runs(access: Access, page: PageNumber = 1) -> Response:
    """Load runs, newest first, 50 a page."""
    with access.read("run") as opened:
        return json_answer(runs.list_runs(opened.session, page).as_json("runs"))


@router.get("/{run_id}")
def show_run(request: Request, access: Access, run_id: RunId) -> Response:
    """One load run, with its rejected rows counted by reason and field."""
    with access.read("run") as opened:
        found = runs.in_words(runs.run(opened.session, run_id), language_of(request))
        counts = runs.rejected_counts(opened.session, run_id, language_of(request))
    allowed = {
        "content": access.may("rejected_row", "view"),
        "reveal": access.may("identity", "view"),
        "correct": access.may("rejected_row", "change"),
    }
    return json_answer({"run": found, "rejected": counts, "allowed": allowed})


@router.get("/{run_id}/rejected")
def list_rejected(
    *, request: Request, access: Access, run_id: RunId, page: PageNumber = 1, reveal: Reveal = False
) -> Response:
    """Rejected rows with line, field and reason; with their content (numbers masked) for those who may see it."""
    language = language_of(request)
    resource = (
        "identity" if reveal else "rejected_row" if access.may("rejected_row", "view") else "rejected_note"
    )
    with access.audited(resource, run=run_id, page=page) as opened:
        runs.run(opened.session, run_id)
        if resource == "rejected_note":
            found = runs.rejected_notes(opened.session, run_id, page, language)
        else:
            found = runs.rejected_rows(opened.session, run_id, page, language, reveal=reveal)
    return json_answer(found.as_json("rows"))


@router.get("/{run_id}/rejected.xlsx")
def rejected_file(request: Request, access: Access, run_id: RunId, reveal: Reveal = False) -> Response:
    """The rejected rows as an Excel file, to be corrected and loaded again; masked cells may stay as they are."""
    if reveal:
        access.require("identity", "view")
    with access.audited("rejected_row", "export", run=run_id, reveal=reveal) as opened:
        body, _ = runs.rejected_file(opened.session, run_id, language_of(request), reveal=reveal)
    return download(body, f"rejected-{run_id}.xlsx", XLSX)


@router.post("/{run_id}/corrected")
def load_corrected(access: Access, run_id: RunId, file: UploadFile) -> Response:
    """Load the corrected Excel file of a run; answers like the load itself: accepted, rejected, a new run."""
    with access.read("rejected_row", "change") as opened:
        runs.run(opened.session, run_id)
        actor, purpose = opened.acting, opened.decision.purpose
    with write_session(access.state.engines.owner) as session:
        audit.write(
            session,
            "rejected_row.change",
            who=actor.id,
            account=actor.account,
            role=actor.role,
            resource="rejected_row",
            purpose=purpose,
            params={"run": run_id},
        )
    reports = runs.load_corrected(access.state.engines.owner, run_id, file.file.read(), actor.account)
    return json_answer({"reports": reports})

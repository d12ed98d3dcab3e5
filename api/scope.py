"""One request, one transaction, one caller: the dependency through which every route reaches the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.errors import status_of
from api.signin import SigninNeeded, token_hash
from api.state import State, state_of
from db.engine import write_session
from db.errors import HexwardError
from maps.viewer import Viewer
from privacy import audit
from privacy.access import AccessRefused, Decision, policy
from privacy.territory import Acting, enter, touch

COOKIE = "hexward_session"
_TOUCH_AFTER_S = 60.0
_LOOK_LASTS_S = 900.0


@dataclass(frozen=True)
class Opened:
    """What a route works with: a session that already is the caller's, and how exact the figures may be."""

    session: Session
    acting: Acting
    decision: Decision
    viewer: Viewer
    _concerned: list[UUID] = field(default_factory=list)
    _noted: dict[str, Any] = field(default_factory=dict)

    def concerns(self, *persons: UUID) -> None:
        """Say whom the answer names, once it is known; the audit row of the transaction will carry it."""
        self._concerned.extend(persons)

    def note(self, **params: Any) -> None:
        """Add to what the audit row says of the look, once it is known: a kind, a count; never personal data."""
        self._noted.update(params)


class Scopes:
    """Opens transactions for one request. ``read`` cannot write; ``audited`` ends with an audit row."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state: State = state_of(request)
        token = request.cookies.get(COOKIE)
        self._hash = token_hash(token) if token else None

    @contextmanager
    def read(self, resource: str, action: str = "view") -> Iterator[Opened]:
        """A transaction that the database keeps from writing. Raises SigninNeeded, AccessRefused."""
        with self._open(resource, action, read_only=True) as opened:
            yield opened

    @contextmanager
    def audited(
        self, resource: str, action: str = "view", *, persons: Iterable[UUID] = (), **params: Any
    ) -> Iterator[Opened]:
        """A transaction whose last act is the audit row; it is committed before the route returns anything.

        ``params`` say what was looked at (unit, layer, date). Whom it concerned stands in ``persons`` (ids of the
        register), or is added by ``opened.concerns(...)`` where only the query tells: every person whose data the
        answer names. By it the auditor finds who looked at whom, and a resident the looks at the own record.
        """
        with self._open(resource, action, read_only=False) as opened:
            opened.concerns(*persons)
            try:
                yield opened
            except HexwardError as refused:
                self._attempted(opened, resource, action, refused, params)
                raise
            audit.append(
                opened.session,
                f"{resource}.{action}",
                resource=resource,
                purpose=opened.decision.purpose,
                territory="whole city" if opened.acting.whole_city else opened.acting.territory,
                params={**params, **opened._noted},
                persons=opened._concerned,
            )

    def _attempted(
        self, opened: Opened, resource: str, action: str, refused: HexwardError, params: dict[str, Any]
    ) -> None:
        """Whoever asks for what is not theirs, or is not there, is in the trail: ids are not guessed unseen."""
        if status_of(refused.code) not in (403, 404):
            return
        with write_session(self.state.engines.owner) as session:
            audit.write(
                session,
                "refused",
                who=opened.acting.id,
                account=opened.acting.account,
                role=opened.acting.role,
                resource=resource,
                purpose=opened.decision.purpose,
                params={"action": action, "code": refused.code, **params},
            )

    @contextmanager
    def recorded(self, resource: str, action: str = "view") -> Iterator[Opened]:
        """A transaction as hexward_app for a database function that decides by itself and writes its own audit row,
        a refusal's too. Raises SigninNeeded, AccessRefused."""
        with self._open(resource, action, read_only=False, engine=self.state.engines.app) as opened:
            yield opened

    @contextmanager
    def look(self, layer: str, geography: str, **params: Any) -> Iterator[Opened]:
        """A look at a map. Exact figures: the first in a quarter of an hour of each layer is audited, and the tiles
        that follow belong to that look. Published figures: anybody's to see, not audited."""
        key = (self._hash, layer, geography)
        if self._is_duty() and self.state.looks.get(key) is None:
            with self.audited("map", "view", layer=layer, geography=geography, **params) as opened:
                yield opened
            self.state.looks.put(key, True, _LOOK_LASTS_S)
        else:
            with self.read("map") as opened:
                yield opened

    def may(self, resource: str, action: str) -> bool:
        """Whether the policy allows it to the caller, without doing it. Raises SigninNeeded."""
        return policy().decide(self._role(), resource, action).allowed

    def require(self, resource: str, action: str) -> None:
        """Raises SigninNeeded, or AccessRefused (which is put into the trail)."""
        self._decide(resource, action)

    def acting(self) -> Acting:
        """Who asks, without asking for anything. Raises SigninNeeded."""
        with Session(self.state.engines.app) as session, session.begin():
            return self._enter(session)

    def _is_duty(self) -> bool:
        return policy().terms(self._role()).figures == "duty"

    def _role(self) -> str:
        role = self.state.roles.get(self._hash)
        return role if role is not None else self.acting().role

    def _enter(self, session: Session) -> Acting:
        if self._hash is None:
            raise SigninNeeded()
        found = enter(session, self._hash, self.state.settings.idle_minutes * 60)
        if found is None:
            raise SigninNeeded()
        self.state.roles.put(self._hash, found.role, 600)
        return found

    @contextmanager
    def _open(
        self, resource: str, action: str, *, read_only: bool, engine: Engine | None = None
    ) -> Iterator[Opened]:
        decision = self._decide(resource, action)
        engine = engine or self._engine(decision)
        with Session(engine) as session, session.begin():
            session.connection(execution_options={"postgresql_readonly": read_only})
            acting = self._enter(session)
            if (
                acting.role != decision.role
            ):  # the role changed since it was remembered: decide again, next time
                raise AccessRefused(role=acting.role, resource=resource, action=action)
            yield Opened(session, acting, decision, _viewer(decision, acting))
        if acting.unseen_seconds > _TOUCH_AFTER_S:
            self._touch()

    def _decide(self, resource: str, action: str) -> Decision:
        role = self._role()
        try:
            return policy().require(role, resource, action)
        except AccessRefused as refused:
            acting = self.acting()
            with write_session(self.state.engines.owner) as session:
                audit.write(
                    session,
                    "refused",
                    who=acting.id,
                    account=acting.account,
                    role=acting.role,
                    resource=resource,
                    purpose=refused.params["purpose"],
                    params={"action": action},
                )
            raise

    def _engine(self, decision: Decision) -> Engine:
        """Exact figures and records through the role with row-level security; the trail through the auditor's;
        all else through ``pub`` only."""
        engines = self.state.engines
        if decision.resource == "audit" and engines.auditor is not None:
            return engines.auditor
        return engines.app if decision.figures == "duty" else engines.pub_reader

    def _touch(self) -> None:
        assert self._hash is not None
        with write_session(self.state.engines.app) as session:
            touch(session, self._hash)


def _viewer(decision: Decision, acting: Acting) -> Viewer:
    if decision.figures == "duty":
        return Viewer("duty", acting.whole_city, f"{acting.id}: {acting.territory}")
    return Viewer("threshold")


def scopes(request: Request) -> Scopes:
    """Dependency: the way to the database for this request."""
    return Scopes(request)


Access = Annotated[Scopes, Depends(scopes)]

"""What one running app holds: settings, engines by role, metrics. Made once in ``create_app``."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request
from sqlalchemy import Engine

from api.metrics import Metrics
from api.recent import Recent
from api.settings import ApiSettings


@dataclass(frozen=True)
class Engines:
    """One engine a database role. ``owner`` serves sign-in and corrected loads only; requests read as the others.

    ``builder``: the statistics builder, who counts a past day of a unit after the caller's own session has shown
    that the unit is the caller's duty. Without it only the kept months answer. ``auditor``: reads the
    audit trail and nothing else.
    """

    owner: Engine
    app: Engine
    pub_reader: Engine
    builder: Engine | None = None
    auditor: Engine | None = None

    def by_role(self) -> dict[str, Engine]:
        """Engines under the names the metrics show."""
        found = {"owner": self.owner, "app": self.app, "pub_reader": self.pub_reader}
        more = {"stat_builder": self.builder, "auditor": self.auditor}
        return found | {name: engine for name, engine in more.items() if engine is not None}

    def dispose(self) -> None:
        """Close every idle connection."""
        for engine in self.by_role().values():
            engine.dispose()


@dataclass(frozen=True)
class State:
    """The parts that requests share."""

    settings: ApiSettings
    engines: Engines
    metrics: Metrics
    roles: Recent = field(default_factory=lambda: Recent(10_000))
    looks: Recent = field(default_factory=lambda: Recent(50_000))
    recent: Recent = field(default_factory=lambda: Recent(100))


def state_of(request: Request) -> State:
    """The app's state behind ``request``."""
    state = request.app.state.hexward
    assert isinstance(state, State)
    return state

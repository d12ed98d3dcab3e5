"""What Prometheus may know: counts and times by route template, the pool, the loads. No labels of persons."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The server's own registry (not the process-wide one, so that two apps in a test do not mix)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hexward_requests",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "hexward_request_seconds",
            "Time to answer, in seconds.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.pool = Gauge(
            "hexward_db_pool_connections",
            "Database connections of this process.",
            ["role", "state"],
            registry=self.registry,
        )
        self.loads = Gauge("hexward_load_runs", "Load runs by state.", ["state"], registry=self.registry)
        self.up = Gauge("hexward_database_up", "1 when the database answers.", registry=self.registry)

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        known = method if method in _METHODS else "OTHER"
        self.requests.labels(known, route, str(status)).inc()
        self.seconds.labels(known, route).observe(seconds)

    def expose(self, engines: dict[str, Engine]) -> bytes:
        """The registry in Prometheus' text format, with the state of the pools and loads at this moment."""
        for role, engine in engines.items():
            pool = engine.pool
            self.pool.labels(role, "in_use").set(pool.checkedout())  # type: ignore[attr-defined]
            self.pool.labels(role, "idle").set(pool.checkedin())  # type: ignore[attr-defined]
        try:
            with engines["app"].connect() as connection:
                rows = connection.execute(text("SELECT state, runs FROM ops.load_run_counts()")).all()
        except SQLAlchemyError:
            self.up.set(0)
        else:
            self.up.set(1)
            self.loads.clear()
            for state, runs in rows:
                self.loads.labels(state).set(runs)
        return generate_latest(self.registry)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

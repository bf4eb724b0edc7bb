"""What a process counts while it answers; every label has few values, whatever is asked for."""

from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from starlette.types import Scope

__all__ = [
    "POOL_TIMEOUTS",
    "REFUSED",
    "REGISTRY",
    "TAKEN",
    "UNANSWERED",
    "note_request",
    "route_of",
]

# When a series began is no business of anybody's, and as many series again.
disable_created_metrics()  # type: ignore[no-untyped-call]  # of the library
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# From what memory answers to what a plan takes; a case's step must be within 0.3 s (p99).
_BUCKETS_S = (0.005, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_REQUESTS = Counter(
    "onegrid_http_requests",
    "Requests answered, by the template of their route, never by their path.",
    ("route", "method", "status"),
    registry=REGISTRY,
)
_DURATION = Histogram(
    "onegrid_http_request_duration_seconds",
    "How long answers took, to their last byte; a stream's as long as somebody listened.",
    ("route", "method"),
    buckets=_BUCKETS_S,
    registry=REGISTRY,
)
REFUSED = Counter(
    "onegrid_refused",
    "Requests sent away: busy (no turn came), often (a stranger asked too much), quota (uploads).",
    ("why",),
    registry=REGISTRY,
)
for _why in ("busy", "often", "quota"):
    REFUSED.labels(_why)  # from nought on: what has no series cannot be told from what is broken
UNANSWERED = Counter(
    "onegrid_database_unanswered",
    "Requests that found no database.",
    registry=REGISTRY,
)
POOL_TIMEOUTS = Counter(
    "onegrid_database_pool_timeouts",
    "Requests that found no connection free in time.",
    registry=REGISTRY,
)


def note_request(scope: Scope, status: int, took_s: float) -> None:
    """Count a request that has been answered."""
    route = route_of(scope)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    count, duration = _series(route, method, status)
    count.inc()
    duration.observe(took_s)


@lru_cache(maxsize=4096)
def _series(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """The two series of a request: finding them by their labels takes longer than counting."""
    return _REQUESTS.labels(route, method, status), _DURATION.labels(route, method)


# Where a request is told which route took it: what stands between may hand on a copy of its scope.
TAKEN = "onegrid.taken"


def route_of(scope: Scope) -> str:
    """The template of the route that took a request; ``none`` where there is none."""
    route = scope.get("route") or scope.get(TAKEN, {}).get("route")
    return str(getattr(route, "path", None) or "none")

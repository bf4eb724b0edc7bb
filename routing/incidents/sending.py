"""Sending somebody at once: what a dispatcher does with one click."""

from typing import Any

from sqlalchemy.orm import Session

from data.models import Incident
from routing.incidents.course import Doer, transit

__all__ = ["send"]

_NOT_TRIAGED = frozenset({"accepted", "returned"})


def send(
    session: Session,
    doer: Doer,
    number: int,
    person: int,
    *,
    version: int | None = None,
    time_s: float | None = None,
    distance_m: float | None = None,
) -> Incident:
    """Triage an incident as it stands, where nobody has, and send a person; one transaction.

    Raises
    ------
    TransitionRefusedError
        If the flow does not allow it.
    NotFoundError, StateError, StaleError
        If there is no such incident or person, they are busy, or somebody was faster.
    """
    given: dict[str, Any] = {
        "person": person,
        "travel_time_s": time_s,
        "distance_m": distance_m,
    }
    held = session.get(Incident, number)
    if held is not None and held.state in _NOT_TRIAGED:
        # The lock that this takes is held until both are committed.
        triaged = transit(session, doer, number, "triage", version=version)
        version = triaged.version
    return transit(session, doer, number, "dispatch", given, version=version)

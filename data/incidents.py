"""Incidents as they are looked up: by their state, by their number, by their case number."""

from sqlalchemy import ColumnElement, and_, false, or_, select, true
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import Grid, Incident, IncidentEvent
from data.scope import Scope

__all__ = ["WAITING", "find_incident", "incident_in", "incidents_waiting"]


# Nobody is on it: it waits for a dispatcher.
WAITING = ("accepted", "triaged", "returned")


def _seen(scope: Scope) -> ColumnElement[bool]:
    """What may be seen, as `Scope.sees`."""
    of_pairs = (_of(scope, prefix, kind) for prefix, kind in scope.pairs)
    return and_(Incident.county == scope.county, or_(false(), *of_pairs))


def _of(scope: Scope, prefix: str, class_code: str | None) -> ColumnElement[bool]:
    kind = true() if class_code is None else Incident.class_code == class_code
    if prefix == scope.county:
        return kind
    inside = select(Grid.id).where(
        Grid.county == scope.county, Grid.community.startswith(prefix, autoescape=True)
    )
    return and_(kind, Incident.grid_id.in_(inside))


def incidents_waiting(
    session: Session,
    scope: Scope,
    *,
    limit: int = 50,
) -> list[Incident]:
    """Newest incidents of an area, and the classes there, that wait for somebody."""
    query = select(Incident).where(_seen(scope), Incident.state.in_(WAITING))
    return list(session.scalars(query.order_by(Incident.reported_at.desc()).limit(limit)))


def incident_in(
    session: Session,
    scope: Scope,
    number: int,
    *,
    person: int | None = None,
    reporter: str | None = None,
    lock: bool = False,
) -> Incident:
    """The incident of a number, where it lies in the area.

    Parameters
    ----------
    person : int, optional
        Instead of the area: the incident must be theirs to handle.
    reporter : str, optional
        With `person`: or this account reported it.
    lock : bool
        Whether nobody else may change it until the transaction ends.

    Raises
    ------
    NotFoundError
        If there is none, or it is not theirs to see: the answer does not tell which.
    """
    seen = _seen(scope)
    if person is not None:
        mine = Incident.person_id == person
        if reporter is not None:
            told = select(IncidentEvent.incident_id).where(
                IncidentEvent.kind == "accept", IncidentEvent.actor == reporter
            )
            mine = or_(mine, Incident.id.in_(told.where(IncidentEvent.incident_id == number)))
        seen = and_(Incident.county == scope.county, mine)
    query = select(Incident).where(Incident.id == number, seen)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(query)
    if found is None:
        raise NotFoundError(f"no incident {number}")
    return found


def find_incident(session: Session, county: str, case: str) -> Incident:
    """The incident of a case number.

    Raises
    ------
    NotFoundError
        If the county has none.
    """
    found = session.scalar(select(Incident).filter_by(county=county, source_ref=case))
    if found is None:
        raise NotFoundError(f"county {county} has no incident {case!r}")
    return found

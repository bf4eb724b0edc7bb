"""Incidents as they are looked up: by their state, by their number, by their case number."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, select, true
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import Grid, Incident
from data.scope import Scope

__all__ = ["find_incident", "incident_in", "incidents_waiting"]


def _seen(scope: Scope, classes: Collection[str] | None) -> ColumnElement[bool]:
    """What may be seen: of the area and the classes; what lies in no grid is the county's."""
    mine = Incident.class_code.in_(classes) if classes is not None else true()
    if scope.is_whole:
        return and_(Incident.county == scope.county, mine)
    inside = select(Grid.id).where(Grid.county == scope.county, scope.where(Grid.community))
    return and_(Incident.county == scope.county, Incident.grid_id.in_(inside), mine)


def incidents_waiting(
    session: Session,
    scope: Scope,
    *,
    classes: Collection[str] | None = None,
    limit: int = 50,
) -> list[Incident]:
    """Newest incidents of an area that wait for somebody; of all classes where None."""
    query = select(Incident).where(_seen(scope, classes), Incident.state == "accepted")
    return list(session.scalars(query.order_by(Incident.reported_at.desc()).limit(limit)))


def incident_in(
    session: Session, scope: Scope, number: int, *, classes: Collection[str] | None = None
) -> Incident:
    """The incident of a number, where it lies in the area.

    Raises
    ------
    NotFoundError
        If there is none, or it is not theirs to see: the answer does not tell which.
    """
    found = session.scalar(select(Incident).where(Incident.id == number, _seen(scope, classes)))
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

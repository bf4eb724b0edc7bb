"""Incidents as they are looked up: by their state, by their case number."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import Incident

__all__ = ["find_incident", "incidents_waiting"]


def incidents_waiting(session: Session, county: str, limit: int = 50) -> list[Incident]:
    """Newest incidents that wait for somebody."""
    query = select(Incident).where(Incident.county == county, Incident.state == "accepted")
    return list(session.scalars(query.order_by(Incident.reported_at.desc()).limit(limit)))


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

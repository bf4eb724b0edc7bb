"""Assigning the incidents that the database holds: grids by spatial join, people by "who"."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import StateError
from data.store import upsert
from grids.directory import load_directory
from grids.responsibility import Holder
from grids.who import Directory

__all__ = ["IncidentReport", "assign_incidents", "name_people"]

_WITHOUT_PEOPLE = text(
    "SELECT id, class_code, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM incident "
    "WHERE county = :county AND grid_count IS NOT NULL "
    "AND (CAST(:incident AS bigint) IS NULL OR id = :incident) "
    "AND NOT EXISTS (SELECT 1 FROM assignment WHERE incident_id = incident.id) ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """What a run of the database assignment did.

    Attributes
    ----------
    responsible : int
        How many people and units were named.
    fallback : int
        How many incidents nobody but the territory's centre answers for (属地兜底).
    """

    assigned: int
    on_boundary: int
    outside: int
    responsible: int
    fallback: int


def assign_incidents(
    session: Session, county: str, *, directory: Directory | None = None
) -> IncidentReport:
    """Give every waiting incident its grid and its responsible people; idempotent.

    An incident keeps the grid and the people that it was given, whatever is published later.
    """
    done = session.execute(_statement(), {"county": county}).all()
    inside = sum(row.inside for row in done)
    named, fallback = name_people(session, county, directory)
    tied = sum(row.tied for row in done)
    return IncidentReport(inside, tied, len(done) - inside, named, fallback)


def name_people(
    session: Session, county: str, directory: Directory | None, *, incident: int | None = None
) -> tuple[int, int]:
    """Name who is responsible for incidents that know their grid, or for one of them.

    Returns
    -------
    tuple of int
        How many people and units were named, and how many incidents fell to a centre.
    """
    key = {"county": county, "incident": incident}
    waiting = session.execute(_WITHOUT_PEOPLE, key).all()
    if not waiting:
        return 0, 0
    try:
        held = directory or load_directory(session, county)
    except StateError:  # no plan is published: the people wait with the grids
        return 0, 0
    rows: list[dict[str, Any]] = []
    fallback = 0
    for place in waiting:
        answer = held.answer(place.lon, place.lat, class_code=place.class_code)
        fallback += answer.staff.fallback
        by_role: dict[str, Holder] = {}
        if answer.lead is not None:
            by_role[answer.lead.role] = answer.lead
        for one in answer.people:
            by_role.setdefault(one.role, one)
        rows += [
            {
                "county": county,
                "incident_id": place.id,
                "role": role,
                "person_id": one.person_id,
                "unit_id": one.unit_id if one.person_id is None else None,
                "responsibility_id": one.responsibility_id,
                "lead": one is answer.lead,
            }
            for role, one in by_role.items()
        ]
    return upsert(session, "assignment", rows, key=()), fallback


@cache
def _statement() -> Any:
    query = (Path(__file__).parents[1] / "sql" / "assign_incidents.sql").read_text(encoding="utf-8")
    return text(
        query.rstrip() + " RETURNING (found.grid_count > 0)::int AS inside, "
        "(found.grid_count > 1)::int AS tied"
    )

"""Open incidents whose grid has ended: proposed for another grid, and handed over by a person."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import Incident
from data.scope import Scope, seen_sql
from grids.assign import assign_incidents
from grids.who import Directory
from routing.incidents.course import record

__all__ = ["hand_over", "handovers"]

# A shared edge is the smaller code's, as for every incident.
_PROPOSED = text(
    "SELECT incident.id, incident.source_ref AS case, incident.class_code, incident.state, "  # noqa: S608 - constants
    "former.code AS former_code, former.name AS former, proposed.id AS grid_id, "
    "proposed.code, proposed.name FROM incident "
    "JOIN grid AS former ON former.id = incident.grid_id "
    "CROSS JOIN LATERAL (SELECT id, code, name FROM grid WHERE grid.county = incident.county "
    "  AND grid.valid @> statement_timestamp() AND ST_Covers(grid.geom, incident.geom) "
    "  ORDER BY code LIMIT 1) AS proposed "
    "WHERE incident.county = :county AND incident.state NOT IN ('closed', 'void') "
    "AND upper(former.valid) <= statement_timestamp() "
    f"AND {seen_sql('former.community', 'incident.class_code')} "
    "AND (CAST(:incident AS bigint) IS NULL OR incident.id = :incident) "
    "ORDER BY incident.id LIMIT 200"
)
_FREE = text("UPDATE incident SET grid_id = NULL, grid_count = NULL WHERE id = :incident")
_FORGET = text("DELETE FROM assignment WHERE incident_id = :incident")


def handovers(
    session: Session,
    scope: Scope,
    *,
    incident: int | None = None,
) -> Sequence[Row[Any]]:
    """Open incidents of an area whose grid has ended, each with the grid that would take it."""
    return session.execute(_PROPOSED, scope.seen | {"incident": incident}).all()


def hand_over(
    session: Session,
    scope: Scope,
    incident: int,
    *,
    actor: str,
    directory: Directory,
) -> str:
    """Give an incident the grid that it lies in now, and the people of it; return the code.

    Raises
    ------
    NotFoundError
        If it is no incident of the area whose grid has ended.
    """
    found = handovers(session, scope, incident=incident)
    if not found:
        raise NotFoundError(f"incident {incident} is not to be handed over")
    proposed = found[0]
    session.execute(_FORGET, {"incident": incident})
    session.execute(_FREE, {"incident": incident})
    assign_incidents(session, scope.county, directory=directory)
    detail = {"from": proposed.former_code, "to": proposed.code}
    held = session.get_one(Incident, incident, populate_existing=True)
    record(session, held, "hand_over", actor, detail)
    return str(proposed.code)

"""Who may be sent, who may not and why, and what speaks for somebody: the database's part."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.positions import KEEP_MINUTES

__all__ = ["CODES", "SHORTFALLS", "barred", "everybody", "facts_of", "shortfall_of", "why_not"]

# What speaks for a candidate, or must be known of them.
CODES = ("closest_by_travel_time", "in_geofence", "deputy", "rest_period")
# Why there is no candidate.
SHORTFALLS = ("no_candidates", "outside_reach", "positions_too_stale", "off_duty", "all_busy")
# Whoever ended a case so lately is to rest, where there is somebody else.
REST_MINUTES = 10

_BARRED = text(
    "SELECT person_id FROM dispatch WHERE county = :county AND state = 'open' "
    "UNION SELECT person_id FROM leave WHERE county = :county AND valid @> now() "
    "UNION SELECT person_id FROM dispatch WHERE incident_id = :incident "
    "AND state IN ('declined', 'lapsed')"
)
_HERE = """
    WITH here AS (SELECT ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) AS geom),
    ground AS (
        SELECT grid.id, grid.community FROM grid, here
        WHERE grid.county = :county AND grid.valid @> now() AND ST_Covers(grid.geom, here.geom)
    )
"""
_EVERYBODY = text(
    _HERE  # noqa: S608 - constants
    + """
    SELECT person.id, person.name, person.role,
           ST_X(position.geom) AS lon, ST_Y(position.geom) AS lat,
           position.at < now() - make_interval(mins => :keep) AS stale,
           EXISTS (SELECT 1 FROM dispatch WHERE dispatch.person_id = person.id
                   AND dispatch.state = 'open') AS busy,
           EXISTS (SELECT 1 FROM leave WHERE leave.person_id = person.id
                   AND leave.valid @> now()) AS away,
           EXISTS (SELECT 1 FROM dispatch WHERE dispatch.person_id = person.id
                   AND dispatch.incident_id = :incident
                   AND dispatch.state IN ('declined', 'lapsed')) AS declined,
           :own_town AND NOT EXISTS (
               SELECT 1 FROM responsibility AS post, here
               LEFT JOIN ground ON true
               WHERE post.person_id = person.id AND post.valid @> now() AND (
                   left(coalesce(post.division, (SELECT community FROM grid
                                                 WHERE grid.id = post.grid_id)), 9)
                   = left(ground.community, 9)
                   OR EXISTS (SELECT 1 FROM service_area WHERE service_area.id =
                              post.service_area_id AND ST_Covers(service_area.geom, here.geom)))
           ) AS outside
    FROM person LEFT JOIN position ON position.person_id = person.id
    WHERE person.county = :county AND (person.role = :role OR :all_roles) ORDER BY person.id
    """
)
# A post over the place: of its grid, of its community, or of an area of service around it.
_FACTS = text(
    _HERE  # noqa: S608 - constants
    + """
    , post AS (
        SELECT person_id FROM responsibility WHERE grid_id IN (SELECT id FROM ground)
        AND valid @> now()
        UNION ALL SELECT person_id FROM responsibility
        WHERE division IN (SELECT community FROM ground) AND valid @> now()
        UNION ALL SELECT person_id FROM responsibility WHERE valid @> now() AND service_area_id IN (
            SELECT service_area.id FROM service_area, here
            WHERE service_area.county = :county AND ST_Covers(service_area.geom, here.geom))
    )
    SELECT person.id, person.name, person.role, person.mode, person.duty_phone,
           ST_X(position.geom) AS lon, ST_Y(position.geom) AS lat,
           EXISTS (SELECT 1 FROM post WHERE post.person_id = person.id) AS in_geofence,
           EXISTS (SELECT 1 FROM leave JOIN post ON post.person_id = leave.person_id
                   WHERE leave.deputy_id = person.id AND leave.valid @> now()) AS deputy,
           EXISTS (SELECT 1 FROM dispatch WHERE dispatch.person_id = person.id
                   AND dispatch.ended_at > now() - make_interval(mins => :rest)
                   AND dispatch.state = 'done') AS rest_period
    FROM person JOIN position ON position.person_id = person.id
    WHERE person.id = ANY (:people)
    """
)
_COUNTS = text(
    "SELECT count(*) AS people, count(position.person_id) AS placed, count(*) FILTER ("
    "  WHERE position.at >= now() - make_interval(mins => :keep)) AS fresh, "
    "count(*) FILTER (WHERE EXISTS (SELECT 1 FROM dispatch WHERE dispatch.person_id = person.id "
    "  AND dispatch.state = 'open')) AS busy FROM person "
    "LEFT JOIN position ON position.person_id = person.id "
    "WHERE person.county = :county AND person.role = :role"
)


def barred(session: Session, county: str, incident: int | None) -> list[int]:
    """Whoever is busy or away, or has declined this incident."""
    key = {"county": county, "incident": incident or 0}
    return list(session.scalars(_BARRED, key))


def everybody(
    session: Session,
    county: str,
    role: str,
    place: tuple[float, float],
    incident: int | None,
    *,
    own_town: bool,
    all_roles: bool,
) -> Sequence[Row[Any]]:
    """Everybody of the role, or of all roles, with what may keep them from going."""
    key = {
        "county": county,
        "role": role,
        "lon": place[0],
        "lat": place[1],
        "incident": incident or 0,
        "own_town": own_town,
        "all_roles": all_roles,
        "keep": KEEP_MINUTES,
    }
    return session.execute(_EVERYBODY, key).all()


def facts_of(
    session: Session, county: str, place: tuple[float, float], people: Collection[int]
) -> dict[int, Any]:
    """What is told of candidates, by person; who has no position any more is left out."""
    key = {"county": county, "lon": place[0], "lat": place[1], "people": list(people)}
    key |= {"rest": REST_MINUTES}
    return {row.id: row for row in session.execute(_FACTS, key)}


def why_not(row: Any, role: str) -> str:
    """Why somebody of `everybody` cannot go; empty where nothing speaks against it."""
    said = (
        (row.role != role, "has another role"),
        (row.away, "on leave"),
        (row.lon is None, "off duty: no position"),
        (row.busy, "busy with another incident"),
        (row.declined, "declined or did not answer"),
        (row.outside, "responsible for nothing in this town"),
        (row.stale, "position too stale"),
    )
    return next((reason for holds, reason in said if holds), "")


def shortfall_of(session: Session, county: str, role: str) -> str:
    """Why nobody can go; one of `SHORTFALLS`."""
    held = session.execute(_COUNTS, {"county": county, "role": role, "keep": KEEP_MINUTES}).one()
    if not held.people:
        return "no_candidates"
    if not held.placed:
        return "off_duty"
    if not held.fresh:
        return "positions_too_stale"
    return "all_busy" if held.busy >= held.fresh else "outside_reach"

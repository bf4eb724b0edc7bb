"""Figures of a published plan: per community and per grid; drafts and profiles to choose from."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.scope import Scope, prefix_of

__all__ = [
    "area_bounds",
    "area_communities",
    "base_version",
    "community_figures",
    "drafts",
    "grid_figures",
    "gridworkers",
    "profiles",
    "teams",
]

Rows = Sequence[Row[Any]]


def community_figures(session: Session, scope: Scope) -> Rows:
    """Per community of an area: code, name, grids, households, smallest and largest grid."""
    return session.execute(
        text(
            "SELECT division.code, division.name, count(*) AS grids, "
            "sum(grid.households) AS households, min(grid.households) AS least, "
            "max(grid.households) AS most FROM grid "
            "JOIN division ON division.code = grid.community "
            "WHERE grid.county = :county AND grid.community ^@ ANY (:prefixes) "
            "AND grid.valid @> now() GROUP BY division.code ORDER BY division.code"
        ),
        scope.parameters,
    ).all()


def grid_figures(session: Session, scope: Scope, community: str = "") -> Rows:
    """Grids of an area, or of one community in it.

    Each with code, name, kind, households, area, compactness, blocks and gridworkers.
    """
    return session.execute(
        text(
            "SELECT grid.code, grid.name, grid.kind, grid.households, "
            "ST_Area(grid.geom::geography) / 10000 AS area_ha, "
            "4 * pi() * ST_Area(grid.geom::geography) "
            "/ nullif(ST_Perimeter(grid.geom::geography) ^ 2, 0) AS compactness, "
            "(SELECT count(*) FROM grid_block WHERE grid_id = grid.id) AS blocks, "
            "(SELECT string_agg(person.name, '、' ORDER BY person.id) FROM responsibility "
            " JOIN person ON person.id = person_id WHERE responsibility.grid_id = grid.id "
            " AND responsibility.valid @> now()) AS workers "
            "FROM grid WHERE grid.county = :county AND grid.community ^@ ANY (:prefixes) "
            "AND grid.community ^@ :community AND grid.valid @> now() ORDER BY grid.code"
        ),
        scope.parameters | {"community": community},
    ).all()


def gridworkers(session: Session, county: str) -> dict[str, int]:
    """How many gridworkers the staff list has for each community that has any."""
    rows = session.execute(
        text(
            "SELECT division.code, count(*) AS workers FROM person JOIN division "
            "ON division.county = person.county AND division.level = 'village' "
            "AND person.area_ref IN (division.code, division.name) "
            "WHERE person.county = :county AND person.role = 'gridworker' GROUP BY division.code"
        ),
        {"county": county},
    ).all()
    return {row.code: row.workers for row in rows}


def drafts(session: Session, scope: Scope) -> Rows:
    """Drafts of an area that are not published, newest first, and whether their base fits."""
    return session.execute(
        text(
            "SELECT draft.id, draft.state, draft.title, draft.area, "
            "coalesce(account.name, draft.author) AS author, "
            "draft.created_at, draft.head, draft.version, profile.name AS profile, "
            "division.name AS area_name, "
            "(SELECT count(*) FROM draft_grid WHERE generation_id = draft.id) AS grids, "
            "draft.base_id IS NOT DISTINCT FROM (SELECT id FROM generation AS latest "
            " WHERE latest.county = draft.county AND upper_inf(latest.valid)) AS fits "
            "FROM generation AS draft JOIN profile ON profile.code = draft.profile "
            "LEFT JOIN account ON account.login = draft.author "
            "LEFT JOIN division ON division.code = draft.area WHERE draft.county = :county "
            "AND draft.area ^@ ANY (:prefixes) "
            "AND draft.state IN ('draft', 'review', 'approved') "
            "ORDER BY draft.id DESC LIMIT 50"
        ),
        scope.parameters,
    ).all()


def area_communities(session: Session, county: str, area: str) -> Rows:
    """Communities of a draft's area that have ground: code and name."""
    return session.execute(
        text(
            "SELECT code, name FROM division WHERE county = :county AND level = 'village' "
            "AND geom IS NOT NULL AND code ^@ :prefix ORDER BY code LIMIT 500"
        ),
        {"county": county, "prefix": prefix_of(area)},
    ).all()


def area_bounds(session: Session, county: str, area: str) -> list[float]:
    """West, south, east and north of a draft's area, EPSG:4326."""
    row = session.execute(
        text(
            "SELECT ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box) FROM ("
            "SELECT ST_Extent(geom) AS box FROM division WHERE county = :county "
            "AND level = 'village' AND code ^@ :prefix) AS extent WHERE box IS NOT NULL"
        ),
        {"county": county, "prefix": prefix_of(area)},
    ).one_or_none()
    return [-180.0, -85.0, 180.0, 85.0] if row is None else [float(value) for value in row]


def base_version(session: Session) -> str:
    """What changes when the ground is imported anew: kept tiles of the base map go by it."""
    row = session.execute(
        text("SELECT (SELECT max(id) FROM street), (SELECT max(id) FROM building)")
    ).one()
    return f"{row[0] or 0}.{row[1] or 0}"


def profiles(session: Session) -> Rows:
    """Profiles: code, name, targets, source, whether checked."""
    return session.execute(
        text(
            "SELECT code, name, urban_households, rural_households, source, verified "
            "FROM profile ORDER BY code <> 'tongliao', code"
        )
    ).all()


def teams(session: Session) -> Rows:
    """Per team: code, name, the roles that it asks for, source."""
    return session.execute(text("SELECT code, name, roles, source FROM team ORDER BY code")).all()

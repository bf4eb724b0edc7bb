"""Figures of a published plan: per community and per grid; drafts and profiles to choose from."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.scope import Scope

__all__ = ["community_figures", "drafts", "grid_figures", "gridworkers", "profiles", "teams"]

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


def grid_figures(session: Session, scope: Scope) -> Rows:
    """Per grid of an area: code, name, kind, households, area, compactness, blocks, gridworkers."""
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
            "AND grid.valid @> now() ORDER BY grid.code"
        ),
        scope.parameters,
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
            "SELECT draft.id, draft.state, draft.title, draft.author, draft.area, "
            "draft.created_at, draft.head, draft.version, profile.name AS profile, "
            "division.name AS area_name, "
            "(SELECT count(*) FROM draft_grid WHERE generation_id = draft.id) AS grids, "
            "draft.base_id IS NOT DISTINCT FROM (SELECT id FROM generation AS latest "
            " WHERE latest.county = draft.county AND upper_inf(latest.valid)) AS fits "
            "FROM generation AS draft JOIN profile ON profile.code = draft.profile "
            "LEFT JOIN division ON division.code = draft.area WHERE draft.county = :county "
            "AND draft.area ^@ ANY (:prefixes) "
            "AND draft.state IN ('draft', 'review', 'approved') "
            "ORDER BY draft.id DESC LIMIT 50"
        ),
        scope.parameters,
    ).all()


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

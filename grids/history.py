"""The history of a plan: its generations with their figures, and where a grid comes from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.scope import Scope

__all__ = ["generations", "lineage_of", "statistics"]

Rows = Sequence[Row[Any]]
_GENERATIONS = text(
    "SELECT generation.id, CASE WHEN near THEN generation.title ELSE '' END AS title, "
    "CASE WHEN near THEN coalesce(account.name, generation.author) ELSE '' END AS author, "
    "lower(generation.valid) AS since, upper(generation.valid) AS until, "
    "count(grid.id) AS grids, coalesce(sum(grid.households), 0) AS households, "
    "count(grid.id) FILTER (WHERE grid.generation_id = generation.id) AS fresh "
    "FROM generation LEFT JOIN account ON account.login = generation.author "
    # Of what was drawn elsewhere only the day is told.
    "CROSS JOIN LATERAL (SELECT bool_or(generation.area ^@ prefix OR prefix ^@ "
    "  regexp_replace(generation.area, '(000000|000)$', '')) AS near "
    "  FROM unnest(CAST(:prefixes AS text[])) AS prefix) AS of_area "
    "LEFT JOIN grid ON grid.county = generation.county AND grid.valid @> lower(generation.valid) "
    "AND grid.community ^@ ANY (:prefixes) "
    "WHERE generation.county = :county AND generation.valid IS NOT NULL "
    "AND NOT isempty(generation.valid) GROUP BY generation.id, account.name, near "
    "ORDER BY lower(generation.valid)"
)
# Both ways: what a grid came from, and what came of it.
_LINEAGE = text(
    "WITH RECURSIVE line AS ("
    "  SELECT id, 0 AS step FROM grid WHERE county = :county AND code = :code UNION "
    "  SELECT near.id, line.step + near.way FROM line CROSS JOIN LATERAL ("
    "    SELECT parent_id AS id, -1 AS way FROM lineage WHERE child_id = line.id AND line.step <= 0"
    "    UNION ALL SELECT child_id, 1 FROM lineage WHERE parent_id = line.id AND line.step >= 0"
    "  ) AS near WHERE abs(line.step) < 20) "
    "SELECT DISTINCT parent.id AS source_id, parent.code AS source, parent.name AS source_name, "
    "lower(parent.valid) AS source_since, child.id AS target_id, child.code AS target, "
    "child.name AS target_name, lower(child.valid) AS at, household_share AS share "
    "FROM line JOIN lineage ON line.id IN (lineage.child_id, lineage.parent_id) "
    "JOIN grid AS parent ON parent.id = lineage.parent_id "
    "JOIN grid AS child ON child.id = lineage.child_id "
    "WHERE lineage.child_id IN (SELECT id FROM line) "
    "AND lineage.parent_id IN (SELECT id FROM line) "
    "AND parent.community ^@ ANY (:prefixes) AND child.community ^@ ANY (:prefixes) "
    "ORDER BY at, source, target LIMIT 500"
)

# Incidents are counted where they lay, whatever grid they were given: any generation can be
# compared with any other. On a shared edge the smaller code counts.
_STATISTICS = text(
    "WITH chosen AS (SELECT id, code, name, community, kind, households, geom FROM grid "
    "  WHERE county = :county AND community ^@ ANY (:prefixes) "
    "  AND valid @> CAST(:at AS timestamptz)), "
    "placed AS (SELECT DISTINCT ON (incident.id) incident.id, incident.state, chosen.id AS grid_id "
    "  FROM incident JOIN chosen ON ST_Covers(chosen.geom, incident.geom) "
    "  WHERE incident.county = :county AND incident.state <> 'void' "
    "  AND reported_at >= CAST(:since AS timestamptz) "
    "  AND reported_at < CAST(:until AS timestamptz) ORDER BY incident.id, chosen.code) "
    "SELECT chosen.code, chosen.name, chosen.community, chosen.kind, chosen.households, "
    "count(placed.id) AS incidents, count(placed.id) FILTER (WHERE placed.state = 'closed') "
    "AS closed, round(1000.0 * count(placed.id) / nullif(chosen.households, 0), 1)::float "
    "AS per_thousand FROM chosen LEFT JOIN placed ON placed.grid_id = chosen.id "
    "GROUP BY chosen.id, chosen.code, chosen.name, chosen.community, chosen.kind, "
    "chosen.households ORDER BY chosen.code"
)


def statistics(
    session: Session, scope: Scope, *, at: datetime, since: datetime, until: datetime
) -> Rows:
    """Incidents of a period by the grids of any generation.

    Parameters
    ----------
    at : datetime
        The plan that held, or will hold, then.
    since, until : datetime
        When the incidents were reported; `until` is not among them.

    Returns
    -------
    rows
        For each grid: code, name, community, kind, households, incidents, closed and
        incidents per thousand households.
    """
    key = scope.parameters | {"at": at, "since": since, "until": until}
    return session.execute(_STATISTICS, key).all()


def generations(session: Session, scope: Scope) -> Rows:
    """Published generations, oldest first, with an area's grids, households and new grids."""
    return session.execute(_GENERATIONS, scope.parameters).all()


def lineage_of(session: Session, scope: Scope, code: str) -> Rows:
    """Steps of a grid's lineage, oldest first: from which grid, to which, when, what share.

    Raises
    ------
    NotFoundError
        If the grid is not of the area.
    """
    if not scope.covers(code):
        raise NotFoundError(f"no grid {code} in your area")
    return session.execute(_LINEAGE, scope.parameters | {"code": code}).all()

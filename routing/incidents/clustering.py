"""Clusters among the open reports of an area."""

from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.scope import Scope, seen_sql
from gis.crs import LocalProjection
from routing.clusters import find_clusters

__all__ = ["clusters_of"]

# Twenty thousand take a second.
MOST_REPORTS = 20_000
_REPORTS = text(
    "SELECT incident.id, class_code AS kind, "  # noqa: S608 - constants
    "ST_X(incident.geom) AS lon, ST_Y(incident.geom) AS lat, "
    "extract(epoch FROM reported_at)::float8 AS at_s FROM incident "
    "LEFT JOIN grid ON grid.id = grid_id WHERE incident.county = :county "
    f"AND {seen_sql('grid.community', 'class_code')} "
    "AND state NOT IN ('closed', 'void') AND reported_at > now() - make_interval(days => :days) "
    "ORDER BY reported_at DESC, incident.id DESC LIMIT :most"
)
_AROUND_M = 40.0


def clusters_of(
    session: Session,
    scope: Scope,
    *,
    days: int = 14,
    **thresholds: float,
) -> dict[str, Any]:
    """Clusters of open reports of one class, as GeoJSON (EPSG:4326), largest first.

    Parameters
    ----------
    **thresholds
        Of `find_clusters`.
    """
    key = {"days": days, "most": MOST_REPORTS}
    rows = session.execute(_REPORTS, scope.seen | key).all()
    if not rows:
        return {"type": "FeatureCollection", "features": []}
    points = shapely.points([row.lon for row in rows], [row.lat for row in rows])
    local = LocalProjection.around(points)
    metres = shapely.get_coordinates(local.forward(points))
    _, group = np.unique([row.kind for row in rows], return_inverse=True)
    found = find_clusters(
        metres[:, 0],
        metres[:, 1],
        [row.at_s for row in rows],
        group,
        **thresholds,  # type: ignore[arg-type]
    )
    features = []
    for one in found:
        mine = shapely.multipoints(metres[list(one.members)])
        hull = shapely.buffer(shapely.convex_hull(mine), _AROUND_M)
        shape = local.inverse(np.array([hull], dtype=object))[0]
        facts = {
            "kind": one.kind,
            "class_code": rows[one.members[0]].kind,
            "count": len(one.members),
            "begin_s": one.begin_s,
            "end_s": one.end_s,
            "incidents": [rows[i].id for i in one.members],
        }
        geometry = shapely.geometry.mapping(shape)
        features.append({"type": "Feature", "properties": facts, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}

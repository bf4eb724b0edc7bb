"""Reports that may be of the same thing, and how many there are where."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.scope import Scope, seen_sql
from gis.cells import cell_polygons, coarser

__all__ = ["by_cell", "similar_reports"]

# Editable defaults: nearer and later than this, of the same group, is worth a look.
WITHIN_M, WITHIN_HOURS = 150.0, 72.0
_INSIDE = f"incident.county = :county AND {seen_sql('grid.community', 'incident.class_code')}"
# The box in degrees uses the index; the distance is metric. Same class counts as half the way.
_SIMILAR = text(
    "WITH here AS (SELECT ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) AS geom) "  # noqa: S608 - constants
    "SELECT * FROM (SELECT incident.id, source_ref AS case, class_code, state, reported_at, "
    "left(description, 80) AS description, "
    "ST_DistanceSphere(incident.geom, here.geom) AS distance_m, class_code = :class AS same "
    "FROM incident JOIN incident_class AS class ON class.code = class_code "
    'JOIN incident_class AS asked ON asked.code = :class AND asked."group" = class."group" '
    "LEFT JOIN grid ON grid.id = grid_id CROSS JOIN here WHERE "
    "incident.geom && ST_Expand(here.geom, CAST(:m AS float8) / 111320 "
    "  / greatest(cos(radians(CAST(:lat AS float8))), 0.01)) "
    f"AND state <> 'void' AND reported_at > now() - make_interval(hours => :hours) AND {_INSIDE}"
    ") AS near WHERE distance_m <= :m "
    "ORDER BY distance_m * CASE WHEN same THEN 0.5 ELSE 1 END, id DESC LIMIT 5"
)
_CELLS = text(
    "SELECT cell, count(*) AS n FROM incident LEFT JOIN grid ON grid.id = grid_id "  # noqa: S608 - constants
    f"WHERE {_INSIDE} AND state NOT IN ('closed', 'void') GROUP BY cell"
)


def similar_reports(
    session: Session,
    scope: Scope,
    place: tuple[float, float],
    class_code: str,
    *,
    within_m: float = WITHIN_M,
    within_hours: float = WITHIN_HOURS,
) -> Sequence[Row[Any]]:
    """Reports near a place (lon, lat; EPSG:4326) of the same group of classes, likeliest first."""
    key = {
        "lon": place[0],
        "lat": place[1],
        "class": class_code,
        "m": within_m,
        "hours": int(within_hours),
    }
    return session.execute(_SIMILAR, key | scope.seen).all()


def by_cell(session: Session, scope: Scope, resolution: int) -> dict[str, Any]:
    """Open incidents by H3 cell as GeoJSON; `share` is of the fullest cell."""
    rows = session.execute(_CELLS, scope.seen).all()
    cells = coarser(np.array([row.cell for row in rows], np.int64), resolution)
    if not rows:
        return {"type": "FeatureCollection", "features": []}
    kept, position = np.unique(cells, return_inverse=True)
    counts = np.bincount(position, weights=[row.n for row in rows], minlength=len(kept))
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"count": int(count), "share": float(count / counts.max())},
                "geometry": shapely.geometry.mapping(shape),
            }
            for count, shape in zip(counts, cell_polygons(kept), strict=True)
        ],
    }

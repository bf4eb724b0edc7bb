"""Domain assertions by oracles of their own (PostGIS, shapely), and ground to try them on."""

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from gis.coverage import check_coverage, polygonize_region
from gis.crs import LocalProjection


def assert_plan_holds(session: Session, county: str) -> None:
    rows = session.execute(
        text(
            "SELECT grid.id, grid.households, ST_AsBinary(grid.geom) AS geom, "
            "(SELECT count(DISTINCT block.community) FROM grid_block JOIN block "
            " ON block.id = block_id WHERE grid_id = grid.id) AS communities, "
            "(SELECT min(block.community) = grid.community FROM grid_block JOIN block "
            " ON block.id = block_id WHERE grid_id = grid.id) AS home "
            "FROM grid WHERE county = :c AND upper_inf(valid) ORDER BY code"
        ),
        {"c": county},
    ).all()
    assert rows
    shapes = shapely.from_wkb([bytes(row.geom) for row in rows])
    faults = check_coverage(shapes)
    assert faults == [], [(rows[f.piece].id, f.place.wkt) for f in faults]
    inhabited = session.execute(
        text(
            "SELECT count(*) FROM (SELECT part.grid_id, part.path FROM (SELECT grid.id AS grid_id, "
            "(ST_Dump(geom)).path, (ST_Dump(geom)).geom FROM grid WHERE county = :c "
            "AND upper_inf(valid) AND ST_NumGeometries(geom) > 1) AS part JOIN grid_block "
            "ON grid_block.grid_id = part.grid_id JOIN block ON block.id = block_id "
            "WHERE block.households > 0 AND ST_Covers(part.geom, ST_PointOnSurface(block.geom)) "
            "GROUP BY 1, 2) AS lived GROUP BY grid_id HAVING count(*) > 1"
        ),
        {"c": county},
    ).all()
    assert inhabited == [], "a grid is contiguous but for empty islets"
    assert all(row.communities == 1 and row.home for row in rows), "one community"
    loose, double = session.execute(
        text(
            "SELECT count(*) FILTER (WHERE n = 0), count(*) FILTER (WHERE n > 1) FROM ("
            "SELECT (SELECT count(*) FROM grid_block JOIN grid ON grid.id = grid_id "
            "AND upper_inf(valid) WHERE block_id = block.id) AS n FROM block "
            "WHERE county = :c AND retired_at IS NULL) AS membership"
        ),
        {"c": county},
    ).one()
    assert (loose, double) == (0, 0), "every block lies in exactly one grid"
    assert sum(row.households for row in rows) == expected_households(session, county)


def expected_households(session: Session, county: str) -> int:
    return session.execute(
        text(
            "SELECT (SELECT coalesce(sum(households), 0) FROM building WHERE county = :c "
            " AND EXISTS (SELECT 1 FROM division WHERE division.county = :c "
            " AND level = 'village' AND ST_DWithin(division.geom, building.geom, 0.0005))) + "
            "(SELECT coalesce(sum(unit.households), 0) FROM household_unit AS unit "
            " WHERE unit.county = :c AND NOT EXISTS (SELECT 1 FROM building "
            " WHERE building.geom && unit.geom AND building.households > 0 "
            " AND ST_Covers(unit.geom, ST_PointOnSurface(building.geom))))"
        ),
        {"c": county},
    ).scalar_one()


def assert_incidents_placed(session: Session, county: str) -> None:
    wrong = session.execute(
        text(
            "SELECT count(*) FROM incident WHERE county = :c AND (grid_count IS NULL OR "
            "grid_count <> (SELECT count(*) FROM grid WHERE grid.county = :c "
            " AND upper_inf(valid) AND ST_Covers(grid.geom, incident.geom)) OR "
            "grid_id IS DISTINCT FROM (SELECT grid.id FROM grid WHERE grid.county = :c "
            " AND upper_inf(valid) AND ST_Covers(grid.geom, incident.geom) "
            " ORDER BY code LIMIT 1))"
        ),
        {"c": county},
    ).scalar_one()
    assert wrong == 0


def known_grids(session: Session, county: str) -> list:
    """Each known address with the grid that covers most of its building, else its point."""
    return session.execute(
        text(
            "SELECT coalesce(a.components->>'text', a.text) AS text, coalesce("
            "(SELECT g.code FROM grid AS g WHERE g.county = a.county AND g.valid @> now() "
            "AND ST_Intersects(g.geom, b.geom) "
            "ORDER BY ST_Area(ST_Intersection(g.geom, b.geom)) DESC, g.code LIMIT 1), "
            "(SELECT g.code FROM grid AS g WHERE g.county = a.county AND g.valid @> now() "
            "AND ST_Covers(g.geom, a.geom) ORDER BY g.code LIMIT 1)) AS code "
            "FROM address AS a LEFT JOIN building AS b ON b.id = a.building_id "
            "WHERE a.county = :county ORDER BY a.id"
        ),
        {"county": county},
    ).all()


def random_streets(seed: int, count: int) -> list[shapely.LineString]:
    """Streets across a 700 × 300 m ground, some of them dead ends."""
    rng = np.random.default_rng(seed)
    ends = np.column_stack([rng.uniform(-50, 750, (count, 2)), rng.uniform(-50, 350, (count, 2))])
    return [shapely.LineString([(row[0], row[2]), (row[1], row[3])]) for row in ends]


def random_coverage_wgs84(seed: int) -> NDArray[np.object_]:
    """A coverage of about ten pieces near Taichung, in degrees."""
    pieces, _ = polygonize_region([shapely.box(0, 0, 700, 300)], random_streets(seed, 5))
    local = LocalProjection(120.6, 24.18)
    return local.inverse(pieces)

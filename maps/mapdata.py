"""What maps draw, as GeoJSON feature collections from the database (EPSG:4326)."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.scope import Scope

__all__ = ["base_layers", "collection"]

Collection = dict[str, Any]

_QUERIES = {
    "water": "SELECT ST_AsGeoJSON(geom, 6)::json AS geometry, "
    "json_build_object('name', name) AS properties FROM water WHERE county = :county",
    "street": "SELECT ST_AsGeoJSON(ST_Collect(geom), 6)::json AS geometry, "
    "json_build_object('kind', kind) AS properties FROM street WHERE county = :county "
    "GROUP BY kind",
    "railway": "SELECT ST_AsGeoJSON(ST_Collect(geom), 6)::json AS geometry, "
    "json_build_object() AS properties FROM railway WHERE county = :county "
    "HAVING count(*) > 0",
    "building": "SELECT ST_AsGeoJSON(ST_Collect(geom), 6)::json AS geometry, "
    "json_build_object() AS properties FROM building WHERE county = :county "
    "HAVING count(*) BETWEEN 1 AND 20000",
    "community": "SELECT ST_AsGeoJSON(ST_Boundary(geom), 6)::json AS geometry, "
    "json_build_object('name', name, 'code', code) AS properties FROM division "
    "WHERE county = :county AND level = 'village' AND geom IS NOT NULL "
    "AND code ^@ ANY (:prefixes) ORDER BY code",
    "grid": "SELECT ST_AsGeoJSON(grid.geom, 7)::json AS geometry, json_build_object("
    "'code', grid.code, 'name', grid.name, 'kind', grid.kind, 'households', grid.households, "
    "'community', division.name, 'worker', coalesce((SELECT string_agg(person.name, '、' "
    "ORDER BY person.id) FROM responsibility JOIN person ON person.id = person_id "
    "WHERE responsibility.grid_id = grid.id AND responsibility.valid @> now() "
    "AND responsibility.role = 'gridworker'), '—')"
    ") AS properties FROM grid JOIN division ON division.code = grid.community "
    "WHERE grid.county = :county AND grid.valid @> statement_timestamp() "
    "AND grid.community ^@ ANY (:prefixes) ORDER BY grid.code",
    "grid_outline": "SELECT ST_AsGeoJSON(geom, 7)::json AS geometry, json_build_object("
    "'code', code, 'name', name, 'kind', kind) AS properties FROM grid "
    "WHERE county = :county AND valid @> statement_timestamp() ORDER BY code",
    "micro_grid": "SELECT ST_AsGeoJSON(micro_grid.geom, 7)::json AS geometry, json_build_object("
    "'code', micro_grid.code, 'grid', grid.code, 'households', micro_grid.households) "
    "AS properties FROM micro_grid JOIN grid ON grid.id = micro_grid.grid_id "
    "WHERE micro_grid.county = :county AND grid.valid @> statement_timestamp() "
    "AND grid.community ^@ ANY (:prefixes) ORDER BY micro_grid.code",
    "service_area": "SELECT ST_AsGeoJSON(area.geom, 6)::json AS geometry, json_build_object("
    "'name', area.name, 'holder', coalesce(string_agg(person.name, '、'), '—')) AS properties "
    "FROM service_area AS area LEFT JOIN responsibility ON service_area_id = area.id "
    "AND responsibility.valid @> now() "
    "LEFT JOIN person ON person.id = person_id WHERE area.county = :county AND :whole "
    "GROUP BY area.id ORDER BY area.id",
    "incident": "SELECT ST_AsGeoJSON(incident.geom, 7)::json AS geometry, json_build_object("
    "'id', incident.id, 'ref', source_ref, 'class', incident_class.name, "
    "'class_en', incident_class.name_en, 'state', state, "
    "'at', to_char(reported_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI')) "
    "AS properties FROM incident JOIN incident_class ON incident_class.code = class_code "
    "LEFT JOIN grid ON grid.id = grid_id "
    "WHERE incident.county = :county AND state NOT IN ('closed', 'void') "
    "AND (:whole OR grid.community ^@ ANY (:prefixes)) ORDER BY incident.id",
    "responder": "SELECT ST_AsGeoJSON(position.geom, 7)::json AS geometry, json_build_object("
    "'name', person.name, 'role', person.role, 'age_min', "
    "round(extract(epoch FROM now() - position.at) / 60)) AS properties FROM position "
    "JOIN person ON person.id = position.person_id WHERE position.county = :county "
    "AND (:whole OR EXISTS (SELECT 1 FROM grid WHERE grid.county = :county "
    "AND grid.valid @> statement_timestamp() AND grid.community ^@ ANY (:prefixes) "
    "AND ST_Covers(grid.geom, position.geom))) ORDER BY person.id",
}


def collection(session: Session, scope: Scope, name: str) -> Collection:
    """One layer of an area as a feature collection.

    The base map is the whole county's; a beat or a service area belongs to no community: those
    and their holders are the county's too.
    """
    known = scope.parameters | {"whole": scope.is_whole}
    query = text(_QUERIES[name])
    rows = session.execute(query, known).all()
    features = [
        {"type": "Feature", "geometry": row.geometry, "properties": row.properties} for row in rows
    ]
    return {"type": "FeatureCollection", "features": features}


def base_layers(session: Session, county: str) -> dict[str, Collection]:
    """The base map of a county: water, buildings, streets, railways."""
    names = ("water", "building", "street", "railway")
    return {name: collection(session, Scope.whole(county), name) for name in names}

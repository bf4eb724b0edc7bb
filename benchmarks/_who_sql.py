"""The peer of `benchmarks.who`: the same answer composed by PostGIS in one statement.

One function of the same web framework on the same server, a pooled prepared statement, a GiST
index on every geometry. It answers what the statement can say: the grid, for each role who holds
it in the nearest area and is not away (or the deputy), and who leads by the class.
"""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Query, Response
from psycopg_pool import AsyncConnectionPool

from benchmarks._staffed import COUNTY

__all__ = ["QUERY", "create_app"]

QUERY = """
WITH place AS (SELECT ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4326) AS geom),
here AS (
    SELECT grid.id, grid.code, grid.name, grid.kind, grid.community, grid.households
    FROM grid, place
    WHERE grid.county = %(county)s AND upper_inf(grid.valid) AND ST_Covers(grid.geom, place.geom)
    ORDER BY grid.code LIMIT 1
),
area AS (
    SELECT 1 AS near, here.id AS grid_id, NULL::varchar AS division, NULL::bigint AS beat FROM here
    UNION ALL
    SELECT 2, NULL, NULL, service_area.id FROM service_area, place
    WHERE service_area.county = %(county)s AND ST_Covers(service_area.geom, place.geom)
    UNION ALL SELECT 3, NULL, community, NULL FROM here
    UNION ALL SELECT 4, NULL, left(community, 9) || '000', NULL FROM here
    UNION ALL SELECT 5, NULL, %(county)s || '000000', NULL
),
post AS (
    SELECT area.near, r.id, r.role, r.holder, r.person_id, r.unit_id, r.class_scope
    FROM area JOIN responsibility AS r ON r.grid_id = area.grid_id
    WHERE r.valid @> now()
    UNION ALL
    SELECT area.near, r.id, r.role, r.holder, r.person_id, r.unit_id, r.class_scope
    FROM area JOIN responsibility AS r ON r.division = area.division
    WHERE r.valid @> now()
    UNION ALL
    SELECT area.near, r.id, r.role, r.holder, r.person_id, r.unit_id, r.class_scope
    FROM area JOIN responsibility AS r ON r.service_area_id = area.beat
    WHERE r.valid @> now()
),
present AS (
    SELECT post.near, post.id, post.role, post.holder,
           coalesce(person.name, unit.name) AS name,
           coalesce(person.duty_phone, unit.duty_phone) AS duty_phone,
           min(post.near) OVER (PARTITION BY post.role) AS nearest
    FROM post
    LEFT JOIN leave ON leave.person_id = post.person_id AND leave.valid @> now()
    LEFT JOIN person
        ON person.id = CASE WHEN leave.id IS NULL THEN post.person_id ELSE leave.deputy_id END
    LEFT JOIN unit ON unit.id = post.unit_id
    WHERE (post.unit_id IS NOT NULL OR person.id IS NOT NULL)
      AND (person.id IS NULL OR leave.id IS NULL OR NOT EXISTS (
          SELECT 1 FROM leave AS again WHERE again.person_id = person.id AND again.valid @> now()))
      AND (post.class_scope IS NULL OR post.class_scope IN (%(class)s::varchar,
          (SELECT "group" FROM incident_class WHERE code = %(class)s::varchar)))
)
SELECT json_build_object(
    'grid', (SELECT row_to_json(here) FROM here),
    'people', (SELECT json_agg(json_build_object('name', name, 'role', role, 'holder', holder,
               'duty_phone', duty_phone) ORDER BY role, holder, id)
               FROM present WHERE near = nearest),
    'lead', (SELECT present.name FROM present
             LEFT JOIN incident_class AS kind ON kind.code = %(class)s::varchar
             WHERE near = nearest
               AND role IN (kind.responder_role, 'gridworker', 'centre_director')
             ORDER BY role = kind.responder_role DESC, role = 'gridworker' DESC, holder, present.id
             LIMIT 1)
)::text
"""


def create_app() -> FastAPI:
    """The peer's application; the address of the database is in the environment."""
    conninfo = os.environ["ONEGRID_DATABASE_URL"]
    pool = AsyncConnectionPool(conninfo, min_size=4, max_size=4, open=False)

    @asynccontextmanager
    async def pooled(_app: FastAPI) -> AsyncIterator[None]:
        await pool.open()
        yield
        await pool.close()

    app = FastAPI(lifespan=pooled)

    @app.get("/api/v1/who", response_model=None)
    async def who(
        lon: Annotated[float, Query(ge=-180, le=180)],
        lat: Annotated[float, Query(ge=-90, le=90)],
        kind: Annotated[str | None, Query(alias="class")] = None,
    ) -> Response:
        key: dict[str, Any] = {"lon": lon, "lat": lat, "county": COUNTY, "class": kind}
        async with pool.connection() as connection:
            row = await (await connection.execute(QUERY, key, prepare=True)).fetchone()
        return Response(row[0] if row else "null", media_type="application/json")

    return app


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    uvicorn.run(
        "benchmarks._who_sql:create_app",
        factory=True,
        port=options.port,
        workers=options.workers,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()

-- Assign incidents that have no grid yet to the grid that is valid now, smallest code on a
-- shared edge, and count the ties. An incident that has a grid keeps it.
-- H3 narrows the search: a whole cell decides alone, a boundary cell asks ST_Covers.
WITH waiting AS (
    SELECT incident.id, incident.geom, incident.cell
    FROM incident
    WHERE incident.county = :county AND incident.grid_count IS NULL
),
covering AS (
    SELECT waiting.id AS incident_id, grid.id AS grid_id, grid.code
    FROM waiting
    JOIN grid_cell ON grid_cell.cell = waiting.cell
    JOIN grid ON grid.id = grid_cell.grid_id AND grid.valid @> statement_timestamp()
    WHERE grid.county = :county
      AND (grid_cell.whole OR ST_Covers(grid.geom, waiting.geom))
),
found AS (
    SELECT waiting.id,
           (array_agg(covering.grid_id ORDER BY covering.code))[1] AS grid_id,
           count(covering.grid_id) AS grid_count
    FROM waiting LEFT JOIN covering ON covering.incident_id = waiting.id
    GROUP BY waiting.id
)
UPDATE incident
SET grid_id = found.grid_id, grid_count = found.grid_count
FROM found
WHERE incident.id = found.id

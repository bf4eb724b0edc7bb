-- For every incident with a grid and no assignment: the A holder of each role, from the
-- grid itself, the service areas that cover the place, the community and the town.
INSERT INTO assignment (county, incident_id, role, person_id, responsibility_id)
SELECT DISTINCT ON (incident.id, responsibility.role)
       incident.county, incident.id, responsibility.role,
       responsibility.person_id, responsibility.id
FROM incident
JOIN grid ON grid.id = incident.grid_id
JOIN responsibility ON responsibility.county = incident.county
 AND upper_inf(responsibility.valid)
LEFT JOIN service_area ON service_area.id = responsibility.service_area_id
WHERE incident.county = :county
  AND NOT EXISTS (SELECT 1 FROM assignment WHERE assignment.incident_id = incident.id)
  AND (responsibility.grid_id = grid.id
       OR responsibility.division = grid.community
       OR responsibility.division = left(grid.community, 9) || '000'
       OR ST_Covers(service_area.geom, incident.geom))
ORDER BY incident.id, responsibility.role, responsibility.holder, responsibility.id

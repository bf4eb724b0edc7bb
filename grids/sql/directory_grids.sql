-- The grids of a generation, in the order of their codes, with the owner of a dedicated one.
SELECT grid.id, grid.code, md5(ST_AsBinary(grid.geom)) AS mark, grid.name, grid.kind,
       grid.community, division.name AS community_name, grid.households, zone.owner
FROM grid
JOIN division ON division.code = grid.community
LEFT JOIN zone ON zone.id = grid.zone_id
WHERE grid.county = :county AND grid.valid @> CAST(:at AS timestamptz)
ORDER BY grid.code

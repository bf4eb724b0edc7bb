-- By name, all addresses that are called as one that belongs to a grid: it, with that grid, and the
-- others, with 0. A number in the source is a name where no address is called so.
WITH member AS (
    SELECT membership.grid_id, address.id, btrim(address.source_ref) AS source_ref,
           btrim(address.text) AS text, btrim(address.components->>'text') AS other
    FROM membership
    JOIN grid ON grid.id = membership.grid_id
    JOIN address ON address.id = membership.address_id
    WHERE membership.county = :county AND membership.valid @> CAST(:at AS timestamptz)
      AND grid.valid @> CAST(:at AS timestamptz)
),
named AS (
    SELECT text AS name FROM member
    UNION SELECT other FROM member
    UNION SELECT source_ref FROM member
),
called AS (
    SELECT named.name, address.id, 1 AS rank, address.geom
    FROM address JOIN named ON named.name = btrim(address.text)
    WHERE address.county = :county
    UNION
    SELECT named.name, address.id, 1, address.geom
    FROM address JOIN named ON named.name = btrim(address.components->>'text')
    WHERE address.county = :county
    UNION
    SELECT member.source_ref, address.id, 2, address.geom
    FROM address JOIN member ON member.id = address.id
),
best AS (
    SELECT *, min(rank) OVER (PARTITION BY name) AS first FROM called
)
SELECT best.name, coalesce(member.grid_id, 0) AS grid_id,
       ST_X(best.geom) AS lon, ST_Y(best.geom) AS lat
FROM best LEFT JOIN member ON member.id = best.id
WHERE best.rank = best.first
ORDER BY best.name, best.id

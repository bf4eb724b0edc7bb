"""Floor 1: pure geometry on NumPy and shapely; no database, web, clock or settings.

Coordinate systems (`crs`, `gcj02`), coverages and their adjacency (`coverage`), graphs as
pairs (`graph`), the H3 index (`cells`), the locator (`locator`), shape measures (`shape`),
exact apportionment (`apportion`). Coordinates are lon, lat (x, y) everywhere. Nothing is
imported here: whoever needs one of them does not load the others.
"""

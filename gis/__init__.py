"""Floor 1: pure geometry on NumPy and shapely; no database, web, clock or settings.

Coordinate systems (`crs`, `gcj02`), coverages and their adjacency (`coverage`), graphs as
pairs (`graph`), the H3 index (`cells`), the locator (`locator`), shape measures (`shape`),
exact apportionment (`apportion`). Coordinates are lon, lat (x, y) everywhere.
"""

from gis.coverage import adjacency, check_coverage, polygonize_region
from gis.crs import LocalProjection, SourceCrs, parse_crs, to_wgs84
from gis.errors import CrsError, GeometryError, OneGridError
from gis.locator import Locator

__all__ = [
    "CrsError",
    "GeometryError",
    "LocalProjection",
    "Locator",
    "OneGridError",
    "SourceCrs",
    "adjacency",
    "check_coverage",
    "parse_crs",
    "polygonize_region",
    "to_wgs84",
]

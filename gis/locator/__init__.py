"""The locator: place → area in tens of nanoseconds, exact on every place.

`edges` takes polygons apart, `dealing` gives each cell of a raster its edges, `states` finds the
areas at the cells' centres, `raster` writes both down as `layout` says, `query` looks places up
in it, `orient` decides near-ties exactly.
"""

from gis.locator.locator import Located, Locator

__all__ = ["Located", "Locator"]

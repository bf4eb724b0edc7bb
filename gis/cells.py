"""The H3 index of a coverage: which cells lie wholly inside an area, which on its boundary."""

from dataclasses import dataclass
from typing import Any

import h3.api.basic_int as h3
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

__all__ = ["CellIndex", "cells_of_points", "cover_polygons"]

# H3 gives a point its cell on the sphere; the hexagon drawn in degrees differs from that cell
# by up to (edge / 8 earth radii) of an edge. A thousandth of an edge (66 mm at resolution 10)
# keeps a point on both sides of that difference a candidate of every area that covers it.
_MARGIN = 1e-3
_DEGREE_M = 111_195.0


@dataclass(frozen=True, slots=True)
class CellIndex:
    """Pairs of an H3 cell and an area that it meets.

    Attributes
    ----------
    cell : ndarray of int64, shape (m,)
        H3 cell numbers (they fit a PostgreSQL BIGINT: the top bit is zero).
    area : ndarray of int64, shape (m,)
        Position of the area in the input.
    whole : ndarray of bool, shape (m,)
        True where the cell lies wholly inside the area: equality of cells then decides.
    """

    cell: NDArray[np.int64]
    area: NDArray[np.int64]
    whole: NDArray[np.bool_]


def cover_polygons(polygons: Any, resolution: int) -> CellIndex:
    """Cover polygons with H3 cells and mark those wholly inside.

    Every point that a polygon covers has its cell among the polygon's, and every point of
    a whole cell is covered by the polygon, shared edges and corners included.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,), EPSG:4326
    resolution : int
        H3 resolution; 10 is about 66 m to the edge.

    Returns
    -------
    CellIndex, sorted by area, then cell

    Examples
    --------
    >>> index = cover_polygons([shapely.box(120.60, 24.18, 120.61, 24.19)], 9)
    >>> len(index.cell), bool(index.whole.any())
    (22, True)
    """
    shapes = np.atleast_1d(np.asarray(polygons, dtype=object))
    margin_deg = _MARGIN * h3.average_hexagon_edge_length(resolution, "m") / _DEGREE_M
    found = [_candidates(shape, resolution) for shape in shapes]
    cell = np.concatenate([np.zeros(0, np.int64), *found])
    area = np.repeat(np.arange(len(shapes)), [len(numbers) for numbers in found])
    reach = shapely.buffer(_hexagons(cell), margin_deg, join_style="mitre")
    shapely.prepare(shapes)
    meets = np.asarray(shapely.intersects(shapes[area], reach), bool)
    cell, area, reach = cell[meets], area[meets], reach[meets]
    return CellIndex(cell, area, np.asarray(shapely.covers(shapes[area], reach), bool))


def _candidates(shape: Any, resolution: int) -> NDArray[np.int64]:
    """Cells that may meet a polygon: what H3 finds and the ring around it, sorted.

    H3's own "overlap" misses cells that a polygon only just reaches.
    """
    inside = h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(shape), resolution, "overlap")
    ring = {near for number in inside for near in h3.grid_disk(number, 1)}
    return np.array(sorted(ring), np.int64)


def _hexagons(cells: NDArray[np.int64]) -> NDArray[np.object_]:
    # Cells on a boundary are candidates of several areas: each is drawn once.
    once, place = np.unique(cells, return_inverse=True)
    rings = [h3.cell_to_boundary(cell) for cell in once.tolist()]
    lat_lon = np.array([corner for ring in rings for corner in ring], float).reshape(-1, 2)
    of_cell = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    closed = shapely.linearrings(lat_lon[:, ::-1], indices=of_cell)
    return np.asarray(shapely.polygons(closed)[place.reshape(-1)], dtype=object)


def cells_of_points(lon: ArrayLike, lat: ArrayLike, resolution: int) -> NDArray[np.int64]:
    """H3 cell of each point.

    Parameters
    ----------
    lon, lat : array_like of float, shape (n,), degrees, EPSG:4326

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> hex(int(cells_of_points([120.6], [24.18], 9)[0]))
    '0x894ba294697ffff'
    """
    pairs = zip(np.atleast_1d(lon).tolist(), np.atleast_1d(lat).tolist(), strict=True)
    return np.array([h3.latlng_to_cell(y, x, resolution) for x, y in pairs], np.int64)

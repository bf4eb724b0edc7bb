"""The H3 index of a coverage: which cells lie wholly inside an area, which on its boundary."""

from dataclasses import dataclass
from typing import Any

import h3.api.basic_int as h3
import numpy as np
import pyarrow as pa
import shapely
from h3ronpy import ContainmentMode, change_resolution, grid_disk
from h3ronpy.vector import cells_to_wkb_polygons, wkb_to_cells
from numpy.typing import ArrayLike, NDArray

__all__ = ["CellIndex", "cell_polygons", "cells_of_points", "coarser", "cover_polygons"]

# H3 gives a point its cell on the sphere; the hexagon drawn in degrees differs from that cell
# by up to (edge / 8 earth radii) of an edge. Hexagons drawn larger by two thousandths about their
# middle, so that each edge lies more than a thousandth of an edge (66 mm at resolution 10) farther
# out, keep a point on both sides of that difference a candidate of every area that covers it.
_LARGER = 1.002


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
    cell, area = _candidates(shapes, resolution)
    # Cells on a boundary are candidates of several areas: each is drawn once.
    once, place = np.unique(cell, return_inverse=True)
    reach = _hexagons(once)[place.reshape(-1)]
    shapely.prepare(shapes)
    meets = np.asarray(shapely.intersects(shapes[area], reach), bool)
    cell, area, reach = cell[meets], area[meets], reach[meets]
    return CellIndex(cell, area, np.asarray(shapely.covers(shapes[area], reach), bool))


def _candidates(
    shapes: NDArray[np.object_], resolution: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells that may meet each area: what H3 finds and the ring around it; sorted by area, cell.

    H3's own cover misses cells that a polygon only just reaches.
    """
    if not len(shapes):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    wkb = shapely.to_wkb(shapes).tolist()
    covers = ContainmentMode.Covers
    found = pa.array(wkb_to_cells(wkb, resolution, containment_mode=covers, flatten=False))
    owner = np.repeat(np.arange(len(shapes)), np.diff(found.offsets.to_numpy()))
    rings = pa.array(grid_disk(found.flatten(), 1, flatten=False))
    area = np.repeat(owner, np.diff(rings.offsets.to_numpy()))
    cell = rings.flatten().to_numpy().astype(np.int64)
    order = np.lexsort((cell, area))
    cell, area = cell[order], area[order]
    first = np.append(True, (np.diff(cell) != 0) | (np.diff(area) != 0))
    return cell[first], area[first]


def _hexagons(cells: NDArray[np.int64]) -> NDArray[np.object_]:
    """Cells as polygons, a little larger than they are."""
    drawn = cell_polygons(cells)
    xy, owner = shapely.get_coordinates(drawn, return_index=True)
    middle = shapely.get_coordinates(shapely.centroid(drawn))[owner]
    larger: NDArray[np.object_] = shapely.set_coordinates(drawn, middle + _LARGER * (xy - middle))
    return larger


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


def cell_polygons(cells: NDArray[np.int64]) -> NDArray[np.object_]:
    """Cells as shapely polygons, shape (n,), EPSG:4326.

    Examples
    --------
    >>> cell_polygons(cells_of_points([122.3], [43.6], 8))[0].geom_type
    'Polygon'
    """
    wkb = pa.array(cells_to_wkb_polygons(pa.array(cells.astype(np.uint64))))
    drawn: NDArray[np.object_] = np.asarray(shapely.from_wkb(wkb.to_pylist()), dtype=object)
    return drawn


def coarser(cells: NDArray[np.int64], resolution: int) -> NDArray[np.int64]:
    """The cell of a coarser resolution that each cell, shape (n,), belongs to.

    Examples
    --------
    >>> fine = cells_of_points([122.3, 122.301], [43.6, 43.6], 12)
    >>> len(set(fine.tolist())), len(set(coarser(fine, 7).tolist()))
    (2, 1)
    """
    if not len(cells):
        return np.zeros(0, np.int64)
    found = pa.array(change_resolution(pa.array(cells.astype(np.uint64)), resolution))
    return np.asarray(found.to_numpy()).astype(np.int64)

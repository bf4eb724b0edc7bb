"""The H3 index of a coverage: which cells lie wholly inside an area, which on its boundary."""

from dataclasses import dataclass
from typing import Any

import h3
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

__all__ = ["CellIndex", "cells_of_points", "cover_polygons"]


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
    cells: list[int] = []
    areas: list[int] = []
    for position, shape in enumerate(shapes):
        found = h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(shape), resolution, "overlap")
        numbers = sorted(h3.str_to_int(cell) for cell in found)
        cells.extend(numbers)
        areas.extend([position] * len(numbers))
    cell = np.asarray(cells, np.int64)
    area = np.asarray(areas, np.int64)
    hexagons = (
        shapely.polygons([_ring(number) for number in cells]) if cells else np.empty(0, object)
    )
    shapely.prepare(shapes)
    return CellIndex(cell, area, np.asarray(shapely.covers(shapes[area], hexagons), bool))


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
    numbers = [h3.str_to_int(h3.latlng_to_cell(y, x, resolution)) for x, y in pairs]
    return np.asarray(numbers, np.int64)


def _ring(number: int) -> list[tuple[float, float]]:
    return [(lon, lat) for lat, lon in h3.cell_to_boundary(h3.int_to_str(number))]

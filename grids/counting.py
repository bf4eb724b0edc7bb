"""Households on ground: counted by points, shared out by area; pure, every one kept."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.apportion import largest_remainder

__all__ = ["count_households", "share_by_area"]

Int = NDArray[np.int64]


def count_households(
    polygons: NDArray[np.object_], points: NDArray[np.object_], households: Int
) -> Int:
    """Sum the households of points by block; a point outside goes to the nearest block.

    Parameters
    ----------
    polygons : ndarray of shapely polygons, shape (n,), projected, metres
    points : ndarray of shapely points, shape (d,)
    households : ndarray of int64, shape (d,)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    totals = np.zeros(len(polygons), np.int64)
    if len(points):
        tree = shapely.STRtree(polygons)
        point, hit = tree.query_nearest(points, all_matches=False)
        np.add.at(totals, hit, households[point])
    return totals


def share_by_area(units: Any, households: Int, blocks: Any) -> Int:
    """Deal the households of units to blocks by shared area, each unit's sum kept exactly.

    Parameters
    ----------
    units : array of shapely polygons, shape (u,), projected, metres
    households : ndarray of int64, shape (u,)
    blocks : array of shapely polygons, shape (n,)

    Returns
    -------
    ndarray of int64, shape (n,)
        A unit that meets no block gives its households to the nearest one.
    """
    shapes, grounds = np.asarray(units, dtype=object), np.asarray(blocks, dtype=object)
    totals = np.zeros(len(grounds), np.int64)
    tree = shapely.STRtree(grounds)
    unit, block = tree.query(shapes, "intersects")
    shared = shapely.area(shapely.intersection(shapes[unit], grounds[block]))
    unit, block, shared = unit[shared > 0], block[shared > 0], shared[shared > 0]
    order = np.argsort(unit, kind="stable")
    start = np.searchsorted(unit[order], np.arange(len(shapes) + 1))
    for position in np.flatnonzero(households > 0):
        mine = order[start[position] : start[position + 1]]
        if mine.size:
            totals[block[mine]] += largest_remainder(int(households[position]), shared[mine])
        else:
            totals[tree.nearest(shapes[position])] += households[position]
    return totals

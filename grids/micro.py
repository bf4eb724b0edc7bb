"""Micro-grids 微网格: each grid cut into 30 to 50 households by building; pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.coverage import dissolve
from grids.cutting import group_plots, plots_of
from grids.rules import SizeRange

__all__ = ["MicroGrids", "micro_grids"]

Int = NDArray[np.int64]

_STARTS = 4


@dataclass(frozen=True, slots=True)
class MicroGrids:
    """The micro-grids of one grid.

    Attributes
    ----------
    polygons : ndarray of shapely polygons, shape (m,), projected, metres
        A coverage of the grid.
    households : ndarray of int64, shape (m,)
    building : ndarray of int64, shape (b,)
        Micro-grid of each building given.
    indivisible : ndarray of int64
        Buildings with more households than a micro-grid may have: whole here, their
        micro-grids go by unit 单元 or floors.
    """

    polygons: NDArray[np.object_]
    households: Int
    building: Int
    indivisible: Int


def micro_grids(
    grid: Any, footprints: Any, households: Int, size: SizeRange | None = None, *, seed: int = 0
) -> MicroGrids:
    """Cut a grid into micro-grids between its buildings.

    Parameters
    ----------
    grid : shapely polygon, projected, metres
    footprints : array of shapely polygons, shape (b,)
        Its buildings, each with a point inside.
    households : ndarray of int64, shape (b,)
    size : SizeRange, optional
        Households of a micro-grid; 30 to 50, 40 aimed at.
    seed : int

    Returns
    -------
    MicroGrids
        One that is the grid itself where there is nothing to cut between.
    """
    aim = size or SizeRange(40.0, 30.0, 50.0)
    shapes = np.asarray(footprints, dtype=object)
    large = np.flatnonzero(households > aim.most).astype(np.int64)
    total = float(households.sum())
    parts = min(len(shapes), max(1, *aim.grids_for(total)))
    if parts < 2:
        whole = np.array([grid], dtype=object)
        return MicroGrids(
            whole, np.array([total], np.int64), np.zeros(len(shapes), np.int64), large
        )
    plots, counts = plots_of(grid, shapes, households)
    label = _best_groups(plots, counts, aim, parts, seed)
    polygons = dissolve(plots, label)
    homes = shapely.point_on_surface(shapes)
    tree = shapely.STRtree(plots)
    building, plot = tree.query_nearest(homes, all_matches=False)
    of_building = np.zeros(len(shapes), np.int64)
    of_building[building] = label[plot]
    sums = np.bincount(label, weights=counts, minlength=len(polygons)).astype(np.int64)
    return MicroGrids(polygons, sums, of_building, large)


def _best_groups(plots: Any, counts: Int, aim: SizeRange, parts: int, seed: int) -> Int:
    """Groups of the first start whose every size is in range, or of the start nearest to it."""
    best, least = np.zeros(len(plots), np.int64), np.inf
    for start in range(_STARTS):
        label = group_plots(plots, counts, aim, parts, seed + start)
        sums = np.bincount(label, weights=counts)
        missed = int(((sums < aim.least) | (sums > aim.most)).sum())
        if missed < least:
            best, least = label, missed
        if not missed:
            break
    return best

"""The hard rules of a plan, checked on arrays; pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.coverage import adjacency, check_coverage

__all__ = ["Fault", "check_plan"]

Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken hard rule: which, where and a point to look at (in the CRS of the input)."""

    rule: str
    where: str
    place: Any


def check_plan(polygons: Any, community: Int, label: Int) -> list[Fault]:
    """Check coverage, contiguity and community of an assignment of blocks to grids.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,)
        The blocks.
    community : ndarray of int64, shape (n,)
    label : ndarray of int64, shape (n,)
        Grid of each block, 0…k-1.

    Returns
    -------
    list of Fault
        Empty where every rule holds.
    """
    shapes = np.asarray(polygons, dtype=object)
    faults = [
        Fault("coverage", f"block {fault.piece}", shapely.centroid(fault.place))
        for fault in check_coverage(shapes)
    ]
    graph = adjacency(shapes)
    kin = label[graph.left] == label[graph.right]
    ones = np.ones(int(kin.sum()))
    pairs = (graph.left[kin], graph.right[kin])
    matrix = coo_array((ones, pairs), shape=(len(shapes), len(shapes)))
    _, piece = connected_components(matrix, directed=False)
    for grid in range(int(label.max(initial=-1)) + 1):
        mine = np.flatnonzero(label == grid)
        if not mine.size:
            faults.append(Fault("empty", f"grid {grid}", shapely.Point()))
            continue
        place = shapely.point_on_surface(shapes[mine[0]])
        if len(np.unique(piece[mine])) > 1:
            faults.append(Fault("contiguous", f"grid {grid}", place))
        if len(np.unique(community[mine])) > 1:
            faults.append(Fault("one community", f"grid {grid}", place))
    return faults

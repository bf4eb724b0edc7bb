"""The hard rules of a plan, checked on arrays; pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.coverage import check_coverage
from gis.graph import connected_parts
from grids.borders import draw_borders, with_ferries

__all__ = ["Fault", "check_plan"]

Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken hard rule: which, where and a point to look at (in the CRS of the input)."""

    rule: str
    where: str
    place: Any


def check_plan(polygons: Any, community: Int, label: Int, households: Any = None) -> list[Fault]:
    """Check coverage, contiguity and community of an assignment of blocks to grids.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,)
        The blocks.
    community : ndarray of int64, shape (n,)
    label : ndarray of int64, shape (n,)
        Grid of each block, 0…k-1.
    households : ndarray, shape (n,), optional
        Where given, ground without dwellings that lies apart may be in a grid nearby.

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
    graph = draw_borders(shapes)
    if households is not None:
        graph = with_ferries(graph, shapes, community, households)
    kin = label[graph.left] == label[graph.right]
    piece = connected_parts(len(shapes), graph.left[kin], graph.right[kin])
    used, first = np.unique(label, return_index=True)
    for rule, part in (("contiguous", piece), ("one community", community)):
        kinds: Int = np.unique(np.column_stack([label, part]), axis=0)
        grids, parts = np.unique(kinds[:, 0], return_counts=True)
        for grid in grids[parts > 1]:
            place = shapely.point_on_surface(shapes[first[np.searchsorted(used, grid)]])
            faults.append(Fault(rule, f"grid {grid}", place))
    unused = np.setdiff1d(np.arange(label.max(initial=-1) + 1), used)
    return faults + [Fault("empty", f"grid {grid}", shapely.Point()) for grid in unused]

"""Cutting crowded blocks between their buildings; pure.

A block that holds too many households for one atom of a plan is cut along inner paths where
there are any, then along the lines half-way between groups of buildings: the Voronoi diagram
of the footprints, not of their centres, so that no cut runs through a building.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.coverage import adjacency, dissolve, polygonize_region, shared_segments
from gis.graph import connected_parts, neighbours
from grids.borders import nearest_pair
from grids.counting import count_households
from grids.kernels.anneal import anneal
from grids.kernels.cost import parameters
from grids.kernels.seeds import bisect
from grids.rules import SizeRange

__all__ = ["cuts_between", "group_plots", "paths_inside", "plots_of"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Geometries = NDArray[np.object_]

# Footprints are drawn in a little, so that houses wall to wall have a line between them.
_SHRINK_M = 0.3
_STEP_M = 6.0
# Half-way lines zigzag around every corner of a house: what bends less than this is straight.
_STRAIGHT_M = 4.0
_SEARCH = 300
_TREES = 8


def paths_inside(blocks: Geometries, paths: Any) -> Geometries:
    """The parts of inner paths that run through blocks.

    Parameters
    ----------
    blocks : ndarray of shapely polygons, shape (n,), projected, metres
    paths : array of shapely lines, shape (p,)

    Returns
    -------
    ndarray of shapely lines
    """
    lines = np.asarray(paths, dtype=object)
    if not len(lines) or not len(blocks):
        return np.empty(0, dtype=object)
    path, block = shapely.STRtree(blocks).query(lines, "intersects")
    inside = shapely.get_parts(shapely.intersection(lines[path], blocks[block]))
    return np.asarray(inside[shapely.get_dimensions(inside) == 1], dtype=object)


def cuts_between(
    block: Any, footprints: Geometries, households: Int, size: SizeRange, seed: int
) -> Geometries:
    """Lines that cut one block into groups of buildings of about a size.

    Parameters
    ----------
    block : shapely polygon, projected, metres
    footprints : ndarray of shapely polygons, shape (b,)
        Buildings with a point inside the block.
    households : ndarray of int64, shape (b,)
    size : SizeRange
        Households of a group; a building with more is a group of its own.
    seed : int

    Returns
    -------
    ndarray of shapely lines, none where there is nothing to cut between
    """
    parts = min(len(footprints), max(1, round(float(households.sum()) / size.target)))
    if parts < 2:
        return np.empty(0, dtype=object)
    plots, counts = plots_of(block, footprints, households)
    label = group_plots(plots, counts, size, parts, seed)
    groups = shapely.coverage_simplify(dissolve(plots, label), _STRAIGHT_M, simplify_boundary=False)
    edges = shared_segments(groups)
    ends = np.stack([edges.start, edges.end], axis=1)
    return np.asarray(shapely.linestrings(ends), dtype=object)


def plots_of(block: Any, footprints: Geometries, households: Int) -> tuple[Geometries, Int]:
    """Cut ground half-way between its buildings: one plot around each.

    Parameters
    ----------
    block : shapely polygon, projected, metres
    footprints : ndarray of shapely polygons, shape (b,)
    households : ndarray of int64, shape (b,)

    Returns
    -------
    plots : ndarray of shapely polygons, a coverage of the block
        A bend of the block can cut a plot in two, one of them without a building.
    counts : ndarray of int64
        Households of each plot; their sum is kept.
    """
    points, owner = _outline_points(footprints)
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(points), extend_to=block, ordered=True)
    )
    between = shared_segments(cells)
    apart = owner[between.left] != owner[between.right]
    lines = shapely.linestrings(np.stack([between.start[apart], between.end[apart]], axis=1))
    plots, _ = polygonize_region([block], lines)
    counts = count_households(plots, shapely.point_on_surface(footprints), households)
    return plots, counts


def _outline_points(footprints: Geometries) -> tuple[Float, Int]:
    """Points along the outlines, each once, and the building of each."""
    drawn_in = shapely.buffer(footprints, -_SHRINK_M)
    thin = shapely.is_empty(drawn_in)
    drawn_in[thin] = shapely.point_on_surface(footprints[thin])
    dense = shapely.segmentize(drawn_in, _STEP_M)
    xy, owner = shapely.get_coordinates(dense, return_index=True)
    xy, first = np.unique(np.round(xy, 3), axis=0, return_index=True)
    return xy, owner[first].astype(np.int64)


def group_plots(plots: Geometries, households: Int, size: SizeRange, parts: int, seed: int) -> Int:
    """Group plots so that groups are even and round.

    Parameters
    ----------
    plots : ndarray of shapely polygons, shape (n,), a coverage, projected, metres
    households : ndarray of int64, shape (n,)
    size : SizeRange
        Households of a group.
    parts : int
        Number of groups, at most n.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
        Each group connected, but for a plot that touches no other along an edge: it goes with
        the nearest.
    """
    count = len(plots)
    left, right, shared = _joined(plots)
    start, near, edge = neighbours(count, left, right)
    length = shared[edge]
    plain = np.zeros(count)
    body = np.column_stack([households, shapely.area(plots), shapely.length(plots), plain])
    joins, nothing = np.ones(len(near), bool), np.zeros(len(near))
    parts = min(parts, count)
    label = bisect(start, near, joins, households.astype(float), parts, _TREES, seed)
    p = parameters(
        size.target, size.least, size.most, inner=0.1, balance=1.0, compact=0.6, street=0.0
    )
    free = np.full(count, -1, np.int64)
    kernel = (start, near, joins, length, nothing, body)
    anneal(*kernel, label, parts, p, free, 0.0, _SEARCH * count, 0.5, 0.004, seed)
    return label


def _joined(plots: Geometries) -> tuple[Int, Int, Float]:
    """Edges between plots, and one of no length to each part that hangs by a point alone.

    Snapped to the lattice, the thin end of a plot can come off it.
    """
    graph = adjacency(plots)
    part = connected_parts(len(plots), graph.left, graph.right)
    main = int(np.bincount(part).argmax())
    rest = np.flatnonzero(part == main)
    lone = [np.flatnonzero(part == one) for one in np.unique(part) if one != main]
    added = np.array([nearest_pair(plots, one, rest) for one in lone], np.int64).reshape(-1, 2)
    return (
        np.concatenate([graph.left, added[:, 0]]),
        np.concatenate([graph.right, added[:, 1]]),
        np.concatenate([graph.length_m, np.zeros(len(added))]),
    )

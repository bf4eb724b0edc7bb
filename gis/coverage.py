"""Coverages: ground cut by lines into seamless pieces, checked and joined.

Lines are noded once on a 1 cm lattice; pieces made from noded lines share their edges
vertex for vertex, so any union of pieces is seamless again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import GeometryError

__all__ = [
    "Adjacency",
    "CoverageFault",
    "SharedSegments",
    "adjacency",
    "check_coverage",
    "dissolve",
    "pair_up",
    "polygonize_region",
    "shared_segments",
]

Geometries = NDArray[np.object_]
SNAP_M = 0.01


def polygonize_region(regions: Any, barriers: Any) -> tuple[Geometries, NDArray[np.int64]]:
    """Cut regions along barrier lines into one seamless coverage.

    All boundaries and barriers are noded together once and snapped to 1 cm; dead-end
    barriers fall away.

    Parameters
    ----------
    regions : array of shapely polygons, shape (n,), projected, metres
        A coverage (they touch but do not overlap), e.g. the communities of a city.
    barriers : array of shapely lines, shape (m,), projected, metres

    Returns
    -------
    pieces : ndarray of shapely polygons, shape (k,)
    region : ndarray of int64, shape (k,)
        The region that each piece lies in.

    Raises
    ------
    GeometryError
        If a region has no area left after snapping; its position is named.

    Examples
    --------
    >>> square = [shapely.box(0, 0, 100, 100)]
    >>> street = [shapely.LineString([(50, -10), (50, 110)])]
    >>> pieces, region = polygonize_region(square, street)
    >>> sorted(round(p.area) for p in pieces), region.tolist()
    ([5000, 5000], [0, 0])
    """
    shapes = np.asarray(regions, dtype=object)
    lines = np.asarray(barriers, dtype=object)
    ground = shapely.union_all(shapes, grid_size=SNAP_M)
    near = lines[np.asarray(shapely.intersects(lines, ground), bool)] if lines.size else lines
    edges = np.concatenate([shapely.boundary(shapes), near])
    noded = shapely.union_all(edges, grid_size=SNAP_M)
    pieces = shapely.get_parts(shapely.polygonize([*shapely.get_parts(noded)]))
    tree = shapely.STRtree(shapes)
    inside, owner = tree.query(shapely.point_on_surface(pieces), "within")
    _, first = np.unique(inside, return_index=True)
    kept, region = pieces[inside[first]], owner[first].astype(np.int64)
    if missing := sorted(set(range(len(shapes))) - set(region.tolist())):
        raise GeometryError(f"region {missing[0]} has no ground left after snapping to 1 cm")
    order = np.lexsort(
        (shapely.get_y(shapely.centroid(kept)), shapely.get_x(shapely.centroid(kept)), region)
    )
    return kept[order], region[order]


@dataclass(frozen=True, slots=True)
class CoverageFault:
    """A place where pieces do not fit: an edge that overlaps or does not match."""

    piece: int
    place: Any


def check_coverage(pieces: Any) -> list[CoverageFault]:
    """Find every fault of a coverage: overlaps and edges that do not match.

    Parameters
    ----------
    pieces : array of shapely polygons, shape (n,)

    Returns
    -------
    list of CoverageFault
        Empty where ``shapely.coverage_is_valid`` holds.

    Examples
    --------
    >>> overlapping = [shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)]
    >>> [fault.piece for fault in check_coverage(overlapping)]
    [0, 1]
    """
    shapes = np.asarray(pieces, dtype=object)
    if shapes.size == 0 or shapely.coverage_is_valid(shapes):
        return []
    edges = shapely.coverage_invalid_edges(shapes)
    return [CoverageFault(i, edge) for i, edge in enumerate(edges) if not shapely.is_empty(edge)]


@dataclass(frozen=True, slots=True)
class Adjacency:
    """Which pieces share an edge; touching at a point is not adjacency.

    Attributes
    ----------
    left, right : ndarray of int64, shape (m,), left < right
    length_m : ndarray of float64, shape (m,)
        Length of the shared edge, metres.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    length_m: NDArray[np.float64]


def adjacency(pieces: Any) -> Adjacency:
    """Build the edge-sharing graph of a valid coverage.

    Parameters
    ----------
    pieces : array of shapely polygons, shape (n,), projected, metres

    Returns
    -------
    Adjacency, sorted by (left, right)

    Notes
    -----
    In a valid coverage neighbours share edges vertex for vertex, so segments are matched
    by their end points: O(v log v) for v vertices, with no geometric predicate.

    Examples
    --------
    >>> row = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(2, 1, 3, 2)]
    >>> graph = adjacency(row)
    >>> graph.left.tolist(), graph.right.tolist(), graph.length_m.tolist()
    ([0], [1], [1.0])
    """
    return pair_up(shared_segments(pieces))[0]


@dataclass(frozen=True, slots=True)
class SharedSegments:
    """Straight segments that two pieces share.

    Attributes
    ----------
    left, right : ndarray of int64, shape (s,), left < right
    start, end : ndarray of float64, shape (s, 2)
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]

    @property
    def length_m(self) -> NDArray[np.float64]:
        """Length of each segment."""
        length: NDArray[np.float64] = np.hypot(*(self.end - self.start).T)
        return length


def shared_segments(pieces: Any) -> SharedSegments:
    """Find the segments that pieces of a valid coverage share.

    Parameters
    ----------
    pieces : array of shapely polygons, shape (n,), projected, metres

    Examples
    --------
    >>> row = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> shared_segments(row).start.tolist(), shared_segments(row).end.tolist()
    ([[1.0, 0.0]], [[1.0, 1.0]])
    """
    shapes = np.asarray(pieces, dtype=object)
    rings, polygon_of_ring = _rings(shapes)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same_ring = ring[1:] == ring[:-1]
    start, end = xy[:-1][same_ring], xy[1:][same_ring]
    owner = polygon_of_ring[ring[:-1][same_ring]]
    flip = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    start[flip], end[flip] = end[flip], start[flip].copy()
    segments = np.column_stack([start, end])
    order = np.lexsort((owner, *segments.T[::-1]))
    segments, owner = segments[order], owner[order]
    twin = (segments[1:] == segments[:-1]).all(axis=1) & (owner[1:] != owner[:-1])
    both = np.sort(np.column_stack([owner[:-1][twin], owner[1:][twin]]), axis=1)
    shared = segments[:-1][twin]
    return SharedSegments(both[:, 0], both[:, 1], shared[:, :2], shared[:, 2:])


def pair_up(segments: SharedSegments) -> tuple[Adjacency, NDArray[np.int64]]:
    """Sum shared segments by pair of pieces.

    Parameters
    ----------
    segments : SharedSegments, of s segments

    Returns
    -------
    graph : Adjacency, sorted by (left, right)
    pair : ndarray of int64, shape (s,)
        Which pair of the graph each segment belongs to.

    Examples
    --------
    >>> row = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> graph, pair = pair_up(shared_segments(row))
    >>> graph.length_m.tolist(), pair.tolist()
    ([1.0], [0])
    """
    pairs, inverse = np.unique(
        np.column_stack([segments.left, segments.right]), axis=0, return_inverse=True
    )
    pair = inverse.reshape(-1).astype(np.int64)
    total: NDArray[np.float64] = np.zeros(len(pairs))
    np.add.at(total, pair, segments.length_m)
    return Adjacency(pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64), total), pair


def dissolve(pieces: Any, labels: NDArray[np.int64]) -> Geometries:
    """Join the pieces of a coverage by label.

    Parameters
    ----------
    pieces : array of shapely polygons, shape (n,)
    labels : ndarray of int64, shape (n,), values 0…k-1, each used

    Returns
    -------
    ndarray of shapely polygons or multipolygons, shape (k,), again a coverage

    Examples
    --------
    >>> row = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> [round(g.area) for g in dissolve(row, np.array([0, 0]))]
    [2]
    """
    shapes = np.asarray(pieces, dtype=object)
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    groups = np.split(shapes[order], cuts)
    joined = np.empty(len(groups), dtype=object)
    for position, group in enumerate(groups):
        joined[position] = shapely.coverage_union_all(group)
    return joined


def _rings(shapes: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    parts, polygon_of_part = shapely.get_parts(shapes, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    return rings, polygon_of_part[part_of_ring].astype(np.int64)

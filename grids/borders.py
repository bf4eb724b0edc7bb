"""Borders between blocks: how long, along what, and whether one can walk across; pure."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from gis.coverage import SNAP_M, pair_up, shared_segments
from gis.graph import connected_parts

__all__ = ["BorderLines", "Borders", "draw_borders", "nearest_pair", "walk_graph", "with_ferries"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Borders:
    """Pairs of blocks that share an edge; touching at a point is none.

    Attributes
    ----------
    left, right : ndarray of int64, shape (m,), left < right, sorted
    length_m : ndarray of float64, shape (m,)
    off_street_m : ndarray of float64, shape (m,)
        What of the edge follows no street, river or railway.
    passable : ndarray of bool, shape (m,)
        False along a river or railway that no bridge or crossing joins.
    """

    left: Int
    right: Int
    length_m: Float
    off_street_m: Float
    passable: NDArray[np.bool_]

    @cached_property
    def _edges_of(self) -> tuple[Int, Int]:
        count = int(max(self.left.max(initial=-1), self.right.max(initial=-1))) + 1
        ends = np.concatenate([self.left, self.right])
        order = np.argsort(ends, kind="stable")
        start = np.searchsorted(ends[order], np.arange(count + 1))
        return start.astype(np.int64), (order % max(len(self.left), 1)).astype(np.int64)

    def of_blocks(self, blocks: Int) -> Int:
        """Positions of the borders whose two blocks are both among `blocks` (ascending)."""
        start, edges = self._edges_of
        known = blocks[blocks < len(start) - 1]
        found = [edges[start[b] : start[b + 1]] for b in known.tolist()]
        both, times = np.unique(np.concatenate([np.zeros(0, np.int64), *found]), return_counts=True)
        inside: Int = both[times == 2]
        return inside

    @cached_property
    def _off_street(self) -> Float:
        total: Float = np.zeros(int(max(self.left.max(initial=-1), self.right.max(initial=-1))) + 1)
        np.add.at(total, self.left, self.off_street_m)
        np.add.at(total, self.right, self.off_street_m)
        return total

    def off_street_of(self, blocks: Int) -> Float:
        """Off-street length of all borders of each block."""
        padded = np.append(self._off_street, np.zeros(int(blocks.max(initial=0)) + 1))
        return padded[blocks]


@dataclass(frozen=True, slots=True)
class BorderLines:
    """What borders may follow; arrays of shapely lines, projected, metres.

    Attributes
    ----------
    streets : array
        A border along them counts as on a street.
    barriers : array
        Rivers' banks and railways: on a street too, and not to be crossed on foot,
    crossings : array
        except where one of these (streets, bridges, underpasses) meets them.
    """

    streets: Any
    barriers: Any
    crossings: Any


def draw_borders(polygons: Any, lines: BorderLines | None = None) -> Borders:
    """Find the borders of a coverage and what they follow.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,), projected, metres
    lines : BorderLines, optional
        Without it every border counts as on a street and can be crossed.

    Notes
    -----
    O(s log s) for s shared segments.
    """
    segments = shared_segments(polygons)
    graph, inverse = pair_up(segments)
    count = len(graph.left)
    off: Float = np.zeros(count)
    passable = np.ones(count, bool)
    if lines is not None and count:
        middle = shapely.points((segments.start + segments.end) / 2)
        barred = _along(middle, lines.barriers)
        street = barred | _along(middle, lines.streets)
        np.add.at(off, inverse, np.where(street, 0.0, segments.length_m))
        open_segment = ~barred | _crossed(segments.start, segments.end, barred, lines.crossings)
        passable = np.bincount(inverse, weights=open_segment, minlength=count) > 0
    return Borders(graph.left, graph.right, graph.length_m, off, passable)


def _along(points: NDArray[np.object_], lines: Any) -> NDArray[np.bool_]:
    """Whether each point lies on one of the lines, as far as the lattice allows."""
    shapes = np.asarray(lines, dtype=object)
    found = np.zeros(len(points), bool)
    if len(shapes):
        near, _ = shapely.STRtree(shapes).query(points, "dwithin", distance=3 * SNAP_M)
        found[near] = True
    return found


def _crossed(
    start: Float, end: Float, barred: NDArray[np.bool_], crossings: Any
) -> NDArray[np.bool_]:
    found = np.zeros(len(start), bool)
    shapes = np.asarray(crossings, dtype=object)
    if len(shapes) and barred.any():
        edges = shapely.linestrings(np.stack([start[barred], end[barred]], axis=1))
        met, _ = shapely.STRtree(shapes).query(edges, "dwithin", distance=SNAP_M)
        found[np.flatnonzero(barred)[met]] = True
    return found


def walk_graph(borders: Borders, kin: NDArray[np.bool_], middle: Float) -> csr_array:
    """Steps from block to block, metres from middle to middle.

    Parameters
    ----------
    borders : Borders
    kin : ndarray of bool, shape (m,)
        Which borders join blocks of a kind; those that cannot be crossed are left out.
    middle : ndarray of float64, shape (n, 2), projected, metres
        A point inside each block.

    Returns
    -------
    sparse array, shape (n, n), each step once
        A step of no length counts as a nanometre: zero would be none.
    """
    walk = kin & borders.passable
    left, right = borders.left[walk], borders.right[walk]
    step = np.hypot(*(middle[left] - middle[right]).T) + 1e-9
    return coo_array((step, (left, right)), shape=(len(middle), len(middle))).tocsr()


def with_ferries(borders: Borders, polygons: Any, community: Int, households: Any) -> Borders:
    """Join ground without dwellings that lies apart, such as islets, to the nearest of its kind.

    An inhabited island keeps to itself. What is joined shares a border of no length.

    Parameters
    ----------
    borders : Borders
    polygons : array of shapely polygons, shape (n,), projected, metres
    community : ndarray of int64, shape (n,)
    households : ndarray, shape (n,)

    Returns
    -------
    Borders
        The same where nothing lies apart.
    """
    kin = community[borders.left] == community[borders.right]
    part = connected_parts(len(community), borders.left[kin], borders.right[kin])
    held: Float = np.bincount(part, weights=np.asarray(households, float)).astype(float)
    several = np.unique(np.column_stack([community, part]), axis=0)
    towns, parts = np.unique(several[:, 0], return_counts=True)
    apart = np.isin(community, towns[parts > 1])
    left, right = [borders.left], [borders.right]
    for town in np.unique(community[apart]).tolist():
        mine = np.flatnonzero(community == town)
        main = _main_part(part[mine], held)
        shores = mine[(held[part[mine]] > 0) | (part[mine] == main)]
        for islet in np.setdiff1d(np.unique(part[mine]), [main]):
            if held[islet] == 0:
                ends = nearest_pair(polygons, mine[part[mine] == islet], shores)
                left.append(np.array([min(ends)]))
                right.append(np.array([max(ends)]))
    added = len(left) - 1
    if not added:
        return borders
    one, two = np.concatenate(left), np.concatenate(right)
    order = np.lexsort((two, one))
    return Borders(
        one[order].astype(np.int64),
        two[order].astype(np.int64),
        np.append(borders.length_m, np.zeros(added))[order],
        np.append(borders.off_street_m, np.zeros(added))[order],
        np.append(borders.passable, np.ones(added, bool))[order],
    )


def _main_part(part: Int, held: Float) -> int:
    """The part with the most households, of equals the one with the most blocks."""
    names, blocks = np.unique(part, return_counts=True)
    return int(names[np.lexsort((-names, blocks, held[names]))[-1]])


def nearest_pair(polygons: Any, islet: Int, others: Int) -> tuple[int, int]:
    """Find the two polygons that lie nearest to each other, one of `islet`, one of `others`.

    Parameters
    ----------
    polygons : ndarray of shapely polygons, shape (n,), projected, metres
    islet, others : ndarray of int64
        Positions in `polygons`.
    """
    tree = shapely.STRtree(polygons[others])
    (own, other), _ = tree.query_nearest(polygons[islet], all_matches=False, return_distance=True)
    gap = shapely.distance(polygons[islet][own], polygons[others][other])
    best = int(np.argmin(gap))
    return int(islet[own[best]]), int(others[other[best]])

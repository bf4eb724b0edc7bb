"""How a hierarchy lies in memory, and the times of one mode over it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["INFINITE", "Hierarchy", "Times"]

Int = NDArray[np.int32]

# Milliseconds that are never reached (12 days); the sum of two of them is still a 32-bit number.
INFINITE = 2**30 - 1


class Hierarchy(NamedTuple):
    """Chordal supergraph of the links' graph, and its elimination tree.

    Nodes 0…n-1 stand in the order in which they are contracted, in postorder of the elimination
    tree: the subtree of v is ``first[v]:v + 1``. An edge joins a lower node to a higher one; all
    upper neighbours of a node are its ancestors, so that an ancestor's depth names it.

    Attributes
    ----------
    parent, first, depth : ndarray of int32, shape (n,)
        Parent in the elimination tree (-1 for a root), least node of the subtree, distance
        from the root.
    up_start : ndarray of int32, shape (n + 1,)
        Edges of v are ``up_start[v]:up_start[v + 1]``, their heads ascending.
    up_tail, up_head, up_depth : ndarray of int32, shape (e,)
        Lower end, upper end, and the upper end's depth.
    triangle_start : ndarray of int32, shape (e + 1,)
    triangle_low, triangle_high : ndarray of int32, shape (t,)
        For each lower node that both ends of an edge have, ascending, the edge between it and
        the lower end, and that between it and the upper end.
    link_edge : ndarray of int32, shape (l,)
        Edge that each link lies on; -1 for a link from a node to itself.
    up_link, down_link : ndarray of int32, shape (e,)
        First link of each edge that leads up, and that leads down; -1 for none.
    next_link : ndarray of int32, shape (l,)
        Next link of the same edge in the same direction; -1 for none.
    """

    parent: Int
    first: Int
    depth: Int
    up_start: Int
    up_tail: Int
    up_head: Int
    up_depth: Int
    triangle_start: Int
    triangle_low: Int
    triangle_high: Int
    link_edge: Int
    up_link: Int
    down_link: Int
    next_link: Int


class Times(NamedTuple):
    """Milliseconds of one mode; `INFINITE` where it may not go.

    Attributes
    ----------
    arc : ndarray of int32, shape (a,)
    link : ndarray of int32, shape (l,)
    into : ndarray of int32, shape (l,)
        The same in the order of links into each node.
    up, down : ndarray of int32, shape (e,)
        Over each edge from its lower to its upper end, and back, by way of lower nodes.
    up_by, down_by : ndarray of int32, shape (e,)
        What these times are made of: a triangle of the hierarchy, or link l as ``-1 - l``.
    """

    arc: Int
    link: Int
    into: Int
    up: Int
    down: Int
    up_by: Int
    down_by: Int

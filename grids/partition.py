"""Partition: blocks to grids, contiguous and inside one community; a pure function.

First version: the number of grids follows from the households; each connected piece of a
community is bisected along edges of random spanning trees, the best balanced cut of several
trees each time. Same input and seed, same answer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from gis.coverage import Adjacency
from gis.errors import GeometryError

__all__ = ["Partition", "Rules", "partition"]

Int = NDArray[np.int64]

_TREES = 12


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan aims at.

    Attributes
    ----------
    urban_households, rural_households : int
        Target per grid.
    zone_kinds : frozenset of str
        Kinds of zone that get dedicated grids.
    zone_area_m2 : float
        A smaller zone stays inside its surroundings.
    """

    urban_households: int = 300
    rural_households: int = 50
    zone_kinds: frozenset[str] = frozenset(
        {"park", "industrial_park", "business", "school", "hospital", "market", "centre"}
    )
    zone_area_m2: float = 20_000.0


@dataclass(frozen=True, slots=True)
class Partition:
    """An assignment of blocks to grids.

    Attributes
    ----------
    label : ndarray of int64, shape (n,)
        Grid of each block, 0…k-1.
    community : ndarray of int64, shape (k,)
    zone : ndarray of int64, shape (k,)
        Zone of a dedicated grid; -1 for the others.
    """

    label: Int
    community: Int
    zone: Int


def partition(
    households: Int,
    community: Int,
    zone: Int,
    graph: Adjacency,
    *,
    target: Int,
    seed: int = 0,
) -> Partition:
    """Assign blocks to grids.

    Parameters
    ----------
    households, community, zone : ndarray of int64, shape (n,)
        Zone is -1 where the block belongs to no zone that gets a grid.
    graph : Adjacency
        Which blocks share an edge.
    target : ndarray of int64, shape (c,)
        Households wanted per grid, for each community.
    seed : int

    Raises
    ------
    GeometryError
        If a count is negative; the block is named.
    """
    if (bad := np.flatnonzero(households < 0)).size:
        raise GeometryError(f"block {bad[0]} has {households[bad[0]]} households")
    kin = (community[graph.left] == community[graph.right]) & (
        zone[graph.left] == zone[graph.right]
    )
    left, right = graph.left[kin], graph.right[kin]
    count = len(households)
    matrix = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    _, connected = connected_components(matrix, directed=False)
    piece = _absorb_empty(connected.astype(np.int64), households, community, zone, graph)
    label = np.zeros(count, np.int64)
    made = 0
    order = np.argsort(piece, kind="stable")
    for blocks in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
        dedicated = bool((zone[blocks] >= 0).any())
        wanted = 1 if dedicated else _grids_wanted(households[blocks], target[community[blocks[0]]])
        rng = np.random.default_rng([seed, int(community[blocks[0]]), int(blocks[0])])
        parts = _divide(blocks, wanted, households, left, right, rng)
        label[blocks] = parts + made
        made += int(parts.max()) + 1
    grid_community = np.zeros(made, np.int64)
    grid_zone = np.full(made, -1, np.int64)
    grid_community[label] = community
    np.maximum.at(grid_zone, label, zone)
    return Partition(label, grid_community, grid_zone)


def _grids_wanted(households: Int, target: np.int64) -> int:
    return max(1, min(round(int(households.sum()) / int(target)), len(households)))


def _absorb_empty(piece: Int, households: Int, community: Int, zone: Int, graph: Adjacency) -> Int:
    """Join pieces without households, such as strips cut off by a zone, to a neighbour.

    A zone keeps its own grid however empty; an empty island stays alone.
    """
    piece = piece.copy()
    total = np.bincount(piece, weights=households)
    zoned = np.zeros(len(total), bool)
    zoned[piece[zone >= 0]] = True
    size = np.bincount(piece)
    for empty in np.flatnonzero((total == 0) & ~zoned):
        here = np.concatenate([graph.left, graph.right])
        there = np.concatenate([graph.right, graph.left])
        near = (piece[here] == empty) & (piece[there] != empty)
        near &= community[here] == community[there]
        if near.any() and size[empty] < len(piece):
            candidates = np.unique(piece[there[near]])
            lengths = np.concatenate([graph.length_m, graph.length_m])[near]
            edge = np.zeros(len(candidates))
            np.add.at(edge, np.searchsorted(candidates, piece[there[near]]), lengths)
            piece[piece == empty] = candidates[int(edge.argmax())]
    return np.unique(piece, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _divide(
    blocks: Int, wanted: int, households: Int, left: Int, right: Int, rng: np.random.Generator
) -> Int:
    """Label the blocks of one connected piece 0…wanted-1 by recursive bisection."""
    label = np.zeros(len(blocks), np.int64)
    if wanted == 1:
        return label
    position = np.full(int(max(left.max(initial=0), right.max(initial=0), blocks.max())) + 1, -1)
    position[blocks] = np.arange(len(blocks))
    inside = (position[left] >= 0) & (position[right] >= 0)
    tail, head = position[left[inside]], position[right[inside]]
    count = households[blocks].astype(float)
    open_parts = [(np.arange(len(blocks)), wanted, 0)]
    while open_parts:
        members, parts, first = open_parts.pop()
        label[members] = first
        if parts == 1 or len(members) == 1:
            continue
        one, two, ones = _bisect(members, parts, count, tail, head, rng)
        open_parts += [(one, ones, first), (two, parts - ones, first + ones)]
    return np.unique(label, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _bisect(
    members: Int,
    parts: int,
    count: NDArray[np.float64],
    tail: Int,
    head: Int,
    rng: np.random.Generator,
) -> tuple[Int, Int, int]:
    """Cut members in two connected sides along the best edge of several spanning trees."""
    size = len(members)
    position = np.full(len(count), -1)
    position[members] = np.arange(size)
    inside = (position[tail] >= 0) & (position[head] >= 0)
    edges = position[tail[inside]], position[head[inside]]
    weight = count[members]
    best: tuple[float, NDArray[np.bool_], int] | None = None
    for _ in range(_TREES):
        below, order, parent = _tree(size, edges, weight, rng)
        share = np.clip(np.rint(below[1:] / max(weight.sum(), 1.0) * parts), 1, parts - 1)
        miss = np.abs(below[1:] - weight.sum() * share / parts) / np.minimum(share, parts - share)
        cut = int(miss.argmin())
        if best is None or miss[cut] < best[0]:
            best = float(miss[cut]), _subtree(order, parent, cut + 1), int(share[cut])
    assert best is not None  # noqa: S101 - at least one tree was tried
    return members[best[1]], members[~best[1]], best[2]


def _tree(
    size: int, edges: tuple[Int, Int], weight: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], Int, Int]:
    """Random spanning tree: for each node, in breadth-first order, the weight below it."""
    matrix = coo_array((rng.uniform(1.0, 2.0, len(edges[0])), edges), shape=(size, size)).tocsr()
    tree = minimum_spanning_tree(matrix)
    order, parent = breadth_first_order(tree, int(rng.integers(size)), directed=False)
    below = weight.copy()
    for node in order[:0:-1]:
        below[parent[node]] += below[node]
    return below[order], order.astype(np.int64), parent.astype(np.int64)


def _subtree(order: Int, parent: Int, cut: int) -> NDArray[np.bool_]:
    """Mark the nodes at and below the node at position `cut` of the order."""
    marked = np.zeros(len(order), bool)
    marked[order[cut]] = True
    for node in order[cut + 1 :]:
        marked[node] = marked[parent[node]]
    return marked

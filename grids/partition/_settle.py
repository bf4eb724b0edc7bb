"""Empty ground goes with the nearest settlement on foot: fields, water, yards; pure."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from gis.graph import neighbours
from grids.borders import Borders, walk_graph
from grids.partition._pieces import Piece
from grids.partition._solve import INNER, Effort, Solution, solve
from grids.rules import SizeRange, Weights

__all__ = ["settlements", "solve_settled"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


def settlements(size: Float, community: Int, zone: Int, borders: Borders, middle: Float) -> Int:
    """Number the settlements: each block with dwellings, and the empty ground nearest to it.

    Parameters
    ----------
    size : ndarray of float64, shape (n,)
    community, zone : ndarray of int64, shape (n,)
    borders : Borders
    middle : ndarray of float64, shape (n, 2), projected, metres
        A point inside each block; a walk goes from point to point over passable borders.

    Returns
    -------
    ndarray of int64, shape (n,)
        Connected; ground that no walk joins to a dwelling keeps to itself.

    Notes
    -----
    O(e log n) for e borders: one search from all dwellings at once.
    """
    kin = community[borders.left] == community[borders.right]
    kin &= zone[borders.left] == zone[borders.right]
    graph = walk_graph(borders, kin, middle)
    settled = np.flatnonzero(size > 0)
    home = np.arange(len(size), dtype=np.int64)
    if settled.size and settled.size < len(size):
        _, _, source = dijkstra(
            graph, directed=False, indices=settled, min_only=True, return_predecessors=True
        )
        home = np.where(source >= 0, source, home).astype(np.int64)
    return np.unique(home, return_inverse=True)[1].reshape(-1).astype(np.int64)


def solve_settled(
    piece: Piece, home: Int, size: SizeRange, weights: Weights, effort: Effort, seed: int
) -> Solution:
    """Cut one piece into grids, empty ground with its settlement.

    Where a grid then misses the range or the tenth around the target, the piece is also cut
    with empty ground left free: it may be what joins two settlements that fit one grid. That
    is taken only where more grids fit.

    Parameters
    ----------
    piece : Piece, of n blocks
    home : ndarray of int64, shape (n,), values 0…k-1
        Settlement of each block.
    size, weights, effort, seed
        As in `solve`.
    """
    groups = int(home.max()) + 1
    if groups == len(home):
        return solve(piece, size, weights, effort, seed)
    held = _contract(piece, home, groups)
    settled = solve(held, size, weights, effort, seed)
    settled = replace(settled, label=settled.label[home])
    missed = _misses(piece, settled, size)
    if not any(missed):
        return settled
    free = solve(piece, size, weights, effort, seed)
    return free if _misses(piece, free, size) < missed else settled


def _misses(piece: Piece, found: Solution, size: SizeRange) -> tuple[int, int]:
    """Grids out of the range, and grids farther than a tenth from the target."""
    total = np.bincount(found.label, weights=piece.block[:, 0], minlength=found.parts)
    outside = (total < size.least) | (total > size.most)
    far = np.abs(total / size.target - 1.0) > INNER + 1e-9
    return int(outside.sum()), int(far.sum())


def _contract(piece: Piece, home: Int, groups: int) -> Piece:
    """Take each settlement for one block."""
    here = np.repeat(np.arange(len(home)), np.diff(piece.start))
    once = here < piece.near
    ends = np.sort(np.column_stack([home[here[once]], home[piece.near[once]]]), axis=1)
    length, off, passable = piece.length[once], piece.off[once], piece.passable[once]
    inner = ends[:, 0] == ends[:, 1]
    block = np.zeros((groups, 4))
    np.add.at(block, home, piece.block)
    np.subtract.at(block[:, 2], ends[inner, 0], 2 * length[inner])
    np.subtract.at(block[:, 3], ends[inner, 0], 2 * off[inner])
    pairs, inverse = np.unique(ends[~inner], axis=0, return_inverse=True)
    pairs, of_pair = pairs.reshape(-1, 2), inverse.reshape(-1)
    start, near, edge = neighbours(groups, pairs[:, 0], pairs[:, 1])

    def total(values: Float | NDArray[np.bool_]) -> Float:
        of_pairs: Float = np.bincount(of_pair, values[~inner], len(pairs)).astype(float)
        return of_pairs[edge]

    # The grid of a settlement today is that of its largest block.
    lead = np.lexsort((-piece.block[:, 0], home))
    lead = lead[np.searchsorted(home[lead], np.arange(groups))]
    prior, known = piece.prior[lead], piece.prior[lead] >= 0
    prior[known] = np.unique(prior[known], return_inverse=True)[1]
    return Piece(
        piece.nodes[lead], start, near, total(passable) > 0, total(length), total(off), block, prior
    )

"""Pieces: blocks that can reach each other inside one community and zone."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.graph import connected_parts, neighbours
from grids.borders import Borders
from grids.rules import Weights

__all__ = ["Piece", "find_pieces", "take_piece", "weigh"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Piece:
    """One connected piece, ready for the kernels.

    Attributes
    ----------
    nodes : ndarray of int64, shape (n,)
        Positions of the blocks in the input, ascending.
    start, near, passable, length, off : ndarray
        Neighbours inside the piece; see `_anneal.anneal`.
    block : ndarray of float64, shape (n, 4)
        Size, area, perimeter and what the perimeter costs off streets (`weigh`).
    prior : ndarray of int64, shape (n,)
    """

    nodes: Int
    start: Int
    near: Int
    passable: NDArray[np.bool_]
    length: Float
    off: Float
    block: Float
    prior: Int


def find_pieces(
    size: Float, community: Int, zone: Int, borders: Borders, small: Float
) -> tuple[Int, Int]:
    """Number the pieces, each small one joined to its neighbour.

    Parameters
    ----------
    size : ndarray of float64, shape (n,)
        Households or people of each block.
    community, zone : ndarray of int64, shape (n,)
    borders : Borders
    small : ndarray of float64, shape (n,)
        A piece of less than this, with a neighbour in its community, is no grid of its own.

    Returns
    -------
    piece : ndarray of int64, shape (n,)
    joined : ndarray of int64
        A block of each piece that was joined over a barrier or from inside a zone's ring.
    """
    kin = community[borders.left] == community[borders.right]
    same = kin & (zone[borders.left] == zone[borders.right])
    walk = same & borders.passable
    piece = connected_parts(len(size), borders.left[walk], borders.right[walk])
    joined: list[int] = []
    while True:
        total: Float = np.bincount(piece, weights=size).astype(float)
        zoned = np.zeros(len(total), bool)
        zoned[piece[zone >= 0]] = True
        least = np.full(len(total), np.inf)
        np.minimum.at(least, piece, small)
        alone = (total < least) & ~zoned
        across = kin & (piece[borders.left] != piece[borders.right])
        target = _best_neighbours(piece, alone, zoned, total, across, borders)
        movable = np.flatnonzero(target >= 0)
        if not movable.size:
            return piece, np.array(sorted(joined), np.int64)
        # The smallest first, one at a time where two would join each other.
        first = movable[np.lexsort((movable, total[movable]))]
        taken = np.zeros(len(total), bool)
        new = np.arange(len(total))
        for one in first.tolist():
            other = int(target[one])
            if not taken[one] and not taken[other]:
                new[one] = other
                taken[one] = taken[other] = True
                joined.append(int(np.flatnonzero(piece == one)[0]))
        piece = np.unique(new[piece], return_inverse=True)[1].reshape(-1).astype(np.int64)


def _best_neighbours(
    piece: Int,
    alone: NDArray[np.bool_],
    zoned: NDArray[np.bool_],
    total: Float,
    across: NDArray[np.bool_],
    borders: Borders,
) -> Int:
    """For each piece that is too small the neighbour with the longest edge, -1 for none.

    A zone's grid takes ground without dwellings, where there is no other neighbour.
    """
    left, right = piece[borders.left[across]], piece[borders.right[across]]
    here, there = np.concatenate([left, right]), np.concatenate([right, left])
    length = np.concatenate([borders.length_m[across], borders.length_m[across]])
    fits = alone[here] & ~(zoned[there] & (total[here] > 0))
    here, there, length = here[fits], there[fits], length[fits]
    pairs, inverse = np.unique(np.column_stack([here, there]), axis=0, return_inverse=True)
    edge: Float = np.zeros(len(pairs))
    np.add.at(edge, inverse.reshape(-1), length)
    target = np.full(len(total), -1, np.int64)
    if len(pairs):
        order = np.lexsort((pairs[:, 1], -edge, zoned[pairs[:, 1]], pairs[:, 0]))
        ones, first = np.unique(pairs[order, 0], return_index=True)
        target[ones] = pairs[order[first], 1]
    return target


def weigh(borders: Borders, estate: Int, weights: Weights) -> Borders:
    """Borders whose off-street length is what they cost: off streets, and inside an estate.

    Parameters
    ----------
    borders : Borders
    estate : ndarray of int64, shape (n,)
        Estate of each block, -1 for none.
    weights : Weights
    """
    inside = (estate[borders.left] >= 0) & (estate[borders.left] == estate[borders.right])
    cost = weights.streets * borders.off_street_m + weights.estates * inside * borders.length_m
    return replace(borders, off_street_m=cost)


def take_piece(
    nodes: Int, size: Float, area: Float, perimeter: Float, borders: Borders, prior: Int
) -> Piece:
    """Cut one piece out of the whole; O(edges of the piece) by the sorted border list."""
    edges = borders.of_blocks(nodes)
    position = {int(node): index for index, node in enumerate(nodes)}
    left = np.array([position[i] for i in borders.left[edges].tolist()], np.int64)
    right = np.array([position[i] for i in borders.right[edges].tolist()], np.int64)
    # Joined over a barrier, a piece hangs together by the edge that it was joined by.
    passable = borders.passable[edges]
    if connected_parts(len(nodes), left[passable], right[passable]).any():
        passable = np.ones(len(edges), bool)
    start, near, edge = neighbours(len(nodes), left, right)
    _, known = np.unique(prior[nodes], return_inverse=True)
    return Piece(
        nodes=nodes,
        start=start,
        near=near,
        passable=passable[edge],
        length=borders.length_m[edges][edge],
        off=borders.off_street_m[edges][edge],
        block=np.column_stack(
            [size[nodes], area[nodes], perimeter[nodes], borders.off_street_of(nodes)]
        ),
        prior=np.where(prior[nodes] >= 0, known.reshape(-1), -1).astype(np.int64),
    )

"""Graphs as pairs of positions: their connected parts, and neighbours side by side."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["connected_parts", "neighbours"]

Int = NDArray[np.int64]


def connected_parts(count: int, left: Int, right: Int) -> Int:
    """Number the connected parts of an undirected graph.

    Parameters
    ----------
    count : int
        Number of nodes.
    left, right : ndarray of int64, shape (m,)
        Ends of each edge.

    Returns
    -------
    ndarray of int64, shape (count,), values 0…parts-1

    Examples
    --------
    >>> connected_parts(4, np.array([0, 2]), np.array([1, 3])).tolist()
    [0, 0, 1, 1]
    """
    matrix = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    return np.asarray(connected_components(matrix, directed=False)[1], np.int64)


def neighbours(count: int, left: Int, right: Int) -> tuple[Int, Int, Int]:
    """Lay the neighbours of each node side by side, ascending.

    Parameters
    ----------
    count : int
        Number of nodes.
    left, right : ndarray of int64, shape (m,)
        Ends of each edge, each edge once.

    Returns
    -------
    start : ndarray of int64, shape (count + 1,)
        Neighbours of node i are ``near[start[i]:start[i + 1]]``.
    near : ndarray of int64, shape (2m,)
    edge : ndarray of int64, shape (2m,)
        Which edge leads to each neighbour.

    Examples
    --------
    >>> start, near, edge = neighbours(3, np.array([0, 1]), np.array([1, 2]))
    >>> start.tolist(), near.tolist(), edge.tolist()
    ([0, 1, 3, 4], [1, 0, 2, 1], [0, 0, 1, 1])
    """
    here, there = np.concatenate([left, right]), np.concatenate([right, left])
    order = np.lexsort((there, here))
    start = np.searchsorted(here[order], np.arange(count + 1)).astype(np.int64)
    return start, there[order], np.tile(np.arange(len(left)), 2)[order].astype(np.int64)

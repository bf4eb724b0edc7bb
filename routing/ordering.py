"""The order in which a hierarchy contracts nodes: recursive dissection of the map.

RoutingKit's inertial flow gives small cuts; it comes with routingkit-cch, which is needed where a
network is built and never where it is used. Without it, halves by coordinate do: larger, exact
all the same.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["dissection_rank", "inertial_rank"]

Int = NDArray[np.int32]
Long = NDArray[np.int64]
Float = NDArray[np.float64]
# Below this many nodes a part is not cut any further.
_SMALL = 4


def inertial_rank(lon: Float, lat: Float, tail: Int, head: Int) -> Long:
    """Position of each node in an order by inertial flow; by `dissection_rank` where it is absent.

    Parameters
    ----------
    lon, lat : ndarray of float64, shape (n,), degrees, EPSG:4326
    tail, head : ndarray of int32, shape (l,)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    try:
        from routingkit_cch import compute_order_inertial  # noqa: PLC0415 - may be absent
    except ImportError:
        return dissection_rank(lon, lat, tail, head)
    order = compute_order_inertial(
        len(lon), tail.tolist(), head.tolist(), lat.tolist(), lon.tolist()
    )
    rank = np.empty(len(lon), np.int64)
    rank[np.array(order)] = np.arange(len(lon))
    return rank


def dissection_rank(lon: Float, lat: Float, tail: Int, head: Int) -> Long:
    """Position of each node in an order by halving the map along its longer side.

    The nodes of one half that have a neighbour in the other are contracted after both.
    """
    n = len(lon)
    rank = np.empty(n, np.int64)
    flat = lon * np.cos(np.radians(lat.mean() if n else 0.0))
    where = np.empty(n, np.int8)
    parts = [(np.arange(n), tail.astype(np.int64), head.astype(np.int64), n)]
    while parts:
        nodes, a, b, end = parts.pop()
        if len(nodes) <= _SMALL or not len(a):
            rank[nodes] = np.arange(end - len(nodes), end)
            continue
        side = flat if np.ptp(flat[nodes]) > np.ptp(lat[nodes]) else lat
        half = nodes[np.argsort(side[nodes], kind="stable")]
        where[half[: len(half) // 2]], where[half[len(half) // 2 :]] = 0, 1
        crossing = where[a] != where[b]
        cut = np.unique(np.where(where[a[crossing]] == 0, a[crossing], b[crossing]))
        where[cut] = 2
        rank[cut] = np.arange(end - len(cut), end)
        end -= len(cut)
        for which in (0, 1):
            mine = nodes[where[nodes] == which]
            inside = (where[a] == which) & (where[b] == which)
            parts.append((mine, a[inside], b[inside], end))
            end -= len(mine)
    return rank

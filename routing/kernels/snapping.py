"""The nearest road to a place, ring by ring of cells around it."""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.cells import metres_per_degree, nearest_share
from routing.hierarchy import INFINITE
from routing.network import Ground

__all__ = ["MAX_SNAP_M", "snap_many", "snap_one"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]

# Farther from a road than this is off the network.
MAX_SNAP_M = 1000.0


@numba.njit(cache=True, nogil=True)
def snap_one(
    ground: Ground,
    arc_ms: Int,
    x: float,
    y: float,
) -> tuple[int, float, float]:
    """The nearest road that a mode may use, in one direction at least.

    Parameters
    ----------
    ground : Ground
    arc_ms : ndarray of int32, shape (2r,)
        Times of the mode: road r is driven along by arc 2r, back by arc 2r + 1.
    x, y : float, degrees, EPSG:4326

    Returns
    -------
    road : int
        -1 where there is none within `MAX_SNAP_M`. Of several equally near, the least.
    share : float
        How far along the road.
    distance_m : float
        On the plane that touches the ellipsoid there.
    """
    cells, lon, lat, along = ground.cells, ground.lon, ground.lat, ground.along
    point_road = ground.point_road
    across_m, up_m = metres_per_degree(y)
    west, south, width, height = cells.frame[0], cells.frame[1], cells.frame[2], cells.frame[3]
    columns, rows = cells.shape[0], cells.shape[1]
    column, row = int(np.floor((x - west) / width)), int(np.floor((y - south) / height))
    ring_m = min(width * across_m, height * up_m)
    road, share, best_2 = -1, 0.0, MAX_SNAP_M * MAX_SNAP_M
    for ring in range(int(MAX_SNAP_M / ring_m) + 2):
        # All that is nearer than the rings before has been seen.
        seen_m = (ring - 1) * ring_m
        if ring > 0 and seen_m > 0.0 and seen_m * seen_m > best_2:
            break
        for r in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
            step = 1 if abs(r - row) == ring else max(2 * ring, 1)
            for c in range(column - ring, column + ring + 1, step):
                if c < 0 or c >= columns:
                    continue
                cell = r * columns + c
                for k in range(cells.start[cell], cells.start[cell + 1]):
                    i = cells.piece[k]
                    own = point_road[i]
                    if arc_ms[2 * own] >= INFINITE and arc_ms[2 * own + 1] >= INFINITE:
                        continue
                    ax, ay = (lon[i] - x) * across_m, (lat[i] - y) * up_m
                    bx, by = (lon[i + 1] - x) * across_m, (lat[i + 1] - y) * up_m
                    at = nearest_share(ax, ay, bx, by)
                    dx, dy = ax + at * (bx - ax), ay + at * (by - ay)
                    distance_2 = dx * dx + dy * dy
                    if distance_2 < best_2 or (distance_2 == best_2 and 0 <= own < road):
                        road, best_2 = own, distance_2
                        share = along[i] + at * (along[i + 1] - along[i])
    return road, share, np.sqrt(best_2) if road >= 0 else np.inf


@numba.njit(cache=True, nogil=True)
def snap_many(
    ground: Ground,
    arc_ms: Int,
    x: Float,
    y: Float,
) -> tuple[Int, Float, Float]:
    """As `snap_one`, for arrays of places of shape (n,)."""
    road, share, distance_m = np.empty(len(x), np.int32), np.empty(len(x)), np.empty(len(x))
    for i in range(len(x)):
        road[i], share[i], distance_m[i] = snap_one(ground, arc_ms, x[i], y[i])
    return road, share, distance_m

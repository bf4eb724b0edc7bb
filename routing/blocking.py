"""What closures and speeds mean for a network: which arcs take how long.

Pure: closures are places, and are found anew on whatever network there is.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from routing.hierarchy import INFINITE
from routing.network import MODES, RoadNetwork, mode_index

__all__ = ["ClosedPlace", "Speed", "effective_ms"]

Int = NDArray[np.int32]
Long = NDArray[np.int64]

# A road runs along a closed line where all of it is within half a metre (in degrees, about).
_BESIDE_DEG = 0.5 / 111_195.0


class ClosedPlace(Protocol):
    """A closure; see `data.roads.HeldClosure`."""

    @property
    def geom(self) -> Any: ...  # noqa: D102
    @property
    def one_way(self) -> bool: ...  # noqa: D102
    @property
    def modes(self) -> tuple[str, ...]: ...  # noqa: D102


class Speed(Protocol):
    """A speed on an OSM way; see `data.roads.HeldSpeed`."""

    @property
    def way(self) -> int: ...  # noqa: D102
    @property
    def backward(self) -> bool: ...  # noqa: D102
    @property
    def mode(self) -> str: ...  # noqa: D102
    @property
    def kph(self) -> float: ...  # noqa: D102


def effective_ms(
    network: RoadNetwork, closures: Iterable[ClosedPlace], speeds: Iterable[Speed]
) -> Int:
    """Milliseconds of every arc for each mode, shape (3, 2r), with closures and speeds.

    A speed changes only arcs that the mode may use anyway; ways that the network does not have
    are passed over, as are closures that no road crosses.
    """
    ms = network.time_ms.copy()
    _apply_speeds(network, speeds, ms)
    for closure in closures:
        arcs = _closed_arcs(network, closure)
        for mode in closure.modes:
            ms[mode_index(mode), arcs] = INFINITE
    return ms


def _closed_arcs(network: RoadNetwork, closure: ClosedPlace) -> Long:
    tree = network.tree
    roads: Long
    if closure.geom.geom_type != "LineString":
        roads = tree.query(closure.geom, predicate="intersects")
        return np.concatenate([2 * roads, 2 * roads + 1])
    roads = tree.query(closure.geom.buffer(_BESIDE_DEG), predicate="contains")
    if not closure.one_way:
        return np.concatenate([2 * roads, 2 * roads + 1])
    first, last = network.point_start[roads], network.point_start[roads + 1] - 1
    at = [
        shapely.line_locate_point(
            closure.geom, shapely.points(network.lon[point], network.lat[point])
        )
        for point in (first, last)
    ]
    against: Long = (at[0] > at[1]).astype(np.int64)
    return 2 * roads + against


def _apply_speeds(network: RoadNetwork, speeds: Iterable[Speed], ms: Int) -> None:
    rows = [(one.way, one.backward, mode_index(one.mode), one.kph) for one in speeds]
    if not rows:
        return
    way, backward, mode, kph = (np.array(column) for column in zip(*rows, strict=True))
    order = np.argsort(network.way, kind="stable")
    ways = network.way[order]
    first, last = np.searchsorted(ways, way), np.searchsorted(ways, way, side="right")
    for number in range(len(MODES)):
        mine = np.flatnonzero((mode == number) & (last > first))
        count = (last - first)[mine]
        owner = np.repeat(mine, count)
        at = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        road = order[first[owner] + at]
        arc = 2 * road + backward[owner]
        took = np.rint(network.length_m[road] * 3600.0 / kph[owner])
        usable = network.time_ms[number, arc] < INFINITE
        ms[number, arc[usable]] = np.clip(took, 1, INFINITE - 1)[usable].astype(np.int32)

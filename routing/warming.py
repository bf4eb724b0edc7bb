"""Compiling the engine's kernels before anybody waits for them."""

import numpy as np

from routing.costs import Costs, measure_costs
from routing.fleet import Fleet
from routing.hierarchy import INFINITE
from routing.network import MODES, RoadNetwork
from routing.travel import TravelTimes

__all__ = ["warm"]


def warm(network: RoadNetwork) -> None:
    """Ask one of everything, so that all kernels are compiled and the next process finds them.

    Twenty seconds after an installation, none afterwards.
    """
    travel = TravelTimes(network)
    measure_costs(network, travel.conditions)
    mode = int(np.argmax((network.time_ms < INFINITE).sum(axis=1)))
    road = int(np.flatnonzero(network.time_ms[mode] < INFINITE)[0]) >> 1
    point = network.point_start[road]
    lon, lat = float(network.lon[point]), float(network.lat[point])
    # A search that costs nothing, then labels that cost nothing: both are asked.
    for costs in (Costs(1e-12, 1.0, 1.0), Costs(1.0, 1e-12, 1e-12)):
        fleet = Fleet(travel, costs=costs)
        fleet.put("", lon, lat, MODES[mode])
        fleet.nearest((lon, lat), 1)
        fleet.times_s((lon, lat))
    travel.matrix([lon], [lat], [lon], [lat], MODES[mode])
    travel.change(np.array([2 * road]), network.time_ms[:, 2 * road : 2 * road + 1])

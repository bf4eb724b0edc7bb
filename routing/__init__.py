"""Floor 4: who goes, and how; the road network, travel times, dispatch.

`network` holds a city's roads as flat arrays, `build` makes them with osmnx from a local
file, `travel` ranks responders by road travel time, `dispatch` recommends and assigns.
"""

from routing.network import RoadNetwork
from routing.travel import Journey, nearest_responders

__all__ = ["Journey", "RoadNetwork", "nearest_responders"]

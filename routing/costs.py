"""What a search and a label cost on this machine and network: measured at start, not typed in."""

import time
from typing import NamedTuple

import numpy as np

from routing.conditions import Conditions
from routing.hierarchy import INFINITE
from routing.kernels.places import label_from
from routing.kernels.search import Room, reach
from routing.kernels.ways import fill_matrix
from routing.network import RoadNetwork

__all__ = ["Costs", "measure_costs"]

_PLACES = 24
# About as far as a search goes before labels are better.
_REACH_MS = 600_000


class Costs(NamedTuple):
    """Seconds for one node of a search, one label, and one meeting of two labels."""

    node_s: float
    label_s: float
    meeting_s: float

    def search_s(self, nodes: int, wanted: int, asked: int) -> float:
        """Of a search for the nearest `wanted` of `asked` responders, spread over the nodes."""
        return self.node_s * nodes * min(1.0, wanted / max(asked, 1))

    def labels_s(self, asked: int, stale: int) -> float:
        """Of asking every responder over the hierarchy, so many of them without a label."""
        return self.label_s * (1 + stale) + self.meeting_s * asked


def measure_costs(network: RoadNetwork, conditions: Conditions) -> Costs:
    """Time a few searches and labels in the mode that has the most roads; some milliseconds."""
    mode = int(np.argmax((network.time_ms < INFINITE).sum(axis=1)))
    times = conditions.times[mode]
    arcs = np.flatnonzero((times.arc < INFINITE) & (network.links.arc_head >= 0))
    if not len(arcs):
        return Costs(1e-7, 1e-5, 1e-7)
    rng = np.random.default_rng(1)
    road = (arcs[rng.integers(0, len(arcs), _PLACES)] >> 1).astype(np.int32)
    share = rng.random(_PLACES)
    room, settled = Room.for_links(network.links), 0
    label = np.empty(network.depth, np.int32)
    h, links = network.hierarchy, network.links
    matrix = np.empty((_PLACES, _PLACES), np.int32)
    took = np.empty((3, 2))
    # The first round compiles or loads the kernels.
    for turn in range(2):
        begun = time.perf_counter()
        settled = sum(
            len(
                reach(
                    links,
                    times,
                    room,
                    road[i : i + 1],
                    share[i : i + 1],
                    np.zeros(1, np.int32),
                    _REACH_MS,
                    True,
                )[0]
            )
            for i in range(_PLACES)
        )
        took[0, turn] = time.perf_counter() - begun
        begun = time.perf_counter()
        for i in range(_PLACES):
            label_from(h, links, times, road[i], share[i], label)
        took[1, turn] = time.perf_counter() - begun
        begun = time.perf_counter()
        fill_matrix(h, network.depth, links, times, road, share, road, share, matrix)
        took[2, turn] = time.perf_counter() - begun
    label_s = took[1, 1] / _PLACES
    meetings_s = max(took[2, 1] - 2 * took[1, 1], took[2, 1] / 10)
    return Costs(took[0, 1] / max(settled, 1), label_s, meetings_s / _PLACES**2)

"""What holds on the roads at one moment: times of each mode, carried over the hierarchy.

Conditions never change. A closure or new speeds make new ones beside the old, and whoever asks
takes one reference and keeps it for the whole request.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routing.errors import NetworkError
from routing.hierarchy import INFINITE, Times, customize, recustomize
from routing.network import MODES, RoadNetwork

__all__ = ["Conditions"]

Int = NDArray[np.int32]
# Above this share of a mode's links, all of it is made anew: that is then faster.
_FEW = 0.005


@dataclass(frozen=True, eq=False)
class Conditions:
    """Times of all modes.

    Attributes
    ----------
    generation : int
        Rises with every change.
    times : tuple of Times
        Of each mode of `MODES`.
    since : tuple of int
        Generation in which the times of each mode were last changed.
    """

    generation: int
    times: tuple[Times, Times, Times]
    since: tuple[int, ...]

    @classmethod
    def usual(cls, network: RoadNetwork, generation: int = 1) -> "Conditions":
        """All roads open, at their usual speeds."""
        modes = range(len(MODES))
        # The kernel lets go of the interpreter: each mode on a core of its own.
        with ThreadPoolExecutor(len(MODES)) as pool:
            car, moped, foot = pool.map(
                lambda mode: _whole(network, mode, network.time_ms[mode].copy()), modes
            )
        return cls(generation, (car, moped, foot), (generation,) * len(MODES))

    def changed(
        self, network: RoadNetwork, arcs: NDArray[np.int64], ms: Int, generation: int
    ) -> "Conditions":
        """Make those that hold with other times on some arcs.

        Parameters
        ----------
        network : RoadNetwork
        arcs : ndarray of int64, shape (k,)
        ms : ndarray of int32, shape (3, k)
            0 to `INFINITE`. Where a mode may never go it stays infinite.

        Raises
        ------
        NetworkError
            If the shapes do not fit, an arc is unknown, or a time is negative.

        Notes
        -----
        A few changed arcs cost what they change, about 0.1 ms each, and a copy of their mode's
        times; many cost the whole of their mode, about 10 ns for each lower triangle.
        """
        if ms.shape != (len(MODES), len(arcs)) or ms.min(initial=0) < 0:
            raise NetworkError(
                f"times of {len(arcs)} arcs must have the shape {(len(MODES), len(arcs))} "
                "and not be negative"
            )
        if len(arcs) and not 0 <= arcs.min() <= arcs.max() < 2 * network.road_count:
            raise NetworkError(f"arcs are numbered 0 to {2 * network.road_count - 1}")
        times, since = list(self.times), list(self.since)
        for mode, old in enumerate(self.times):
            new = np.where(network.time_ms[mode, arcs] < INFINITE, ms[mode], INFINITE)
            differs = new != old.arc[arcs]
            if differs.any():
                times[mode] = _renewed(network, mode, old, arcs[differs], new[differs])
                since[mode] = generation
        car, moped, foot = times
        return Conditions(generation, (car, moped, foot), tuple(since))


def _link_ms(network: RoadNetwork, mode: int, arc_ms: Int, which: Any = slice(None)) -> Int:
    """Times of all links, or of some: infinite where a turn restriction bans the mode."""
    links = network.links
    banned = (links.banned[which] >> mode & 1).astype(bool)
    return np.where(banned, INFINITE, arc_ms[links.arc[which]]).astype(np.int32)


def _whole(network: RoadNetwork, mode: int, arc_ms: Int) -> Times:
    link_ms = _link_ms(network, mode, arc_ms)
    into = link_ms[network.links.in_link]
    return _frozen(Times(arc_ms, link_ms, into, *customize(network.hierarchy, link_ms)))


def _renewed(
    network: RoadNetwork, mode: int, old: Times, arcs: NDArray[np.int64], ms: Int
) -> Times:
    links = network.links
    if len(arcs) > _FEW * len(links.tail):
        arc_ms = old.arc.copy()
        arc_ms[arcs] = ms
        return _whole(network, mode, arc_ms)
    spans = zip(links.arc_start[arcs].tolist(), links.arc_start[arcs + 1].tolist(), strict=True)
    touched = np.concatenate([links.arc_link[a:b] for a, b in spans]).astype(np.int64)
    # One piece of memory for all: the system hands out a large one many times faster.
    sizes = np.cumsum([len(array) for array in old])
    arc_ms, link_ms, into, *edges = np.split(np.concatenate(old), sizes[:-1])
    arc_ms[arcs] = ms
    link_ms[touched] = _link_ms(network, mode, arc_ms, touched)
    into[links.in_place[touched]] = link_ms[touched]
    recustomize(network.hierarchy, link_ms, touched, *edges)
    return _frozen(Times(arc_ms, link_ms, into, *edges))


def _frozen(times: Times) -> Times:
    for array in times:
        array.flags.writeable = False
    return times

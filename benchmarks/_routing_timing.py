"""What the routing benchmarks share: timing, telling, positions."""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._road_cases import on_roads
from routing.hierarchy import INFINITE
from routing.network import Links, RoadNetwork

__all__ = ["MS", "US", "Place", "Row", "crew_on", "fastest_links", "quantile", "say", "taken"]

Row = dict[str, Any]
Place = tuple[float, float]
US, MS = 1e6, 1e3


def say(row: Row) -> None:
    """Print a row as soon as it is there."""
    told = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
    print("  ".join(told), file=sys.stderr, flush=True)


def taken(run: Callable[[], object]) -> float:
    """Seconds of one run."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def fastest_links(links: Links, ms: NDArray[np.int32]) -> NDArray[np.int64]:
    """The fastest open link between each pair of nodes: SciPy's matrices hold one."""
    usable = np.flatnonzero(ms < INFINITE)
    order = usable[np.lexsort((ms[usable], links.head[usable], links.tail[usable]))]
    pair = links.tail[order].astype(np.int64) * len(links.node) + links.head[order]
    found: NDArray[np.int64] = order[np.unique(pair, return_index=True)[1]]
    return found


def crew_on(network: RoadNetwork, count: int, seed: int) -> list[Place]:
    """Responders' positions."""
    rng = np.random.default_rng(seed)
    return [(x, y) for x, y in on_roads(network, count, rng).tolist()]


def quantile(values: list[float], share: float) -> float:
    """Quantile in microseconds."""
    return float(np.quantile(values, share)) * US

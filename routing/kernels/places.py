"""A place on a road: how long it takes to the road's ends, and its label in the hierarchy."""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.labels import fill_label
from routing.hierarchy.layout import INFINITE, Hierarchy, Times
from routing.network import Links

__all__ = [
    "along_arc",
    "begin_from",
    "begin_to",
    "direct_ms",
    "label_from",
    "label_to",
    "offset_ms",
]

Int = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def along_arc(arc: int, share: float) -> float:
    """Share of an arc that lies behind a place, of the share of its road."""
    return 1.0 - share if arc & 1 else share


@numba.njit(cache=True, nogil=True)
def offset_ms(arc_ms: Int, arc: int, share: float) -> int:
    """Milliseconds from the beginning of an open arc to a place on it, rounded half up."""
    return int(along_arc(arc, share) * arc_ms[arc] + 0.5)


@numba.njit(cache=True, nogil=True)
def direct_ms(
    arc_ms: Int, road: int, share: float, other: int, other_share: float
) -> tuple[int, int]:
    """Milliseconds straight along one road to a place ahead, and the arc; else `INFINITE`, -1."""
    best, by = INFINITE, -1
    if road != other:
        return best, by
    for arc in (2 * road, 2 * road + 1):
        if arc_ms[arc] < INFINITE and along_arc(arc, share) <= along_arc(arc, other_share):
            ms = offset_ms(arc_ms, arc, other_share) - offset_ms(arc_ms, arc, share)
            if ms < best:
                best, by = ms, arc
    return best, by


@numba.njit(cache=True, nogil=True)
def begin_from(
    h: Hierarchy, links: Links, times: Times, road: int, share: float, label: Int
) -> int:
    """Begin the label of ways from a place; return its lowest node, -1 where none leads away."""
    base = -1
    label[:] = INFINITE
    for arc in (2 * road, 2 * road + 1):
        v = links.arc_head[arc]
        if times.arc[arc] >= INFINITE or v < 0:
            continue
        ms = times.arc[arc] - offset_ms(times.arc, arc, share)
        label[h.depth[v]] = min(label[h.depth[v]], ms)
        base = v if base < 0 else min(base, v)
    return base


@numba.njit(cache=True, nogil=True)
def begin_to(h: Hierarchy, links: Links, times: Times, road: int, share: float, label: Int) -> int:
    """Begin the label of ways to a place; return its lowest node, -1 where none leads there."""
    base = -1
    label[:] = INFINITE
    for arc in (2 * road, 2 * road + 1):
        for i in range(links.arc_start[arc], links.arc_start[arc + 1]):
            link = links.arc_link[i]
            if times.link[link] >= INFINITE:
                continue
            v = links.tail[link]
            ms = offset_ms(times.arc, arc, share)
            label[h.depth[v]] = min(label[h.depth[v]], ms)
            base = v if base < 0 else min(base, v)
    return base


@numba.njit(cache=True, nogil=True)
def label_from(
    h: Hierarchy, links: Links, times: Times, road: int, share: float, label: Int
) -> int:
    """Fill the whole label of ways from a place; as `begin_from`."""
    base = begin_from(h, links, times, road, share, label)
    if base >= 0:
        fill_label(base, h.depth[base], label, h.parent, h.up_start, h.up_depth, times.up)
    return base


@numba.njit(cache=True, nogil=True)
def label_to(h: Hierarchy, links: Links, times: Times, road: int, share: float, label: Int) -> int:
    """Fill the whole label of ways to a place; as `begin_to`."""
    base = begin_to(h, links, times, road, share, label)
    if base >= 0:
        fill_label(base, h.depth[base], label, h.parent, h.up_start, h.up_depth, times.down)
    return base

"""Turn restrictions of OSM as sequences of arcs that may not be driven one after the other."""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.building.reading import Restriction

__all__ = ["Arcs", "bans_of"]


@dataclass(frozen=True)
class Arcs:
    """Which arcs leave a node, by node and way.

    Attributes
    ----------
    tail, head : list of int
        Of each arc.
    leaving : mapping from node to arcs
    of_way : mapping from OSM way to arcs
    """

    tail: list[int]
    head: list[int]
    leaving: dict[int, list[int]]
    of_way: dict[int, list[int]]

    @classmethod
    def of(
        cls,
        tail: NDArray[np.int32],
        head: NDArray[np.int32],
        way: NDArray[np.int64],
        used: NDArray[np.bool_],
    ) -> "Arcs":
        """Index the used arcs; arrays of shape (a,)."""
        leaving, of_way = defaultdict(list), defaultdict(list)
        for arc in np.flatnonzero(used).tolist():
            leaving[int(tail[arc])].append(arc)
            of_way[int(way[arc])].append(arc)
        return cls(tail.tolist(), head.tolist(), dict(leaving), dict(of_way))


def bans_of(
    restrictions: Iterable[Restriction], arcs: Arcs, node_of: dict[int, int]
) -> tuple[dict[tuple[int, ...], int], list[int]]:
    """Sequences that restrictions forbid.

    Parameters
    ----------
    restrictions : iterable of Restriction
    arcs : Arcs
    node_of : mapping from OSM node to node of the network

    Returns
    -------
    bans : mapping of tuple of int to int
        Sequences of arcs, with the modes that may not drive them.
    lost : list of int
        Relations that fit no arcs here: their ways are not in the extract, or not connected.
    """
    bans: dict[tuple[int, ...], int] = {}
    lost = []
    for restriction in restrictions:
        courses = list(_courses(restriction, arcs, node_of))
        if not courses:
            lost.append(restriction.id)
        for course in courses:
            if restriction.kind.startswith("no_"):
                forbidden: Iterable[tuple[int, ...]] = (course,)
            else:
                forbidden = _others(course, arcs)
            for sequence in forbidden:
                bans[sequence] = bans.get(sequence, 0) | restriction.modes
    return bans, lost


def _others(course: tuple[int, ...], arcs: Arcs) -> Iterable[tuple[int, ...]]:
    """All turns off a course that must be followed."""
    for length in range(1, len(course)):
        for arc in arcs.leaving[arcs.tail[course[length]]]:
            if arc != course[length]:
                yield (*course[:length], arc)


def _courses(
    restriction: Restriction, arcs: Arcs, node_of: dict[int, int]
) -> Iterable[tuple[int, ...]]:
    """Arcs from each beginning by the via to each end."""
    for begin in restriction.begins:
        for end in restriction.ends:
            for first in arcs.of_way.get(begin, ()):
                via = arcs.head[first]
                if restriction.via_node is not None:
                    if via == node_of.get(restriction.via_node):
                        yield from _turns(first, end, (), arcs)
                elif restriction.via_ways:
                    between = _along(restriction.via_ways, end, via, arcs)
                    if between:
                        yield from _turns(first, end, between, arcs)


def _turns(first: int, end: int, between: tuple[int, ...], arcs: Arcs) -> Iterable[tuple[int, ...]]:
    """The course onto the way `end`; back by the same road only where that way is `first`'s own."""
    at = arcs.head[(between or (first,))[-1]]
    for last in arcs.of_way.get(end, ()):
        same_way = first in arcs.of_way[end]
        if arcs.tail[last] == at and (between or not same_way or last == first ^ 1):
            yield (first, *between, last)


def _along(ways: list[int], end: int, start: int, arcs: Arcs) -> tuple[int, ...]:
    """Fewest arcs of the via ways from a node to one where the last way begins."""
    allowed = {arc for way in ways for arc in arcs.of_way.get(way, ())}
    goals = {arcs.tail[arc] for arc in arcs.of_way.get(end, ())}
    seen = {start}
    queue: deque[tuple[int, tuple[int, ...]]] = deque([(start, ())])
    while queue:
        node, course = queue.popleft()
        if course and node in goals:
            return course
        for arc in arcs.leaving.get(node, ()):
            if arc in allowed and arcs.head[arc] not in seen:
                seen.add(arcs.head[arc])
                queue.append((arcs.head[arc], (*course, arc)))
    return ()

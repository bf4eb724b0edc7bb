"""Turn restrictions: the nodes that must remember by which road they were reached.

A restriction is a sequence of arcs that may not be driven one after the other. Each proper
beginning of one is a *state*; a node is copied for each state that ends in it, and only there
(the automaton of Aho and Corasick, CACM 18 (1975), on the roads). All else stays as it was.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bans", "TurnGraph", "expand_turns"]

Int = NDArray[np.int32]
# Sequences of arcs, each with the modes (a bit each) that may not drive it.
Bans = Mapping[tuple[int, ...], int]
State = tuple[int, ...]


class TurnGraph(NamedTuple):
    """Links between the nodes of a road network and their copies.

    Attributes
    ----------
    origin : ndarray of int32, shape (n,)
        Node of the network that each node stands for; the network's own come first.
    tail, head, arc : ndarray of int32, shape (l,)
        A link drives an arc from a node to a node.
    banned : ndarray of uint8, shape (l,)
        Modes that may not: bit i is mode i.
    arc_head : ndarray of int32, shape (a,)
        Where an arc leads when it is begun in its middle; -1 for an arc that is no link.
    """

    origin: Int
    tail: Int
    head: Int
    arc: Int
    banned: NDArray[np.uint8]
    arc_head: Int


def expand_turns(
    nodes: int, tail: Int, head: Int, used: NDArray[np.bool_], bans: Bans
) -> TurnGraph:
    """Make the links of a road network with turn restrictions.

    Parameters
    ----------
    nodes : int
    tail, head : ndarray of int32, shape (a,)
        Nodes of each arc.
    used : ndarray of bool, shape (a,)
        Whether any mode may use the arc: others get no link.
    bans : mapping of tuple of int to int
        Connected sequences of at least two arcs, with the bits of the modes they bind.
    """
    states = {ban[:length] for ban in bans for length in range(1, len(ban))}
    copy = {state: nodes + i for i, state in enumerate(sorted(states))}
    after = _Automaton(states, bans)
    arc_head = head.astype(np.int32)
    for state in states:
        if len(state) == 1:
            arc_head[state[0]] = copy[state]
    arc_head[~used] = -1
    plain = np.flatnonzero(used).astype(np.int32)
    begins = {state: int(head[state[-1]]) for state in copy}
    leaving = _leaving(tail, used, set(begins.values()))
    extra = [
        (copy[state], copy.get(after.state(state, arc), int(head[arc])), arc, after.ban(state, arc))
        for state in copy
        for arc in leaving[begins[state]]
    ]
    more = np.array(extra, np.int32).reshape(-1, 4)
    return TurnGraph(
        origin=np.concatenate([np.arange(nodes), [begins[state] for state in copy]]).astype(
            np.int32
        ),
        tail=np.concatenate([tail[plain], more[:, 0]]).astype(np.int32),
        head=np.concatenate([arc_head[plain], more[:, 1]]).astype(np.int32),
        arc=np.concatenate([plain, more[:, 2]]).astype(np.int32),
        banned=np.concatenate([np.zeros(len(plain)), more[:, 3]]).astype(np.uint8),
        arc_head=arc_head,
    )


def _leaving(tail: Int, used: NDArray[np.bool_], at: Iterable[int]) -> dict[int, list[int]]:
    wanted = np.array(sorted(at), np.int32)
    arcs = np.flatnonzero(used & np.isin(tail, wanted))
    found: dict[int, list[int]] = {int(node): [] for node in wanted}
    for arc in arcs.tolist():
        found[int(tail[arc])].append(arc)
    return found


class _Automaton:
    """What is remembered, and what is forbidden, after one more arc."""

    def __init__(self, states: set[State], bans: Bans) -> None:
        self._states, self._bans = states, bans

    def state(self, state: State, arc: int) -> State:
        """The longest end of what was driven that begins a restriction; else nothing."""
        driven = (*state, arc)
        return next((end for end in _ends(driven) if end in self._states), ())

    def ban(self, state: State, arc: int) -> int:
        """Modes that may not drive the arc now."""
        modes = 0
        for end in _ends((*state, arc)):
            modes |= self._bans.get(end, 0)
        return modes


def _ends(driven: State) -> Iterable[State]:
    return (driven[i:] for i in range(len(driven)))

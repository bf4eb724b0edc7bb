"""Solving one piece: how many grids, from which start, exactly where it is small."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.graph import connected_parts
from grids.kernels.anneal import anneal
from grids.kernels.cost import grid_cost, parameters
from grids.kernels.exact import EXACT_LIMIT, best_cut
from grids.kernels.seeds import bisect
from grids.partition._pieces import Piece
from grids.rules import SizeRange, Weights

__all__ = ["INNER", "Effort", "Solution", "search", "solve"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

_TREES = 8
# Hot enough to leave any range, cold enough that nothing but gains is taken at the end.
_HOT, _COLD, _WARM = 1.0, 0.005, 0.05
# The inner step of the balance: a tenth of the target.
INNER = 0.1


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to search: steps per block in all, dealt to several starts.

    A piece of few blocks is easily caught in a bad corner, one of many has room to leave it:
    above `crowd` blocks there are fewer starts, down to one long one.
    """

    steps: int = 12000
    starts: int = 24
    crowd: int = 25

    def starts_for(self, blocks: int) -> int:
        """Starts for a piece of so many blocks."""
        return max(1, min(self.starts, round(self.starts * self.crowd / blocks)))


@dataclass(frozen=True, slots=True)
class Solution:
    """Labels of a piece's blocks, the score for each grid, and whether it is proved best."""

    label: Int
    parts: int
    cost: float
    exact: bool


def solve(piece: Piece, size: SizeRange, weights: Weights, effort: Effort, seed: int) -> Solution:
    """Cut one piece into grids; the same for the same input and seed."""
    p = parameters(
        size.target,
        size.least,
        size.most,
        inner=INNER,
        balance=weights.balance,
        compact=weights.compactness,
        # The engine hands over what the edges cost, streets and estates weighed.
        street=1.0,
    )
    total, count = float(piece.block[:, 0].sum()), len(piece.nodes)
    choices = sorted({max(1, min(k, count)) for k in size.grids_for(total)})
    held = len(np.unique(piece.prior[piece.prior >= 0]))
    if held in choices:  # a number of grids that still fits is kept
        choices = [held]
    found = [_cut(piece, k, p, weights.stability, effort, seed) for k in choices]
    return min(found, key=lambda solution: (solution.cost / solution.parts, solution.parts))


def _cut(piece: Piece, parts: int, p: Float, keep: float, effort: Effort, seed: int) -> Solution:
    count = len(piece.nodes)
    if parts == 1:
        sums = piece.block.sum(axis=0)
        edge, off = piece.length.sum(), piece.off.sum()
        cost = grid_cost(sums[0], sums[1], sums[2] - edge, sums[3] - off, p)
        return Solution(np.zeros(count, np.int64), 1, cost, exact=True)
    if count <= EXACT_LIMIT and not (piece.prior >= 0).any():
        graph = (piece.start, piece.near, piece.passable, piece.length, piece.off, piece.block)
        proved, label = best_cut(*graph, parts, p, np.zeros((count, parts)))
        return Solution(label, parts, proved, exact=True)
    return search(piece, parts, p, keep, effort, seed)


def search(piece: Piece, parts: int, p: Float, keep: float, effort: Effort, seed: int) -> Solution:
    """Cut one piece into so many grids by bisection and annealing; the best of the starts."""
    count, held = len(piece.nodes), (piece.prior >= 0).any()
    graph = (piece.start, piece.near, piece.passable, piece.length, piece.off, piece.block)
    best: Solution | None = None
    weight = np.ascontiguousarray(piece.block[:, 0])
    starts = effort.starts_for(count)
    steps = effort.steps // starts * count
    for start in range(starts):
        own = seed + start
        label = bisect(piece.start, piece.near, piece.passable, weight, parts, _TREES, own)
        prior = np.full(count, -1, np.int64)
        hot = _HOT
        if held:
            label, prior, hot = _from_prior(piece, label, parts, warm=start == 0)
        cost = anneal(*graph, label, parts, p, prior, keep, steps, hot, _COLD, own)
        if best is None or cost < best.cost:
            best = Solution(label, parts, cost, exact=False)
    assert best is not None  # noqa: S101 - there is at least one start
    return best


def _from_prior(piece: Piece, label: Int, parts: int, *, warm: bool) -> tuple[Int, Int, float]:
    """Name new grids after the old ones that they share most with; start from the old plan.

    The old plan is a start only where it has the wanted number of grids, each whole.
    """
    old = piece.prior
    known = int(old.max()) + 1
    if warm and known == parts and (old >= 0).all() and _all_whole(piece, old):
        return old.copy(), old.copy(), _WARM
    shared = np.zeros((parts, known))
    has = old >= 0
    np.add.at(shared, (label[has], old[has]), piece.block[has, 0] + 1e-6)
    name = np.full(known, -1, np.int64)
    taken = np.zeros(parts, bool)
    for cell in np.argsort(-shared, axis=None, kind="stable"):
        new, former = divmod(int(cell), known)
        if name[former] < 0 and not taken[new] and shared[new, former] > 0:
            name[former], taken[new] = new, True
    # A block of a grid that has no successor moves whatever happens.
    prior = np.where(has, name[np.maximum(old, 0)], -1)
    return label, prior.astype(np.int64), _HOT


def _all_whole(piece: Piece, label: Int) -> bool:
    """Whether every label is one connected part."""
    here = np.repeat(np.arange(len(label)), np.diff(piece.start))
    kin = piece.passable & (label[here] == label[piece.near])
    part = connected_parts(len(label), here[kin], piece.near[kin])
    return len(np.unique(part)) == len(np.unique(label))

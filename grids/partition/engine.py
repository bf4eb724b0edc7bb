"""The partition of a whole county: pieces solved one by one or by many workers alike."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.coverage import check_coverage
from gis.errors import GeometryError
from grids.batches import in_batches
from grids.blocks import Blocks
from grids.borders import Borders, with_ferries
from grids.partition._finished import key_of
from grids.partition._pieces import Piece, find_pieces, take_piece, weigh
from grids.partition._settle import settlements, solve_settled
from grids.partition._solve import Effort, Solution
from grids.rules import Rules, SizeRange, Weights

__all__ = ["Partition", "PieceReport", "partition"]

Int = NDArray[np.int64]

# Pieces sent to a worker at once: enough blocks to outweigh the sending.
_BATCH_BLOCKS = 400


@dataclass(frozen=True, slots=True)
class PieceReport:
    """How one piece was cut: its community, blocks, grids, score, and whether proved best."""

    community: int
    zone: int
    blocks: int
    grids: int
    score: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Partition:
    """An assignment of blocks to grids.

    Attributes
    ----------
    label : ndarray of int64, shape (n,)
        Grid of each block, 0…k-1.
    community : ndarray of int64, shape (k,)
    zone : ndarray of int64, shape (k,)
        Zone of a dedicated grid; -1 for the others.
    pieces : tuple of PieceReport
    joined : ndarray of int64
        A block of each small piece that was joined to a neighbour over a barrier.
    """

    label: Int
    community: Int
    zone: Int
    pieces: tuple[PieceReport, ...] = ()
    joined: Int = field(default_factory=lambda: np.zeros(0, np.int64))


def partition(
    blocks: Blocks,
    borders: Borders,
    urban: NDArray[np.bool_],
    rules: Rules | None = None,
    *,
    seed: int = 0,
    prior: Int | None = None,
    effort: Effort | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    finished: MutableMapping[str, Solution] | None = None,
) -> Partition:
    """Assign blocks to grids by the rules.

    Parameters
    ----------
    blocks : Blocks
        Projected, metres; `blocks.zone` is -1 where there is no dedicated zone.
    borders : Borders
        From `draw_borders` over the same polygons.
    urban : ndarray of bool, shape (c,)
        For each community, whether the urban or the rural range holds.
    rules : Rules, optional
    seed : int
        Same input and seed, same answer, whatever the number of workers.
    prior : ndarray of int64, shape (n,), optional
        Grid of each block today, -1 for none: what still fits is kept.
    effort : Effort, optional
    executor : concurrent.futures.Executor, optional
        Solves pieces in parallel; in this process without one.
    progress : callable, optional
        Called with the blocks done and the blocks in all.
    finished : MutableMapping, optional
        Solutions by digest, such as `FinishedPieces`: what an interrupted run has solved is
        taken from it, what this one solves is added piece by piece.

    Raises
    ------
    GeometryError
        If the blocks overlap, a count is negative or not finite, or a community is
        unknown; the block is named.

    Notes
    -----
    Linear in the blocks but for the bisection's log of the grids.
    """
    rules = rules or Rules()
    _check(blocks, urban)
    borders = with_ferries(borders, blocks.polygons, blocks.community, blocks.households)
    edges = weigh(borders, blocks.estate, rules.weights)
    size = blocks.size_of(rules.measure).astype(float)
    of_block = [rules.urban if flag else rules.rural for flag in urban]
    ranges = [of_block[c] for c in blocks.community.tolist()]
    small = np.array([r.least / 2 for r in ranges])
    piece, joined = find_pieces(size, blocks.community, blocks.zone, borders, small)
    middle = shapely.get_coordinates(shapely.point_on_surface(blocks.polygons))
    home = settlements(size, blocks.community, blocks.zone, borders, middle)
    area, perimeter = shapely.area(blocks.polygons), shapely.length(blocks.polygons)
    before = np.full(len(size), -1, np.int64) if prior is None else prior
    order = np.argsort(piece, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(piece[order])) + 1)
    tasks = [
        (
            take_piece(nodes, size, area, perimeter, edges, before),
            np.unique(home[nodes], return_inverse=True)[1].reshape(-1).astype(np.int64),
            ranges[int(nodes[0])],
            _seed_of(seed, blocks, int(nodes[0])),
        )
        for nodes in members
        if nodes.size
    ]
    solutions = _run(tasks, rules.weights, effort or Effort(), executor, progress, finished)
    return _assemble(blocks, tasks, solutions, joined)


Task = tuple[Piece, Int, SizeRange, int]


def _seed_of(seed: int, blocks: Blocks, first: int) -> int:
    state = np.random.SeedSequence([seed, int(blocks.community[first]), first])
    return int(state.generate_state(1)[0] & 0x3FFFFFFF)


def _check(blocks: Blocks, urban: NDArray[np.bool_]) -> None:
    for name, values in (("households", blocks.households), ("people", blocks.people)):
        bad = np.flatnonzero(~np.isfinite(values.astype(float)) | (values < 0))
        if bad.size:
            raise GeometryError(f"block {bad[0]} has {values[bad[0]]} {name}")
    strange = np.flatnonzero((blocks.community < 0) | (blocks.community >= len(urban)))
    if strange.size:
        raise GeometryError(
            f"block {strange[0]} is of community {blocks.community[strange[0]]}, which is unknown"
        )
    if faults := check_coverage(blocks.polygons):
        raise GeometryError(f"block {faults[0].piece} overlaps another or does not fit its edge")


def _batches(tasks: list[Task]) -> Iterator[list[int]]:
    # The largest first, so that no worker is left with one at the end.
    order = sorted(range(len(tasks)), key=lambda i: (-len(tasks[i][0].nodes), i))
    return in_batches(order, lambda i: len(tasks[i][0].nodes), _BATCH_BLOCKS)


def _solve_batch(tasks: list[Task], weights: Weights, effort: Effort) -> list[Solution]:
    return [
        solve_settled(piece, home, size, weights, effort, seed) for piece, home, size, seed in tasks
    ]


def _run(
    tasks: list[Task],
    weights: Weights,
    effort: Effort,
    executor: Executor | None,
    progress: Callable[[int, int], None] | None,
    finished: MutableMapping[str, Solution] | None,
) -> list[Solution]:
    keys: list[str] = []
    found: dict[int, Solution] = {}
    if finished is not None:
        keys = [key_of(*task[:3], weights, effort, task[3]) for task in tasks]
        held = enumerate(map(finished.get, keys))
        found = {i: solution for i, solution in held if solution is not None}
    total = sum(len(piece.nodes) for piece, *_ in tasks)
    done = sum(len(tasks[i][0].nodes) for i in found)
    waiting = [i for i in range(len(tasks)) if i not in found]
    for batch, solutions in _solved([tasks[i] for i in waiting], weights, effort, executor):
        for position, solution in zip(batch, solutions, strict=True):
            index = waiting[position]
            found[index] = solution
            done += len(tasks[index][0].nodes)
            if finished is not None:
                finished[keys[index]] = solution
        if progress is not None:
            progress(done, total)
    return [found[index] for index in range(len(tasks))]


def _solved(
    tasks: list[Task], weights: Weights, effort: Effort, executor: Executor | None
) -> Iterable[tuple[list[int], list[Solution]]]:
    if executor is None:
        for batch in _batches(tasks):
            yield batch, _solve_batch([tasks[i] for i in batch], weights, effort)
        return
    waiting = {
        executor.submit(_solve_batch, [tasks[i] for i in batch], weights, effort): batch
        for batch in _batches(tasks)
    }
    try:
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        for future in waiting:
            future.cancel()


def _assemble(
    blocks: Blocks, tasks: list[Task], solutions: list[Solution], joined: Int
) -> Partition:
    label = np.zeros(len(blocks.community), np.int64)
    made = 0
    reports = []
    for (piece, *_), solution in zip(tasks, solutions, strict=True):
        label[piece.nodes] = solution.label + made
        made += solution.parts
        first = int(piece.nodes[0])
        reports.append(
            PieceReport(
                int(blocks.community[first]),
                int(blocks.zone[piece.nodes].max()),
                len(piece.nodes),
                solution.parts,
                solution.cost / solution.parts,
                solution.exact,
            )
        )
    community = np.zeros(made, np.int64)
    zone = np.full(made, -1, np.int64)
    community[label] = blocks.community
    np.maximum.at(zone, label, blocks.zone)
    return Partition(label, community, zone, tuple(reports), joined)

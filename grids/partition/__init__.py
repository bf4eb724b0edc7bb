"""Partition: blocks to grids, contiguous and inside one community; pure functions.

`partition` assigns blocks to grids by rules whose weights a planner can read and set. Pieces
that cannot reach each other are solved alone (`_pieces`, `_solve`), by the kernels of
`grids.kernels`: small ones exactly, the others by bisection and annealing.
"""

from grids.partition._finished import FinishedPieces
from grids.partition._solve import Solution
from grids.partition.engine import Partition, PieceReport, partition
from grids.rules import Rules, SizeRange, Weights

__all__ = [
    "FinishedPieces",
    "Partition",
    "PieceReport",
    "Rules",
    "SizeRange",
    "Solution",
    "Weights",
    "partition",
]

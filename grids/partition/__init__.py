"""Partition: blocks to grids, contiguous and inside one community; pure functions.

`partition` assigns blocks to grids by `Rules` whose `Weights` a planner can read and set.
Inside: pieces that cannot reach each other are solved alone (`_pieces`), small ones exactly
(`_exact`), the others by spanning-tree bisection (`_seeds`) and annealing (`_anneal`), all
on the one additive score of `_cost`.
"""

from grids.partition.engine import Partition, PieceReport, partition
from grids.partition.rules import Rules, SizeRange, Weights

__all__ = ["Partition", "PieceReport", "Rules", "SizeRange", "Weights", "partition"]

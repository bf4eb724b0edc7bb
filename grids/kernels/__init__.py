"""Compiled kernels over one graph of blocks: what a grid costs, first cuts, search, proof.

`cost` is the additive score, `seeds` bisects along spanning trees, `anneal` improves by
boundary moves and swaps, `exact` proves the best cut of a few blocks. NumPy arrays in and
out, numba inside, the interpreter's lock released.
"""

from grids.kernels.anneal import anneal, total_cost
from grids.kernels.cost import grid_cost, parameters
from grids.kernels.exact import EXACT_LIMIT, best_cut
from grids.kernels.seeds import bisect

__all__ = ["EXACT_LIMIT", "anneal", "best_cut", "bisect", "grid_cost", "parameters", "total_cost"]

"""What a grid costs: one number from its households, area, perimeter and off-street edge.

The score of a plan is the sum over its grids, so the change that a move makes is known from
the grids that it touches: O(1) for each.

Numba's cache of a caller does not see that this file changed: after an edit here run
``make clean`` (or remove ``grids/kernels/__pycache__``).
"""

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["TARGET", "grid_cost", "parameters"]

# Positions in the parameter vector that the kernels take.
TARGET, LEAST, MOST, INNER, BALANCE, COMPACT, STREET = range(7)
# Tuned on the units of Chiayi and Kaohsiung: with a lower outer step the search leaves grids
# out of range for the sake of their shape or trades one for two within a tenth; with a steeper
# slope between the steps it spends shape on households that no rule asks for.
STEP_INNER, SLOPE_INNER, STEP_OUTER = 0.9, 0.1, 4.0
_FOUR_PI = 4.0 * np.pi


def parameters(
    target: float,
    least: float,
    most: float,
    *,
    inner: float,
    balance: float,
    compact: float,
    street: float,
) -> NDArray[np.float64]:
    """Pack what the kernels need into one vector."""
    return np.array([target, least, most, inner, balance, compact, street], float)


@numba.njit(cache=True, nogil=True, fastmath=True)
def grid_cost(
    households: float, area: float, perimeter: float, off_street: float, p: NDArray[np.float64]
) -> float:
    """Cost of one grid, 0 for a disc of exactly the target bounded by streets.

    Balance has three steps that a planner can read: within the inner tolerance it costs
    nothing, inside the range 0.9 to 1, outside 4 and more by twice the excess. Compactness
    costs 1 - Polsby-Popper, streets the share of the edge that follows none.
    """
    off = abs(households / p[TARGET] - 1.0)
    if p[LEAST] <= households <= p[MOST]:
        if off <= p[INNER] + 1e-9:
            balance = 0.0
        else:
            widest = max(p[MOST] / p[TARGET] - 1.0, 1.0 - p[LEAST] / p[TARGET])
            balance = STEP_INNER + SLOPE_INNER * (off - p[INNER]) / max(widest - p[INNER], 1e-9)
    else:
        excess = max(p[LEAST] - households, households - p[MOST]) / p[TARGET]
        balance = STEP_OUTER + 2.0 * excess
    shape = 1.0 - _FOUR_PI * area / (perimeter * perimeter)
    cost: float = p[BALANCE] * balance + p[COMPACT] * shape + p[STREET] * off_street / perimeter
    return cost

"""On which side of a line a point lies, exactly; numba kernels.

A floating-point filter decides all but near-ties; those are decided by expansions, sums of
doubles that hold the determinant without rounding (Shewchuk, Adaptive precision floating-point
arithmetic and fast robust geometric predicates, 1997). Exact as long as no product of two
coordinate differences under- or overflows.
"""

import numba
import numpy as np

__all__ = ["ERROR", "side"]

# (3 + 16 u) u with u = 2**-53: Shewchuk's bound on the rounding error of the determinant.
ERROR = 3.3306690738754716e-16
_SPLITTER = 134217729.0


@numba.njit(cache=True, nogil=True)
def side(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> int:
    """Side of the directed line a → b on which a point lies: 1 left, -1 right, 0 on it."""
    left = (bx - ax) * (y - ay)
    right = (by - ay) * (x - ax)
    determinant = left - right
    bound = ERROR * (abs(left) + abs(right))
    if determinant > bound:
        return 1
    if determinant < -bound:
        return -1
    return _exact_side(ax, ay, bx, by, x, y)


@numba.njit(cache=True, nogil=True)
def _two_sum(a: float, b: float) -> tuple[float, float]:
    """Sum of two doubles and what rounding took from it."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


@numba.njit(cache=True, nogil=True)
def _two_product(a: float, b: float) -> tuple[float, float]:
    """Product of two doubles and what rounding took from it."""
    product = a * b
    big = _SPLITTER * a
    a_high = big - (big - a)
    a_low = a - a_high
    big = _SPLITTER * b
    b_high = big - (big - b)
    b_low = b - b_high
    low = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, low


@numba.njit(cache=True, nogil=True)
def _exact_side(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> int:
    terms = np.empty((4, 2))
    terms[0] = _two_sum(bx, -ax)
    terms[1] = _two_sum(y, -ay)
    terms[2] = _two_sum(by, -ay)
    terms[3] = _two_sum(x, -ax)
    # A non-overlapping expansion, smallest component first: its last non-zero one has its sign.
    expansion = np.zeros(17)
    size = 0
    for pair in range(2):
        sign = 1.0 if pair == 0 else -1.0
        for i in range(2):
            for j in range(2):
                product = _two_product(sign * terms[2 * pair, i], terms[2 * pair + 1, j])
                for part in (product[1], product[0]):
                    carry = part
                    for k in range(size):
                        carry, expansion[k] = _two_sum(carry, expansion[k])
                    expansion[size] = carry
                    size += 1
    for k in range(size - 1, -1, -1):
        if expansion[k] > 0.0:
            return 1
        if expansion[k] < 0.0:
            return -1
    return 0

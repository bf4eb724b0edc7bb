"""Apportionment: whole numbers shared out by weight, their sum kept exactly."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["largest_remainder"]


def largest_remainder(total: int, weights: ArrayLike) -> NDArray[np.int64]:
    """Share `total` out in proportion to `weights` by the largest-remainder method (Hamilton).

    Parameters
    ----------
    total : int
        Whole number to share out, not negative.
    weights : array_like of float, shape (n,), not negative
        Where all are zero every share is equal.

    Returns
    -------
    ndarray of int64, shape (n,), whose sum is `total` (ties go to the earlier item)

    Raises
    ------
    ValueError
        If there is nobody to take a share of a positive total, or input is negative or NaN.

    Examples
    --------
    >>> largest_remainder(10, [1.0, 1.0, 1.0]).tolist()
    [4, 3, 3]
    """
    weight = np.asarray(weights, float)
    if total < 0 or not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError("the total and the weights must be finite and not negative")
    if weight.size == 0:
        if total:
            raise ValueError(f"nothing to spread {total} over")
        return np.zeros(0, np.int64)
    if not weight.any():
        weight = np.ones_like(weight)
    exact = total * (weight / weight.max() / (weight / weight.max()).sum())
    shares: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    missing = total - int(shares.sum())
    order = np.argsort(shares - exact, kind="stable")
    shares[order[:missing]] += 1
    return shares

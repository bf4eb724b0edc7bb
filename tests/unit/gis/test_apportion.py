import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.apportion import largest_remainder

WEIGHTS = st.lists(st.floats(0, 1e9), min_size=1, max_size=60)


@given(st.integers(0, 10**7), WEIGHTS)
def test_the_sum_is_kept_exactly_and_no_share_is_off_by_one(
    total: int, weights: list[float]
) -> None:
    shares = largest_remainder(total, weights)
    assert shares.sum() == total
    assert (shares >= 0).all()
    if sum(weights) > 0:
        exact = (
            total * (np.array(weights) / max(weights)) / (np.array(weights) / max(weights)).sum()
        )
        assert np.abs(shares - exact).max() < 1 + 1e-6 * total


@pytest.mark.parametrize(("total", "weights"), [(1, []), (-1, [1.0]), (1, [-1.0]), (1, [np.nan])])
def test_what_cannot_be_shared_is_refused(total: int, weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"spread|negative"):
        largest_remainder(total, weights)

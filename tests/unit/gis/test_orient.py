from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.locator.orient import side

# Degrees, the lattice that near-ties come from, and sizes far apart; no subnormals, whose
# products underflow.
COORDINATE = st.one_of(
    st.floats(-180, 180, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-60),
    st.integers(-8, 8).map(lambda n: n / 4),
    st.integers(-4, 4).map(lambda n: 120.0 + n * np.spacing(120.0)),
)


def exact_side(ax, ay, bx, by, x, y) -> int:
    ax, ay, bx, by, x, y = map(Fraction, (ax, ay, bx, by, x, y))
    turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    return (turn > 0) - (turn < 0)


@given(st.tuples(*[COORDINATE] * 6))
def test_side_is_exact_wherever_the_points_are(points) -> None:
    assert side(*points) == exact_side(*points)


@pytest.mark.parametrize("seed", range(5))
def test_side_is_exact_on_points_next_to_a_line(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(300):
        ax, bx = 120 + rng.uniform(0, 1e-3, 2)
        ay, by = 22 + rng.uniform(0, 1e-3, 2)
        share = rng.random()
        x, y = ax + (bx - ax) * share, ay + (by - ay) * share
        x += rng.integers(-1, 2) * np.spacing(x)
        assert side(ax, ay, bx, by, x, y) == exact_side(ax, ay, bx, by, x, y)

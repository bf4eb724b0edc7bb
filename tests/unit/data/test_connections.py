"""Shares of a budget of connections: together they are never more than it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.connections import Pool, budget_of, needed_by
from data.errors import StateError
from data.settings import Settings


@given(st.integers(1, 64), st.none() | st.integers(1, 3000))
def test_all_shares_are_within_the_budget(workers: int, connections: int | None) -> None:
    settings = Settings(workers=workers, connections=connections)
    least = needed_by(workers, Pool(6, 0))
    if connections is not None and connections < least:
        with pytest.raises(StateError, match=f"they need {least}$"):
            budget_of(settings)
        return
    pool = budget_of(settings)
    assert connections is None or needed_by(workers, pool) <= connections
    assert 1 <= pool.kept <= Pool().kept
    assert 0 <= pool.spare <= Pool().spare


def test_what_is_said_to_be_needed_is_enough() -> None:
    for workers in (1, 2, 8):
        settings = Settings(workers=workers, connections=needed_by(workers, Pool(6, 0)))
        assert budget_of(settings).most == 6

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from data.posts import periods

DAY0 = datetime(2026, 1, 1, tzinfo=UTC)
changes = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["A", "B", "ended"])), max_size=12)
RANK = {"ended": 0, "B": 1, "A": 2}


def day(n: int) -> datetime:
    return DAY0 + timedelta(days=n)


@given(changes, st.randoms())
def test_what_holds_is_what_the_last_change_says_in_any_order(made, rng) -> None:
    dated = [(day(n), state) for n, state in made]
    held = periods(dated)
    rng.shuffle(dated)
    assert periods(dated) == held
    for n in range(14):
        before = [(at, RANK[state], state) for at, state in dated if at <= day(n)]
        expected = max(before)[2] if before else "ended"
        found = [h for begin, end, h in held if begin <= day(n) and (end is None or day(n) < end)]
        assert found == ([] if expected == "ended" else [expected])
    assert all(begin < (end or day(99)) for begin, end, _ in held)

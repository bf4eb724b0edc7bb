"""A minute of a town's day, with every part killed twice and clocks that are set a day off."""

import pytest

from benchmarks.soak import faketime, missed, run


@pytest.mark.skipif(not faketime(), reason="libfaketime is not here: it is in Debian's faketime")
def test_a_minute_of_trouble_leaves_everything_well() -> None:
    row = run(60.0, 3.0, 20.0)
    assert missed(row, small=True) == [], row
    assert {"killed forked", "killed clock", "killed uploads", "killed web"} <= set(row["trouble"])
    assert row["trouble"]["killed PostgreSQL"] == 2

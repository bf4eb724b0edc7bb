"""The ledger's indicators: 天门's published month, and a count by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from routing.lifecycle.indicators import RATES, Cases, Tally, tally, tally_by

BEGIN, END = 1000.0, 2000.0
NEVER = float("nan")
TIMES = ("accepted_s", "opened_s", "due_s", "closed_s", "reported_s", "checked_s")


def cases_of(rows: list[dict]) -> Cases:
    counts = ("reworked", "called", "answered", "reached", "content", "satisfied")
    return Cases(
        *(np.array([row.get(name, NEVER) for row in rows], float) for name in TIMES),
        np.array([row.get("void", False) for row in rows], bool),
        *(np.array([row.get(name, 0) for row in rows], np.int64) for name in counts),
    )


def tianmen() -> tuple[list[dict], list[str]]:
    """2016-12: 1,054 accepted, 996 opened, 972 due (956 events), 911 closed, 737 in time."""
    rows: list[dict] = []
    kinds: list[str] = []
    for kind, due, closed, in_time in (("event", 956, 902, 730), ("part", 16, 9, 7)):
        for i in range(due):
            done = {"closed_s": 1400.0 if i < in_time else 1800.0} if i < closed else {}
            rows.append({"accepted_s": 1100.0, "opened_s": 1200.0, "due_s": 1500.0} | done)
            kinds.append(kind)
    for i in range(1054 - 972):
        opened = {"opened_s": 1300.0} if i < 996 - 972 else {}
        rows.append({"accepted_s": 1900.0, "due_s": 2500.0} | opened)
        kinds.append("event")
    return rows, kinds


def test_tianmens_month() -> None:
    rows, kinds = tianmen()
    cases = cases_of(rows)
    whole = tally(cases, BEGIN, END)
    assert (whole.accepted, whole.opened, whole.due) == (1054, 996, 972)
    assert (whole.closed, whole.on_time) == (911, 737)
    assert f"{whole.rate('closure'):.2%}" == "93.72%"
    assert f"{whole.rate('on_time'):.2%}" == "75.82%"
    by = tally_by(cases, kinds, BEGIN, END)
    assert (by["event"].closed, by["event"].due) == (902, 956)
    assert f"{by['event'].rate('closure'):.2%}" == "94.35%"
    assert f"{by['part'].rate('closure'):.2%}" == "56.25%"


def test_nothing_is_no_rate() -> None:
    assert all(Tally().rate(name) is None for name in RATES)


moments = st.one_of(st.just(NEVER), st.floats(0, 3000))
small = st.integers(0, 3)
row = st.fixed_dictionaries(
    {
        **dict.fromkeys(
            ("accepted_s", "opened_s", "due_s", "closed_s", "reported_s", "checked_s"), moments
        ),
        "void": st.booleans(),
        "reworked": small,
    }
)


@given(st.lists(row, max_size=30))
def test_counts_are_those_by_hand_and_parts_add_up(rows: list[dict]) -> None:
    cases = cases_of(rows)
    whole = tally(cases, BEGIN, END)
    due = [one for one in rows if BEGIN <= one["due_s"] < END and not one["void"]]
    assert whole.due == len(due)
    assert whole.closed == sum(one["closed_s"] < END for one in due)
    assert whole.on_time == sum(
        one["closed_s"] < END and one["closed_s"] <= one["due_s"] for one in due
    )
    done = [one for one in rows if BEGIN <= one["reported_s"] < END]
    assert whole.reworked == sum(one["reworked"] > 0 for one in done)
    assert whole.on_time <= whole.closed <= whole.due
    parts = tally_by(cases, [i % 3 for i in range(len(rows))], BEGIN, END).values()
    assert sum(part.due for part in parts) == whole.due
    assert sum(part.accepted for part in parts) == whole.accepted

"""Indicators of a ledger 台账: what was accepted, due, closed, on time, how it was judged; pure.

Definitions. A case is *due* in the period in which its whole time ends, unless it was struck
out. The closure rate 结案率 is closed / due and the on-time rate 按期结案率 closed on time / due,
both of the cases due in the period and as things stood at its end. The verification rate 核查率 is
of the cases whose handling was reported in the period: how many were verified or followed up by
its end. The rework rate 返工率 is of the same: how many were sent back. The response rate 响应率
is of the departments that were to report in the period: how many did so in time. The resolution
rate 解决率 and the satisfaction rate 满意率 are of the reporters who were reached: who called it at
least content, and who called it satisfied.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATES", "Cases", "Tally", "tally", "tally_by"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class Cases:
    """What the ledger must know of cases; times are seconds since 1970, NaN for never.

    Attributes
    ----------
    accepted_s, opened_s, due_s, closed_s, reported_s, checked_s : ndarray of float64, shape (n,)
        Taken in; triaged first; end of the whole time; closed; handling reported first; verified
        or followed up last.
    void : ndarray of bool, shape (n,)
    reworked : ndarray of int64, shape (n,)
    called, answered : ndarray of int64, shape (n,)
        Departments that were to report in the period, and those that did so in time.
    reached, content, satisfied : ndarray of int64, shape (n,)
        Follow-ups of the period in which the reporter was reached; was content, or better; was
        satisfied.
    """

    accepted_s: Float
    opened_s: Float
    due_s: Float
    closed_s: Float
    reported_s: Float
    checked_s: Float
    void: NDArray[np.bool_]
    reworked: Int
    called: Int
    answered: Int
    reached: Int
    content: Int
    satisfied: Int

    def chosen(self, at: NDArray[np.bool_]) -> "Cases":
        """Some of them."""
        return Cases(*(getattr(self, one.name)[at] for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of a period; rates are None where there is nothing to divide by."""

    accepted: int = 0
    opened: int = 0
    due: int = 0
    closed: int = 0
    on_time: int = 0
    reported: int = 0
    verified: int = 0
    reworked: int = 0
    called: int = 0
    answered: int = 0
    reached: int = 0
    content: int = 0
    satisfied: int = 0

    def rate(self, name: str) -> float | None:
        """One of `RATES`."""
        above, below = RATES[name]
        whole: int = getattr(self, below)
        return getattr(self, above) / whole if whole else None


RATES = {
    "closure": ("closed", "due"),
    "on_time": ("on_time", "due"),
    "verification": ("verified", "reported"),
    "rework": ("reworked", "reported"),
    "response": ("answered", "called"),
    "resolution": ("content", "reached"),
    "satisfaction": ("satisfied", "reached"),
}


def tally(cases: Cases, begin_s: float, end_s: float) -> Tally:
    """Count a period, from its begin on and before its end."""

    def within(moment: Float) -> NDArray[np.bool_]:
        return (moment >= begin_s) & (moment < end_s)

    due = within(cases.due_s) & ~cases.void
    done = within(cases.reported_s)
    # Comparisons with NaN are false: what never was is not before anything.
    return Tally(
        accepted=int(within(cases.accepted_s).sum()),
        opened=int(within(cases.opened_s).sum()),
        due=int(due.sum()),
        closed=int((due & (cases.closed_s < end_s)).sum()),
        on_time=int((due & (cases.closed_s < end_s) & (cases.closed_s <= cases.due_s)).sum()),
        reported=int(done.sum()),
        verified=int((done & (cases.checked_s < end_s)).sum()),
        reworked=int((done & (cases.reworked > 0)).sum()),
        called=int(cases.called.sum()),
        answered=int(cases.answered.sum()),
        reached=int(cases.reached.sum()),
        content=int(cases.content.sum()),
        satisfied=int(cases.satisfied.sum()),
    )


def tally_by(
    cases: Cases, keys: Sequence[Hashable], begin_s: float, end_s: float
) -> dict[Hashable, Tally]:
    """Count a period for each key; `keys` has one for each case."""
    positions: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        positions.setdefault(key, []).append(position)
    return {key: tally(cases.chosen(np.array(at)), begin_s, end_s) for key, at in positions.items()}

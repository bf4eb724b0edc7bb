"""Responsibilities: who answers for an area, a class of incident and a time, and why; pure.

`records` says what is known, `staff` who answers for a post (leave, deputies, rosters), `rules`
who is asked first and what the trace says, `answer` what comes out.
"""

from grids.responsibility.answer import Holder, Inquiry, LeftOut, StaffAnswer, Step
from grids.responsibility.rules import answer
from grids.responsibility.staff import Staff

__all__ = ["Holder", "Inquiry", "LeftOut", "Staff", "StaffAnswer", "Step", "answer"]

"""Deadlines: when something is due, how its light stands, and who is told when; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from routing.lifecycle.calendar import WorkingCalendar
from routing.lifecycle.errors import CalendarError

__all__ = ["LADDER", "UNITS", "WARN_SHARE", "Rung", "Span", "light_of", "resumed", "rungs_of"]

UNITS = ("minutes", "hours", "days", "working_hours", "working_days")
# Green to 80 % of the time, yellow to its end, red beyond: an editable default.
WARN_SHARE = 0.8
_WALL_S = {"minutes": 60, "hours": 3600}
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Span:
    """How much time there is.

    Minutes and hours are of the clock; days end at midnight, on a day of work; working hours run
    in working time only; working days end when work does.

    Raises
    ------
    CalendarError
        If it is not longer than nothing, or the unit is not one of `UNITS`.
    """

    amount: int
    unit: str

    def __post_init__(self) -> None:
        """Refuse what is no span."""
        if self.amount < 1 or self.unit not in UNITS:
            raise CalendarError(f"{self.amount} {self.unit} is no span of time")

    def end(self, calendar: WorkingCalendar, since: datetime) -> datetime:
        """When a span that begins at an instant is over.

        Raises
        ------
        CalendarError
            If the calendar does not reach so far.

        Examples
        --------
        >>> from datetime import date
        >>> from zoneinfo import ZoneInfo
        >>> march = WorkingCalendar.of(date(2026, 3, 1), date(2026, 3, 31), {})
        >>> thursday = datetime(2026, 3, 5, 16, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
        >>> Span(2, "working_days").end(march, thursday).isoformat()
        '2026-03-09T17:30:00+08:00'
        """
        if self.unit == "working_hours":
            return calendar.after_working_s(since, self.amount * _HOUR_S)
        if self.unit == "working_days":
            return calendar.close_of_working_day(since, self.amount)
        if self.unit == "days":
            return calendar.end_of_day(since, self.amount)
        return since + timedelta(seconds=self.amount * _WALL_S[self.unit])

    @property
    def is_worked(self) -> bool:
        """Whether only working time counts."""
        return self.unit.startswith("working")


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the ladder: what is done when so large a share of the time has passed."""

    action: str
    share: float


# 石鼓: 提示 → 催办 → 督办 → 反馈.
LADDER = (
    Rung("remind", WARN_SHARE),
    Rung("urge", 1.0),
    Rung("supervise", 1.5),
    Rung("feed_back", 2.0),
)


def rungs_of(
    calendar: WorkingCalendar,
    span: Span,
    since: datetime,
    due: datetime,
    ladder: Sequence[Rung] = LADDER,
) -> tuple[tuple[datetime, str], ...]:
    """When each step of the ladder is taken, in order.

    A share of working time is passed in working time: nobody is urged in the night.
    """
    if span.is_worked:
        whole = calendar.worked_s(since, due)
        return tuple(
            (calendar.after_working_s(since, round(whole * rung.share)), rung.action)
            if rung.share != 1.0
            else (due, rung.action)
            for rung in ladder
        )
    return tuple((since + (due - since) * rung.share, rung.action) for rung in ladder)


def light_of(now: datetime, warn: datetime, due: datetime) -> str:
    """``green``, ``yellow`` or ``red``."""
    if now >= due:
        return "red"
    return "yellow" if now >= warn else "green"


def resumed(
    calendar: WorkingCalendar, span: Span, due: datetime, paused: datetime, until: datetime
) -> datetime:
    """A due time moved on by a pause: what was left when it began is left when it ends.

    One that was over when the pause began stays as it was.
    """
    if due <= paused:
        return due
    if span.is_worked:
        return calendar.after_working_s(until, calendar.worked_s(paused, due))
    return due + (until - paused)

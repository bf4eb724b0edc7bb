"""Working time: which days are worked, which hours of a day, and sums of it; pure.

Working time up to an instant is a broken line that rises in working hours only. Adding working
time is going up that line and reading back where it stands: two binary searches, whatever the
distance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from routing.lifecycle.errors import CalendarError

__all__ = ["OFFICE_HOURS", "WorkingCalendar"]

Int = NDArray[np.int64]
_DAY_S = 86_400
_SATURDAY = 5
# 机关作息: an editable default, not a rule.
OFFICE_HOURS = ((time(8, 30), time(12, 0)), (time(14, 0), time(17, 30)))


@dataclass(frozen=True)
class WorkingCalendar:
    """The working time of a place.

    Attributes
    ----------
    first : date
        The first day that it knows.
    works : ndarray of bool, shape (days,)
        Whether each day from the first on is worked.
    hours : sequence of (time, time)
        When a working day is worked: in order, not overlapping, local time.
    zone : str
        IANA name of the time zone.

    Raises
    ------
    CalendarError
        If the hours do not fit a day.
    """

    first: date
    works: NDArray[np.bool_]
    hours: tuple[tuple[time, time], ...] = OFFICE_HOURS
    zone: str = "Asia/Shanghai"
    # Local seconds at which work begins and ends, and working seconds before each beginning.
    _opens: Int = field(init=False, repr=False, compare=False)
    _closes: Int = field(init=False, repr=False, compare=False)
    _worked: Int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sum up the working time before each stretch of work."""
        flat = [_seconds(moment) for pair in self.hours for moment in pair]
        if not flat or flat != sorted(set(flat)):
            raise CalendarError(f"hours {self.hours} do not follow one another in a day")
        days = np.flatnonzero(self.works)
        opens = (days[:, None] * _DAY_S + np.array(flat[0::2])).ravel()
        closes = (days[:, None] * _DAY_S + np.array(flat[1::2])).ravel()
        object.__setattr__(self, "_opens", opens)
        object.__setattr__(self, "_closes", closes)
        object.__setattr__(self, "_worked", np.concatenate([[0], np.cumsum(closes - opens)]))

    @classmethod
    def of(
        cls,
        first: date,
        last: date,
        known: Mapping[date, bool],
        *,
        hours: Sequence[tuple[time, time]] = OFFICE_HOURS,
        zone: str = "Asia/Shanghai",
    ) -> "WorkingCalendar":
        """Make a calendar of the days that are known to be worked or not; else Monday to Friday.

        Examples
        --------
        >>> spring = WorkingCalendar.of(date(2026, 2, 1), date(2026, 3, 1),
        ...                             {date(2026, 2, 16): False, date(2026, 2, 14): True})
        >>> spring.is_worked(date(2026, 2, 14)), spring.is_worked(date(2026, 2, 16))
        (True, False)
        """
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        works = np.array([known.get(day, day.weekday() < _SATURDAY) for day in days], bool)
        return cls(first, works, tuple(hours), zone)

    def is_worked(self, day: date) -> bool:
        """Whether a day is worked.

        Raises
        ------
        CalendarError
            If the calendar does not reach so far, as for every other question.
        """
        return bool(self.works[self._index(day)])

    def knows(self, at: datetime) -> bool:
        """Whether the calendar reaches to an instant."""
        day = at.astimezone(ZoneInfo(self.zone)).date()
        return 0 <= (day - self.first).days < len(self.works)

    def worked_s(self, since: datetime, until: datetime) -> int:
        """Seconds of working time between two instants."""
        return self._worked_until(self._local_s(until)) - self._worked_until(self._local_s(since))

    def after_working_s(self, since: datetime, seconds: int) -> datetime:
        """The first instant by which so much working time has passed.

        Examples
        --------
        >>> week = WorkingCalendar.of(date(2026, 3, 2), date(2026, 3, 31), {})
        >>> friday = datetime(2026, 3, 6, 17, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
        >>> week.after_working_s(friday, 3600).isoformat()
        '2026-03-09T09:00:00+08:00'
        """
        begin = self._local_s(since)
        if seconds <= 0:
            return since
        target = self._worked_until(begin) + seconds
        worked, opens = self._worked, self._opens
        found = int(np.searchsorted(worked, target, "left")) - 1
        if found >= len(opens):
            raise CalendarError(f"the calendar ends before {seconds} s of work have passed")
        return self._instant(int(opens[found]) + target - int(worked[found]))

    def close_of_working_day(self, since: datetime, days: int) -> datetime:
        """When work ends on the n-th working day; the day of the beginning does not count.

        民法典 201: the day on which a period begins is not counted.
        """
        index = self._index(since.astimezone(ZoneInfo(self.zone)).date())
        ahead = np.flatnonzero(self.works[index + 1 :])
        if days < 1 or days > len(ahead):
            raise CalendarError(f"the calendar ends before {days} working days have passed")
        return self._instant(
            int(index + 1 + ahead[days - 1]) * _DAY_S + _seconds(self.hours[-1][1])
        )

    def end_of_day(self, since: datetime, days: int) -> datetime:
        """Midnight after the n-th day; one that ends on a day of rest ends on the next worked.

        民法典 201, 203.
        """
        index = self._index(since.astimezone(ZoneInfo(self.zone)).date()) + days
        ahead = np.flatnonzero(self.works[index:])
        if not len(ahead):
            raise CalendarError(f"the calendar ends before {days} days have passed")
        return self._instant((index + int(ahead[0]) + 1) * _DAY_S)

    def _index(self, day: date) -> int:
        index = (day - self.first).days
        if not 0 <= index < len(self.works):
            raise CalendarError(f"the working calendar does not know {day}")
        return index

    def _local_s(self, at: datetime) -> int:
        """Whole seconds of local time since the first day's midnight."""
        local = at.astimezone(ZoneInfo(self.zone))
        return self._index(local.date()) * _DAY_S + _seconds(local.time())

    def _instant(self, local_s: int) -> datetime:
        wall = datetime.combine(self.first, time()) + timedelta(seconds=local_s)
        return wall.replace(tzinfo=ZoneInfo(self.zone))

    def _worked_until(self, local_s: int) -> int:
        opens, closes = self._opens, self._closes
        found = int(np.searchsorted(opens, local_s, "right")) - 1
        if found < 0:
            return 0
        inside = min(local_s, int(closes[found])) - int(opens[found])
        return int(self._worked[found]) + inside


def _seconds(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second

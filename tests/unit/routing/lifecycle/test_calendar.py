"""Working time against an oracle that walks minute by minute, and against calendars that change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.lifecycle import Span, WorkingCalendar
from routing.lifecycle.calendar import OFFICE_HOURS
from routing.lifecycle.deadlines import light_of, resumed, rungs_of
from routing.lifecycle.errors import CalendarError

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, DAYS = date(2026, 1, 1), 90
HOURS = [
    OFFICE_HOURS,
    ((time(0, 0), time(23, 59)),),
    ((time(9, 0), time(12, 0)), (time(13, 0), time(18, 0)), (time(19, 30), time(21, 0))),
]
instants = st.integers(0, 30 * 1440).map(
    lambda n: datetime(2026, 1, 1, tzinfo=ZONE) + timedelta(minutes=n)
)


@st.composite
def calendars(draw: st.DrawFn) -> WorkingCalendar:
    works = np.array(draw(st.lists(st.booleans(), min_size=DAYS, max_size=DAYS)), bool)
    works[40:] |= np.arange(DAYS - 40) % 2 == 0  # there is work ahead
    return WorkingCalendar(FIRST, works, draw(st.sampled_from(HOURS)))


spans = st.one_of(
    st.builds(Span, st.integers(1, 60), st.sampled_from(["minutes", "hours", "working_hours"])),
    st.builds(Span, st.integers(1, 10), st.sampled_from(["days", "working_days"])),
)


def is_working(calendar: WorkingCalendar, at: datetime) -> bool:
    """Whether the minute that begins at an instant is worked."""
    clock = at.timetz().replace(tzinfo=None)
    return calendar.is_worked(at.date()) and any(a <= clock < b for a, b in calendar.hours)


def walked(calendar: WorkingCalendar, since: datetime, span: Span) -> datetime:
    """The end of a span, one minute after another."""
    minute = timedelta(minutes=1)
    at, midnight = since, datetime.combine(since.date(), time(), ZONE)
    if span.unit in {"minutes", "hours"}:
        for _ in range(span.amount * (60 if span.unit == "hours" else 1)):
            at += minute
        return at
    if span.unit == "working_hours":
        left = span.amount * 60
        while left:
            left -= is_working(calendar, at)
            at += minute
        return at
    day, left = midnight, span.amount
    while left:
        day += timedelta(days=1)
        left -= span.unit == "days" or calendar.is_worked(day.date())
    while not calendar.is_worked(day.date()):
        day += timedelta(days=1)
    if span.unit == "days":
        return day + timedelta(days=1)
    at = day + timedelta(days=1)
    while not is_working(calendar, at - minute):
        at -= minute
    return at


@given(calendars(), instants, spans)
def test_every_unit_ends_where_a_walk_ends(
    calendar: WorkingCalendar, since: datetime, span: Span
) -> None:
    assert span.end(calendar, since) == walked(calendar, since, span)


@given(calendars(), instants, instants)
def test_working_time_is_what_a_walk_counts(
    calendar: WorkingCalendar, one: datetime, two: datetime
) -> None:
    since, until = sorted([one, one + (two - one) / 20])
    until = until.replace(second=0, microsecond=0)
    since = min(since.replace(second=0, microsecond=0), until)
    minutes = int((until - since).total_seconds()) // 60
    counted = sum(is_working(calendar, since + timedelta(minutes=n)) for n in range(minutes))
    assert calendar.worked_s(since, until) == 60 * counted


@given(calendars(), instants, spans, st.integers(0, DAYS - 1))
def test_one_more_day_of_rest_never_brings_a_deadline_nearer(
    calendar: WorkingCalendar, since: datetime, span: Span, day: int
) -> None:
    works = calendar.works.copy()
    works[day] = False
    fewer = WorkingCalendar(FIRST, works, calendar.hours)
    assert span.end(fewer, since) >= span.end(calendar, since)


@given(calendars(), instants, instants, spans)
def test_who_begins_later_ends_no_earlier(
    calendar: WorkingCalendar, one: datetime, two: datetime, span: Span
) -> None:
    early, late = sorted([one, two])
    assert span.end(calendar, early) <= span.end(calendar, late)


@given(calendars(), instants, spans)
def test_the_ladder_is_climbed_in_order(
    calendar: WorkingCalendar, since: datetime, span: Span
) -> None:
    due = span.end(calendar, since)
    times = [at for at, _ in rungs_of(calendar, span, since, due)]
    assert times == sorted(times)
    assert {action: at for at, action in rungs_of(calendar, span, since, due)}["urge"] == due
    if span.is_worked:
        assert all(is_working(calendar, at - timedelta(seconds=1)) for at in times)
    assert light_of(since, times[0], due) in {"green", "yellow"}
    assert light_of(due, times[0], due) == "red"
    assert light_of(due - timedelta(seconds=1), due, due) == "green"


@given(calendars(), instants, spans, st.integers(0, 5000), st.integers(0, 20000))
def test_a_pause_leaves_what_was_left(
    calendar: WorkingCalendar, since: datetime, span: Span, wait: int, pause: int
) -> None:
    due = span.end(calendar, since)
    paused = since + timedelta(minutes=wait)
    until = paused + timedelta(minutes=pause)
    moved = resumed(calendar, span, due, paused, until)
    assert moved >= due
    if due <= paused:
        assert moved == due
    elif span.is_worked:
        assert calendar.worked_s(until, moved) == calendar.worked_s(paused, due)
    else:
        assert moved - until == due - paused


def test_times_of_other_zones_and_parts_of_seconds_are_understood() -> None:
    calendar = WorkingCalendar.of(FIRST, date(2026, 12, 31), {})
    since = datetime(2026, 3, 5, 8, 30, 0, 1, tzinfo=UTC)  # 16:30 in Shanghai
    assert calendar.after_working_s(since, 3600).astimezone(UTC).hour == 9
    assert (
        calendar.after_working_s(since, 3601)
        .astimezone(ZONE)
        .isoformat()
        .startswith("2026-03-06T08:30:01")
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda one: one.is_worked(date(2030, 1, 1)),
        lambda one: one.worked_s(datetime(2025, 1, 1, tzinfo=ZONE), datetime.now(ZONE)),
        lambda one: Span(900, "working_hours").end(one, datetime(2026, 3, 1, tzinfo=ZONE)),
        lambda one: Span(300, "working_days").end(one, datetime(2026, 3, 1, tzinfo=ZONE)),
        lambda one: Span(300, "days").end(one, datetime(2026, 3, 1, tzinfo=ZONE)),
        lambda one: Span(0, "days").end(one, datetime(2026, 3, 1, tzinfo=ZONE)),
        lambda one: Span(1, "moons").end(one, datetime(2026, 3, 1, tzinfo=ZONE)),
        lambda one: WorkingCalendar(FIRST, one.works, ((time(9), time(8)),)),
        lambda one: WorkingCalendar(FIRST, one.works, ()),
    ],
)
def test_what_a_calendar_does_not_know_is_told(ask) -> None:
    known = WorkingCalendar.of(FIRST, date(2026, 3, 31), {})
    with pytest.raises(CalendarError):
        ask(known)

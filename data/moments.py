"""Times that people, devices and files state: only those that everything here can count with.

Year 1 and year 9999 are dates to Python, but an hour or a time zone further is an error there, and
PostgreSQL hands back dates that Python has none for.
"""

from datetime import date

__all__ = ["FIRST_YEAR", "LAST_YEAR", "is_countable"]

FIRST_YEAR, LAST_YEAR = 1900, 2200


def is_countable(moment: date) -> bool:
    """Whether days, time zones and periods can be added to a date, or a date with its time.

    Examples
    --------
    >>> is_countable(date(2026, 11, 27)), is_countable(date.max)
    (True, False)
    """
    return FIRST_YEAR <= moment.year <= LAST_YEAR

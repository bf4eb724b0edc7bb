"""Dates and times in a request, as types of its fields: outside of what is counted with, a 422."""

from datetime import date, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime

from data.moments import FIRST_YEAR, LAST_YEAR, is_countable

__all__ = ["AwareMoment", "Day", "Moment"]


_Stated = TypeVar("_Stated", bound=date)


def _countable(moment: _Stated) -> _Stated:
    if not is_countable(moment):
        raise ValueError(f"the year must be {FIRST_YEAR} to {LAST_YEAR}")
    return moment


Day = Annotated[date, AfterValidator(_countable)]
Moment = Annotated[datetime, AfterValidator(_countable)]
AwareMoment = Annotated[AwareDatetime, AfterValidator(_countable)]

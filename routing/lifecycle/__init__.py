"""The life cycle of incidents as an engine: flows, the working calendar, deadlines; pure.

`routing.cases` is the shell that carries incidents through it in the database.
"""

from routing.lifecycle.calendar import WorkingCalendar
from routing.lifecycle.deadlines import Span
from routing.lifecycle.flow import Flow, IncidentFacts, Transition

__all__ = ["Flow", "IncidentFacts", "Span", "Transition", "WorkingCalendar"]

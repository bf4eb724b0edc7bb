"""The ledger of a week or a month: its cases read once, counted by grid, class and department."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.importing.columns import LOCAL_ZONE
from data.scope import Scope, seen_sql
from routing.errors import ReportError
from routing.lifecycle.indicators import Cases, Tally, tally, tally_by

__all__ = ["Ledger", "ledger_of", "period_of"]

# Whatever began, was due or ended in the period, or was judged in it.
_CASES = text(
    "WITH mine AS (SELECT incident.*, grid.code AS grid_code, grid.name AS grid_name, "  # noqa: S608 - constants
    "  unit.name AS unit_name, total.due_at FROM incident "
    "  LEFT JOIN grid ON grid.id = grid_id LEFT JOIN unit ON unit.id = incident.unit_id "
    "  LEFT JOIN LATERAL (SELECT max(due_at) AS due_at FROM deadline "
    "    WHERE incident_id = incident.id AND kind = 'total') AS total ON true "
    f"  WHERE incident.county = :county AND {seen_sql('grid.community', 'class_code')} "
    "  AND incident.reported_at < :end AND (incident.reported_at >= :begin "
    "    OR total.due_at >= :begin OR incident.changed_at >= :begin)) "
    "SELECT mine.id, coalesce(grid_code, '') AS grid, coalesce(grid_name, '') AS grid_name, "
    "class_code AS class, coalesce(unit_name, '') AS unit, mine.state = 'void' AS void, "
    "extract(epoch FROM mine.reported_at)::float8 AS accepted_s, "
    "extract(epoch FROM mine.due_at)::float8 AS due_s, "
    "extract(epoch FROM steps.opened)::float8 AS opened_s, "
    "extract(epoch FROM steps.closed)::float8 AS closed_s, "
    "extract(epoch FROM steps.reported)::float8 AS reported_s, "
    "extract(epoch FROM steps.checked)::float8 AS checked_s, "
    "coalesce(steps.reworked, 0) AS reworked, coalesce(calls.called, 0) AS called, "
    "coalesce(calls.answered, 0) AS answered, coalesce(said.reached, 0) AS reached, "
    "coalesce(said.content, 0) AS content, coalesce(said.satisfied, 0) AS satisfied "
    "FROM mine LEFT JOIN LATERAL (SELECT "
    "  min(at) FILTER (WHERE kind = 'triage') AS opened, "
    "  max(at) FILTER (WHERE state_after = 'closed') AS closed, "
    "  min(at) FILTER (WHERE kind = 'report') AS reported, "
    "  max(at) FILTER (WHERE kind IN ('verify', 'follow_up')) AS checked, "
    "  count(*) FILTER (WHERE kind = 'rework') AS reworked "
    "  FROM incident_event WHERE incident_id = mine.id AND at < :end) AS steps ON true "
    "LEFT JOIN LATERAL (SELECT count(*) AS called, "
    "  count(*) FILTER (WHERE answered_at <= deadline.due_at) AS answered FROM whistle "
    "  JOIN deadline ON deadline.whistle_id = whistle.id WHERE whistle.incident_id = mine.id "
    "  AND deadline.due_at >= :begin AND deadline.due_at < :end) AS calls ON true "
    "LEFT JOIN LATERAL (SELECT count(*) AS reached, "
    "  count(*) FILTER (WHERE satisfaction IN ('content', 'satisfied')) AS content, "
    "  count(*) FILTER (WHERE satisfaction = 'satisfied') AS satisfied FROM follow_up "
    "  WHERE incident_id = mine.id AND at >= :begin AND at < :end "
    "  AND satisfaction <> 'not_reached') AS said ON true ORDER BY mine.id"
)
_TIMES = ("accepted_s", "opened_s", "due_s", "closed_s", "reported_s", "checked_s")
_COUNTS = ("reworked", "called", "answered", "reached", "content", "satisfied")


@dataclass(frozen=True)
class Ledger:
    """Tallies of a period.

    Attributes
    ----------
    begin, end : datetime
        The end is the first moment after it.
    whole : Tally
    by : mapping of str to mapping
        ``grid``, ``class`` and ``department`` → what it is called, or its code → its tally.
    """

    begin: datetime
    end: datetime
    whole: Tally
    by: Mapping[str, Mapping[str, Tally]]


def period_of(kind: str, of: date) -> tuple[datetime, datetime]:
    """The week, Monday to Sunday, or the month that a day lies in, in Beijing time.

    Raises
    ------
    ReportError
        If the kind is neither ``week`` nor ``month``, or the day is beyond the calendar.
    """
    try:
        if kind == "week":
            first = of - timedelta(days=of.weekday())
            after = first + timedelta(days=7)
        elif kind == "month":
            first = of.replace(day=1)
            after = (first + timedelta(days=32)).replace(day=1)
        else:
            raise ReportError("period", f"a ledger is of a week or a month, not {kind!r}")
        begin, end = (datetime.combine(day, time(), LOCAL_ZONE) for day in (first, after))
    except OverflowError as error:
        raise ReportError("period", f"{of} is beyond the calendar") from error
    return begin, end


def ledger_of(
    session: Session,
    scope: Scope,
    begin: datetime,
    end: datetime,
) -> Ledger:
    """Count a period within an area, and the classes there.

    Notes
    -----
    Linear in the cases that the period touches.
    """
    rows = session.execute(_CASES, scope.seen | {"begin": begin, "end": end}).all()
    cases = _cases(rows)
    begin_s, end_s = begin.timestamp(), end.timestamp()
    keys = {
        "grid": [f"{row.grid} {row.grid_name}".strip() for row in rows],
        "class": [row._mapping["class"] for row in rows],  # noqa: SLF001 - SQLAlchemy's name for it
        "department": [row.unit for row in rows],
    }
    by = {
        name: {str(one): made for one, made in sorted(found.items(), key=lambda pair: str(pair[0]))}
        for name, found in (
            (name, tally_by(cases, list(held), begin_s, end_s)) for name, held in keys.items()
        )
    }
    return Ledger(begin, end, tally(cases, begin_s, end_s), by)


def _cases(rows: Any) -> Cases:
    columns: dict[str, Any] = {
        name: np.array([getattr(row, name) for row in rows], kind)
        for names, kind in ((_TIMES, float), (_COUNTS, np.int64), (("void",), bool))
        for name in names
    }
    return Cases(**columns)

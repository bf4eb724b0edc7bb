"""The rules of a county as the life cycle asks them: flows, deadlines, duty list, calendar."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

import chinese_calendar
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.presets import ALL_COUNTIES
from routing.lifecycle import Flow, Span, WorkingCalendar

__all__ = ["DeadlineChoice", "HandlingRules", "known_until", "load_rules"]

# A county's own rows, or else the presets; all in one question, as every transition asks it.
_LOAD = text("""
    SELECT
      (SELECT jsonb_object_agg(code, jsonb_build_array(name, transitions, stages)) FROM flow),
      (SELECT jsonb_object_agg(class_scope, flow) FROM flow_choice WHERE county = :county),
      (SELECT jsonb_agg(jsonb_build_array(kind, class_scope, severity, area_class, amount, unit)
              ORDER BY code) FROM deadline_rule WHERE county = (
          SELECT coalesce(max(county) FILTER (WHERE county = :county), :all) FROM deadline_rule)),
      (SELECT jsonb_agg(DISTINCT class_code) FROM duty_list WHERE valid @> now() AND county = (
          SELECT coalesce(max(county) FILTER (WHERE county = :county), :all) FROM duty_list)),
      (SELECT jsonb_object_agg(day, works) FROM calendar_day WHERE county = :county),
      (SELECT jsonb_build_array(zone, hours) FROM calendar WHERE county = :county),
      (SELECT jsonb_object_agg(code, "group") FROM incident_class)
""")
_FIRST_FLOW = "tongliao"
_ANY = "*"
# How far a working calendar reaches into the past and the future.
_BACK, _AHEAD = 2, 3


@dataclass(frozen=True, slots=True)
class DeadlineChoice:
    """A deadline rule; None is met by everything."""

    kind: str
    class_scope: str | None
    severity: str | None
    area_class: str | None
    span: Span


@dataclass(frozen=True)
class HandlingRules:
    """What holds in a county now.

    Attributes
    ----------
    flows : mapping of str to Flow
    stages : mapping of str to mapping
        For each flow, state → the name of its stage there.
    chosen : mapping of str to str
        Class, group or ``*`` → flow.
    duty_list : frozenset of str
        Classes that may be sent to gridworkers today.
    groups : mapping of str to str
        Class → group.
    """

    flows: Mapping[str, Flow]
    stages: Mapping[str, Mapping[str, str]]
    chosen: Mapping[str, str]
    deadlines: tuple[DeadlineChoice, ...]
    duty_list: frozenset[str]
    groups: Mapping[str, str]
    calendar: WorkingCalendar

    def flow_of(self, class_code: str, held: str | None = None) -> Flow:
        """The flow of a class of incidents; of one under way, the flow that it began with.

        Raises
        ------
        NotFoundError
            If a flow that is named is not held.
        """
        named = (class_code, self.groups.get(class_code, ""), _ANY)
        code = held or next((self.chosen[one] for one in named if one in self.chosen), _FIRST_FLOW)
        if code not in self.flows:
            raise NotFoundError(f"no flow {code!r}; see onegrid flow list")
        return self.flows[code]

    def span_of(
        self, kind: str, class_code: str, severity: str, area_class: str | None
    ) -> Span | None:
        """How long something may take: the rule with the most conditions; None without one."""
        scopes = {None: 0, self.groups.get(class_code, ""): 4, class_code: 5}
        met = [
            (
                scopes[one.class_scope]
                + 2 * (one.severity is not None)
                + (one.area_class is not None),
                one.span,
            )
            for one in self.deadlines
            if one.kind == kind
            and one.class_scope in scopes
            and one.severity in {None, severity}
            and one.area_class in {None, area_class}
        ]
        return max(met, key=lambda pair: pair[0])[1] if met else None


def load_rules(session: Session, county: str) -> HandlingRules:
    """Read the rules of a county.

    Raises
    ------
    FlowError
        If a flow that somebody edited can no longer be used.
    """
    flows, chosen, deadlines, listed, days, hours, groups = session.execute(
        _LOAD, {"county": county, "all": ALL_COUNTIES}
    ).one()
    return HandlingRules(
        {code: _flow(code, row[0], json.dumps(row[1])) for code, row in (flows or {}).items()},
        {code: _states(row[2]) for code, row in (flows or {}).items()},
        chosen or {},
        tuple(DeadlineChoice(a, b, c, d, Span(n, unit)) for a, b, c, d, n, unit in deadlines or ()),
        frozenset(listed or ()),
        groups or {},
        _calendar(datetime.now(UTC).year, json.dumps(days or {}), json.dumps(hours)),
    )


def _states(stages: Mapping[str, list[str]]) -> dict[str, str]:
    return {state: name for name, states in stages.items() for state in states}


@lru_cache(maxsize=64)
def _flow(code: str, name: str, transitions: str) -> Flow:
    return Flow.from_rows(code, name, json.loads(transitions))


@lru_cache(maxsize=16)
def _calendar(year: int, days: str, hours: str) -> WorkingCalendar:
    known = _public_days(year - _BACK, year + _AHEAD)
    known |= {date.fromisoformat(day): works for day, works in json.loads(days).items()}
    first, last = date(year - _BACK, 1, 1), date(year + _AHEAD, 12, 31)
    if (own := json.loads(hours)) is None:
        return WorkingCalendar.of(first, last, known)
    zone, spans = own
    pairs = [(time.fromisoformat(a), time.fromisoformat(b)) for a, b in spans]
    return WorkingCalendar.of(first, last, known, hours=pairs, zone=zone)


def _public_days(first: int, last: int) -> dict[date, bool]:
    """Public holidays and the days worked in their place, of the years that were announced."""
    known: dict[date, Any] = dict.fromkeys(chinese_calendar.constants.holidays, False)
    known |= dict.fromkeys(chinese_calendar.constants.workdays, True)
    return {day: works for day, works in known.items() if first <= day.year <= last}


def known_until() -> date:
    """The last day of the last year whose public holidays the library knows.

    Later days count as Monday to Friday until the county enters them.
    """
    return date(max(day.year for day in chinese_calendar.constants.holidays), 12, 31)

"""What a transition brings about besides the state: orders, whistles, follow-ups, extensions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import (
    Dispatch,
    FollowUp,
    Incident,
    IncidentClass,
    IncidentEvent,
    Person,
    Reporter,
    Unit,
    Whistle,
)
from routing.incidents.rules import HandlingRules
from routing.incidents.timing import call_to_answer, end_answer, extend
from routing.lifecycle import Span
from routing.lifecycle.errors import TransitionRefusedError

__all__ = ["EFFECTS", "Step"]

_UNITS = frozenset({"hours", "days", "working_hours", "working_days"})
_SEVERITIES = frozenset({"general", "difficult", "major"})
_SATISFACTION = frozenset({"satisfied", "content", "dissatisfied", "not_reached"})
MOST_EXTENDED = 60
# The centre of the place's town, where the town leads and has one, or of its county.
_CENTRE = text(
    "SELECT unit.id FROM unit LEFT JOIN grid ON grid.id = :grid "
    "WHERE unit.county = :county AND unit.kind = 'centre' AND unit.division IN ("
    "rpad(unit.county, 12, '0'), CASE :level WHEN 'town' THEN left(community, 9) || '000' END) "
    "ORDER BY unit.division DESC, unit.id LIMIT 1"
)


@dataclass(slots=True)
class Step:
    """A transition under way.

    Attributes
    ----------
    asked : mapping
        What was given with it.
    told : dict
        What the course is to say of it.
    notify : list of (str, int)
        Whom to tell: ``("person", id)`` or ``("unit", id)``.
    """

    session: Session
    rules: HandlingRules
    incident: Incident
    actor: str
    person_id: int | None
    asked: Mapping[str, Any]
    at: datetime
    told: dict[str, Any] = field(default_factory=dict)
    notify: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keep the words that come with any transition."""
        for name in ("reason", "result", "words"):
            if self.asked.get(name):
                self.told[name] = str(self.asked[name])[:4000]


def _triage(step: Step) -> None:
    incident = step.incident
    if (code := step.asked.get("class_code")) is not None and code != incident.class_code:
        if step.session.get(IncidentClass, code) is None:
            raise NotFoundError(f"no incident class {code!r}; see onegrid classes")
        step.told["class_code"] = [incident.class_code, code]
        incident.class_code = code
        incident.flow = step.rules.flow_of(code).code
    if (severity := step.asked.get("severity")) is not None and severity != incident.severity:
        _require(severity in _SEVERITIES, "severity", f"severity {severity!r} is unknown")
        step.told["severity"] = [incident.severity, severity]
        incident.severity = severity
    incident.person_id = incident.unit_id = None


def _dispatch(step: Step) -> None:
    if step.asked.get("person") is None:
        unit = _unit(step, step.asked["unit"])
        step.incident.unit_id = unit.id
        step.told |= {"unit": unit.id, "name": unit.name}
        step.notify.append(("unit", unit.id))
        return
    person = step.session.get(Person, step.asked["person"])
    if person is None or person.county != step.incident.county:
        raise NotFoundError(f"no person {step.asked['person']}")
    order = Dispatch(
        county=step.incident.county,
        incident_id=step.incident.id,
        person_id=person.id,
        travel_time_s=step.asked.get("travel_time_s"),
        distance_m=step.asked.get("distance_m"),
        actor=step.actor,
        at=step.at,
    )
    try:
        with step.session.begin_nested():
            step.session.add(order)
    except IntegrityError as error:
        raise StateError(f"{person.name} is already on the way to another incident") from error
    step.incident.person_id = person.id
    time_s = step.asked.get("travel_time_s")
    step.told |= {"person": person.id, "name": person.name, "travel_time_s": time_s}
    step.notify.append(("person", person.id))


def _order(step: Step) -> Dispatch | None:
    query = select(Dispatch).where(
        Dispatch.incident_id == step.incident.id, Dispatch.state == "open"
    )
    return step.session.scalar(query.with_for_update())


def _take(step: Step) -> None:
    if (order := _order(step)) is not None:
        order.taken_at = step.at


def _end_order(step: Step, state: str) -> None:
    if (order := _order(step)) is not None:
        order.state, order.ended_at = state, step.at
        order.reason = str(step.asked.get("reason") or "")
        step.told["person"] = order.person_id


def _free(state: str) -> Callable[[Step], None]:
    """The order ends; who declined, or did not answer, is no longer the handler."""

    def effect(step: Step) -> None:
        _end_order(step, state)
        step.incident.person_id = step.incident.unit_id = None

    return effect


def _report(step: Step) -> None:
    _end_order(step, "done")


def _suspend(step: Step) -> None:
    """Whoever handles it is free for others meanwhile, and goes on with it afterwards."""
    _end_order(step, "cancelled")


def _rework(step: Step) -> None:
    if step.incident.person_id is not None:
        step.notify.append(("person", step.incident.person_id))


def _request_extension(step: Step) -> None:
    amount, unit = step.asked["amount"], step.asked.get("unit") or "working_days"
    fits = isinstance(amount, int) and 1 <= amount <= MOST_EXTENDED and unit in _UNITS
    _require(fits, "amount", f"an extension is 1 to {MOST_EXTENDED} {unit}, not {amount!r}")
    step.told |= {"amount": amount, "unit": unit}


def _grant_extension(step: Step) -> None:
    query = select(IncidentEvent).where(
        IncidentEvent.incident_id == step.incident.id, IncidentEvent.kind == "request_extension"
    )
    asked = step.session.scalars(query.order_by(IncidentEvent.id.desc()).limit(1)).one()
    span = Span(asked.detail["amount"], asked.detail["unit"])
    extend(step.session, step.rules, step.incident, span)
    step.told |= {"amount": span.amount, "unit": span.unit}


def _escalate(step: Step) -> None:
    _free("cancelled")(step)
    key = {
        "county": step.incident.county,
        "grid": step.incident.grid_id,
        "level": step.incident.level,
    }
    step.told["level"] = step.incident.level
    if (centre := step.session.scalar(_CENTRE, key)) is not None:
        step.incident.unit_id = centre
        step.told["unit"] = centre
        step.notify.append(("unit", centre))


def _whistle(step: Step) -> None:
    names = []
    for number in dict.fromkeys(step.asked["units"]):
        unit = _unit(step, number)
        call = Whistle(
            county=step.incident.county,
            incident_id=step.incident.id,
            unit_id=unit.id,
            reason=step.told["reason"],
            actor=step.actor,
            at=step.at,
        )
        try:
            with step.session.begin_nested():
                step.session.add(call)
        except IntegrityError as error:
            raise StateError(f"{unit.name} has been called and has not reported yet") from error
        call_to_answer(step.session, step.rules, step.incident, call, step.at)
        names.append(unit.name)
        step.notify.append(("unit", unit.id))
    step.told["units"] = names


def _answer(step: Step) -> None:
    unit = _unit(step, step.asked["unit"])
    query = select(Whistle).where(
        Whistle.incident_id == step.incident.id,
        Whistle.unit_id == unit.id,
        Whistle.answered_at.is_(None),
    )
    call = step.session.scalar(query.with_for_update())
    if call is None:
        raise StateError(f"{unit.name} is not called to incident {step.incident.id}")
    call.answered_at, call.answered_by = step.at, step.actor
    end_answer(step.session, call, step.at)
    step.told |= {"unit": unit.id, "name": unit.name}


def _follow_up(step: Step) -> None:
    said = step.asked["satisfaction"]
    _require(said in _SATISFACTION, "satisfaction", f"satisfaction {said!r} is unknown")
    step.session.add(
        FollowUp(
            incident_id=step.incident.id,
            at=step.at,
            county=step.incident.county,
            satisfaction=said,
            words=step.told.get("words", ""),
            actor=step.actor,
        )
    )
    step.told["satisfaction"] = said


def _end(step: Step) -> None:
    """Whom to call back is no longer anybody's business."""
    _end_order(step, "cancelled")
    forget = delete(Reporter).where(Reporter.incident_id == step.incident.id)
    step.session.execute(forget)


def _unit(step: Step, number: Any) -> Unit:
    unit = step.session.get(Unit, number) if isinstance(number, int) else None
    if unit is None or unit.county != step.incident.county:
        raise NotFoundError(f"no unit {number!r}")
    return unit


def _require(fits: bool, what: str, message: str) -> None:
    if not fits:
        raise TransitionRefusedError("missing", message, what)


EFFECTS: dict[str, Callable[[Step], None]] = {
    "triage": _triage,
    "dispatch": _dispatch,
    "take": _take,
    "decline": _free("declined"),
    "lapse": _free("lapsed"),
    "recall": _free("cancelled"),
    "return": _free("cancelled"),
    "report": _report,
    "rework": _rework,
    "request_extension": _request_extension,
    "grant_extension": _grant_extension,
    "suspend": _suspend,
    "escalate": _escalate,
    "whistle": _whistle,
    "answer": _answer,
    "follow_up": _follow_up,
    "close": _end,
    "void": _end,
}

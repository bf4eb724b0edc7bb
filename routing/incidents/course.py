"""An incident's course: transitions of its flow, each one transaction with all that follows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data.audit import audit
from data.errors import StaleError
from data.incidents import incident_in
from data.models import Incident, IncidentEvent, Person, Whistle
from data.scope import Scope
from routing.incidents.effects import EFFECTS, Step
from routing.incidents.notices import tell_of
from routing.incidents.rules import HandlingRules, load_rules
from routing.incidents.timing import follow_state
from routing.lifecycle import Flow, IncidentFacts
from routing.lifecycle.flow import Transition

__all__ = ["Doer", "facts_of", "options_of", "record", "transit", "was_done"]

_HANDLER = text(
    "SELECT actor FROM incident_event WHERE incident_id = :incident AND kind = 'report' "
    "ORDER BY id DESC LIMIT 1"
)
_NOTIFY = text("SELECT pg_notify('incident', :told)")
GRIDWORKERS = frozenset({"gridworker", "part_time_gridworker"})


@dataclass(frozen=True, slots=True)
class Doer:
    """Who makes a transition.

    Attributes
    ----------
    login : str
        Of the account; ``system`` for the program.
    role : str
        In the flow: ``dispatcher``, ``centre``, ``worker`` or ``system``.
    scope : Scope
        Where, and of which classes; a worker's own incidents are theirs wherever they lie.
    person_id : int or None
        Whom the account stands for, if for anybody.
    """

    login: str
    role: str
    scope: Scope
    person_id: int | None = None


def transit(
    session: Session,
    doer: Doer,
    number: int,
    action: str,
    given: Mapping[str, Any] | None = None,
    *,
    version: int | None = None,
    receipt: str | None = None,
    at: datetime | None = None,
) -> Incident:
    """Make a transition; it is durable, with all that follows from it, once committed.

    Parameters
    ----------
    given : mapping
        ``reason``, ``result``, ``person`` or ``unit`` (who is to go), ``units`` (who is called),
        ``amount`` and ``unit`` of an extension, ``satisfaction``, ``words`` …
    version : int, optional
        Of the incident as the doer saw it.
    receipt : str, optional
        Of who sends it, to know it by when it is sent again; see `was_done`.

    Raises
    ------
    TransitionRefusedError
        If the flow does not allow it; nothing has changed.
    NotFoundError, StateError, StaleError
        If there is no such incident for the doer, somebody is busy, or somebody was faster.
    """
    incident = _locked(session, doer, number)
    if version is not None and version != incident.version:
        raise StaleError(
            f"incident {number} is at version {incident.version}, not {version}: look again"
        )
    now = at or datetime.now(UTC)
    rules = load_rules(session, incident.county)
    flow = rules.flow_of(incident.class_code, incident.flow)
    asked = dict(given or {})
    facts = facts_of(session, rules, incident, asked)
    found = flow.find(facts, action, doer.role, actor=doer.login, given=_named(asked))
    step = Step(session, rules, incident, doer.login, doer.person_id, asked, now)
    if receipt:
        step.told["receipt"] = receipt
    before = incident.state
    after = flow.after(facts, found)
    incident.flow, incident.state, incident.before = flow.code, after.state, after.before
    incident.level = after.level
    if (effect := EFFECTS.get(action)) is not None:
        effect(step)
    session.flush()
    follow_state(session, rules, incident, now)
    record(session, incident, action, doer.login, step.told, before=before, at=now)
    tell_of(session, incident, action, step)
    return incident


def was_done(session: Session, login: str, number: int, receipt: str) -> Incident | None:
    """The incident, where an account has made the transition of this receipt already.

    Whoever makes it just now is waited for, and nobody else makes one until the transaction ends.
    """
    session.execute(select(Incident.id).where(Incident.id == number).with_for_update())
    done = select(IncidentEvent.id).where(
        IncidentEvent.incident_id == number,
        IncidentEvent.actor == login,
        IncidentEvent.detail["receipt"].astext == receipt,
    )
    return None if session.scalar(done) is None else session.get_one(Incident, number)


def record(
    session: Session,
    incident: Incident,
    kind: str,
    actor: str,
    detail: Mapping[str, Any],
    *,
    before: str | None = None,
    at: datetime | None = None,
) -> IncidentEvent:
    """Write a step of the course, count the version, and tell everybody who watches."""
    incident.version += 1
    incident.changed_at = at or datetime.now(UTC)
    event = IncidentEvent(
        county=incident.county,
        incident_id=incident.id,
        kind=kind,
        actor=actor,
        detail=dict(detail),
        state_before=before,
        state_after=None if before is None else incident.state,
        at=incident.changed_at,
    )
    session.add(event)
    session.flush()
    audit(session, incident.county, actor, f"incident.{kind}", str(incident.id))
    told = {"county": incident.county, "incident": incident.id, "event": event.id, "kind": kind}
    session.execute(_NOTIFY, {"told": json.dumps(told)})
    return event


def facts_of(
    session: Session,
    rules: HandlingRules,
    incident: Incident,
    asked: Mapping[str, Any] | None = None,
) -> IncidentFacts:
    """What the flow must know of an incident, and of whom it is to be sent to."""
    open_whistles = select(Whistle.id).where(
        Whistle.incident_id == incident.id, Whistle.answered_at.is_(None)
    )
    person = (asked or {}).get("person")
    held = None if person is None else session.get(Person, person)
    return IncidentFacts(
        incident.state,
        incident.before,
        incident.level,
        len(session.scalars(open_whistles).all()),
        session.scalar(_HANDLER, {"incident": incident.id}) or "",
        incident.class_code in rules.duty_list,
        held is not None and held.role in GRIDWORKERS,
    )


def options_of(
    session: Session, rules: HandlingRules, doer: Doer, incident: Incident
) -> tuple[Transition, ...]:
    """What somebody may do with an incident now."""
    if doer.role == "worker" and incident.person_id != doer.person_id:
        return ()
    flow: Flow = rules.flow_of(incident.class_code, incident.flow)
    return flow.options(facts_of(session, rules, incident), doer.role, doer.login)


def _locked(session: Session, doer: Doer, number: int) -> Incident:
    if doer.role == "worker":
        return incident_in(session, doer.scope, number, lock=True, person=doer.person_id or 0)
    return incident_in(session, doer.scope, number, lock=True)


def _named(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, by the flow's names: a person or a unit is a holder."""
    holder = asked.get("person") if asked.get("person") is not None else asked.get("unit")
    return {**asked, "holder": holder}

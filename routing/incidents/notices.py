"""Whom a step of the course concerns, and the notices that tell them, in the same transaction."""

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data.log import request_of
from data.models import Incident, NoticeChannel, Outbox, Person, Unit

if TYPE_CHECKING:
    from routing.incidents.effects import Step

__all__ = ["DESK", "notify", "tell_of"]

# Everybody who dispatches in the incident's area.
DESK = "desk"
# Steps that the desk must see at once, whoever made them.
_FOR_DESK = frozenset(
    {"decline", "lapse", "return", "report", "request_extension", "answer", "escalate"}
)


def tell_of(session: Session, incident: Incident, action: str, step: "Step") -> None:
    """Write the notices of a transition."""
    told = [f"{kind}:{number}" for kind, number in step.notify]
    if action in _FOR_DESK:
        told.append(DESK)
    for address in told:
        notify(session, incident, action, address)


def notify(session: Session, incident: Incident, kind: str, address: str) -> None:
    """Write a notice to ``person:n``, ``unit:n`` or ``desk``, and to the channels of the county.

    One incident's notice of one version to one address is written once, however often it is
    tried.
    """
    key = f"{incident.id}:{incident.version}:{kind}:{address}"
    content: dict[str, str | None] = {
        "case": incident.source_ref,
        "kind": kind,
        "class": incident.class_code,
    }
    if request := request_of():
        content["request"] = request
    rows = [("app", address, "sent")]
    query = select(NoticeChannel).where(NoticeChannel.county == incident.county)
    for one in session.scalars(query):
        if one.kinds and kind not in one.kinds:
            continue
        if one.channel == "sms":
            content["phone"] = _duty_phone(session, address)
        rows.append((one.channel, one.target, "waiting"))
    for channel, target, state in rows:
        values = {
            "county": incident.county,
            "key": f"{key}:{channel}:{target}"[:200],
            "channel": channel,
            "address": target,
            "incident_id": incident.id,
            "subject": kind,
            "content": content,
            "state": state,
        }
        session.execute(insert(Outbox).values(values).on_conflict_do_nothing())


def _duty_phone(session: Session, address: str) -> str | None:
    """Only duty phones are used: a private number needs more consent than an order."""
    kind, _, number = address.partition(":")
    if kind == "person":
        return session.scalar(select(Person.duty_phone).where(Person.id == int(number)))
    if kind == "unit":
        return session.scalar(select(Unit.duty_phone).where(Unit.id == int(number)))
    return None

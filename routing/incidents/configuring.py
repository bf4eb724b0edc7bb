"""Changing the rules by which a county handles incidents; each is checked before it is kept."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import CalendarDay, FlowChoice, FlowDefinition, IncidentClass, NoticeChannel
from data.presets import ALL_COUNTIES
from routing.lifecycle import Flow
from routing.lifecycle.errors import FlowError

__all__ = ["add_channel", "choose_flow", "drop_channel", "plain_flow", "set_day", "store_flow"]

_CHANNELS = ("email", "sms", "webhook")


def store_flow(session: Session, row: Mapping[str, Any]) -> Flow:
    """Check a flow and keep it, in place of the one of its code.

    Parameters
    ----------
    row : mapping
        ``code``, ``name``, ``stages`` (name → states), ``transitions``, ``source``; as in
        ``data/presets/flows.json``.

    Raises
    ------
    FlowError
        If it cannot be used; the one before still holds.
    """
    try:
        made = Flow.from_rows(row["code"], row["name"], row["transitions"])
        stages = {str(name): [str(one) for one in states] for name, states in row["stages"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise FlowError(f"a flow lacks {error} or it is of another kind") from error
    named = {state for states in stages.values() for state in states}
    if lacking := sorted(set(made.states) - named):
        raise FlowError(f"flow {made.code}: no stage has the state {lacking[0]!r}")
    values = {
        "county": ALL_COUNTIES,
        "code": made.code,
        "name": made.name,
        "stages": stages,
        "transitions": list(row["transitions"]),
        "source": str(row.get("source", "")),
        "verified": False,
    }
    statement = insert(FlowDefinition).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["code"], set_=values))
    return made


def choose_flow(session: Session, county: str, code: str, class_scope: str) -> None:
    """Have a county's incidents of a class, a group of classes, or all (``*``) take a flow.

    Incidents under way keep theirs.

    Raises
    ------
    NotFoundError
        If there is no such flow, class or group.
    """
    if session.get(FlowDefinition, code) is None:
        raise NotFoundError(f"no flow {code!r}; see onegrid incident flows")
    classes = session.execute(select(IncidentClass.code, IncidentClass.group)).all()
    if class_scope not in {"*", *(one for row in classes for one in row)}:
        raise NotFoundError(f"no incident class or group {class_scope!r}; see onegrid classes")
    values = {"county": county, "class_scope": class_scope, "flow": code}
    statement = insert(FlowChoice).values(values)
    keys = ["county", "class_scope"]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"flow": code}))


def set_day(session: Session, county: str, day: date, *, works: bool, name: str) -> None:
    """Say that a day is worked, or not, whatever the public calendar says."""
    values = {"county": county, "day": day, "works": works, "name": name, "source": "onegrid"}
    statement = insert(CalendarDay).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["county", "day"], set_=values))


def add_channel(
    session: Session, county: str, code: str, channel: str, target: str, kinds: list[str]
) -> None:
    """Have notices of some kinds, or all, go elsewhere too.

    Raises
    ------
    NotFoundError
        If there is no such channel.
    """
    if channel not in _CHANNELS:
        raise NotFoundError(f"no channel {channel!r}; there are: {', '.join(_CHANNELS)}")
    values = {"county": county, "code": code, "channel": channel, "target": target, "kinds": kinds}
    statement = insert(NoticeChannel).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["county", "code"], set_=values))


def drop_channel(session: Session, county: str, code: str) -> None:
    """Have them go there no more.

    Raises
    ------
    NotFoundError
        If the county has none of that code.
    """
    gone = delete(NoticeChannel).filter_by(county=county, code=code).returning(NoticeChannel.code)
    if session.scalar(gone) is None:
        raise NotFoundError(f"county {county} has no notice channel {code!r}")


def plain_flow(session: Session, code: str) -> str:
    """A flow as JSON, as `store_flow` takes it.

    Raises
    ------
    NotFoundError
        If there is none of that code.
    """
    held = session.get(FlowDefinition, code)
    if held is None:
        raise NotFoundError(f"no flow {code!r}; see onegrid incident flows")
    names = ("code", "name", "stages", "transitions", "source")
    return json.dumps({name: getattr(held, name) for name in names}, ensure_ascii=False, indent=1)

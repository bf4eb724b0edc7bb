"""A draft as a planner or a reviewer reads it: its edits, checkpoints, notes and steps."""

from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import Account, Division, DraftNote, Edit, Generation
from grids.drafting import journal
from grids.drafting.review import notes_of, steps_of
from grids.generations import latest_generation

__all__ = ["overview"]

# What of an edit's arguments is told: the blocks of a whole partition are not.
_TOLD = ("community", "grid", "other", "name", "count", "first", "to", "role", "zone_kind")


def overview(session: Session, draft: Generation) -> dict[str, Any]:
    """Everything about a draft but its ground.

    Returns
    -------
    dict
        Plain values for JSON; ``edits`` beyond ``head`` are those that can be redone.
    """
    latest = latest_generation(session, draft.county)
    area = session.get(Division, draft.area)
    names = dict(
        session.execute(select(Account.login, Account.name).filter_by(county=draft.county)).all()
    )
    return {
        "draft": draft.id,
        "title": draft.title,
        "state": draft.state,
        "author": names.get(draft.author, draft.author),
        "area": draft.area,
        "area_name": area.name if area else draft.area,
        "profile": draft.profile,
        "version": draft.version,
        "head": draft.head,
        "base": draft.base_id,
        "fits": latest is not None and latest.id == draft.base_id,
        "edits": [_edit(one, names) for one in _edits(session, draft)],
        "checkpoints": [
            {"name": one.name, "position": one.position}
            for one in journal.checkpoints(session, draft)
        ],
        "notes": [_note(one, names) for one in notes_of(session, draft)],
        "steps": [
            {
                "step": one.step,
                "reason": one.reason,
                "actor": names.get(one.actor, one.actor),
                "at": one.at.isoformat(),
            }
            for one in steps_of(session, draft)
        ],
    }


def _edits(session: Session, draft: Generation) -> list[Edit]:
    query = select(Edit).where(Edit.generation_id == draft.id)
    return list(session.scalars(query.order_by(Edit.position)))


def _edit(edit: Edit, names: dict[str, str]) -> dict[str, Any]:
    facts = edit.arguments
    told = {name: facts[name] for name in _TOLD if facts.get(name) not in {None, ""}}
    if isinstance(facts.get("blocks"), list):
        told["blocks"] = len(facts["blocks"])
    return {
        "position": edit.position,
        "operation": edit.operation,
        "told": told,
        "author": names.get(edit.author, edit.author),
        "made_at": edit.made_at.isoformat(),
        "conflict": edit.conflict,
        "conflict_rule": edit.conflict_rule,
    }


def _note(note: DraftNote, names: dict[str, str]) -> dict[str, Any]:
    point: Any = None if note.geom is None else to_shape(note.geom)
    return {
        "id": note.id,
        "author": names.get(note.author, note.author),
        "at": note.at.isoformat(),
        "words": note.words,
        "place": None if point is None else [point.x, point.y],
        "resolved": note.resolved_at is not None,
    }

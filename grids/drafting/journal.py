"""A draft's list of edits in the database: append, undo, redo, checkpoints.

Every change takes the draft's row lock, compares the version that the planner saw, and counts
it up: two planners never overwrite each other, in however many processes.
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StaleError, StateError
from data.models import Checkpoint, Edit, Generation
from data.scope import Scope
from grids.redraw import operation_to_json

__all__ = [
    "add_checkpoint",
    "append",
    "checkpoints",
    "draft_in",
    "edits_in_force",
    "move_head",
    "require_open",
    "touch",
]

MOST_EDITS = 5000
_NOTIFY = text("SELECT pg_notify('draft', :told)")


def draft_in(session: Session, scope: Scope, number: int, *, lock: bool = False) -> Generation:
    """A draft of an area; locked until the transaction ends where asked.

    Raises
    ------
    NotFoundError
        If there is none, or it is not theirs to see: the answer does not tell which.
    """
    found = session.get(Generation, number, with_for_update=lock, populate_existing=lock)
    if found is None or found.county != scope.county or not scope.covers(found.area):
        raise NotFoundError(f"no draft {number}")
    return found


def require_open(draft: Generation, version: int) -> None:
    """Refuse a change of a draft that is closed, or that has moved on.

    Raises
    ------
    StateError
        If it is in review, published or discarded.
    StaleError
        If the version is not the draft's.
    """
    if draft.state != "draft":
        raise StateError(f"draft {draft.id} is {draft.state}: it cannot be edited")
    if draft.version != version:
        raise StaleError(
            f"draft {draft.id} is at version {draft.version}, not {version}: somebody edited it"
        )


def edits_in_force(session: Session, draft: Generation) -> list[Edit]:
    """The edits up to the head, in order; those in conflict with the base are among them."""
    query = select(Edit).where(Edit.generation_id == draft.id, Edit.position <= draft.head)
    return list(session.scalars(query.order_by(Edit.position)))


def touch(session: Session, draft: Generation) -> None:
    """Count a change and tell everybody who watches the draft, once it is committed."""
    draft.version += 1
    session.flush()
    told = {"county": draft.county, "draft": draft.id, "version": draft.version}
    session.execute(_NOTIFY, {"told": json.dumps(told | {"state": draft.state})})


def append(session: Session, draft: Generation, operation: Any, author: str) -> Edit:
    """Write an edit after the head; edits that were undone can no longer be redone.

    Raises
    ------
    StateError
        If the draft holds too many edits.
    """
    if draft.head >= MOST_EDITS:
        raise StateError(f"draft {draft.id} has {MOST_EDITS} edits: publish it and go on")
    beyond = Edit.generation_id == draft.id, Edit.position > draft.head
    session.execute(delete(Edit).where(*beyond))
    session.execute(
        delete(Checkpoint).where(
            Checkpoint.generation_id == draft.id, Checkpoint.position > draft.head
        )
    )
    written = operation_to_json(operation)
    edit = Edit(
        county=draft.county,
        generation_id=draft.id,
        position=draft.head + 1,
        operation=written.pop("operation"),
        arguments=written,
        author=author,
    )
    session.add(edit)
    draft.head += 1
    touch(session, draft)
    return edit


def move_head(session: Session, draft: Generation, to: int) -> None:
    """Undo or redo up to a position.

    Raises
    ------
    StateError
        If there is nothing to undo or redo up to there.
    """
    last = session.scalar(
        select(Edit.position)
        .where(Edit.generation_id == draft.id)
        .order_by(Edit.position.desc())
        .limit(1)
    )
    if to == draft.head or not 0 <= to <= (last or 0):
        raise StateError("there is nothing to undo" if to < draft.head else "nothing to redo")
    draft.head = to
    touch(session, draft)


def add_checkpoint(session: Session, draft: Generation, name: str, author: str) -> Checkpoint:
    """Name the draft's present position; a name that was there moves.

    Raises
    ------
    StateError
        If the name is empty.
    """
    if not name.strip():
        raise StateError("a checkpoint needs a name")
    made = Checkpoint(
        county=draft.county,
        generation_id=draft.id,
        name=name.strip()[:100],
        position=draft.head,
        author=author,
    )
    return session.merge(made)


def checkpoints(session: Session, draft: Generation) -> Iterable[Checkpoint]:
    """The named positions of a draft."""
    query = select(Checkpoint).where(Checkpoint.generation_id == draft.id)
    return session.scalars(query.order_by(Checkpoint.position, Checkpoint.name))

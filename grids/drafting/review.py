"""The way of a draft: submitted, returned or approved by somebody else, published by the county."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.audit import audit
from data.errors import NotFoundError, StateError
from data.models import DraftNote, Edit, Generation, ReviewStep
from data.scope import Scope
from grids.drafting import journal
from grids.generations import latest_generation
from grids.plan import check_draft

__all__ = ["STEPS", "add_note", "notes_of", "resolve_note", "steps_of", "take_step"]

# Step → the states that it may be taken in, and the state that it leads to.
STEPS = {
    "submit": (("draft",), "review"),
    "withdraw": (("review", "approved"), "draft"),
    "return": (("review", "approved"), "draft"),
    "approve": (("review",), "approved"),
    "discard": (("draft", "review", "approved"), "discarded"),
}


def take_step(
    session: Session, scope: Scope, number: int, step: str, *, actor: str, reason: str = ""
) -> Generation:
    """Take a step of a draft's review.

    Raises
    ------
    NotFoundError
        If there is no such draft in the scope.
    StateError
        If the step does not follow, the reason is missing, somebody would approve what they
        drew themselves, or what is submitted breaks a rule.
    """
    draft = journal.draft_in(session, scope, number, lock=True)
    states, after = STEPS[step]
    if draft.state not in states:
        raise StateError(f"draft {number} is {draft.state}: it cannot be taken to {after}")
    if step == "return" and not reason.strip():
        raise StateError("say why the draft is returned")
    if step == "submit":
        _require_fit(session, draft)
    if step == "approve" and actor in _authors(session, draft):
        raise StateError(f"{actor} has drawn in draft {number}: somebody else must approve it")
    draft.state = after
    session.add(
        ReviewStep(
            county=draft.county,
            generation_id=draft.id,
            step=step,
            reason=reason.strip(),
            actor=actor,
        )
    )
    journal.touch(session, draft)
    audit(session, draft.county, actor, f"draft.{step}", str(draft.id), reason=reason.strip())
    return draft


def _require_fit(session: Session, draft: Generation) -> None:
    latest = latest_generation(session, draft.county)
    if draft.head == 0:
        raise StateError(f"draft {draft.id} changes nothing yet")
    if latest is not None and draft.base_id != latest.id:
        raise StateError(f"draft {draft.id} was drawn on an earlier plan: replay it first")
    if faults := check_draft(session, draft.county, draft.id):
        raise StateError(f"draft {draft.id} breaks a rule: {faults[0].rule}, {faults[0].where}")


def _authors(session: Session, draft: Generation) -> set[str]:
    query = select(Edit.author).where(Edit.generation_id == draft.id, Edit.position <= draft.head)
    return {draft.author, *session.scalars(query)}


def steps_of(session: Session, draft: Generation) -> list[ReviewStep]:
    """The steps that a draft has taken."""
    query = select(ReviewStep).where(ReviewStep.generation_id == draft.id)
    return list(session.scalars(query.order_by(ReviewStep.id)))


def add_note(
    session: Session,
    scope: Scope,
    number: int,
    words: str,
    *,
    author: str,
    place: tuple[float, float] | None = None,
) -> DraftNote:
    """Comment on a draft, at a place (longitude, latitude; EPSG:4326) where one is given.

    Raises
    ------
    NotFoundError, StateError
        If there is no such draft in the scope, or the note is empty.
    """
    draft = journal.draft_in(session, scope, number, lock=True)
    if not words.strip():
        raise StateError("the note is empty")
    geom = None if place is None else f"SRID=4326;POINT({place[0]} {place[1]})"
    note = DraftNote(
        county=draft.county,
        generation_id=draft.id,
        author=author,
        words=words.strip()[:4000],
        geom=geom,
    )
    session.add(note)
    journal.touch(session, draft)
    return note


def notes_of(session: Session, draft: Generation) -> list[DraftNote]:
    """The comments on a draft, oldest first."""
    query = select(DraftNote).where(DraftNote.generation_id == draft.id)
    return list(session.scalars(query.order_by(DraftNote.id)))


def resolve_note(
    session: Session, scope: Scope, number: int, note_id: int, at: datetime
) -> DraftNote:
    """Mark a comment as dealt with.

    Raises
    ------
    NotFoundError
        If the draft has none of that number.
    """
    draft = journal.draft_in(session, scope, number, lock=True)
    note = session.get(DraftNote, note_id)
    if note is None or note.generation_id != draft.id:
        raise NotFoundError(f"draft {number} has no note {note_id}")
    note.resolved_at = note.resolved_at or at
    journal.touch(session, draft)
    return note

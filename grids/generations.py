"""Generations of a plan: the one that holds, the latest, and the rules of a profile."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Generation, Profile
from grids.rules import PEOPLE_PER_HOUSEHOLD, Rules, SizeRange

__all__ = [
    "current_generation",
    "household_ranges",
    "latest_generation",
    "require_draft",
    "rules_of",
]


def rules_of(session: Session, profile: str) -> Rules:
    """Rules of a stored profile.

    Raises
    ------
    NotFoundError
        If there is no such profile; names those there are.
    """
    found = session.get(Profile, profile)
    if found is None:
        names = ", ".join(session.scalars(select(Profile.code).order_by(Profile.code)))
        raise NotFoundError(f"no profile {profile!r}; there are: {names}")
    return Rules(
        urban=_range(found.urban_households, found.urban_least, found.urban_most),
        rural=_range(found.rural_households, found.rural_least, found.rural_most),
        measure=found.measure,
        micro=SizeRange(
            (found.micro_least + found.micro_most) / 2,
            float(found.micro_least),
            float(found.micro_most),
        ),
    )


def _range(target: int, least: int | None, most: int | None) -> SizeRange:
    usual = SizeRange.around(float(target))
    return SizeRange(usual.target, float(least or usual.least), float(most or usual.most))


def current_generation(
    session: Session, county: str, at: datetime | None = None
) -> Generation | None:
    """The generation that is valid now, or at a time."""
    moment = at or func.now()
    return session.scalars(
        select(Generation).where(Generation.county == county, Generation.valid.contains(moment))
    ).one_or_none()


def latest_generation(session: Session, county: str) -> Generation | None:
    """The generation that no other follows, though it may hold from a later day only."""
    return session.scalars(
        select(Generation).where(Generation.county == county, func.upper_inf(Generation.valid))
    ).one_or_none()


def require_draft(session: Session, county: str, draft_id: int) -> Generation:
    """Load and lock a draft, whether it is being edited, reviewed or approved.

    Raises
    ------
    NotFoundError, StateError
        If there is none of that number in the county, or it is no draft any more.
    """
    draft = session.get(Generation, draft_id, with_for_update=True)
    if draft is None or draft.county != county:
        raise NotFoundError(f"county {county} has no draft {draft_id}")
    if draft.state not in {"draft", "review", "approved"}:
        raise StateError(f"generation {draft_id} is {draft.state}, not a draft")
    return draft


def household_ranges(rules: Rules) -> dict[str, list[float]]:
    """Least and most households of an ordinary grid, urban and rural."""
    scale = PEOPLE_PER_HOUSEHOLD if rules.measure == "people" else 1.0
    both = {"urban": rules.urban, "rural": rules.rural}
    return {kind: [size.least / scale, size.most / scale] for kind, size in both.items()}

"""Handing posts on: who was responsible for a grid goes on with what comes of it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, any_, cast, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from data.models import Edit, Generation, Responsibility
from data.posts import PostChange, PostKey, posts_held, record_changes
from grids.publishing.succession import Succession
from grids.staffing import end_with_grids

__all__ = ["hand_on_posts"]

# A building or address known to belong to a grid still does where the grid goes on around it.
_MEMBERS = text(
    "INSERT INTO membership (county, grid_id, building_id, address_id, valid) "
    "SELECT held.county, grid.id, held.building_id, held.address_id, grid.valid "
    "FROM membership AS held JOIN grid ON grid.id = :new "
    "LEFT JOIN building ON building.id = held.building_id "
    "LEFT JOIN address ON address.id = held.address_id "
    "WHERE held.grid_id = :old AND upper(held.valid) = lower(grid.valid) "
    "AND ST_Intersects(grid.geom, coalesce(building.geom, address.geom))"
)


def hand_on_posts(session: Session, draft: Generation, moment: datetime, made: Succession) -> None:
    """Hand posts and memberships on to the grids that begin, and end those of the others.

    A new grid takes the posts of the one that most of its households come from; then come the
    posts that the draft assigns, in the place of the A or B holder of the same role.
    """
    held = _held(session, draft.county, [old for _, old in made.heirs], moment)
    ended = end_with_grids(session, draft.county, moment)
    for new, old in made.same:
        session.execute(_MEMBERS, {"new": new, "old": old})
    posts: dict[PostKey, str] = {
        replace(key, grid_id=new): holder
        for new, old in made.heirs
        for key, holder in held.get(old, ())
    }
    planned = _planned(session, draft, made)
    assigned = {(one.grid_id, one.role, holder) for one, holder in planned.items()}
    replaced = [
        PostChange(key, moment, "ended")
        for grid_id in {one.grid_id for one in planned if one.grid_id}
        for key, holder in _held(session, draft.county, [grid_id], moment).get(grid_id, ())
        if (grid_id, key.role, holder) in assigned and key not in planned
    ]
    begun = {
        key: holder
        for key, holder in posts.items()
        if (key.grid_id, key.role, holder) not in assigned
    }
    changes = [PostChange(key, moment, holder) for key, holder in {**begun, **planned}.items()]
    record_changes(session, draft.county, [*ended, *replaced, *changes], author=draft.author)


def _held(
    session: Session, county: str, grids: list[int], moment: datetime
) -> dict[int, list[tuple[PostKey, str]]]:
    """Grid → the posts of it that are held at a time, and by whom as A or B."""
    found: dict[int, list[tuple[PostKey, str]]] = {}
    for _, post, holder in posts_held(
        session,
        Responsibility.county == county,
        Responsibility.grid_id == any_(cast(grids, ARRAY(BigInteger))),
        Responsibility.valid.contains(moment),
    ):
        if post.grid_id is not None:
            found.setdefault(post.grid_id, []).append((post, holder))
    return found


def _planned(session: Session, draft: Generation, made: Succession) -> dict[PostKey, str]:
    """Posts that the draft's edits assign, the last one for each grid, role and holder."""
    edits = session.scalars(
        select(Edit)
        .where(
            Edit.generation_id == draft.id,
            Edit.operation == "assign",
            Edit.conflict == "",
            Edit.position <= draft.head,
        )
        .order_by(Edit.position)
    )
    last: dict[tuple[Any, ...], tuple[PostKey, str]] = {}
    for edit in edits:
        facts = edit.arguments
        grid = made.grid_of.get(facts["grid"])
        if grid is not None:
            key = PostKey(facts["person_id"], None, facts["role"], grid_id=grid)
            last[grid, facts["role"], facts["holder"]] = key, facts["holder"]
    return dict(last.values())

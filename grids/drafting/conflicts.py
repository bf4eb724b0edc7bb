"""Edits that no longer apply after a replay: what the draft had there, beside what is there now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import Edit, Generation
from data.store import shapes_from_wkb
from grids.redraw import communities_of, operation_from_json

__all__ = ["CommunityConflict", "FormerGrid", "conflicts_of", "keep_former"]

# What an earlier replay kept stays: since then the draft's tables lack the edits in question.
_FORGET = text(
    "DELETE FROM draft_former WHERE generation_id = :draft AND NOT community = ANY (:codes)"
)
_KEEP = text(
    "INSERT INTO draft_former "
    "(generation_id, key, county, community, code, name, kind, households, geom) "
    "SELECT generation_id, key, county, community, code, name, kind, households, geom "
    "FROM draft_grid WHERE generation_id = :draft AND community = ANY (:codes) "
    "AND community NOT IN (SELECT community FROM draft_former WHERE generation_id = :draft)"
)
_FORMER = text(
    "SELECT former.community, division.name AS community_name, key, former.code, former.name, "
    "kind, households, ST_AsBinary(former.geom) AS geom FROM draft_former AS former "
    "JOIN division ON division.code = former.community "
    "WHERE generation_id = :draft ORDER BY former.community, key"
)


@dataclass(frozen=True, slots=True)
class FormerGrid:
    """A grid as the draft had it before the replay; the polygon in EPSG:4326."""

    key: str
    code: str
    name: str
    kind: str
    households: int
    polygon: Any


@dataclass(frozen=True, slots=True)
class CommunityConflict:
    """A community where edits no longer apply.

    Attributes
    ----------
    former : tuple of FormerGrid
        As the draft had it on the plan that it was drawn on.
    edits : tuple of Edit
        Those that no longer apply, in order.
    """

    code: str
    name: str
    former: tuple[FormerGrid, ...]
    edits: tuple[Edit, ...]


def keep_former(session: Session, draft: Generation, conflicts: Iterable[Edit]) -> None:
    """Keep the draft's grids of the communities whose edits no longer apply.

    To be called before the draft's tables are written anew.
    """
    codes = sorted({code for edit in conflicts for code in _communities(edit)})
    for statement in (_FORGET, _KEEP):
        session.execute(statement, {"draft": draft.id, "codes": codes})


def conflicts_of(
    session: Session, draft: Generation, edits: Iterable[Edit]
) -> tuple[CommunityConflict, ...]:
    """Communities where some of a draft's edits no longer apply, by code."""
    failed = [edit for edit in edits if edit.conflict]
    held: dict[str, list[FormerGrid]] = {}
    names = {}
    rows = session.execute(_FORMER, {"draft": draft.id}).all()
    for row, shape in zip(rows, shapes_from_wkb([row.geom for row in rows]), strict=True):
        names[row.community] = row.community_name
        held.setdefault(row.community, []).append(
            FormerGrid(row.key, row.code, row.name, row.kind, row.households, shape)
        )
    return tuple(
        CommunityConflict(
            code,
            names[code],
            tuple(grids),
            tuple(edit for edit in failed if code in _communities(edit)),
        )
        for code, grids in held.items()
    )


def _communities(edit: Edit) -> tuple[str, ...]:
    return communities_of(operation_from_json({"operation": edit.operation, **edit.arguments}))

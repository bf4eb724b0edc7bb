"""Going back: a draft whose grids are those of an earlier generation again."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Generation
from data.scope import Scope
from grids.drafting import Workbench
from grids.generations import latest_generation

__all__ = ["draft_of_former"]

# Which grid the blocks of today were in, or the blocks that they were cut from.
_GRIDS_AT = text(
    "WITH RECURSIVE line AS ("
    "  SELECT id AS leaf, id AS block, community FROM block "
    "  WHERE county = :county AND retired_at IS NULL"
    "  UNION ALL SELECT line.leaf, block.parent_id, line.community FROM line "
    "  JOIN block ON block.id = line.block WHERE block.parent_id IS NOT NULL) "
    "SELECT grid.community, grid.code, grid.name, grid.kind, grid.zone_id, "
    "array_agg(line.leaf::text ORDER BY line.leaf) AS blocks, "
    "bool_and(line.community = grid.community) AS home FROM line "
    "JOIN grid_block ON grid_block.block_id = line.block "
    "JOIN grid ON grid.id = grid_block.grid_id AND grid.valid @> CAST(:at AS timestamptz) "
    "GROUP BY grid.id ORDER BY grid.code"
)
_BLOCKS = text(
    "SELECT community, count(*) AS blocks FROM block "
    "WHERE county = :county AND retired_at IS NULL GROUP BY community"
)


def draft_of_former(
    session: Session, workbench: Workbench, county: str, former: int, *, author: str
) -> tuple[Generation, tuple[str, ...]]:
    """Begin a draft whose grids are an earlier generation's, with their codes.

    Where blocks were cut since, their pieces take their place. It is reviewed and published
    like any other.

    Returns
    -------
    Generation
    tuple of str
        Communities that stay as they are: their boundary moved since, or they had no grids.

    Raises
    ------
    NotFoundError
        If the county has published no such generation.
    StateError
        If the plan is the same already.
    """
    held = session.get(Generation, former)
    latest = latest_generation(session, county)
    if held is None or held.county != county or held.valid is None or latest is None:
        raise NotFoundError(f"county {county} has published no generation {former}")
    then, now = _plans(session, held), _plans(session, latest)
    count = {row.community: row.blocks for row in session.execute(_BLOCKS, {"county": county})}
    changed = [code for code in now if then.get(code) != now[code]]
    if not changed:
        raise StateError(f"the plan is that of generation {former} already")
    draft = workbench.create(
        session,
        Scope.whole(county),
        author=author,
        title=f"{held.title or held.id} ↩",
        profile=held.profile,
    )
    stay = []
    for code in changed:
        grids = then.get(code, [])
        if sum(len(one["blocks"]) for one in grids) != count.get(code) or not _is_home(grids):
            stay.append(code)
            continue
        plain = [{k: v for k, v in one.items() if k != "home"} for one in grids]
        asked = {"operation": "restore", "community": code, "grids": plain}
        workbench.edit(session, Scope.whole(county), draft.id, draft.version, asked, author=author)
    return draft, tuple(stay)


def _is_home(grids: list[dict[str, Any]]) -> bool:
    return all(one["home"] for one in grids)


def _plans(session: Session, generation: Generation) -> dict[str, list[dict[str, Any]]]:
    """Community → its grids in a generation, made of today's blocks."""
    assert generation.valid is not None  # noqa: S101 - only published ones are asked for
    key = {"county": generation.county, "at": generation.valid.lower}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in session.execute(_GRIDS_AT, key):
        facts = {
            "code": row.code,
            "name": row.name,
            "kind": row.kind,
            "zone_id": row.zone_id,
            "blocks": row.blocks,
            "home": row.home,
        }
        found.setdefault(row.community, []).append(facts)
    return found

"""The draft's tables: its grids and blocks as they follow from the edits, for tiles and reports.

Only what an edit changes is written; a community that is touched for the first time is written
whole.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import DraftCommunity, Generation
from data.store import upsert
from gis.shape import as_multipolygon
from gis.slicing import stitch
from grids.redraw import CommunityPlan, DraftState, GridFigures, PlannedGrid

__all__ = ["corners_of", "forget_communities", "stitched", "write_state"]

_KNOWN = text("SELECT community FROM draft_community WHERE generation_id = :draft")
_DROP_GRIDS = text("DELETE FROM draft_grid WHERE generation_id = :draft AND key = ANY (:keys)")
# A block that a boundary gave to another community may have been written there already.
_DROP_BLOCKS = text(
    "DELETE FROM draft_block WHERE generation_id = :draft AND key = ANY (:keys) "
    "AND community = :community"
)
_DROP_COMMUNITY = tuple(
    text(f"DELETE FROM {table} WHERE generation_id = :draft AND community = ANY (:codes)")  # noqa: S608 - constants
    for table in ("draft_grid", "draft_block", "draft_community")
)


def write_state(
    session: Session, draft: Generation, before: DraftState, after: DraftState
) -> tuple[str, ...]:
    """Bring the draft's tables from one state to another; return the communities touched.

    Communities that the later state does not hold any more are the published ones again.
    """
    known = set(session.scalars(_KNOWN, {"draft": draft.id}))
    if gone := sorted(known - set(after.plans) - set(after.drawn)):
        forget_communities(session, draft, gone)
    touched = []
    for code, plan in after.plans.items():
        old = before.plans.get(code) if code in known else None
        if old is plan:
            continue
        touched.append(code)
        if code not in known:
            session.add(DraftCommunity(county=draft.county, generation_id=draft.id, community=code))
            session.flush()
        _write_grids(session, draft, old, plan)
        _write_blocks(session, draft, old, plan)
    return (*touched, *gone)


def stitched(keys: Sequence[str], shapes: Any) -> Any:
    """A draft's blocks with the points that cuts in other communities set into their edges.

    Parameters
    ----------
    keys : sequence of str, length n
    shapes : ndarray of shapely polygons, shape (n,), EPSG:4326

    Returns
    -------
    ndarray of shapely polygons, shape (n,)
        The same objects where nothing was cut beside them.
    """
    pieces = np.array(["/" in key for key in keys], bool)
    return stitch(shapes, corners_of(shapes[pieces])) if pieces.any() else shapes


def corners_of(shapes: Any) -> Any:
    """All corners of some polygons, each once, shape (p, 2)."""
    return np.unique(shapely.get_coordinates(shapes), axis=0)


def forget_communities(
    session: Session, draft: Generation, codes: Iterable[str] | None = None
) -> None:
    """Take communities, or all of them, out of the draft's tables."""
    chosen = list(session.scalars(_KNOWN, {"draft": draft.id}) if codes is None else codes)
    for statement in _DROP_COMMUNITY:
        session.execute(statement, {"draft": draft.id, "codes": chosen})


def _write_grids(
    session: Session, draft: Generation, old: CommunityPlan | None, new: CommunityPlan
) -> None:
    held: dict[str, tuple[PlannedGrid, GridFigures]] = {}
    if old is not None:
        facts = zip(old.grids, old.figures, strict=True)
        held = {grid.key: (grid, figures) for grid, figures in facts}
    rows = []
    for grid, figures in zip(new.grids, new.figures, strict=True):
        was = held.pop(grid.key, None)
        if was is not None and was[0] == grid and was[1] is figures:
            continue
        rows.append(
            {
                "generation_id": draft.id,
                "key": grid.key,
                "county": draft.county,
                "community": new.code,
                "code": grid.code,
                "name": grid.name,
                "kind": grid.kind,
                "zone_id": grid.zone_id,
                "zone_kind": grid.zone_kind,
                "zone_name": grid.zone_name,
                "zone_owner": grid.zone_owner,
                "heir_of": grid.heir_of,
                "households": figures.households,
                "blocks": figures.blocks,
                "compactness": figures.compactness,
                "walk_m": figures.walk_m,
                "geom": as_multipolygon(figures.polygon),
            }
        )
    if held:
        session.execute(_DROP_GRIDS, {"draft": draft.id, "keys": list(held)})
    upsert(session, "draft_grid", rows, key=("generation_id", "key"))


Line = tuple[str, int, Any]


def _lines_of(plan: CommunityPlan | None) -> dict[str, Line]:
    """Block key → its grid, households and geometry (by identity)."""
    if plan is None:
        return {}
    blocks = plan.blocks
    return {
        key: (plan.keys[grid], households, shape)
        for key, grid, households, shape in zip(
            blocks.keys,
            plan.grid_of.tolist(),
            blocks.households.tolist(),
            blocks.polygons,
            strict=True,
        )
    }


def _write_blocks(
    session: Session, draft: Generation, old: CommunityPlan | None, new: CommunityPlan
) -> None:
    held, now = _lines_of(old), _lines_of(new)
    rows = []
    for key, (grid, households, shape) in now.items():
        was = held.pop(key, None)
        if was is not None and was[:2] == (grid, households) and was[2] is shape:
            continue
        rows.append(
            {
                "generation_id": draft.id,
                "key": key,
                "county": draft.county,
                "block_id": int(key.partition("/")[0]),
                "community": new.code,
                "grid_key": grid,
                "households": households,
                "geom": shape,
            }
        )
    if held:
        session.execute(
            _DROP_BLOCKS, {"draft": draft.id, "keys": list(held), "community": new.code}
        )
    upsert(session, "draft_block", rows, key=("generation_id", "key"))

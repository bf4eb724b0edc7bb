"""Publishing a draft: the plan's next generation, in one transaction."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import Range, aggregate_order_by
from sqlalchemy.orm import Session

from data.errors import StateError
from data.models import Generation, Grid, GridBlock, Lineage
from data.store import upsert
from gis.cells import cover_polygons
from gis.coverage import dissolve
from gis.shape import as_multipolygon
from grids.checks import check_plan
from grids.codes import new_codes, reading_order
from grids.ground import Ground, StoredBlocks, load_blocks
from grids.partition import Rules
from grids.plan import DraftGrid, current_generation, draft_grids, draft_labels, require_draft

__all__ = ["GRID_RESOLUTION", "publish"]

# About 66 m to a cell's edge: a 300-household urban grid holds a handful of whole cells.
GRID_RESOLUTION = 10


# Retired codes count too: a code is never given twice.
_LAST_CODES = text(
    "SELECT left(code, 12), max(right(code, -12)::int) FROM grid GROUP BY left(code, 12)"
)


def publish(
    session: Session, county: str, draft_id: int, *, at: datetime | None = None
) -> Generation:
    """Publish a draft: unchanged grids stay, replaced ones end, new ones begin, at one instant.

    Raises
    ------
    StateError
        If the draft breaks a hard rule, its base is no longer the published plan, or the
        time is not after the base's.
    """
    moment = at or datetime.now(UTC)
    session.execute(text("SELECT pg_advisory_xact_lock(20191, :county)"), {"county": int(county)})
    draft = require_draft(session, county, draft_id)
    base = current_generation(session, county, moment)
    if draft.base_id != (base.id if base else None):
        raise StateError(f"draft {draft_id} was drawn on another plan: draw it again")
    ground = Ground.load(session, county)
    blocks = load_blocks(session, county, ground, Rules())
    grids = draft_grids(session, draft)
    label = draft_labels(blocks, grids)
    if faults := check_plan(blocks.polygons_m, blocks.community, label, blocks.households):
        first = faults[0]
        raise StateError(
            f"draft {draft_id} breaks {len(faults)} rules, first {first.rule}: {first.where}"
        )
    if base is not None and base.valid is not None:
        base.valid = Range(base.valid.lower, moment)
        session.flush()
    draft.state, draft.valid = "published", Range(moment, None)
    _replace_grids(session, draft, grids, label, blocks, moment)
    session.execute(text("SELECT pg_notify('plan_published', :county)"), {"county": county})
    return draft


def _replace_grids(
    session: Session,
    draft: Generation,
    grids: list[DraftGrid],
    label: NDArray[np.int64],
    blocks: StoredBlocks,
    moment: datetime,
) -> None:
    county = draft.county
    members = func.array_agg(aggregate_order_by(GridBlock.block_id, GridBlock.block_id))
    held: dict[tuple[int, ...], Grid] = {
        tuple(ids): grid
        for grid, ids in session.execute(
            select(Grid, members)
            .join(GridBlock, GridBlock.grid_id == Grid.id)
            .where(Grid.county == county, func.upper_inf(Grid.valid))
            .group_by(Grid.id)
        )
    }
    keys = [tuple(sorted(grid.blocks)) for grid in grids]
    fresh = [i for i, key in enumerate(keys) if key not in held or held[key].kind != grids[i].kind]
    kept = {keys[i] for i in range(len(keys))} - {keys[i] for i in fresh}
    ended = [grid for key, grid in held.items() if key not in kept]
    for grid in ended:
        grid.valid = Range(grid.valid.lower, moment)
    session.flush()
    new = _insert_grids(session, draft, grids, fresh, label, blocks, moment)
    _trace_lineage(session, county, new, ended, blocks)


def _insert_grids(
    session: Session,
    draft: Generation,
    grids: list[DraftGrid],
    fresh: list[int],
    label: NDArray[np.int64],
    blocks: StoredBlocks,
    moment: datetime,
) -> list[Grid]:
    county = draft.county
    shapes = dissolve(blocks.polygons_wgs84, label)
    households = np.bincount(label, weights=blocks.households).astype(np.int64)
    codes = _codes(session, grids, fresh, shapes)
    names: dict[str, str] = dict(
        session.execute(
            text("SELECT code, name FROM division WHERE county = :c"), {"c": county}
        ).all()
    )
    zones: dict[int, str | None] = dict(
        session.execute(text("SELECT id, name FROM zone WHERE county = :c"), {"c": county}).all()
    )
    rows = []
    for i in fresh:
        grid, code = grids[i], codes[i]
        name = f"{names[grid.community]}第{int(code[12:])}网格"
        if grid.zone_id is not None and zones.get(grid.zone_id):
            name = f"{zones[grid.zone_id]}专属网格"
        rows.append(
            {
                "county": county,
                "generation_id": draft.id,
                "code": code,
                "name": name[:200],
                "kind": grid.kind,
                "community": grid.community,
                "zone_id": grid.zone_id,
                "households": int(households[i]),
                "valid": f"[{moment.isoformat()},)",
                "geom": as_multipolygon(shapes[i]),
            }
        )
    upsert(session, "grid", rows, key=())
    new = list(session.scalars(select(Grid).where(Grid.generation_id == draft.id)))
    by_code = {grid.code: grid.id for grid in new}
    links = [
        {"county": county, "grid_id": by_code[codes[i]], "block_id": block}
        for i in fresh
        for block in grids[i].blocks
    ]
    upsert(session, "grid_block", links, key=())
    _index_cells(session, county, [by_code[codes[i]] for i in fresh], shapes[fresh])
    return new


def _codes(
    session: Session, grids: list[DraftGrid], fresh: list[int], shapes: Any
) -> dict[int, str]:
    """New codes of the fresh grids, community by community in reading order."""
    last: dict[str, int] = dict(session.execute(_LAST_CODES).all())
    codes: dict[int, str] = {}
    of_community: dict[str, list[int]] = {}
    for i in fresh:
        of_community.setdefault(grids[i].community, []).append(i)
    for community, mine in sorted(of_community.items()):
        places = shapely.point_on_surface(shapes[mine])
        bounds = shapely.bounds(shapes[mine])
        height = float(np.median(bounds[:, 3] - bounds[:, 1]))
        order = reading_order(shapely.get_x(places), shapely.get_y(places), height)
        for position, code in zip(
            order, new_codes(community, len(mine), last.get(community, 0)), strict=True
        ):
            codes[mine[int(position)]] = code
    return codes


def _index_cells(session: Session, county: str, grid_ids: list[int], shapes: Any) -> None:
    session.execute(
        text(
            "DELETE FROM grid_cell USING grid WHERE grid_cell.grid_id = grid.id "
            "AND grid.county = :county AND NOT upper_inf(grid.valid)"
        ),
        {"county": county},
    )
    index = cover_polygons(shapes, GRID_RESOLUTION)
    rows = [
        {"county": county, "cell": cell, "grid_id": grid_ids[area], "whole": whole}
        for cell, area, whole in zip(
            index.cell.tolist(), index.area.tolist(), index.whole.tolist(), strict=True
        )
    ]
    upsert(session, "grid_cell", rows, key=())


def _trace_lineage(
    session: Session, county: str, new: list[Grid], ended: list[Grid], blocks: StoredBlocks
) -> None:
    """Record for each new grid the share of its households that came from each ended one."""
    households = dict(zip(blocks.ids.tolist(), blocks.households.tolist(), strict=True))
    ids = [grid.id for grid in [*new, *ended]]
    of_block: dict[int, dict[str, int]] = {}
    ended_ids = {grid.id for grid in ended}
    for link in session.scalars(select(GridBlock).where(GridBlock.grid_id.in_(ids))):
        side = "parent" if link.grid_id in ended_ids else "child"
        of_block.setdefault(link.block_id, {})[side] = link.grid_id
    shares: dict[tuple[int, int], float] = {}
    for block, sides in of_block.items():
        if len(sides) == 2:
            pair = (sides["child"], sides["parent"])
            shares[pair] = shares.get(pair, 0) + households.get(block, 0)
    total = {grid.id: max(grid.households, 1) for grid in new}
    session.add_all(
        Lineage(county=county, child_id=c, parent_id=p, household_share=n / total[c])
        for (c, p), n in shares.items()
    )

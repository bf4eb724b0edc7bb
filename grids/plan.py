"""Plans drawn by the engine: a draft of a county's grids, and the check of any draft."""

from collections.abc import Callable, Collection, Iterable, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Edit, Generation, Grid, GridBlock, Profile
from data.store import shapes_from_wkb
from gis.crs import LocalProjection
from grids.blocks import Blocks
from grids.borders import Borders, draw_borders
from grids.checks import Fault, check_plan
from grids.drafting.drawing import Drawn, write_drawn
from grids.drafting.tables import stitched
from grids.generations import latest_generation, require_draft, rules_of
from grids.ground import Ground, StoredBlocks, load_blocks, load_lines
from grids.partition import Partition, Rules, Solution, partition

__all__ = ["Drawing", "check_draft", "draw", "draw_draft"]

Labels = np.ndarray[Any, np.dtype[np.int64]]

_DRAFT_BLOCKS = text(
    "SELECT key, community, grid_key, households, ST_AsBinary(geom) AS geom FROM draft_block "
    "WHERE generation_id = :draft ORDER BY community, key"
)
_LEFT_OUT = text(
    "SELECT block.id, ST_AsBinary(block.geom) AS geom FROM block "
    "JOIN draft_community AS touched ON touched.community = block.community "
    "AND touched.generation_id = :draft WHERE block.retired_at IS NULL AND NOT EXISTS "
    "(SELECT 1 FROM draft_block WHERE generation_id = :draft AND block_id = block.id) "
    "ORDER BY block.id"
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A draft with what a report of it needs: blocks, borders, partition, rules, communities."""

    draft_id: int
    ground: Ground
    blocks: Blocks
    borders: Borders
    parts: Partition
    rules: Rules


def draw_draft(session: Session, county: str, **options: Any) -> int:
    """Partition a county's blocks into grids and keep the result as a draft; return its id.

    The options are those of `draw`.
    """
    return draw(session, county, **options).draft_id


def draw(
    session: Session,
    county: str,
    *,
    profile: str = "tongliao",
    seed: int = 0,
    author: str = "system",
    keep: bool = False,
    communities: Collection[str] = (),
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    finished: MutableMapping[str, Solution] | None = None,
) -> Drawing:
    """Partition a county's blocks into grids and keep the result as a draft.

    Parameters
    ----------
    profile : str
        Code of the profile whose rules hold.
    seed : int
    keep : bool
        Start from the published grids and keep what still fits.
    communities : collection of str
        Codes of those to draw anew, the others keep their grids; all of them where empty.
    executor : concurrent.futures.Executor, optional
    progress : callable, optional
        Called with the blocks done and the blocks in all.
    finished : MutableMapping, optional
        See `partition`.

    Raises
    ------
    NotFoundError
        If the profile or a community is unknown.
    StateError
        If only some communities are to be drawn and there is no published plan.
    """
    rules = rules_of(session, profile)
    ground = Ground.load(session, county)
    stored = load_blocks(session, county, ground, rules, executor)
    blocks = Blocks.of(
        stored.polygons_m,
        stored.community,
        zone=stored.zone,
        households=stored.households,
        estate=stored.estate,
    )
    borders = draw_borders(blocks.polygons, load_lines(session, county, ground.local))
    held = _held_labels(session, county, stored) if keep or communities else None
    parts = partition(
        blocks,
        borders,
        ground.urban,
        rules,
        seed=seed,
        prior=held if keep else None,
        executor=executor,
        progress=progress,
        finished=finished,
    )
    if communities:
        parts = _only(parts, blocks, held, _positions(ground, communities))
    chosen = _positions(ground, communities) if communities else range(len(ground.codes))
    drawn = Drawn.of(ground, stored, parts, chosen)
    draft = _store_draft(session, county, profile, seed, author, drawn)
    write_drawn(session, draft, drawn, blocks, borders)
    return Drawing(draft.id, ground, blocks, borders, parts, rules)


def _held_labels(session: Session, county: str, stored: StoredBlocks) -> Labels:
    """Published grid of each block, -1 where there is none."""
    rows = session.execute(
        select(GridBlock.block_id, GridBlock.grid_id)
        .join(Grid, Grid.id == GridBlock.grid_id)
        .where(Grid.county == county, func.upper_inf(Grid.valid))
    ).all()
    grid_of: dict[int, int] = {row.block_id: row.grid_id for row in rows}
    return np.array([grid_of.get(block, -1) for block in stored.ids.tolist()], np.int64)


def _positions(ground: Ground, communities: Collection[str]) -> list[int]:
    known = {code: index for index, code in enumerate(ground.codes)}
    if unknown := sorted(set(communities) - set(known)):
        raise NotFoundError(f"no community {unknown[0]!r} in this county")
    return [known[code] for code in communities]


def _only(parts: Partition, blocks: Blocks, held: Labels | None, chosen: list[int]) -> Partition:
    """Take the chosen communities from the partition, the others from the published plan."""
    fresh = np.isin(blocks.community, chosen)
    if held is None or (held[~fresh] < 0).any():
        raise StateError("there is no published plan to keep: draw every community")
    mixed = np.where(fresh, parts.label, held + len(parts.community))
    _, first, label = np.unique(mixed, return_index=True, return_inverse=True)
    zone = np.full(len(first), -1, np.int64)
    np.maximum.at(zone, label.reshape(-1), blocks.zone)
    return replace(
        parts,
        label=label.reshape(-1).astype(np.int64),
        community=blocks.community[first],
        zone=zone,
    )


def _store_draft(
    session: Session, county: str, profile: str, seed: int, author: str, drawn: Drawn
) -> Generation:
    base, named = latest_generation(session, county), session.get(Profile, profile)
    draft = Generation(
        county=county,
        author=author,
        base_id=base.id if base else None,
        area=next(iter(drawn.parts)) if len(drawn.parts) == 1 else county,
        profile=profile,
        title=f"{named.name if named else profile} {seed}",
        note=f"{profile}, seed {seed}",
        head=1,
    )
    session.add(draft)
    session.flush()
    arguments = {"profile": profile, "seed": seed, "parts": drawn.parts}
    session.add(
        Edit(
            county=county,
            generation_id=draft.id,
            position=1,
            operation="partition",
            arguments=arguments,
            author=author,
        )
    )
    session.flush()
    return draft


def check_draft(session: Session, county: str, draft_id: int) -> list[Fault]:
    """Check the hard rules of a draft; an empty list means that it may be published.

    What is checked is what would be published: the draft's tables, not the list of edits.
    Places are in EPSG:4326.
    """
    draft = require_draft(session, county, draft_id)
    faults = [
        Fault("coverage", f"block {row.id} is in no grid", shape)
        for row, shape in _with_shapes(session.execute(_LEFT_OUT, {"draft": draft.id}).all())
    ]
    rows = session.execute(_DRAFT_BLOCKS, {"draft": draft.id}).all()
    if not rows:
        return faults
    shapes = stitched([row.key for row in rows], shapes_from_wkb([row.geom for row in rows]))
    local = LocalProjection.around(shapes)
    _, community = _numbered(row.community for row in rows)
    grids, label = _numbered(row.grid_key for row in rows)
    households = np.array([row.households for row in rows], np.int64)
    found = check_plan(
        local.forward(shapes),
        community,
        label,
        households,
    )
    for fault in found:
        kind, number = fault.where.split(" ")
        name = grids[int(number)] if kind == "grid" else rows[int(number)].key
        place = local.inverse(np.array([fault.place], dtype=object))[0]
        faults.append(Fault(fault.rule, f"{kind} {name}", place))
    return faults


def _numbered(names: Iterable[str]) -> tuple[list[str], Labels]:
    """Names in the order of their first appearance, and the number of each."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(name, len(numbers)) for name in names]
    return list(numbers), np.array(found, np.int64)


def _with_shapes(rows: Any) -> list[tuple[Any, Any]]:
    shapes = shapely.point_on_surface(shapes_from_wkb([row.geom for row in rows]))
    return list(zip(rows, shapes, strict=True))

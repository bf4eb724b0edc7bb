"""Plans: draw a draft, check it, publish it as a generation in one transaction."""

from collections.abc import Callable, Collection, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import Range, aggregate_order_by
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Edit, Generation, Grid, GridBlock, Lineage, Profile
from data.store import upsert
from gis.cells import cover_polygons
from gis.coverage import dissolve
from grids.blocks import Blocks
from grids.borders import Borders, draw_borders
from grids.checks import Fault, check_plan
from grids.codes import new_codes, reading_order
from grids.ground import Ground, StoredBlocks, load_blocks, load_lines
from grids.partition import Partition, Rules, SizeRange, Solution, partition

__all__ = [
    "GRID_RESOLUTION",
    "DraftGrid",
    "Drawing",
    "check_draft",
    "current_generation",
    "draw",
    "draw_draft",
    "publish",
    "rules_of",
]

Labels = np.ndarray[Any, np.dtype[np.int64]]

# About 66 m to a cell's edge: a 300-household urban grid holds a handful of whole cells.
GRID_RESOLUTION = 10


# Retired codes count too: a code is never given twice.
_LAST_CODES = text(
    "SELECT left(code, 12), max(right(code, -12)::int) FROM grid GROUP BY left(code, 12)"
)


@dataclass(frozen=True, slots=True)
class DraftGrid:
    """One grid of a draft: its community, kind, zone and the ids of its blocks."""

    community: str
    kind: str
    zone_id: int | None
    blocks: tuple[int, ...]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "DraftGrid":
        """Read it back from an edit's arguments."""
        blocks = tuple(value["blocks"])
        return cls(value["community"], value["kind"], value["zone_id"], blocks)

    def to_json(self) -> dict[str, Any]:
        """Arguments of an edit."""
        return {
            "community": self.community,
            "kind": self.kind,
            "zone_id": self.zone_id,
            "blocks": list(self.blocks),
        }


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
    )


def _range(target: int, least: int | None, most: int | None) -> SizeRange:
    usual = SizeRange.around(float(target))
    return SizeRange(usual.target, float(least or usual.least), float(most or usual.most))


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
    borders = draw_borders(blocks.polygons, load_lines(session, county, ground))
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
    grids = _draft_grids_of(parts, stored, ground)
    number = _store_draft(session, county, profile, seed, author, grids)
    return Drawing(number, ground, blocks, borders, parts, rules)


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


def _draft_grids_of(parts: Partition, stored: StoredBlocks, ground: Ground) -> list[DraftGrid]:
    order = np.argsort(parts.label, kind="stable")
    members = np.split(stored.ids[order], np.cumsum(np.bincount(parts.label))[:-1])
    grids = []
    for index, ids in enumerate(members):
        place, zone = int(parts.community[index]), int(parts.zone[index])
        kind = "dedicated" if zone >= 0 else ("urban" if ground.urban[place] else "rural")
        block_ids = tuple(ids.tolist())
        grids.append(DraftGrid(ground.codes[place], kind, zone if zone >= 0 else None, block_ids))
    return grids


def _store_draft(
    session: Session, county: str, profile: str, seed: int, author: str, grids: list[DraftGrid]
) -> int:
    base = current_generation(session, county)
    draft = Generation(county=county, author=author, base_id=base.id if base else None)
    draft.note = f"{profile}, seed {seed}"
    session.add(draft)
    session.flush()
    arguments = {"profile": profile, "seed": seed, "grids": [grid.to_json() for grid in grids]}
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
    return draft.id


def current_generation(
    session: Session, county: str, at: datetime | None = None
) -> Generation | None:
    """The generation that is valid now, or at a time."""
    moment = at or func.now()
    return session.scalars(
        select(Generation).where(Generation.county == county, Generation.valid.contains(moment))
    ).one_or_none()


def draft_grids(session: Session, draft: Generation) -> list[DraftGrid]:
    """Replay a draft's edits to its grids."""
    edits = session.scalars(
        select(Edit).where(Edit.generation_id == draft.id).order_by(Edit.position)
    ).all()
    grids: list[DraftGrid] = []
    for edit in edits:
        if edit.operation != "partition":
            raise StateError(f"draft {draft.id} has an unknown edit {edit.operation!r}")
        grids = [DraftGrid.from_json(value) for value in edit.arguments["grids"]]
    return grids


def require_draft(session: Session, county: str, draft_id: int) -> Generation:
    """Load and lock a draft.

    Raises
    ------
    NotFoundError, StateError
        If there is none of that number in the county, or it is no draft any more.
    """
    draft = session.get(Generation, draft_id, with_for_update=True)
    if draft is None or draft.county != county:
        raise NotFoundError(f"county {county} has no draft {draft_id}")
    if draft.state != "draft":
        raise StateError(f"generation {draft_id} is {draft.state}, not a draft")
    return draft


def check_draft(session: Session, county: str, draft_id: int) -> list[Fault]:
    """Check the hard rules of a draft; an empty list means that it may be published."""
    draft = require_draft(session, county, draft_id)
    ground = Ground.load(session, county)
    blocks = load_blocks(session, county, ground, Rules())
    label = _labels(blocks, draft_grids(session, draft))
    return check_plan(blocks.polygons_m, blocks.community, label, blocks.households)


def _labels(blocks: StoredBlocks, grids: Sequence[DraftGrid]) -> Labels:
    position = {block: index for index, block in enumerate(blocks.ids.tolist())}
    label = np.full(len(blocks.ids), -1, np.int64)
    for number, grid in enumerate(grids):
        label[[position[block] for block in grid.blocks]] = number
    if (label < 0).any():
        missing = blocks.ids[np.flatnonzero(label < 0)[0]]
        raise StateError(f"block {missing} is in no grid of the draft: draw the draft again")
    return label


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
    label = _labels(blocks, grids)
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
    label: Labels,
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
    label: Labels,
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
                "geom": _multi(shapes[i]),
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


def _multi(shape: Any) -> Any:
    return shapely.MultiPolygon(list(shapely.get_parts(shape)))


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

"""Plans: draw a draft and check it; `grids.publish` makes it a generation."""

from collections.abc import Callable, Collection, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Edit, Generation, Grid, GridBlock, Profile
from grids.blocks import Blocks
from grids.borders import Borders, draw_borders
from grids.checks import Fault, check_plan
from grids.ground import Ground, StoredBlocks, load_blocks, load_lines
from grids.partition import Partition, Rules, SizeRange, Solution, partition

__all__ = [
    "DraftGrid",
    "Drawing",
    "check_draft",
    "current_generation",
    "draft_grids",
    "draft_labels",
    "draw",
    "draw_draft",
    "require_draft",
    "rules_of",
]

Labels = np.ndarray[Any, np.dtype[np.int64]]


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
        micro=SizeRange(
            (found.micro_least + found.micro_most) / 2,
            float(found.micro_least),
            float(found.micro_most),
        ),
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
    label = draft_labels(blocks, draft_grids(session, draft))
    return check_plan(blocks.polygons_m, blocks.community, label, blocks.households)


def draft_labels(blocks: StoredBlocks, grids: Sequence[DraftGrid]) -> Labels:
    """Grid of each block in a draft.

    Raises
    ------
    StateError
        If a block is in none of them: the blocks were drawn anew since.
    """
    position = {block: index for index, block in enumerate(blocks.ids.tolist())}
    label = np.full(len(blocks.ids), -1, np.int64)
    for number, grid in enumerate(grids):
        label[[position[block] for block in grid.blocks]] = number
    if (label < 0).any():
        missing = blocks.ids[np.flatnonzero(label < 0)[0]]
        raise StateError(f"block {missing} is in no grid of the draft: draw the draft again")
    return label

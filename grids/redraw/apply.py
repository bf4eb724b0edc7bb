"""Applying an operation to a draft's state: the one way by which drafts change; pure."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.slicing import slice_coverage
from grids.codes import LAST_SEQUENCE, own_name
from grids.redraw import operations as op
from grids.redraw.errors import EditRefusedError
from grids.redraw.plan import CommunityPlan, DraftState, PlannedGrid, PlannedPost

__all__ = ["ZONE_KINDS", "apply", "redrawn"]

Int = NDArray[np.int64]
ZONE_KINDS = ("park", "industrial_park", "business", "school", "hospital", "market", "centre")


def apply(state: DraftState, operation: Any, number: int) -> DraftState:
    """Do one operation.

    Parameters
    ----------
    state : DraftState
        With the plans of the operation's communities loaded.
    operation : one of `grids.redraw.operations`
        Engines' results (`parts`) filled in.
    number : int
        The edit's position in the draft: keys of new grids are made of it.

    Returns
    -------
    DraftState
        The same plan objects for communities that it does not touch.

    Raises
    ------
    EditRefusedError
        If the result would break a rule, or nothing would change; the state is as it was.
    GeometryError
        If a drawn line cannot be used.

    Notes
    -----
    Linear in the blocks of the communities that it touches, whatever the size of the county.
    """
    plan = state.plan(operation.community)
    if isinstance(operation, op.AdjustBoundary):
        return state.with_plan(*_adjusted(plan, state.plan(operation.to), operation))
    if isinstance(operation, op.AssignPost):
        plan.find(operation.grid)
        return replace(state, posts=_posted(state.posts, operation))
    made = _DOING[type(operation)](plan, operation, number)
    if made is plan:
        raise EditRefusedError("nothing", "this would change nothing")
    _require_codes(made)
    return state.with_plan(made)


def _require_codes(plan: CommunityPlan) -> None:
    fresh = sum(grid.is_new for grid in plan.grids)
    if fresh > (left := LAST_SEQUENCE - len(plan.blocks.ground.codes)):
        raise EditRefusedError(
            "code", f"{plan.blocks.ground.name} has {left} codes left for {fresh} new grids"
        )


def _new_key(plan: CommunityPlan, number: int, counter: int) -> str:
    return f"{plan.code}+{number}.{counter}"


def _ordinary(plan: CommunityPlan, key: str) -> PlannedGrid:
    return PlannedGrid(key, kind="urban" if plan.blocks.ground.urban else "rural")


def _repaint(plan: CommunityPlan, asked: op.Repaint, _number: int) -> CommunityPlan:
    chosen, to = plan.blocks.find(asked.blocks), plan.find(asked.grid)
    grid_of = plan.grid_of.copy()
    grid_of[chosen] = to
    if (grid_of == plan.grid_of).all():
        return plan
    return CommunityPlan.of(plan.blocks, plan.grids, grid_of, plan)


def _new_grid(plan: CommunityPlan, asked: op.NewGrid, number: int) -> CommunityPlan:
    chosen = plan.blocks.find(asked.blocks)
    grid_of = plan.grid_of.copy()
    grid_of[chosen] = len(plan.grids)
    grid = replace(_ordinary(plan, _new_key(plan, number, 1)), heir_of=_heir(plan, chosen))
    return CommunityPlan.of(plan.blocks, (*plan.grids, grid), grid_of, plan)


def _heir(plan: CommunityPlan, blocks: Int) -> str:
    """The published grid that most households of some blocks are in, or come from."""
    weights = plan.blocks.households[blocks] + 1e-6  # empty ground has an heir too
    held = np.bincount(plan.grid_of[blocks], weights=weights, minlength=len(plan.grids))
    return plan.grids[int(np.argmax(held))].staff_of


def _merge(plan: CommunityPlan, asked: op.Merge, _number: int) -> CommunityPlan:
    positions = [plan.find(key) for key in dict.fromkeys(asked.grids)]
    if len(positions) < 2:
        return plan
    first, rest = positions[0], positions[1:]
    grid_of = plan.grid_of.copy()
    grid_of[np.isin(grid_of, rest)] = first
    return _closed_up(plan, plan.grids, grid_of)


def _closed_up(plan: CommunityPlan, grids: Iterable[PlannedGrid], grid_of: Int) -> CommunityPlan:
    """The plan without the grids that have no block any more."""
    listed = tuple(grids)
    used, renumbered = np.unique(grid_of, return_inverse=True)
    kept = [listed[i] for i in used.tolist()]
    return CommunityPlan.of(plan.blocks, kept, renumbered.reshape(-1).astype(np.int64), plan)


def _cut(plan: CommunityPlan, asked: op.Cut, _number: int) -> CommunityPlan:
    chosen = np.ones(len(plan.blocks.keys), bool)
    if asked.blocks:
        chosen = np.zeros(len(plan.blocks.keys), bool)
        chosen[plan.blocks.find(asked.blocks)] = True
    line = shapely.LineString(asked.line)
    blocks = plan.blocks.sliced(line, chosen)
    if blocks is plan.blocks:
        raise EditRefusedError("nothing", "the line runs through no block of the community", line)
    return plan.with_blocks(blocks)


def _split_by_line(plan: CommunityPlan, asked: op.SplitByLine, number: int) -> CommunityPlan:
    line, at = shapely.LineString(asked.line), plan.find(asked.grid)
    blocks = plan.blocks.sliced(line, plan.grid_of == at)
    cut = plan if blocks is plan.blocks else plan.with_blocks(blocks)
    members = cut.members(asked.grid)
    side = _sides(cut, members, line)
    if len(np.unique(side)) < 2:
        raise EditRefusedError("nothing", "the line does not divide the grid", line)
    return _divided(cut, asked.grid, members, side, number, plan)


def _sides(plan: CommunityPlan, members: Int, line: Any) -> Int:
    """Which part of the grid each of its blocks lies in, as a line divides it."""
    whole = shapely.get_parts(shapely.coverage_union_all(plan.blocks.polygons[members]))
    done = slice_coverage(whole, line)
    faces = np.concatenate(
        [done.pieces.get(i, np.array([part], dtype=object)) for i, part in enumerate(whole)]
    )
    points = shapely.point_on_surface(plan.blocks.polygons[members])
    point, face = shapely.STRtree(faces).query_nearest(points, all_matches=False)
    side = np.zeros(len(members), np.int64)
    side[point] = face
    return side


def _divided(
    plan: CommunityPlan,
    key: str,
    members: Int,
    side: Int,
    number: int,
    before: CommunityPlan,
) -> CommunityPlan:
    """The part with the most households goes on as the grid, the others are new."""
    names, side = np.unique(side, return_inverse=True)
    side = side.reshape(-1)
    held = np.bincount(side, weights=plan.blocks.households[members], minlength=len(names))
    first = int(np.argmax(held))
    others = [i for i in range(len(names)) if i != first]
    old = plan.grids[plan.find(key)]
    grid_of, grids = plan.grid_of.copy(), list(plan.grids)
    for counter, part in enumerate(others, 1):
        grid_of[members[side == part]] = len(grids)
        key_of_part = _new_key(plan, number, counter)
        grids.append(replace(old, key=key_of_part, code="", name="", heir_of=old.staff_of))
    return CommunityPlan.of(plan.blocks, grids, grid_of, before)


def _split_into(plan: CommunityPlan, asked: op.SplitInto, number: int) -> CommunityPlan:
    members = plan.members(asked.grid)
    side = _side_of_parts(plan, members, asked.parts)
    return _divided(plan, asked.grid, members, side, number, plan)


def _side_of_parts(plan: CommunityPlan, members: Int, parts: op.Parts) -> Int:
    side = np.full(len(plan.blocks.keys), -1, np.int64)
    for index, keys in enumerate(parts):
        side[plan.blocks.find(keys)] = index
    own = side[members]
    if (own < 0).any() or (np.delete(side, members) >= 0).any():
        raise EditRefusedError("unknown", "the parts are not those of the grid as it is now")
    return own


def _repartition(plan: CommunityPlan, asked: op.Repartition, number: int) -> CommunityPlan:
    made = redrawn(plan, asked.parts, number)
    return plan if set(made.grids) == set(plan.grids) else made


def _adopt(plan: CommunityPlan, asked: op.Adopt, number: int) -> CommunityPlan:
    if len(asked.names) != len(asked.parts):
        raise EditRefusedError("unknown", "there must be a name for each part, empty ones too")
    made = redrawn(plan, asked.parts, number)
    town = plan.blocks.ground.name
    grids = [
        replace(grid, name=own_name(name, town, grid.code) if grid.code else name) if name else grid
        for grid, name in zip(made.grids, asked.names, strict=True)
    ]
    return plan if set(grids) == set(plan.grids) else replace(made, grids=tuple(grids))


def redrawn(plan: CommunityPlan, parts: op.Parts, number: int) -> CommunityPlan:
    """A community's plan with the grids that an engine drew.

    A grid of the same blocks goes on as itself; a grid all of whose blocks are a zone's is
    dedicated to it.

    Raises
    ------
    EditRefusedError
        If the parts are not made of the community's blocks as they are now.
    """
    everything = np.arange(len(plan.blocks.keys))
    side = _side_of_parts(plan, everything, parts)
    held = {blocks: key for key, blocks in plan.members_of().items()}
    grids = []
    for counter, keys in enumerate(parts, 1):
        found = plan.blocks.find(keys)
        zone = int(plan.blocks.zone[found].min())
        known = held.get(frozenset(keys))
        if known is not None:
            grid = plan.grids[plan.find(known)]
        else:
            key = _new_key(plan, number, counter)
            grid = PlannedGrid(key, heir_of=_heir(plan, found))
        kind = "dedicated" if zone >= 0 else _ordinary(plan, "").kind
        grids.append(replace(grid, kind=kind, zone_id=zone if zone >= 0 else None))
    return CommunityPlan.of(plan.blocks, grids, side, plan)


def _restore(plan: CommunityPlan, asked: op.Restore, _number: int) -> CommunityPlan:
    everything = np.arange(len(plan.blocks.keys))
    side = _side_of_parts(plan, everything, tuple(grid.blocks for grid in asked.grids))
    grids = []
    for one in asked.grids:
        grid = PlannedGrid(one.code, one.code, one.name, one.kind, one.zone_id)
        goes_on = one.code in plan.position
        heir = "" if goes_on else _heir(plan, plan.blocks.find(one.blocks))
        grids.append(replace(grid, heir_of=heir))
    return CommunityPlan.of(plan.blocks, grids, side, plan)


def _dedicate(plan: CommunityPlan, asked: op.Dedicate, _number: int) -> CommunityPlan:
    held = plan.grids[plan.find(asked.grid)]
    if asked.zone_kind and asked.zone_kind not in ZONE_KINDS:
        raise EditRefusedError(
            "unknown", f"no kind of zone {asked.zone_kind!r}; there are: {', '.join(ZONE_KINDS)}"
        )
    dedicated = asked.zone_id is not None or bool(asked.zone_kind)
    made = replace(
        held,
        kind="dedicated" if dedicated else _ordinary(plan, "").kind,
        zone_id=asked.zone_id,
        zone_kind=asked.zone_kind,
        zone_name=asked.zone_name,
        zone_owner=asked.zone_owner,
    )
    return plan if made == held else plan.with_grid(made)


def _rename(plan: CommunityPlan, asked: op.Rename, _number: int) -> CommunityPlan:
    held, name = plan.grids[plan.find(asked.grid)], asked.name.strip()
    if any(grid.name == name and grid.key != held.key for grid in plan.grids if name):
        raise EditRefusedError("code", f"another grid of the community is named {name}")
    return plan if held.name == name else plan.with_grid(replace(held, name=name))


def _swap_codes(plan: CommunityPlan, asked: op.SwapCodes, _number: int) -> CommunityPlan:
    one, two = plan.grids[plan.find(asked.grid)], plan.grids[plan.find(asked.other)]
    for grid in (one, two):
        if grid.is_new:
            raise EditRefusedError(
                "code", f"{grid.label} is new, and a code that was given stays with its grid"
            )
    if one.code == two.code:
        return plan
    swapped = plan.with_grid(replace(one, code=two.code))
    return swapped.with_grid(replace(two, code=one.code))


def _number_from(plan: CommunityPlan, asked: op.NumberFrom, _number: int) -> CommunityPlan:
    fresh = [grid for grid in plan.grids if grid.is_new]
    if asked.first + len(fresh) - 1 > LAST_SEQUENCE:
        raise EditRefusedError(
            "code", f"{len(fresh)} codes from {asked.first} on go beyond {LAST_SEQUENCE}"
        )
    given = plan.blocks.ground.codes
    made = plan
    for number, grid in enumerate(fresh, asked.first):
        code = f"{plan.code}{number:03d}"
        if code in given:
            raise EditRefusedError("code", f"code {code} is taken, or was: none is given twice")
        made = made.with_grid(replace(grid, code=code))
    return plan if made.grids == plan.grids else made


def _adjusted(
    plan: CommunityPlan, other: CommunityPlan, asked: op.AdjustBoundary
) -> tuple[CommunityPlan, CommunityPlan]:
    if plan is other:
        raise EditRefusedError("nothing", "both are the same community: repaint instead")
    chosen, to = plan.blocks.find(asked.blocks), other.find(asked.grid)
    kept = np.delete(np.arange(len(plan.blocks.keys)), chosen)
    if not len(kept):
        raise EditRefusedError("empty", f"{plan.blocks.ground.name} would have no ground left")
    less = CommunityPlan.of(plan.blocks.without(chosen), plan.grids, plan.grid_of[kept], plan)
    grown = other.blocks.with_blocks_of(plan.blocks, chosen)
    grid_of = np.append(other.grid_of, np.full(len(chosen), to, np.int64))
    return less, CommunityPlan.of(grown, other.grids, grid_of, other)


def _posted(posts: tuple[PlannedPost, ...], asked: op.AssignPost) -> tuple[PlannedPost, ...]:
    made = PlannedPost(asked.grid, asked.role, asked.person_id, asked.holder)
    if made in posts:
        raise EditRefusedError("nothing", "this would change nothing")
    same = (made.grid, made.role, made.holder)
    kept = tuple(one for one in posts if (one.grid, one.role, one.holder) != same)
    return (*kept, made)


_DOING: dict[type, Callable[[CommunityPlan, Any, int], CommunityPlan]] = {
    op.Repaint: _repaint,
    op.NewGrid: _new_grid,
    op.Merge: _merge,
    op.Cut: _cut,
    op.SplitByLine: _split_by_line,
    op.SplitInto: _split_into,
    op.Repartition: _repartition,
    op.Adopt: _adopt,
    op.Restore: _restore,
    op.Dedicate: _dedicate,
    op.Rename: _rename,
    op.SwapCodes: _swap_codes,
    op.NumberFrom: _number_from,
}

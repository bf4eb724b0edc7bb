"""What only an engine can tell: the parts of an even split, the grids of a new partition; pure."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grids.blocks import Blocks
from grids.cutting import group_plots
from grids.partition import SizeRange, Weights, partition
from grids.redraw import operations as op
from grids.redraw.errors import EditRefusedError
from grids.redraw.plan import CommunityPlan, DraftState

__all__ = ["resolve"]


def resolve(state: DraftState, operation: Any) -> Any:
    """The same operation with the engine's result in it; others as they are.

    Parameters
    ----------
    state : DraftState
        With the plan of the operation's community loaded.

    Raises
    ------
    EditRefusedError
        If there are fewer blocks than parts.
    """
    if isinstance(operation, op.SplitInto) and not operation.parts:
        return replace(operation, parts=_even(state.plan(operation.community), operation))
    if isinstance(operation, op.Repartition) and not operation.parts:
        return replace(operation, parts=_drawn(state.plan(operation.community), operation))
    return operation


def _even(plan: CommunityPlan, asked: op.SplitInto) -> op.Parts:
    members = plan.members(asked.grid)
    if len(members) < asked.count:
        raise EditRefusedError(
            "nothing",
            f"the grid has {len(members)} blocks, fewer than {asked.count} parts: cut some first",
        )
    households = plan.blocks.households[members]
    size = SizeRange.around(max(float(households.sum()) / asked.count, 1.0))
    side = group_plots(plan.blocks.polygons_m[members], households, size, asked.count, asked.seed)
    return _parts(plan, members, side)


def _drawn(plan: CommunityPlan, asked: op.Repartition) -> op.Parts:
    blocks, ground = plan.blocks, plan.blocks.ground
    weights = Weights(
        asked.balance, asked.compactness, asked.streets, asked.estates, asked.stability
    )
    size = _size(ground.size, asked)
    rules = replace(ground.rules, urban=size, rural=size, weights=weights)
    count = len(blocks.keys)
    zones = np.unique(blocks.zone[blocks.zone >= 0])
    zone = np.where(blocks.zone >= 0, np.searchsorted(zones, blocks.zone), -1).astype(np.int64)
    drawn = Blocks.of(
        blocks.polygons_m,
        np.zeros(count, np.int64),
        zone=zone,
        households=blocks.households,
        estate=blocks.estate,
    )
    found = partition(
        drawn,
        blocks.borders,
        np.array([ground.urban]),
        rules,
        seed=asked.seed,
        prior=plan.grid_of if asked.stability > 0 else None,
    )
    return _parts(plan, np.arange(count), found.label)


def _size(usual: SizeRange, asked: op.Repartition) -> SizeRange:
    aim = usual if asked.target is None else SizeRange.around(asked.target)
    least, most = asked.least or aim.least, asked.most or aim.most
    if not least <= aim.target <= most:
        raise EditRefusedError(
            "unknown", f"the target {aim.target:g} must lie between {least:g} and {most:g}"
        )
    return SizeRange(aim.target, least, most)


def _parts(plan: CommunityPlan, members: NDArray[np.int64], side: NDArray[np.int64]) -> op.Parts:
    keys = plan.blocks.keys
    return tuple(tuple(keys[i] for i in members[side == part].tolist()) for part in np.unique(side))

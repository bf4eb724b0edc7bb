"""Redrawing: the operations by which a planner changes a draft, and what they bring about; pure.

A draft's state is the assignment of blocks to grids of the communities that it touches
(`DraftState`). `apply` does one operation or refuses it with the place; `resolve` asks the
engines first where one is needed; `consequences` says what a change means.
"""

from grids.redraw.adoption import Drawn, Issue, adopt, check_drawn
from grids.redraw.apply import ZONE_KINDS, apply, redrawn
from grids.redraw.community import CommunityBlocks, CommunityGround, Dwellings, GridHolder
from grids.redraw.consequences import Limits, Move, Warned, changes, moves, warnings
from grids.redraw.errors import EditRefusedError
from grids.redraw.operations import communities_of, operation_from_json, operation_to_json
from grids.redraw.plan import (
    CommunityPlan,
    DraftState,
    GridFigures,
    PlannedGrid,
    PlannedPost,
)
from grids.redraw.resolve import resolve

__all__ = [
    "ZONE_KINDS",
    "CommunityBlocks",
    "CommunityGround",
    "CommunityPlan",
    "DraftState",
    "Drawn",
    "Dwellings",
    "EditRefusedError",
    "GridFigures",
    "GridHolder",
    "Issue",
    "Limits",
    "Move",
    "PlannedGrid",
    "PlannedPost",
    "Warned",
    "adopt",
    "apply",
    "changes",
    "check_drawn",
    "communities_of",
    "moves",
    "operation_from_json",
    "operation_to_json",
    "redrawn",
    "resolve",
    "warnings",
]

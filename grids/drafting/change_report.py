"""The change report of a draft: what a reviewer reads before approving it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import Generation
from grids.drafting.panel import Totals, name_of, totals
from grids.drafting.workbench import Workbench
from grids.redraw import (
    CommunityPlan,
    DraftState,
    GridFigures,
    Move,
    PlannedGrid,
    Warned,
    changes,
    moves,
    warnings,
)
from grids.rules import PEOPLE_PER_HOUSEHOLD

__all__ = ["ChangeReport", "CommunityChange", "GridLine", "LineageLine", "change_report"]

# A draft of a whole county is told in totals; beyond so many communities nobody reads tables.
MOST_COMMUNITIES = 60
_TOUCHED = text(
    "SELECT community FROM draft_community WHERE generation_id = :draft ORDER BY community"
)
_INCIDENTS = text(
    "SELECT incident.id, incident.source_ref AS case, incident_class.name AS class_name, "
    "incident.state, grid.name AS now FROM incident "
    "JOIN incident_class ON incident_class.code = class_code JOIN grid ON grid.id = grid_id "
    "WHERE incident.county = :county AND state NOT IN ('closed', 'void') "
    "AND grid.code = ANY (:codes) ORDER BY incident.id LIMIT 500"
)


@dataclass(frozen=True, slots=True)
class GridLine:
    """A grid before and after; None where it is not there."""

    name: str
    kind: str
    worker: str
    before: GridFigures | None
    after: GridFigures | None


@dataclass(frozen=True, slots=True)
class LineageLine:
    """Households that go from one grid to another, and their share of the one they leave."""

    source: str
    target: str
    households: int
    people: int
    share: float


@dataclass(frozen=True, slots=True)
class CommunityChange:
    """One community of the report, with its plans for maps."""

    code: str
    name: str
    before: CommunityPlan
    after: CommunityPlan
    grids: tuple[GridLine, ...]
    lineage: tuple[LineageLine, ...]
    warnings: tuple[tuple[Warned, str], ...]
    moved: int


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """The whole report.

    Attributes
    ----------
    communities : tuple of CommunityChange
        At most `MOST_COMMUNITIES` of them; `touched` says how many there are.
    incidents : list of rows
        Open incidents whose grid changes: id, case, class_name, state, now (the grid's name).
    """

    draft: Generation
    before: Totals
    after: Totals
    touched: int
    communities: tuple[CommunityChange, ...]
    incidents: list[Any]
    moved: int


def change_report(session: Session, bench: Workbench, draft: Generation) -> ChangeReport:
    """Make the report of a draft as its edits are now."""
    state = bench.state(session, draft)
    codes = list(session.scalars(_TOUCHED, {"draft": draft.id}))
    pairs = [
        (bench.base(session, draft, code), bench.community(session, draft, code))
        for code in codes[:MOST_COMMUNITIES]
    ]
    found = moves([before for before, _ in pairs], [after for _, after in pairs])
    gone = [one for one in found if one.source != one.target]
    told = []
    for before, after in pairs:
        # A key begins with its community's code: what comes over a boundary is told where it goes.
        mine = [one for one in gone if one.target.startswith(after.code)]
        if (one := _community(before, after, state, mine, pairs)).grids:
            told.append(one)
    changed = [
        grid.code for one in told for grid in one.before.grids if grid.code and _differs(one, grid)
    ]
    key = {"county": draft.county, "codes": changed}
    was, now = totals(session, bench, draft, state)
    return ChangeReport(
        draft,
        was,
        now,
        len(codes),
        tuple(told),
        list(session.execute(_INCIDENTS, key)),
        sum(one.moved for one in told),
    )


def _differs(one: CommunityChange, grid: PlannedGrid) -> bool:
    names = {line.name for line in one.grids}
    return name_of(one.before, grid) in names


def _community(
    before: CommunityPlan,
    after: CommunityPlan,
    state: DraftState,
    gone: list[Move],
    pairs: list[tuple[CommunityPlan, CommunityPlan]],
) -> CommunityChange:
    names = {grid.key: name_of(plan, grid) for plan, _ in pairs for grid in plan.grids}
    names |= {grid.key: name_of(after, grid) for grid in after.grids}
    holders = after.blocks.ground.holders
    lines = [
        GridLine(
            names[one.key],
            one.grid.kind,
            holders[one.grid.staff_of].name if one.grid.staff_of in holders else "",
            one.before,
            one.after,
        )
        for one in changes(before, after)
    ]
    held = {
        key: figures.households
        for plan, _ in pairs
        for key, figures in zip(plan.keys, plan.figures, strict=True)
    }
    return CommunityChange(
        after.code,
        after.blocks.ground.name,
        before,
        after,
        tuple(lines),
        tuple(_lineage(one, names, held) for one in gone),
        tuple((one, names[one.grid]) for one in warnings(after, state.posts)),
        sum(one.households for one in gone),
    )


def _lineage(move: Move, names: dict[str, str], held: dict[str, int]) -> LineageLine:
    return LineageLine(
        names[move.source],
        names[move.target],
        move.households,
        round(move.households * PEOPLE_PER_HOUSEHOLD),
        move.households / max(held.get(move.source, 0), 1),
    )
